//! What a handoff is made from, and what each placeholder stands for.

use crate::{
    address::{Edge, PublicIpv4, Transport},
    direction::Direction,
    handoff::MASK,
    id::{Key, OnboardingId},
    input::InputValue,
    journal::{Journal, StepResult, StepState},
    plan::Plan,
    recipe::Recipe,
    secret::Secret,
    settings::Rendered,
    signup::Signup,
    state::State,
    step::Step,
    template::EACH,
};

/// What a handoff is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// The recipe as it was when the signup was accepted.
    pub recipe: &'f Recipe,
    /// The onboarding's id.
    pub id: OnboardingId,
    /// Its key.
    pub key: &'f Key,
    /// Its signup, as accepted.
    pub signup: &'f Signup,
    /// Its state.
    pub state: State,
    /// Its plan.
    pub plan: &'f Plan,
    /// Its journal.
    pub journal: &'f Journal,
    /// The account's SID at Exotel.
    pub account_sid: &'f str,
    /// The account's edge, if the operator named it.
    pub edge: Option<&'f Edge>,
    /// Where Exotel's INVITEs for this account come from, if the operator named it.
    pub signalling_ips: &'f [PublicIpv4],
    /// The SIP password, if one was chosen.
    pub password: Option<&'f Secret>,
    /// Whether the password is shown instead of its mask.
    pub show_secrets: bool,
}

/// What a placeholder stands for.
pub(crate) enum Value {
    Text(String),
    Number(i64),
    List(Vec<String>),
    /// Nothing yet; the text stands in for it where text is around it.
    Missing(String),
}

impl Value {
    /// By itself: with its own type, and null where nothing is known.
    pub(crate) fn into_rendered(self) -> Rendered {
        match self {
            Self::Text(text) => Rendered::Text(text),
            Self::Number(number) => Rendered::Number(number),
            Self::List(list) => Rendered::List(list.into_iter().map(Rendered::Text).collect()),
            Self::Missing(_) => Rendered::Null,
        }
    }

    /// In a sentence.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Missing(text) => text,
            Self::Number(number) => number.to_string(),
            Self::List(list) => list.join(", "),
        }
    }
}

fn known(text: Option<String>) -> Value {
    text.map_or_else(|| Value::Missing("(not yet)".into()), Value::Text)
}

/// A list, or what to say where it is empty.
fn list(texts: Vec<String>, missing: &str) -> Value {
    if texts.is_empty() {
        Value::Missing(missing.to_owned())
    } else {
        Value::List(texts)
    }
}

const NO_SIGNALLING_IPS: &str = "(the addresses that Exotel's INVITEs come from: ask Exotel and write them as signalling_ips in the accounts file)";

const NO_TCP_PORT: &str = "(the TCP port of this edge: ask Exotel)";

/// The edge's port over TCP. Every edge that Exotel publishes has 443 for TLS and 5070 for TCP
/// (its TLS and TCP integration guides); nothing is known of other ports.
fn tcp_port(port: u16, transport: Transport) -> Option<u16> {
    match (transport, port) {
        (Transport::Tcp, port) => Some(port),
        (Transport::Tls, 443) => Some(5070),
        (Transport::Tls, _) => None,
    }
}

impl Facts<'_> {
    pub(crate) fn direction(&self) -> Direction {
        self.signup
            .direction
            .unwrap_or(self.recipe.default_direction)
    }

    pub(crate) fn domain(&self) -> String {
        format!("{}.pstn.exotel.com", self.account_sid)
    }

    pub(crate) fn dial_whom(&self) -> Option<String> {
        self.journal.trunk_sid().map(|sid| format!("sip:{sid}"))
    }

    pub(crate) fn trunk_sid_text(&self) -> String {
        self.journal
            .trunk_sid()
            .map_or_else(|| "(not yet)".into(), ToString::to_string)
    }

    pub(crate) fn password_text(&self) -> Option<String> {
        let password = self.password?;
        Some(if self.show_secrets {
            password.expose().to_owned()
        } else {
            MASK.to_owned()
        })
    }

    /// Exotel's id of what the step at `index` left.
    pub(crate) fn entry_id(&self, index: usize) -> Option<String> {
        let record = self.journal.record(index)?;
        match (&record.result, record.state) {
            (Some(StepResult::Entry { id }), StepState::Done) => Some(id.clone()),
            _ => None,
        }
    }

    pub(crate) fn destination_id(&self) -> Option<String> {
        let mut steps = self.plan.steps.iter();
        let at = steps.position(|step| matches!(step, Step::MapDestination { .. }))?;
        self.entry_id(at)
    }

    /// Whether an input has a value: the signup's, the recipe's default, or for Exotel's
    /// signalling addresses the account's.
    pub(crate) fn has_input(&self, name: &str) -> bool {
        if name == "exotel_signalling_ips" {
            !self.signalling_ips().is_empty()
        } else {
            self.signup.inputs.contains_key(name)
        }
    }

    /// The signup's own addresses, else the account's.
    pub(crate) fn signalling_ips(&self) -> Vec<String> {
        match self.signup.inputs.get("exotel_signalling_ips") {
            Some(value) => value.texts().to_vec(),
            None => self
                .signalling_ips
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }

    /// What `name` stands for; `each` is the address of the repeated list element it is in.
    pub(crate) fn look_up(&self, name: &str, each: Option<&str>) -> Value {
        if let Some(value) = self.own_value(name) {
            return value;
        }
        if let Some(edge) = name.strip_prefix("edge.") {
            return self.edge_value(edge);
        }
        let number = self.signup.number.as_str();
        let digits = number.trim_start_matches('+');
        match name {
            "account" => Value::Text(self.signup.account.to_string()),
            "account_sid" => Value::Text(self.account_sid.to_owned()),
            "domain" => Value::Text(self.domain()),
            "id" => Value::Text(self.id.to_string()),
            "key" => Value::Text(self.key.to_string()),
            "number" => Value::Text(number.to_owned()),
            "number_digits" => Value::Text(digits.to_owned()),
            "number_regex" => Value::Text(format!("^\\+?{digits}$")),
            "trunk_sid" => known(self.journal.trunk_sid().map(ToString::to_string)),
            "dial_whom" => known(self.dial_whom()),
            "password" => known(self.password_text()),
            "exotel_signalling_ips" => list(self.signalling_ips(), NO_SIGNALLING_IPS),
            "exotel_signalling_cidrs" => {
                let cidrs = self
                    .signalling_ips()
                    .iter()
                    .map(|ip| format!("{ip}/32"))
                    .collect();
                list(cidrs, NO_SIGNALLING_IPS)
            }
            EACH => known(each.map(str::to_owned)),
            _ => self.planned_value(name),
        }
    }

    /// The recipe's own inputs and tables. A missing input shows its name: a person fills it in.
    fn own_value(&self, name: &str) -> Option<Value> {
        if name == "exotel_signalling_ips" {
            return None;
        }
        let recipe = self.recipe;
        if !recipe.inputs.contains_key(name) && !recipe.tables.contains_key(name) {
            return None;
        }
        if let Some(InputValue::List(list)) = self.signup.inputs.get(name) {
            return Some(Value::List(list.clone()));
        }
        let value = crate::build::value(recipe, self.signup, name);
        Some(match value {
            Some(text) => Value::Text(text.into_owned()),
            None => Value::Missing(format!("<{name}>")),
        })
    }

    fn edge_value(&self, part: &str) -> Value {
        let Some(Edge {
            host,
            port,
            transport,
        }) = self.edge
        else {
            return Value::Missing(
                "(the account's edge, which the accounts file does not name)".into(),
            );
        };
        match part {
            "host" => Value::Text(host.clone()),
            "port" => Value::Number(i64::from(*port)),
            "transport" => Value::Text(transport.to_string()),
            "transport_upper" => Value::Text(transport.as_str().to_ascii_uppercase()),
            "address" => Value::Text(format!("{host}:{port}")),
            "uri" => Value::Text(format!("{host}:{port};transport={transport}")),
            "tcp_port" => match tcp_port(*port, *transport) {
                Some(port) => Value::Number(i64::from(port)),
                None => Value::Missing(NO_TCP_PORT.into()),
            },
            "tcp_address" => match tcp_port(*port, *transport) {
                Some(port) => Value::Text(format!("{host}:{port}")),
                None => Value::Missing(format!("{host}:{NO_TCP_PORT}")),
            },
            _ => Value::Missing(format!("<edge.{part}>")),
        }
    }

    fn planned_value(&self, name: &str) -> Value {
        match name {
            "trunk_name" => known(self.plan.trunk_name().map(ToString::to_string)),
            "user_name" => known(self.plan.user_name().map(ToString::to_string)),
            "destination_id" => known(self.destination_id()),
            "destination" => known(self.plan.destination().map(ToString::to_string)),
            "caller_id" => {
                let chosen = self.signup.caller_id.as_ref().map(ToString::to_string);
                chosen.map_or_else(|| Value::Missing("(none)".into()), Value::Text)
            }
            "whitelisted_ips" => {
                let addresses = self.plan.whitelisted_ips();
                list(addresses.map(|ip| ip.to_string()).collect(), "(none)")
            }
            // Refused when a recipe is read; a stored recipe of another version may have it.
            other => Value::Missing(format!("<{other}>")),
        }
    }
}
