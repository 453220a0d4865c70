//! Recipe and signup make a plan.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    address::{Destination, Host, PublicIpv4},
    direction::{Direction, Mode},
    id::{Key, Names, OnboardingId},
    input::{InputValue, MAX_ADDRESSES},
    nearest,
    plan::Plan,
    problem::{Invalid, Problem},
    recipe::{Auth, Inbound, Outbound, Recipe},
    signup::Signup,
    step::Step,
    template::Template,
};

/// A signup that fits its recipe, with everything that follows from the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its identity.
    pub id: OnboardingId,
    /// Its key: the signup's, or the derived one.
    pub key: Key,
    /// The signup with its direction and mode resolved and the defaults of its inputs filled in.
    pub signup: Signup,
    /// The direction, resolved.
    pub direction: Direction,
    /// The steps, and what a person should know before they run.
    pub plan: Plan,
}

/// Makes the plan.
///
/// # Errors
/// Every way in which the signup does not fit the recipe.
pub fn prepare(recipe: &Recipe, mut signup: Signup) -> Result<Accepted, Vec<Problem>> {
    let mut problems = Vec::new();
    let direction = direction(recipe, signup.direction, &mut problems);
    settle_inputs(recipe, direction, &mut signup.inputs, &mut problems);
    signup.mode = signup.mode.or(recipe.mode);
    signup.direction = Some(direction);
    refuse_unused(recipe, direction, &signup, &mut problems);
    if !problems.is_empty() {
        // What follows is made of the inputs; a second message about the same one helps nobody.
        return Err(problems);
    }
    let key = signup.effective_key();
    let id = OnboardingId::of(&key);
    let routes = Routes::of(recipe, direction, &signup, &mut problems);
    let names = OnboardingId::names(&key, &signup.account, &signup.partner, &signup.number);
    let plan = plan(recipe, &signup, names, routes, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Accepted {
        id,
        key,
        signup,
        direction,
        plan,
    })
}

fn direction(recipe: &Recipe, wanted: Option<Direction>, problems: &mut Vec<Problem>) -> Direction {
    let direction = wanted.unwrap_or(recipe.default_direction);
    if !recipe.directions.contains(&direction) {
        let known: Vec<_> = recipe.directions.iter().map(|d| d.as_str()).collect();
        problems.push(Problem::new(
            "direction",
            format!(
                "{} has no recipe for {direction}; write {}",
                recipe.title,
                known.join(" or ")
            ),
        ));
    }
    direction
}

/// Checks the given inputs, fills in defaults, and asks for what `direction` needs.
pub(crate) fn settle_inputs(
    recipe: &Recipe,
    direction: Direction,
    given: &mut BTreeMap<String, InputValue>,
    problems: &mut Vec<Problem>,
) {
    for (name, value) in given.iter_mut() {
        let Some(input) = recipe.inputs.get(name) else {
            problems.push(unknown_input(recipe, name));
            continue;
        };
        let taken = std::mem::replace(value, InputValue::Text(String::new()));
        match input.check(taken) {
            Ok(normal) => *value = normal,
            Err(wrong) => problems.extend(
                wrong
                    .into_iter()
                    .map(|Invalid(message)| Problem::new(format!("inputs.{name}"), message)),
            ),
        }
    }
    for (name, input) in &recipe.inputs {
        if given.contains_key(name) || !input.used_in(direction) {
            continue;
        }
        if let Some(default) = &input.default {
            given.insert(name.clone(), InputValue::Text(default.clone()));
        } else if input.required {
            problems.push(Problem::new(
                format!("inputs.{name}"),
                format!(
                    "{} needs it for {direction}: {}{}",
                    recipe.title,
                    input.description,
                    input.like()
                ),
            ));
        }
    }
}

fn unknown_input(recipe: &Recipe, name: &str) -> Problem {
    let known: Vec<&str> = recipe.inputs.keys().map(String::as_str).collect();
    let shown: String = name.escape_debug().take(80).collect();
    let message = if known.is_empty() {
        format!("{} takes no inputs; remove it", recipe.title)
    } else {
        format!(
            "{} has no input \"{shown}\"{}; its inputs are {}",
            recipe.title,
            nearest::hint(name, known.iter().copied()),
            known.join(", ")
        )
    };
    Problem::new(format!("inputs.{shown}"), message)
}

/// A field that would have no effect is refused: its writer expects one.
fn refuse_unused(
    recipe: &Recipe,
    direction: Direction,
    signup: &Signup,
    problems: &mut Vec<Problem>,
) {
    if signup.caller_id.is_some() && !direction.is_outbound() {
        problems.push(Problem::new(
            "caller_id",
            "it is what called people see, and an inbound signup calls nobody; remove it or write direction outbound or both",
        ));
    }
    let digest = direction.is_outbound()
        && recipe
            .outbound
            .as_ref()
            .is_some_and(|out| out.auth == Auth::Digest);
    if signup.user_name.is_some() && !digest {
        problems.push(Problem::new(
            "user_name",
            "this signup gets no digest credentials that it could name; remove it",
        ));
    }
}

/// What the direction makes of the recipe's sections.
struct Routes<'r> {
    digest: Option<&'r Outbound>,
    whitelist: Vec<PublicIpv4>,
    destination: Option<Destination>,
}

impl<'r> Routes<'r> {
    fn of(
        recipe: &'r Recipe,
        direction: Direction,
        signup: &Signup,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut routes = Self {
            digest: None,
            whitelist: Vec::new(),
            destination: None,
        };
        if let Some(outbound) = recipe.outbound.as_ref().filter(|_| direction.is_outbound()) {
            routes.allow(
                recipe,
                signup,
                &outbound.whitelist,
                "outbound.whitelist",
                problems,
            );
            match outbound.auth {
                Auth::Digest => routes.digest = Some(outbound),
                Auth::Acl if routes.whitelist.is_empty() && problems.is_empty() => {
                    problems.push(Problem::new(
                        "outbound.whitelist",
                        format!("{} is known by its source addresses, and there is none; give at least one", recipe.title),
                    ));
                }
                Auth::Acl => {}
            }
        }
        if let Some(inbound) = recipe.inbound.as_ref().filter(|_| direction.is_inbound()) {
            routes.allow(
                recipe,
                signup,
                &inbound.whitelist,
                "inbound.whitelist",
                problems,
            );
            routes.destination = destination(recipe, signup, inbound, problems);
        }
        // Exotel refuses an address as destination that the trunk's ACL does not have (1002).
        if let Some(Destination {
            host: Host::Ip(ip), ..
        }) = routes.destination
            && !routes.whitelist.contains(&ip)
        {
            routes.whitelist.push(ip);
        }
        if routes.whitelist.len() > MAX_ADDRESSES {
            problems.push(Problem::new(
                "outbound.whitelist",
                format!("{} addresses for one trunk; at most {MAX_ADDRESSES}, because each costs one request", routes.whitelist.len()),
            ));
        }
        routes
    }

    fn allow(
        &mut self,
        recipe: &Recipe,
        signup: &Signup,
        templates: &[Template],
        field: &str,
        problems: &mut Vec<Problem>,
    ) {
        for template in templates {
            // An optional input that is missing adds no address.
            let Ok(text) = template.fill(|name| value(recipe, signup, name)) else {
                continue;
            };
            for word in text.split_whitespace() {
                match word.parse() {
                    Ok(ip) if self.whitelist.contains(&ip) => {}
                    Ok(ip) => self.whitelist.push(ip),
                    Err(Invalid(message)) => problems.push(Problem::new(field, message)),
                }
            }
        }
    }
}

fn destination(
    recipe: &Recipe,
    signup: &Signup,
    inbound: &Inbound,
    problems: &mut Vec<Problem>,
) -> Option<Destination> {
    match inbound.destination.fill(|name| value(recipe, signup, name)) {
        Ok(text) => match text.parse() {
            Ok(destination) => Some(destination),
            Err(Invalid(message)) => {
                problems.push(Problem::new(origin(inbound), message));
                None
            }
        },
        Err(_) if inbound.optional => None,
        Err(name) => {
            problems.push(Problem::new(
                format!("inputs.{name}"),
                format!("{}'s destination is made of it; give it", recipe.title),
            ));
            None
        }
    }
}

/// The field a person can change where the destination is wrong: its input, if it has one.
fn origin(inbound: &Inbound) -> String {
    match inbound.destination.names().next() {
        Some(name) => format!("inputs.{name}"),
        None => "inbound.destination".into(),
    }
}

/// The value of an input or table; lists separated by blanks.
pub(crate) fn value<'s>(
    recipe: &'s Recipe,
    signup: &'s Signup,
    name: &str,
) -> Option<Cow<'s, str>> {
    if let Some(table) = recipe.tables.get(name) {
        let InputValue::Text(choice) = signup.inputs.get(&table.by)? else {
            return None;
        };
        return table
            .values
            .get(choice)
            .map(|text| Cow::Borrowed(text.as_str()));
    }
    match signup.inputs.get(name)? {
        InputValue::Text(text) => Some(Cow::Borrowed(text)),
        InputValue::List(list) => Some(Cow::Owned(list.join(" "))),
    }
}

fn plan(
    recipe: &Recipe,
    signup: &Signup,
    names: Names,
    routes: Routes<'_>,
    problems: &mut Vec<Problem>,
) -> Plan {
    let mixed = routes.digest.is_some() && !routes.whitelist.is_empty();
    if mixed && !recipe.allow_mixed_auth {
        problems.push(mixed_refusal(recipe, &routes));
    }
    let mut steps = vec![
        Step::CreateTrunk {
            name: match &signup.trunk_name {
                Some(name) => name.clone(),
                None => names.trunk_name(&recipe.prefix),
            },
            chosen: signup.trunk_name.is_some(),
        },
        Step::MapNumber {
            number: signup.number.clone(),
            mode: signup.mode,
        },
    ];
    steps.extend(routes.whitelist.iter().map(|&ip| Step::WhitelistIp { ip }));
    if let Some(outbound) = routes.digest {
        steps.push(Step::CreateCredentials {
            user_name: match &signup.user_name {
                Some(name) => name.clone(),
                None => names.user_name(&recipe.prefix),
            },
            friendly_name: outbound.friendly_name.clone(),
        });
    }
    let warnings = warnings(signup.mode, mixed, routes.destination.is_some());
    if let Some(destination) = routes.destination {
        steps.push(Step::MapDestination { destination });
    }
    if let Some(caller_id) = signup.caller_id.clone() {
        steps.push(Step::SetCallerId { caller_id });
    }
    if recipe.verify {
        steps.push(Step::Verify);
    }
    Plan { steps, warnings }
}

fn mixed_refusal(recipe: &Recipe, routes: &Routes<'_>) -> Problem {
    let by_destination = matches!(
        routes.destination,
        Some(Destination {
            host: Host::Ip(_),
            ..
        })
    );
    let (field, why) = match &recipe.inbound {
        Some(inbound) if by_destination => (
            origin(inbound),
            "its destination is an address, which must be on the trunk's ACL",
        ),
        _ => ("allow_mixed_auth".to_owned(), "it allows source addresses"),
    };
    Problem::new(
        field,
        format!(
            "this trunk would have digest credentials and an ACL ({why}), and Exotel advises against both on one trunk; use a host name, ask for outbound and inbound on two numbers, or write allow_mixed_auth = true in the recipe once Exotel has confirmed it for the account"
        ),
    )
}

fn warnings(mode: Option<Mode>, mixed: bool, destination: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if mixed {
        warnings.push(
            "This trunk has digest credentials and an ACL. Exotel advises against both on one trunk: ask its support to confirm the behaviour for this account before the first call."
                .into(),
        );
    }
    if mode == Some(Mode::Flow) && destination {
        warnings.push(
            "Mode flow is for Voicebot and StreamKit. Calls to this number go to that flow, not to the trunk's destination, unless Exotel has told you otherwise; pstn is usual here."
                .into(),
        );
    }
    warnings
}
