//! The handoff: what the partner's side needs at the end, and what a person still has to do.

use std::fmt;

use serde::Serialize;

use crate::{
    address::{Edge, PublicIpv4},
    direction::{Direction, Mode},
    facts::Facts,
    id::{AccountName, Key, OnboardingId, PartnerName},
    input::applies,
    recipe::Todo,
    settings::{Fields, Rendered, Setting},
    state::State,
    step::Step,
    template::{EACH, Template},
    trunk::{PhoneNumber, TrunkName, TrunkSid, UserName},
};

/// What stands where a password is not to be shown.
pub const MASK: &str = "********";

/// Exotel's trunk API.
const TRUNK_API: &str =
    "https://docs.exotel.com/dynamic-sip-trunking/detailed-sip-trunking-api-reference";

/// Everything that the partner's side needs, in the order of the contract.
///
/// It has no `Debug` of its contents, because it may hold a password.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Handoff {
    /// Always `handoff`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The onboarding's id.
    pub id: OnboardingId,
    /// Its key.
    pub key: Key,
    /// Its account.
    pub account: AccountName,
    /// Its partner.
    pub partner: PartnerName,
    /// Its number.
    pub number: PhoneNumber,
    /// Which way calls go.
    pub direction: Direction,
    /// How far it is; a handoff can be had in every state.
    pub state: State,
    /// The trunk.
    pub trunk: Trunk,
    /// Exotel's id of the number's mapping, once it is mapped.
    pub number_id: Option<String>,
    /// How Exotel routes the number, where that was chosen.
    pub mode: Option<Mode>,
    /// What the Flow's Connect applet dials, once there is a trunk.
    pub dial_whom: Option<String>,
    /// Where the partner's side sends its SIP, where the account names it.
    pub edge: Option<Edge>,
    /// The digest credentials, where the plan has them.
    pub credentials: Option<Credentials>,
    /// The addresses on the trunk's ACL.
    pub whitelisted_ips: Vec<WhitelistedIp>,
    /// Where Exotel sends inbound calls, where the plan has it.
    pub destination: Option<MappedDestination>,
    /// The number that called people see, where the signup chose one.
    pub caller_id: Option<PhoneNumber>,
    /// What goes into the partner's form or API, by the partner's own field names.
    pub partner_settings: Fields<Rendered>,
    /// What a person still has to do, in order.
    pub todo: Vec<TodoItem>,
}

impl fmt::Debug for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handoff")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The trunk of a handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trunk {
    /// Its SID, once it exists.
    pub sid: Option<TrunkSid>,
    /// Its name.
    pub name: Option<TrunkName>,
    /// Its SIP domain; not the edge.
    pub domain: String,
}

/// The digest credentials of a handoff.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Credentials {
    /// Exotel's id, once they exist.
    pub id: Option<String>,
    /// The SIP user name.
    pub user_name: UserName,
    /// The SIP password or its mask; none where it was not chosen yet.
    pub password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// An ACL entry of a handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhitelistedIp {
    /// Exotel's id, once it exists.
    pub id: Option<String>,
    /// The address, a /32.
    pub ip: PublicIpv4,
}

/// The destination of a handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappedDestination {
    /// Exotel's id, once it exists.
    pub id: Option<String>,
    /// `host:port;transport=tls` or `...=tcp`.
    pub uri: String,
}

/// One thing for a person to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TodoItem {
    /// What, in a line.
    pub title: String,
    /// How.
    pub detail: String,
    /// Where, or where it is documented.
    pub url: Option<String>,
}

impl Handoff {
    /// Makes the handoff of an onboarding, in whatever state it is.
    #[must_use]
    pub fn render(facts: &Facts<'_>) -> Self {
        let plan = facts.plan;
        let mut handoff = Self {
            kind: "handoff",
            id: facts.id,
            key: facts.key.clone(),
            account: facts.signup.account.clone(),
            partner: facts.signup.partner.clone(),
            number: facts.signup.number.clone(),
            direction: facts.direction(),
            state: facts.state,
            trunk: Trunk {
                sid: facts.journal.trunk_sid().cloned(),
                name: plan.trunk_name().cloned(),
                domain: facts.domain(),
            },
            number_id: None,
            mode: plan.mode(),
            dial_whom: facts.dial_whom(),
            edge: facts.edge.cloned(),
            credentials: None,
            whitelisted_ips: Vec::new(),
            destination: None,
            caller_id: None,
            partner_settings: partner_settings(facts),
            todo: todo(facts),
        };
        for (at, step) in plan.steps.iter().enumerate() {
            handoff.take(step, facts.entry_id(at), facts);
        }
        handoff
    }

    fn take(&mut self, step: &Step, id: Option<String>, facts: &Facts<'_>) {
        match step {
            Step::MapNumber { .. } => self.number_id = id,
            Step::WhitelistIp { ip } => self.whitelisted_ips.push(WhitelistedIp { id, ip: *ip }),
            Step::CreateCredentials { user_name, .. } => {
                self.credentials = Some(Credentials {
                    id,
                    user_name: user_name.clone(),
                    password: facts.password_text(),
                });
            }
            Step::MapDestination { destination } => {
                self.destination = Some(MappedDestination {
                    id,
                    uri: destination.to_string(),
                });
            }
            Step::SetCallerId { caller_id } => self.caller_id = Some(caller_id.clone()),
            Step::CreateTrunk { .. } | Step::Verify => {}
        }
    }
}

fn partner_settings(facts: &Facts<'_>) -> Fields<Rendered> {
    let direction = facts.direction();
    let settings = &facts.recipe.partner_settings;
    let mut merged = Fields::default();
    Rendered::merge(&mut merged, fields(&settings.common, facts, None));
    if direction.is_outbound() {
        Rendered::merge(&mut merged, fields(&settings.outbound, facts, None));
    }
    if direction.is_inbound() {
        Rendered::merge(&mut merged, fields(&settings.inbound, facts, None));
    }
    merged
}

fn fields(own: &Fields<Setting>, facts: &Facts<'_>, each: Option<&str>) -> Fields<Rendered> {
    let rendered = own
        .0
        .iter()
        .map(|(name, value)| (name.clone(), setting(value, facts, each)));
    Fields(rendered.collect())
}

/// Fills in one setting; `each` is the address of the repeated list element it is in, if any.
fn setting(own: &Setting, facts: &Facts<'_>, each: Option<&str>) -> Rendered {
    match own {
        Setting::Flag(flag) => Rendered::Flag(*flag),
        Setting::Number(number) => Rendered::Number(*number),
        Setting::Text(template) => match template.only_name() {
            Some(name) => facts.look_up(name, each).into_rendered(),
            None => Rendered::Text(text(template, facts, each)),
        },
        Setting::List(list) => {
            let mut rendered = Vec::new();
            for element in list {
                if each.is_none() && repeats(element) {
                    let addresses = facts.signalling_ips();
                    rendered.extend(addresses.iter().map(|ip| setting(element, facts, Some(ip))));
                } else {
                    rendered.push(setting(element, facts, each));
                }
            }
            Rendered::List(rendered)
        }
        Setting::Table(table) => Rendered::Table(fields(table, facts, each)),
    }
}

/// Whether a list element stands for one element per signalling address.
fn repeats(element: &Setting) -> bool {
    let mut found = false;
    element.for_each_template(&mut |template| {
        found |= template.names().any(|name| name == EACH);
    });
    found
}

fn text(template: &Template, facts: &Facts<'_>, each: Option<&str>) -> String {
    let filled = template.fill(|name| Some(facts.look_up(name, each).into_text().into()));
    filled.unwrap_or_default()
}

fn todo(facts: &Facts<'_>) -> Vec<TodoItem> {
    let mut todo: Vec<TodoItem> = facts
        .plan
        .warnings
        .iter()
        .map(|warning| item("Mind this warning", warning.clone(), None))
        .collect();
    todo.extend(unfinished(facts));
    todo.extend(no_edge(facts));
    for own in facts.recipe.todo.iter().filter(|own| is_due(own, facts)) {
        todo.push(TodoItem {
            title: text(&own.title, facts, None),
            detail: text(&own.detail, facts, None),
            url: own.url.as_ref().map(|url| text(url, facts, None)),
        });
    }
    if facts.direction().is_inbound() {
        todo.extend(inbound(facts));
    }
    todo
}

fn item(title: &str, detail: String, url: Option<&str>) -> TodoItem {
    TodoItem {
        title: title.to_owned(),
        detail,
        url: url.map(str::to_owned),
    }
}

fn is_due(todo: &Todo, facts: &Facts<'_>) -> bool {
    let number = facts.signup.number.as_str();
    let prefix = todo.number_prefix.as_deref().unwrap_or_default();
    applies(&todo.directions, facts.direction())
        && number.starts_with(prefix)
        && todo.given.iter().all(|name| facts.has_input(name))
        && !todo.missing.iter().any(|name| facts.has_input(name))
        && todo.when.iter().all(|(name, values)| {
            let given = facts.signup.inputs.get(name);
            given.is_some_and(|value| values.contains(&value.to_string()))
        })
}

fn unfinished(facts: &Facts<'_>) -> Option<TodoItem> {
    let detail = match facts.state {
        State::Succeeded => return None,
        State::Queued | State::Running => {
            "Values that are null or (not yet) come with the steps that are still to run. Ask again when it has succeeded."
        }
        State::Blocked => {
            "Its account is parked: Exotel refused the account's key. Mend the key, token or region in the accounts file and run `trunkline accounts resume`; then it goes on by itself."
        }
        State::Failed => {
            "A step failed. `trunkline status` says which and what to do; then `trunkline retry` or `trunkline cancel`."
        }
        State::Cancelled => {
            "It was called off. What it left at Exotel is still there; `trunkline status` lists it."
        }
    };
    let title = format!(
        "This onboarding is {}: do not use these values yet",
        facts.state
    );
    Some(item(&title, detail.into(), None))
}

fn no_edge(facts: &Facts<'_>) -> Option<TodoItem> {
    let settings = &facts.recipe.partner_settings;
    let mut wanted = facts.direction().is_outbound();
    // Some forms ask for it even where nobody calls out.
    for (_, setting) in settings.common.0.iter().chain(&settings.inbound.0) {
        setting.for_each_template(&mut |template| {
            wanted |= template.names().any(|name| name.starts_with("edge."));
        });
    }
    if facts.edge.is_some() || !wanted {
        return None;
    }
    Some(item(
        "Configure the account's edge",
        format!(
            "The accounts file names no edge for {account}, so the address to which the partner sends its calls is null here. Ask Exotel which host, port and transport it assigned, write edge = {{ host = \"...\", port = ..., transport = \"tls\" }} under [accounts.{account}], and ask for this handoff again. Digest and ACL trunks have different hosts.",
            account = facts.signup.account
        ),
        Some("https://docs.exotel.com/dynamic-sip-trunking/network-and-firewall-configuration"),
    ))
}

/// How a person gives the trunk another destination, or its first. An accepted onboarding keeps its
/// plan, so this is Exotel's API and not a second signup.
fn destination(facts: &Facts<'_>) -> TodoItem {
    let trunk = format!(
        "/v2/accounts/{}/trunks/{}",
        facts.account_sid,
        facts.trunk_sid_text()
    );
    let add = format!(
        "POST https://api.in.exotel.com{trunk}/destination-uris (Mumbai; https://api.exotel.com for Singapore) with the body {{\"destinations\": [{{\"destination\": \"HOST:PORT;transport=tcp\"}}]}}, tls instead of tcp where the partner has it. An address instead of a host name has to be allowed first: POST {trunk}/whitelisted-ips with {{\"ip\": \"ADDRESS\", \"mask\": 32}}; beside user name and password Exotel advises against it."
    );
    let how = "HTTP Basic with the account's API key as user and its API token as password; at most 200 requests a minute for the account, the workers' included. Trunkline does not follow: it goes on showing the plan it was given.";
    match facts.plan.destination() {
        None => item(
            "Get the destination of inbound calls",
            format!(
                "The signup named none, so the trunk has none and inbound calls end there. Ask {} for host, port and transport (tls or tcp; Exotel has no UDP), and add it: {add} {how}",
                facts.recipe.title
            ),
            Some(TRUNK_API),
        ),
        Some(old) => item(
            "To change the destination",
            format!(
                "Nothing to do as long as calls arrive at {old}. Otherwise add the new one and then remove the old one, because adding does not replace: {add} Then DELETE {trunk}/destination-uris?id={}. {how}",
                facts.destination_id().unwrap_or_else(|| "(not yet)".into())
            ),
            Some(TRUNK_API),
        ),
    }
}

/// What Exotel's console needs for inbound calls. No API creates a Flow.
fn inbound(facts: &Facts<'_>) -> Vec<TodoItem> {
    let mut todo = vec![destination(facts)];
    let dial_whom = facts
        .dial_whom()
        .unwrap_or_else(|| "sip:<trunk_sid>".into());
    todo.push(item(
        "Create the Flow in the Exotel console and assign the number to it",
        format!(
            "Exotel has no API for this. In the console (my.in.exotel.com for Mumbai, my.exotel.com for Singapore) create a Flow with a Connect applet, write {dial_whom} into its Dial whom field, exactly so and with no host behind it, and save. Then assign the number {} to that Flow. Call the number to check.",
            facts.signup.number
        ),
        Some("https://support.exotel.com/support/solutions/articles/3000133452"),
    ));
    todo
}
