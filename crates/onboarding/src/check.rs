//! What a recipe's values have to do with each other.

use std::collections::BTreeSet;

use crate::{
    address::{Destination, PublicIpv4},
    direction::Direction,
    input::{Input, InputKind, InputValue},
    lint, nearest,
    problem::Invalid,
    recipe::{Auth, Recipe, Todo},
    settings::Setting,
    template::{EACH, PLACEHOLDERS, Template},
};

/// Reports every contradiction in a recipe, by field.
pub(crate) fn meaning(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    head(recipe, report);
    for (name, input) in &recipe.inputs {
        one_input(recipe, name, input, report);
    }
    tables(recipe, report);
    auth(recipe, report);
    placeholders(recipe, report);
    repeated_elements(recipe, report);
    literals(recipe, report);
    todos(recipe, report);
}

fn head(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    if recipe.directions.is_empty() {
        report(
            "directions",
            "it names none; write some of \"outbound\", \"inbound\", \"both\"".into(),
        );
    }
    let distinct: BTreeSet<_> = recipe.directions.iter().collect();
    if distinct.len() < recipe.directions.len() {
        report(
            "directions",
            "one direction is there twice; remove it".into(),
        );
    }
    if !recipe.directions.is_empty() && !recipe.directions.contains(&recipe.default_direction) {
        report(
            "default_direction",
            format!(
                "{} is not one of directions; choose one of them",
                recipe.default_direction
            ),
        );
    }
    let wants = |is: fn(Direction) -> bool| recipe.directions.iter().any(|d| is(*d));
    let sections = [
        (
            "outbound",
            wants(Direction::is_outbound),
            recipe.outbound.is_some(),
        ),
        (
            "inbound",
            wants(Direction::is_inbound),
            recipe.inbound.is_some(),
        ),
    ];
    for (section, wanted, there) in sections {
        if wanted && !there {
            report(
                section,
                format!(
                    "directions has {section} calls and the table [{section}] is missing; add it"
                ),
            );
        }
        if !wanted && there && !recipe.directions.is_empty() {
            report(
                section,
                format!(
                    "no direction of this recipe has {section} calls; remove [{section}] or add the direction"
                ),
            );
        }
    }
    if let Some(docs) = &recipe.docs
        && !is_web_address(docs)
    {
        report(
            "docs",
            format!(
                "\"{}\" is not a web address; write https://...",
                docs.escape_debug()
            ),
        );
    }
}

fn is_web_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// Whether `name` can be an input's or table's name, and why not.
fn name_fault(name: &str) -> Option<String> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || name.len() > 48
        || !name.chars().all(known)
    {
        return Some(
            "this is not a name; use 1 to 48 small letters, digits or _, a letter first".into(),
        );
    }
    let taken = PLACEHOLDERS.iter().any(|(own, _)| *own == name);
    // This one input may stand in for the account's addresses.
    if taken && name != "exotel_signalling_ips" {
        return Some(format!(
            "{{{name}}} has a meaning of its own; choose another name"
        ));
    }
    None
}

fn one_input(recipe: &Recipe, name: &str, input: &Input, report: &mut impl FnMut(&str, String)) {
    let field = |key: &str| format!("inputs.{name}.{key}");
    if let Some(fault) = name_fault(name) {
        report(&format!("inputs.{name}"), fault);
    }
    if name == "exotel_signalling_ips" && input.kind != InputKind::Ipv4List {
        report(
            &field("type"),
            "Exotel's signalling addresses are a list; write \"ipv4_list\"".into(),
        );
    }
    let free = matches!(input.kind, InputKind::Text | InputKind::HostName);
    let narrowing = [
        ("pattern", input.pattern.is_some()),
        ("min_length", input.min_length.is_some()),
        ("max_length", input.max_length.is_some()),
        ("refuse", !input.refuse.is_empty()),
    ];
    for (key, there) in narrowing {
        if there && !free {
            report(
                &field(key),
                format!(
                    "it is for text and host_name, not for {}; remove it",
                    input.kind.as_str()
                ),
            );
        }
    }
    if input.min_length.unwrap_or(1) > input.max_length.unwrap_or(512) {
        report(
            &field("min_length"),
            "it is more than max_length; make it less".into(),
        );
    }
    choices(name, input, report);
    samples(name, input, report);
    for (at, direction) in input.directions.iter().enumerate() {
        let used = recipe
            .directions
            .iter()
            .any(|own| input_direction_used(*direction, *own));
        if !used && !recipe.directions.is_empty() {
            report(
                &field(&format!("directions.{at}")),
                format!("no direction of this recipe has {direction} calls; remove it"),
            );
        }
    }
}

fn input_direction_used(of_input: Direction, of_recipe: Direction) -> bool {
    (of_input.is_outbound() && of_recipe.is_outbound())
        || (of_input.is_inbound() && of_recipe.is_inbound())
}

fn choices(name: &str, input: &Input, report: &mut impl FnMut(&str, String)) {
    let field = format!("inputs.{name}.values");
    let choice = input.kind == InputKind::Choice;
    if choice && input.values.is_empty() {
        report(
            &field,
            "there is nothing to choose from; name at least one value: values = [\"a\", \"b\"]"
                .into(),
        );
    }
    if !choice && !input.values.is_empty() {
        report(
            &field,
            format!(
                "only a choice has values; write type = \"choice\" or remove it (the type is {})",
                input.kind.as_str()
            ),
        );
    }
    let distinct: BTreeSet<_> = input.values.iter().collect();
    if distinct.len() < input.values.len() || input.values.iter().any(String::is_empty) {
        report(
            &field,
            "the values are to be distinct and not empty; mend them".into(),
        );
    }
}

/// Default and example have to be values that the input would take.
fn samples(name: &str, input: &Input, report: &mut impl FnMut(&str, String)) {
    if input.kind == InputKind::Ipv4List && input.default.is_some() {
        report(
            &format!("inputs.{name}.default"),
            "addresses are the operator's to give; remove the default".into(),
        );
        return;
    }
    if input.default.is_some() && input.required {
        // `required` is false by itself where there is a default, so somebody wrote it.
        report(
            &format!("inputs.{name}.required"),
            "what has a default is never missing; remove required or the default".into(),
        );
    }
    for (key, sample) in [("default", &input.default), ("example", &input.example)] {
        let Some(sample) = sample else { continue };
        // Without values there is nothing to choose, and that is told already.
        if input.kind == InputKind::Choice && input.values.is_empty() {
            continue;
        }
        if let Err(wrong) = input.check(InputValue::Text(sample.clone())) {
            let wrong: Vec<String> = wrong.into_iter().map(|Invalid(why)| why).collect();
            report(
                &format!("inputs.{name}.{key}"),
                format!(
                    "the input itself would refuse it: {}",
                    wrong.join("; also: ")
                ),
            );
        }
    }
}

fn tables(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    for (name, table) in &recipe.tables {
        if let Some(fault) = name_fault(name) {
            report(&format!("tables.{name}"), fault);
        }
        if recipe.inputs.contains_key(name) {
            report(
                &format!("tables.{name}"),
                "an input has this name; choose another".into(),
            );
        }
        let by = format!("tables.{name}.by");
        let Some(input) = recipe.inputs.get(&table.by) else {
            let hint = nearest::hint(&table.by, recipe.inputs.keys().map(String::as_str));
            report(
                &by,
                format!(
                    "there is no input \"{}\"{hint}; name one of type choice",
                    table.by.escape_debug()
                ),
            );
            continue;
        };
        if input.kind != InputKind::Choice {
            report(
                &by,
                format!(
                    "the input {} is of type {}; only a choice can be looked up",
                    table.by,
                    input.kind.as_str()
                ),
            );
            continue;
        }
        if input.values.is_empty() {
            // Told at the input; every value of the table would seem wrong.
            continue;
        }
        let missing: Vec<_> = input
            .values
            .iter()
            .filter(|v| !table.values.contains_key(*v))
            .collect();
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
            report(
                &format!("tables.{name}.values"),
                format!("there is no value for {}; add it", missing.join(", ")),
            );
        }
        for key in table
            .values
            .keys()
            .filter(|key| !input.values.contains(key))
        {
            report(
                &format!("tables.{name}.values.{key}"),
                format!(
                    "{} cannot be \"{}\"; remove it or add it to the input's values",
                    table.by,
                    key.escape_debug()
                ),
            );
        }
    }
}

fn auth(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    let Some(outbound) = &recipe.outbound else {
        return;
    };
    let refusal = "digest credentials and addresses on one trunk are only for accounts for which Exotel has confirmed it; remove the addresses, write auth = \"acl\", or write allow_mixed_auth = true";
    match outbound.auth {
        Auth::Digest if !recipe.allow_mixed_auth => {
            if !outbound.whitelist.is_empty() {
                report("outbound.whitelist", refusal.into());
            }
            let listed = recipe
                .inbound
                .as_ref()
                .is_some_and(|i| !i.whitelist.is_empty());
            if listed && recipe.directions.contains(&Direction::Both) {
                report("inbound.whitelist", refusal.into());
            }
        }
        Auth::Digest => {}
        Auth::Acl => {
            if outbound.whitelist.is_empty() {
                report("outbound.whitelist", "auth = \"acl\" needs the addresses the partner calls from; write whitelist = [\"{source_ips}\"] with an input source_ips of type ipv4_list, or the addresses".into());
            }
            if outbound.friendly_name.is_some() {
                report(
                    "outbound.friendly_name",
                    "it labels digest credentials, and auth = \"acl\" has none; remove it".into(),
                );
            }
        }
    }
}

fn placeholders(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    let own: Vec<&str> = recipe
        .inputs
        .keys()
        .chain(recipe.tables.keys())
        .map(String::as_str)
        .collect();
    let all: Vec<&str> = PLACEHOLDERS
        .iter()
        .map(|(name, _)| *name)
        .chain(own.iter().copied())
        .collect();
    let mut found = Vec::new();
    lint::for_each_template(recipe, |field, template| {
        let route = field.starts_with("outbound.") || field.starts_with("inbound.");
        let known = if route { &own } else { &all };
        for name in template.names().filter(|name| !known.contains(name)) {
            let hint = nearest::hint(name, known.iter().copied());
            let right = if route {
                "here only inputs and tables of this recipe can stand"
            } else {
                "use an input or table of this recipe, or a placeholder of recipes/README.md"
            };
            found.push((
                field.to_owned(),
                format!("there is no {{{name}}}{hint}; {right}"),
            ));
        }
    });
    if let Some(inbound) = &recipe.inbound {
        let lists = inbound.destination.names().filter(|name| {
            recipe
                .inputs
                .get(*name)
                .is_some_and(|input| input.kind == InputKind::Ipv4List)
        });
        found.extend(lists.map(|name| {
            (
                "inbound.destination".to_owned(),
                format!(
                    "{{{name}}} is a list, and a destination is one address; use another input"
                ),
            )
        }));
    }
    for (field, message) in found {
        report(&field, message);
    }
}

/// `{each_exotel_signalling_ip}` repeats a list element, so it stands in one.
fn repeated_elements(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    let message = || {
        format!(
            "{{{EACH}}} repeats an element of a list, and this is none; use {{exotel_signalling_ips}}"
        )
    };
    for (table, fields) in recipe.partner_settings.tables() {
        for (name, _) in fields
            .0
            .iter()
            .filter(|(_, setting)| repeats_outside_list(setting))
        {
            report(&format!("partner_settings.{table}.{name}"), message());
        }
    }
    for (at, todo) in recipe.todo.iter().enumerate() {
        if todo
            .title
            .names()
            .chain(todo.detail.names())
            .any(|name| name == EACH)
        {
            report(&format!("todo.{at}.detail"), message());
        }
    }
}

fn repeats_outside_list(setting: &Setting) -> bool {
    match setting {
        Setting::Flag(_) | Setting::Number(_) | Setting::List(_) => false,
        Setting::Text(template) => template.names().any(|name| name == EACH),
        Setting::Table(table) => table.0.iter().any(|(_, inner)| repeats_outside_list(inner)),
    }
}

/// Checks what needs no signup: literal addresses, literal destinations, and the destination made
/// of examples.
fn literals(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    let mut found = Vec::new();
    lint::for_each_route(recipe, &mut |field, template: &Template| {
        if field == "inbound.destination" {
            return;
        }
        if let Ok(text) = template.fill(|name| sample(recipe, name).map(Into::into)) {
            for word in text.split_whitespace() {
                if let Err(Invalid(message)) = word.parse::<PublicIpv4>() {
                    found.push((field.to_owned(), message));
                }
            }
            if text.trim().is_empty() {
                found.push((
                    field.to_owned(),
                    "this is empty; write an address or remove it".into(),
                ));
            }
        }
    });
    if let Some(inbound) = &recipe.inbound {
        if let Ok(text) = inbound
            .destination
            .fill(|name| sample(recipe, name).map(Into::into))
            && let Err(Invalid(message)) = text.parse::<Destination>()
        {
            found.push(("inbound.destination".into(), message));
        }
        let can_miss = inbound
            .destination
            .names()
            .any(|name| may_be_missing(recipe, name));
        if inbound.optional && !can_miss {
            found.push(("inbound.optional".into(), "no input of the destination can be missing; remove it, or write required = false at one".into()));
        }
        if !inbound.optional && can_miss {
            found.push(("inbound.destination".into(), "an input of it can be missing; make that input required for inbound, or write optional = true".into()));
        }
    }
    for (field, message) in found {
        report(&field, message);
    }
}

/// An example value of an input or table.
fn sample(recipe: &Recipe, name: &str) -> Option<String> {
    if let Some(table) = recipe.tables.get(name) {
        return table.values.values().next().cloned();
    }
    let input = recipe.inputs.get(name)?;
    let given = input.example.clone().or_else(|| input.default.clone());
    given.or_else(|| input.values.first().cloned())
}

fn may_be_missing(recipe: &Recipe, name: &str) -> bool {
    let input_name = recipe
        .tables
        .get(name)
        .map_or(name, |table| table.by.as_str());
    recipe.inputs.get(input_name).is_some_and(|input| {
        let asked = input.used_in(Direction::Inbound);
        !asked || (!input.required && input.default.is_none())
    })
}

fn todos(recipe: &Recipe, report: &mut impl FnMut(&str, String)) {
    for (at, todo) in recipe.todo.iter().enumerate() {
        asked_inputs(recipe, at, todo, report);
        if let Some(prefix) = &todo.number_prefix {
            let digits = prefix.strip_prefix('+').unwrap_or_default();
            if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|b| b.is_ascii_digit())
            {
                report(
                    &format!("todo.{at}.number_prefix"),
                    format!(
                        "\"{}\" begins no number; write + and digits, such as +91",
                        prefix.escape_debug()
                    ),
                );
            }
        }
        for (name, values) in &todo.when {
            let field = format!("todo.{at}.when.{name}");
            match recipe.inputs.get(name) {
                Some(input) if input.kind == InputKind::Choice && input.values.is_empty() => {}
                Some(input) if input.kind == InputKind::Choice => {
                    let strangers: Vec<String> = values
                        .iter()
                        .filter(|value| !input.values.contains(value))
                        .map(|value| format!("\"{}\"", value.escape_debug()))
                        .collect();
                    if !strangers.is_empty() {
                        report(
                            &field,
                            format!(
                                "{name} cannot be {}; write some of {}",
                                strangers.join(" or "),
                                input.values.join(", ")
                            ),
                        );
                    }
                    if values.is_empty() {
                        report(
                            &field,
                            "no value is named; name those for which this is to do".into(),
                        );
                    }
                }
                Some(input) => report(
                    &field,
                    format!(
                        "{name} is of type {}; only a choice can be asked here",
                        input.kind.as_str()
                    ),
                ),
                None => report(
                    &field,
                    format!(
                        "there is no input \"{}\"; name one of type choice",
                        name.escape_debug()
                    ),
                ),
            }
        }
        if let Some(url) = &todo.url
            && !is_web_address(url.source())
        {
            report(
                &format!("todo.{at}.url"),
                "this is not a web address; write https://...".into(),
            );
        }
    }
}

/// `given` and `missing` name inputs, and none in both.
fn asked_inputs(recipe: &Recipe, at: usize, todo: &Todo, report: &mut impl FnMut(&str, String)) {
    for (key, names) in [("given", &todo.given), ("missing", &todo.missing)] {
        for (place, name) in names.iter().enumerate() {
            let field = format!("todo.{at}.{key}.{place}");
            if !recipe.inputs.contains_key(name) {
                let hint = nearest::hint(name, recipe.inputs.keys().map(String::as_str));
                report(
                    &field,
                    format!(
                        "there is no input \"{}\"{hint}; name one of this recipe",
                        name.escape_debug()
                    ),
                );
            } else if key == "missing" && todo.given.contains(name) {
                report(
                    &field,
                    format!("{name} is under given too, so this is never listed; remove one"),
                );
            }
        }
    }
}
