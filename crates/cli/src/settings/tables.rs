//! The tables of the settings file: what has a name of its own, and may be there any number of times.
//! They come from the file alone: variables and options have no place for them.

use std::{ops::Range, path::Path};

use toml::de::DeTable;

use super::{
    endpoints::{self, Endpoint},
    known,
    senders::{self, Sender},
    tokens::{self, Token},
};
use crate::{
    secret_source::{FORM, Placed},
    toml_file::{TomlFile, Value, join},
};

/// The keys at the top of the file that hold them.
pub(super) const KEYS: [&str; 3] = ["tokens", "senders", "endpoints"];

/// Most secrets of one sender or endpoint. A rotation needs two; each costs a computation for every
/// message.
const SECRETS_MAX: usize = webhook::signature::KEYS_MAX;

/// All of them, each kind by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    /// The file they are in; empty where there is none.
    pub(crate) file: String,
    /// Who may ask over HTTP.
    pub(crate) tokens: Vec<Token>,
    /// Who sends signups by webhook.
    pub(crate) senders: Vec<Sender>,
    /// Who is told what became of them.
    pub(crate) endpoints: Vec<Endpoint>,
}

impl Tables {
    /// Those in the file called `name`, whose paths start at `base`.
    pub(super) fn read<'t>(
        name: &str,
        file: &mut TomlFile<'t>,
        top: &DeTable<'t>,
        base: &Path,
    ) -> Self {
        Self {
            file: name.to_owned(),
            tokens: tokens::read(file, top),
            senders: senders::read(file, top, base),
            endpoints: endpoints::read(file, top, base),
        }
    }
}

/// A kind of named tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// The key at the top of the file.
    pub(super) key: &'static str,
    /// One of them, for people.
    pub(super) one: &'static str,
    /// The keys of one.
    pub(super) keys: &'static [&'static str],
    /// Most of them.
    pub(super) max: usize,
}

/// The head of a table.
#[derive(Debug)]
pub(super) struct Head<'h> {
    /// The table's name.
    pub(super) name: &'h str,
    /// It with what it is in: `tokens.NAME`.
    pub(super) field: &'h str,
    /// Where it stands.
    pub(super) at: Range<usize>,
}

/// What `one` makes of each table of a family. The file's problems say what it could not.
pub(super) fn named<'t, T>(
    file: &mut TomlFile<'t>,
    top: &DeTable<'t>,
    family: Family,
    mut one: impl FnMut(&mut TomlFile<'t>, &Head<'_>, &DeTable<'t>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = top.get(family.key) else {
        return Vec::new();
    };
    let remedy = format!("write a table [{}.NAME] for each", family.key);
    let Some(tables) = file.table(value, family.key, &remedy) else {
        return Vec::new();
    };
    if tables.len() > family.max {
        let message = format!(
            "there are {}, more than {}; remove those that nobody uses",
            tables.len(),
            family.max
        );
        file.problem(value.span(), family.key, message);
        return Vec::new();
    }
    let mut read = Vec::new();
    for (key, value) in tables {
        let (name, field) = (key.get_ref(), join(family.key, key.get_ref()));
        if !is_name(name) {
            let message = format!(
                "this is not the name of a {}; use 1 to 64 letters, digits, _ or -",
                family.one
            );
            file.problem(key.span(), &field, message);
        }
        let remedy = format!("write [{field}] and its keys below");
        let Some(table) = file.table(value, &field, &remedy) else {
            continue;
        };
        refuse_unknown(file, table, &field, family.keys);
        let head = Head {
            name,
            field: &field,
            at: key.span(),
        };
        read.extend(one(file, &head, table));
    }
    read
}

/// Names stand in logs, measurements and the store, so they are short and plain.
pub(crate) fn is_name(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(known)
}

/// As the file does it, but tells of a setting that slipped into a table.
fn refuse_unknown<'t>(file: &mut TomlFile<'t>, table: &DeTable<'t>, field: &str, keys: &[&str]) {
    for key in table.keys() {
        let name: &str = key.get_ref();
        if keys.contains(&name) {
            continue;
        }
        if known::find(name).is_none() {
            file.unknown(key, field, keys);
            continue;
        }
        let message = format!(
            "this is a setting and no key of [{field}]; what stands below a table's head belongs to the table: move it above the first [...]"
        );
        file.problem(key.span(), &join(field, name), message);
    }
}

/// The secrets of a sender or an endpoint: `secrets = [{ env | file }, ...]`.
pub(super) fn secrets<'t>(
    file: &mut TomlFile<'t>,
    head: &Head<'_>,
    table: &DeTable<'t>,
    base: &Path,
) -> Option<Vec<Placed>> {
    let remedy = format!("name 1 to {SECRETS_MAX} places: secrets = [{{ env = \"VARIABLE\" }}]");
    let Some(value) = table.get("secrets") else {
        file.missing(&head.at, head.field, "secrets", &remedy);
        return None;
    };
    let field = join(head.field, "secrets");
    let list = value.get_ref().as_array();
    let Some(list) = list.filter(|list| (1..=SECRETS_MAX).contains(&list.len())) else {
        file.problem(
            value.span(),
            &field,
            format!("{remedy}; for each {FORM}, the newest first"),
        );
        return None;
    };
    let read = list
        .iter()
        .map(|one: &Value<'t>| Placed::read(file, one, &field, base));
    let read: Vec<Option<Placed>> = read.collect();
    read.into_iter().collect()
}
