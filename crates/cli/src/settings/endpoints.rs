//! `[endpoints.NAME]`: who is told what became of onboardings.

use std::path::Path;

use toml::de::DeTable;

use super::tables::{Family, Head, named, secrets};
use crate::{
    secret_source::{FORM, Placed},
    toml_file::{TomlFile, Value, join},
};

const FAMILY: Family = Family {
    key: "endpoints",
    one: "endpoint",
    keys: &[
        "url",
        "secrets",
        "events",
        "allow_private",
        "accept_redirects",
    ],
    max: webhook::ENDPOINTS_MAX,
};

/// What an endpoint may be told of.
const EVENTS: [&str; 4] = ["succeeded", "failed", "blocked", "refused"];

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Its name in logs and in the list of deliveries.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) url: Url,
    /// The line that says so.
    pub(crate) url_line: u64,
    /// What its messages are signed with.
    pub(crate) secrets: Vec<Placed>,
    /// What it is told of, of [`EVENTS`].
    pub(crate) events: Vec<&'static str>,
    /// Whether it may be on a private network, without TLS.
    pub(crate) allow_private: bool,
    /// Whether a redirect means that it took the message.
    pub(crate) accept_redirects: bool,
}

/// A URL. Receivers put secrets into its path, so that it may be kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Url {
    /// In the file.
    Plain(String),
    /// Elsewhere.
    Kept(Placed),
}

pub(super) fn read<'t>(file: &mut TomlFile<'t>, top: &DeTable<'t>, base: &Path) -> Vec<Endpoint> {
    named(file, top, FAMILY, |file, head, table| {
        one(file, head, table, base)
    })
}

fn one<'t>(
    file: &mut TomlFile<'t>,
    head: &Head<'_>,
    table: &DeTable<'t>,
    base: &Path,
) -> Option<Endpoint> {
    let mut flag = |name| match table.get(name) {
        Some(value) => flag(file, value, &join(head.field, name)),
        None => Some(false),
    };
    let (allow_private, accept_redirects) = (flag("allow_private"), flag("accept_redirects"));
    let url = url(file, head, table, base);
    let secrets = secrets(file, head, table, base);
    let events = events(file, head, table);
    let (url, url_line) = url?;
    Some(Endpoint {
        name: head.name.to_owned(),
        url,
        url_line,
        secrets: secrets?,
        events: events?,
        allow_private: allow_private?,
        accept_redirects: accept_redirects?,
    })
}

fn flag<'t>(file: &mut TomlFile<'t>, value: &Value<'t>, field: &str) -> Option<bool> {
    let flag = value.get_ref().as_bool();
    if flag.is_none() {
        file.problem(value.span(), field, "write true or false, without quotes");
    }
    flag
}

fn url<'t>(
    file: &mut TomlFile<'t>,
    head: &Head<'_>,
    table: &DeTable<'t>,
    base: &Path,
) -> Option<(Url, u64)> {
    let remedy = format!("write url = \"https://...\", or where it holds a secret {FORM}");
    let Some(value) = table.get("url") else {
        file.missing(&head.at, head.field, "url", &remedy);
        return None;
    };
    let line = file.line(&value.span());
    let field = join(head.field, "url");
    match value.get_ref().as_str() {
        Some(text) => Some((Url::Plain(text.to_owned()), line)),
        None if value.get_ref().is_table() => {
            let placed = Placed::read(file, value, &field, base)?;
            Some((Url::Kept(placed), line))
        }
        None => {
            file.problem(value.span(), &field, format!("this is not a URL; {remedy}"));
            None
        }
    }
}

fn events<'t>(
    file: &mut TomlFile<'t>,
    head: &Head<'_>,
    table: &DeTable<'t>,
) -> Option<Vec<&'static str>> {
    let Some(value) = table.get("events") else {
        return Some(EVENTS.to_vec());
    };
    let field = join(head.field, "events");
    let remedy = format!(
        "write a list of {}, each once; without it all of them are told",
        EVENTS.join(", ")
    );
    let list = value.get_ref().as_array().into_iter().flatten();
    let mut events = Vec::new();
    for one in list {
        let known = one
            .get_ref()
            .as_str()
            .and_then(|text| EVENTS.into_iter().find(|event| *event == text));
        match known {
            Some(event) if !events.contains(&event) => events.push(event),
            Some(_) | None => {
                file.problem(one.span(), &field, remedy);
                return None;
            }
        }
    }
    if events.is_empty() {
        file.problem(value.span(), &field, remedy);
        return None;
    }
    Some(events)
}
