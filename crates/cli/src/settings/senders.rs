//! `[senders.NAME]`: who sends signups by webhook, and where in their JSON the fields of a signup are.

use std::{collections::BTreeMap, path::Path, time::Duration};

use onboarding::{nearest, signup::FIELDS};
use toml::de::DeTable;

use super::tables::{Family, Head, named, secrets};
use crate::{
    secret_source::Placed,
    toml_file::{TomlFile, Value, join, kind},
};

const FAMILY: Family = Family {
    key: "senders",
    one: "sender",
    keys: &["secrets", "tolerance_seconds", "fields"],
    max: 100,
};

/// How far a message's time may be from ours: five minutes, as Standard Webhooks advises.
const TOLERANCE_SECONDS: u32 = 300;

/// The fields that no signup is without.
const NEEDED: [&str; 3] = ["account", "partner", "number"];

/// Most entries of a mapping's fields, and of one field's `map`.
const ENTRIES_MAX: usize = 200;

/// A sender of signups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// Its name in logs.
    pub(crate) name: String,
    /// What its messages are signed with; any of them.
    pub(crate) secrets: Vec<Placed>,
    /// How far a message's time may be from ours.
    pub(crate) tolerance: Duration,
    /// Where each field of a signup comes from, by its name: `account`, `inputs.NAME`.
    pub(crate) fields: BTreeMap<String, FieldSource>,
    /// The line of each field.
    pub(crate) lines: BTreeMap<String, u64>,
}

/// Where a field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldSource {
    /// Always this.
    Value(String),
    /// What stands at a JSON Pointer, translated where there is a map.
    Pointer {
        /// The JSON Pointer (RFC 6901).
        pointer: String,
        /// What is meant by what stands there; without one it is taken as it is.
        map: Option<BTreeMap<String, String>>,
    },
}

pub(super) fn read<'t>(file: &mut TomlFile<'t>, top: &DeTable<'t>, base: &Path) -> Vec<Sender> {
    named(file, top, FAMILY, |file, head, table| {
        one(file, head, table, base)
    })
}

fn one<'t>(
    file: &mut TomlFile<'t>,
    head: &Head<'_>,
    table: &DeTable<'t>,
    base: &Path,
) -> Option<Sender> {
    let secrets = secrets(file, head, table, base);
    let tolerance = match table.get("tolerance_seconds") {
        Some(value) => file.number(value, &join(head.field, "tolerance_seconds"), 10..=3600),
        None => Some(TOLERANCE_SECONDS),
    };
    let fields = fields(file, head, table);
    let (fields, lines) = fields?;
    Some(Sender {
        name: head.name.to_owned(),
        secrets: secrets?,
        tolerance: Duration::from_secs(tolerance?.into()),
        fields,
        lines,
    })
}

type Fields = (BTreeMap<String, FieldSource>, BTreeMap<String, u64>);

fn fields<'t>(file: &mut TomlFile<'t>, head: &Head<'_>, table: &DeTable<'t>) -> Option<Fields> {
    let field = join(head.field, "fields");
    let remedy = format!(
        "write [{field}] with a line for each field of a signup, such as number = \"/data/number\""
    );
    let Some(value) = table.get("fields") else {
        file.missing(&head.at, head.field, "fields", &remedy);
        return None;
    };
    let given = file.table(value, &field, &remedy)?;
    let before = file.problems.len();
    let mut read = Fields::default();
    for (key, value) in given {
        let name: &str = key.get_ref();
        match value.get_ref().as_table() {
            // `inputs.NAME` without quotes.
            Some(inputs) if name == "inputs" => {
                for (input, value) in inputs {
                    let name = format!("inputs.{}", input.get_ref());
                    one_field(file, &field, name, value, &mut read);
                }
            }
            _ if FIELDS.contains(&name) || is_input(name) => {
                one_field(file, &field, name.to_owned(), value, &mut read);
            }
            _ => {
                let message = format!(
                    "a signup has no such field{}; its fields are {} and \"inputs.NAME\"",
                    nearest::hint(name, FIELDS),
                    FIELDS.join(", ")
                );
                file.problem(key.span(), &join(&field, name), message);
            }
        }
    }
    for needed in NEEDED {
        if !given.contains_key(needed) {
            file.missing(&value.span(), &field, needed, "no signup is without it");
        }
    }
    if read.0.len() > ENTRIES_MAX {
        let message = format!("these are more than {ENTRIES_MAX} fields; remove some");
        file.problem(value.span(), &field, message);
    }
    (file.problems.len() == before).then_some(read)
}

fn is_input(name: &str) -> bool {
    name.strip_prefix("inputs.")
        .is_some_and(|input| !input.is_empty())
}

fn one_field<'t>(
    file: &mut TomlFile<'t>,
    within: &str,
    name: String,
    value: &Value<'t>,
    read: &mut Fields,
) {
    let line = file.line(&value.span());
    if let Some(from) = from(file, &join(within, &name), value) {
        read.1.insert(name.clone(), line);
        if read.0.insert(name.clone(), from).is_some() {
            file.problem(
                value.span(),
                &join(within, &name),
                "this field is there twice; remove one",
            );
        }
    }
}

fn from<'t>(file: &mut TomlFile<'t>, field: &str, value: &Value<'t>) -> Option<FieldSource> {
    const REMEDY: &str = "write a JSON Pointer such as \"/data/number\", or { value = \"...\" }, or { pointer = \"/...\", map = { \"theirs\" = \"ours\" } }";
    if let Some(pointer) = value.get_ref().as_str() {
        return pointer_of(file, field, value, pointer)
            .map(|pointer| FieldSource::Pointer { pointer, map: None });
    }
    let Some(table) = value.get_ref().as_table() else {
        let message = format!("this is {}; {REMEDY}", kind(value.get_ref()));
        file.problem(value.span(), field, message);
        return None;
    };
    file.refuse_unknown(table, field, &["value", "pointer", "map"]);
    match (table.get("value"), table.get("pointer"), table.get("map")) {
        (Some(value), None, None) => {
            let text = file.text(value, &join(field, "value"))?;
            Some(FieldSource::Value(text.to_owned()))
        }
        (None, Some(pointer), map) => {
            let at = join(field, "pointer");
            let text = file.text(pointer, &at)?;
            let text = pointer_of(file, &at, pointer, text);
            let map = match map {
                Some(map) => Some(translation(file, &join(field, "map"), map)?),
                None => None,
            };
            Some(FieldSource::Pointer {
                pointer: text?,
                map,
            })
        }
        _ => {
            file.problem(value.span(), field, REMEDY);
            None
        }
    }
}

/// RFC 6901: nothing, or parts that each begin with a slash; `~0` is `~` and `~1` is `/`.
fn pointer_of<'t>(
    file: &mut TomlFile<'t>,
    field: &str,
    at: &Value<'t>,
    text: &str,
) -> Option<String> {
    let mut rest = text.split('~').skip(1);
    let escaped = rest.all(|after| after.starts_with(['0', '1']));
    if text.starts_with('/') && escaped && text.len() <= 1024 {
        return Some(text.to_owned());
    }
    file.problem(
        at.span(),
        field,
        "this is not a JSON Pointer; write the path of the field, each part after a slash, such as \"/data/number\" (~0 for ~, ~1 for / within a name); a text that is always the same is { value = \"...\" }",
    );
    None
}

fn translation<'t>(
    file: &mut TomlFile<'t>,
    field: &str,
    value: &Value<'t>,
) -> Option<BTreeMap<String, String>> {
    let remedy = "write map = { \"theirs\" = \"ours\" }";
    let table = file.table(value, field, remedy)?;
    if table.is_empty() || table.len() > ENTRIES_MAX {
        let message = format!("{remedy}, with 1 to {ENTRIES_MAX} entries");
        file.problem(value.span(), field, message);
        return None;
    }
    let mut map = BTreeMap::new();
    for (theirs, ours) in table {
        let ours = file.text(ours, &join(field, theirs.get_ref()))?;
        map.insert(theirs.get_ref().to_string(), ours.to_owned());
    }
    Some(map)
}
