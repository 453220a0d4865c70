//! Advice on recipes: what is legal, but most likely not meant.

use std::collections::BTreeSet;

use crate::{recipe::Recipe, template::Template};

/// What most likely is not meant, one sentence each.
pub(crate) fn advice(recipe: &Recipe) -> Vec<String> {
    let mut advice = Vec::new();
    unused(recipe, &mut advice);
    incomplete(recipe, &mut advice);
    advice
}

/// Calls `each` with every template of the recipe and its field.
pub(crate) fn for_each_template<'r>(recipe: &'r Recipe, mut each: impl FnMut(&str, &'r Template)) {
    for_each_route(recipe, &mut each);
    for (table, fields) in recipe.partner_settings.tables() {
        for (name, setting) in &fields.0 {
            let field = format!("partner_settings.{table}.{name}");
            setting.for_each_template(&mut |template| each(&field, template));
        }
    }
    for (at, todo) in recipe.todo.iter().enumerate() {
        each(&format!("todo.{at}.title"), &todo.title);
        each(&format!("todo.{at}.detail"), &todo.detail);
        if let Some(url) = &todo.url {
            each(&format!("todo.{at}.url"), url);
        }
    }
}

/// The templates that make steps: destination and whitelists.
pub(crate) fn for_each_route<'r>(recipe: &'r Recipe, each: &mut impl FnMut(&str, &'r Template)) {
    if let Some(outbound) = &recipe.outbound {
        for (at, template) in outbound.whitelist.iter().enumerate() {
            each(&format!("outbound.whitelist.{at}"), template);
        }
    }
    if let Some(inbound) = &recipe.inbound {
        each("inbound.destination", &inbound.destination);
        for (at, template) in inbound.whitelist.iter().enumerate() {
            each(&format!("inbound.whitelist.{at}"), template);
        }
    }
}

fn unused(recipe: &Recipe, advice: &mut Vec<String>) {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for_each_template(recipe, |_, template| used.extend(template.names()));
    let by_tables: Vec<&str> = recipe
        .tables
        .iter()
        .filter(|(name, _)| used.contains(name.as_str()))
        .map(|(_, table)| table.by.as_str())
        .collect();
    used.extend(by_tables);
    used.extend(
        recipe
            .todo
            .iter()
            .flat_map(|todo| todo.when.keys().chain(&todo.given).chain(&todo.missing))
            .map(String::as_str),
    );
    // Read by these two placeholders under its own name.
    let signalling = ["exotel_signalling_cidrs", "each_exotel_signalling_ip"];
    if signalling.iter().any(|name| used.contains(name)) {
        used.insert("exotel_signalling_ips");
    }
    for name in recipe
        .inputs
        .keys()
        .filter(|name| !used.contains(name.as_str()))
    {
        advice.push(format!(
            "inputs.{name} is asked for and never used; use it as {{{name}}} or remove it"
        ));
    }
    for name in recipe
        .tables
        .keys()
        .filter(|name| !used.contains(name.as_str()))
    {
        advice.push(format!(
            "tables.{name} is never used; use it as {{{name}}} or remove it"
        ));
    }
}

fn incomplete(recipe: &Recipe, advice: &mut Vec<String>) {
    if recipe.docs.is_none() {
        advice.push("docs is missing; give the partner's page about SIP trunks".into());
    }
    for (name, input) in &recipe.inputs {
        if input.example.is_none() && input.values.is_empty() {
            advice.push(format!(
                "inputs.{name} has no example; people who leave it out are shown one"
            ));
        }
    }
    if recipe.todo.is_empty() {
        advice.push("there is no todo; say what a person does on the partner's side".into());
    }
    for direction in &recipe.directions {
        let covered =
            |todo: &crate::recipe::Todo| crate::input::applies(&todo.directions, *direction);
        if !recipe.todo.is_empty() && !recipe.todo.iter().any(covered) {
            advice.push(format!(
                "no todo applies to {direction}; say what a person does then"
            ));
        }
    }
    let settings = &recipe.partner_settings;
    if recipe.outbound.is_some() && settings.common.is_empty() && settings.outbound.is_empty() {
        advice.push(
            "partner_settings has nothing for outbound; give the fields of the partner's form"
                .into(),
        );
    }
    if recipe.inbound.is_some() && settings.common.is_empty() && settings.inbound.is_empty() {
        advice.push(
            "partner_settings has nothing for inbound; give the fields of the partner's form"
                .into(),
        );
    }
}
