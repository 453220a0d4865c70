//! `trunkline handoff`.

use onboarding::Handoff;
use records::Handoffs;
use serde_json::Value;

use crate::{
    accounts::Accounts, args::Handoff as Args, error::Result, exit::Exit, lookup, output::Output,
    settings::Settings, store_place,
};

/// Shows what the partner's side needs.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, world) = store_place::open_existing(settings).await?;
    let named = lookup::all(&*store, &args.ids).await?;
    let accounts = Accounts::load(settings, world == store::World::Sandbox)?;
    let mut handoffs = Handoffs::new(&*store, &accounts);
    for own in &named {
        let handoff = handoffs.render(own, args.show_secrets).await?;
        output.record(&handoff);
        if !output.json() {
            text(&handoff, output);
        }
    }
    Ok(Exit::Done)
}

/// A handoff for people.
fn text(handoff: &Handoff, output: &mut Output) {
    output.line(format_args!(
        "{} on {} for {} ({}) is {}",
        handoff.number, handoff.partner, handoff.account, handoff.direction, handoff.state
    ));
    let mut rows: Vec<(&str, String)> = vec![
        ("id", handoff.id.to_string()),
        ("key", handoff.key.to_string()),
    ];
    let mut row = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    let trunk = &handoff.trunk;
    row("trunk", trunk.sid.as_ref().map(ToString::to_string));
    row("trunk name", trunk.name.as_ref().map(ToString::to_string));
    row("SIP domain", Some(trunk.domain.clone()));
    row("Flow dials", handoff.dial_whom.clone());
    let edge = handoff.edge.as_ref();
    row(
        "edge",
        edge.map(|edge| format!("{}:{};transport={}", edge.host, edge.port, edge.transport)),
    );
    let credentials = handoff.credentials.as_ref();
    row(
        "user name",
        credentials.map(|own| own.user_name.to_string()),
    );
    row("password", credentials.and_then(|own| own.password.clone()));
    for own in &handoff.whitelisted_ips {
        row("allowed", Some(format!("{}/32", own.ip)));
    }
    let destination = handoff.destination.as_ref();
    row("destination", destination.map(|own| own.uri.clone()));
    row("mode", handoff.mode.map(|mode| mode.to_string()));
    row(
        "caller id",
        handoff.caller_id.as_ref().map(ToString::to_string),
    );
    for (name, value) in rows {
        output.line(format_args!("  {name:<12} {value}"));
    }
    let settings = serde_json::to_value(&handoff.partner_settings).unwrap_or_default();
    if settings
        .as_object()
        .is_some_and(|fields| !fields.is_empty())
    {
        output.line("\nIn the partner's form or API:");
        tree(&settings, 1, output);
    }
    for (at, todo) in handoff.todo.iter().enumerate() {
        output.line(format_args!(
            "\n{}. {}\n   {}",
            at + 1,
            todo.title,
            todo.detail
        ));
        if let Some(url) = &todo.url {
            output.line(format_args!("   {url}"));
        }
    }
    output.line("");
}

/// Named values, one a line, deeper ones further in.
fn tree(value: &Value, depth: usize, output: &mut Output) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaf(&indent, &format!("{name}:"), value, depth, output);
            }
        }
        Value::Array(list) => {
            for value in list {
                leaf(&indent, "-", value, depth, output);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn leaf(indent: &str, name: &str, value: &Value, depth: usize, output: &mut Output) {
    match value {
        Value::Object(_) | Value::Array(_) => {
            output.line(format_args!("{indent}{name}"));
            tree(value, depth + 1, output);
        }
        Value::String(text) => output.line(format_args!("{indent}{name} {text}")),
        Value::Null => output.line(format_args!("{indent}{name} (not known yet)")),
        Value::Bool(_) | Value::Number(_) => output.line(format_args!("{indent}{name} {value}")),
    }
}
