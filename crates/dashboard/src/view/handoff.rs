//! The handoff: values to copy, and a checklist.

use onboarding::{
    Handoff, State,
    handoff::MASK,
    settings::{Fields, Rendered},
};

use crate::view::parts::{Fact, Prose, Value, is_web_address};

const NOT_YET: &str = "not known yet";

/// A handoff.
pub(crate) struct HandoffView {
    /// That it is not complete, if it is not.
    pub(crate) not_yet: Option<String>,
    pub(crate) partner: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) credentials: Option<CredentialsView>,
    pub(crate) settings: Vec<Fact>,
    pub(crate) todo: Vec<TodoView>,
    pub(crate) json: String,
}

/// Digest credentials.
pub(crate) struct CredentialsView {
    pub(crate) user_name: Value,
    pub(crate) password: Value,
    /// Whether there is a password that is not shown.
    pub(crate) hidden: bool,
}

/// One thing for a person to do.
pub(crate) struct TodoView {
    pub(crate) title: String,
    pub(crate) detail: Prose,
    pub(crate) url: Option<String>,
}

impl HandoffView {
    /// Of a handoff, as it was rendered: with or without the password.
    pub(crate) fn of(handoff: &Handoff) -> Self {
        let mut todo = handoff.todo.iter();
        let complete = handoff.state == State::Succeeded;
        // Where it is not complete, the first thing to do says so: that goes to the top.
        let first = if complete {
            None
        } else {
            handoff
                .todo
                .iter()
                .position(|own| own.title.starts_with("This onboarding is "))
        };
        let not_yet = first
            .and_then(|at| handoff.todo.get(at))
            .map(|own| format!("{}.", own.title));
        let skip = first.unwrap_or(usize::MAX);
        let todo = todo
            .by_ref()
            .enumerate()
            .filter(|(at, _)| *at != skip)
            .map(|(_, own)| TodoView {
                title: own.title.clone(),
                detail: Prose(own.detail.trim().to_owned()),
                url: own.url.clone().filter(|url| is_web_address(url)),
            });
        Self {
            partner: handoff.partner.to_string(),
            facts: facts(handoff),
            credentials: credentials(handoff),
            settings: settings(&handoff.partner_settings),
            todo: todo.collect(),
            json: serde_json::to_string_pretty(handoff).unwrap_or_default(),
            not_yet,
        }
    }
}

fn facts(handoff: &Handoff) -> Vec<Fact> {
    let mut facts = vec![
        Fact::copy_or("Trunk SID", handoff.trunk.sid.as_ref(), NOT_YET),
        Fact::copy_or("Trunk name", handoff.trunk.name.as_ref(), NOT_YET),
        Fact::copy("SIP domain", &handoff.trunk.domain),
        Fact::copy_or("Dial whom", handoff.dial_whom.as_ref(), NOT_YET),
        Fact::copy_or("Number id", handoff.number_id.as_ref(), NOT_YET),
    ];
    if let Some(mode) = handoff.mode {
        facts.push(Fact::text("Mode", mode));
    }
    if let Some(edge) = &handoff.edge {
        let uri = format!("{}:{};transport={}", edge.host, edge.port, edge.transport);
        facts.push(Fact::copy("Edge", uri));
    }
    for own in &handoff.whitelisted_ips {
        facts.push(Fact::copy("Allowed address", own.ip));
    }
    if let Some(destination) = &handoff.destination {
        facts.push(Fact::copy("Destination", &destination.uri));
    }
    if let Some(caller_id) = &handoff.caller_id {
        facts.push(Fact::copy("Caller id", caller_id));
    }
    facts
}

fn credentials(handoff: &Handoff) -> Option<CredentialsView> {
    let own = handoff.credentials.as_ref()?;
    let hidden = own.password.as_deref() == Some(MASK);
    Some(CredentialsView {
        user_name: Value::copy("the user name", &own.user_name),
        password: match &own.password {
            None => Value::Missing(NOT_YET),
            Some(_) if hidden => Value::Missing("hidden"),
            Some(password) => Value::copy("the password", password),
        },
        hidden,
    })
}

fn settings(fields: &Fields<Rendered>) -> Vec<Fact> {
    let fact = |(name, value): &(String, Rendered)| Fact {
        name: name.clone(),
        value: setting(name, value),
    };
    fields.0.iter().map(fact).collect()
}

fn setting(name: &str, value: &Rendered) -> Value {
    match value {
        Rendered::Null => Value::Missing(NOT_YET),
        Rendered::Flag(flag) => Value::Text(flag.to_string()),
        Rendered::Number(number) => Value::copy(name, number),
        Rendered::Text(text) if text.contains(MASK) => Value::Missing("hidden, see Credentials"),
        Rendered::Text(text) => Value::copy(name, text),
        Rendered::List(list) => Value::List(list.iter().map(|own| setting(name, own)).collect()),
        Rendered::Table(table) => Value::Table(settings(table)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_password_is_no_value_to_copy() {
        let table = Fields(vec![
            ("username".to_owned(), Rendered::Text("lk_1".into())),
            ("password".to_owned(), Rendered::Text(MASK.into())),
            (
                "ports".to_owned(),
                Rendered::List(vec![Rendered::Number(5060)]),
            ),
            ("later".to_owned(), Rendered::Null),
        ]);
        let facts = settings(&Fields(vec![(
            "credentials".to_owned(),
            Rendered::Table(table),
        )]));
        let html = facts[0].value.to_string();
        assert!(!html.contains(MASK), "{html}");
        assert!(html.contains("lk_1") && html.contains("5060") && html.contains(NOT_YET));
    }
}
