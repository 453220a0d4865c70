//! `[senders.NAME]`: who sends signups by webhook, and where in their JSON the fields of a signup are.

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    path::Path,
    time::Duration,
};

use onboarding::InputValue;
use toml::de::DeTable;
use webhook::{Draft, Error, Mapping, Source};

use super::tables::{Family, Head, named, secrets};
use crate::{
    secret_source::Placed,
    toml_file::{TomlFile, Value, join, kind},
};

const FAMILY: Family = Family {
    key: "senders",
    one: "sender",
    keys: &["secrets", "tolerance_seconds", "items", "when", "fields"],
    max: webhook::SENDERS_MAX,
};

/// How far a message's time may be from ours, at least and at most: what is shorter than the way of a
/// message refuses all, and what is longer lets in what somebody kept.
const TOLERANCE_SECONDS: RangeInclusive<u32> = 10..=3600;

/// Most entries of one table of a mapping.
const ENTRIES_MAX: usize = 200;

/// A sender of signups.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// Its name in logs.
    pub(crate) name: String,
    /// What its messages are signed with; any of them.
    pub(crate) secrets: Vec<Placed>,
    /// How far a message's time may be from ours.
    pub(crate) tolerance: Duration,
    /// What its messages say.
    pub(crate) mapping: Mapping,
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
        Some(value) => file
            .number(
                value,
                &join(head.field, "tolerance_seconds"),
                TOLERANCE_SECONDS,
            )
            .map(|seconds| Duration::from_secs(seconds.into())),
        None => Some(webhook::signature::TOLERANCE),
    };
    let mapping = Drafting {
        file,
        head,
        draft: Draft::default(),
        places: BTreeMap::new(),
    }
    .mapping(table);
    Some(Sender {
        name: head.name.to_owned(),
        secrets: secrets?,
        tolerance: tolerance?,
        mapping: mapping?,
    })
}

/// A mapping while it is read.
struct Drafting<'f, 't> {
    file: &'f mut TomlFile<'t>,
    head: &'f Head<'f>,
    draft: Draft,
    /// Where each part of it stands, by the name that what is wrong with it has.
    places: BTreeMap<String, Range<usize>>,
}

impl<'t> Drafting<'_, 't> {
    fn mapping(mut self, table: &DeTable<'t>) -> Option<Mapping> {
        let before = self.file.problems.len();
        if let Some(value) = table.get("items") {
            let field = join(self.head.field, "items");
            self.draft.items = self.file.text(value, &field).map(str::to_owned);
            self.places.insert("items".into(), value.span());
        }
        self.when(table);
        self.fields(table);
        let refused = Mapping::new(self.draft);
        let problems = match refused {
            Ok(mapping) => return (self.file.problems.len() == before).then_some(mapping),
            Err(Error::Settings(problems)) => problems,
            Err(other) => {
                let at = self.head.at.clone();
                self.file.problem(at, self.head.field, other.to_string());
                return None;
            }
        };
        for problem in problems {
            let at = self.places.get(&problem.field).cloned();
            // What is missing stands nowhere.
            let at = at.unwrap_or_else(|| self.head.at.clone());
            let field = join(self.head.field, &problem.field);
            self.file.problem(at, &field, problem.message);
        }
        None
    }

    /// `when = { "/type" = ["form.submitted"] }`
    fn when(&mut self, table: &DeTable<'t>) {
        const REMEDY: &str =
            "write when = { \"/pointer\" = [\"value\"] }: which messages are meant";
        let Some(value) = table.get("when") else {
            return;
        };
        let field = join(self.head.field, "when");
        let Some(given) = self.entries(value, &field, REMEDY) else {
            return;
        };
        for (pointer, value) in given {
            let list = value.get_ref().as_array();
            let texts = list.map(|list| list.iter().map(|one| one.get_ref().as_str()));
            let Some(texts) = texts.and_then(Iterator::collect::<Option<Vec<&str>>>) else {
                self.file
                    .problem(value.span(), &join(&field, pointer.get_ref()), REMEDY);
                continue;
            };
            let texts = texts.into_iter().map(str::to_owned).collect();
            self.places
                .insert(format!("when.{}", pointer.get_ref()), value.span());
            self.draft.when.insert(pointer.get_ref().to_string(), texts);
        }
    }

    fn fields(&mut self, table: &DeTable<'t>) {
        let Some(value) = table.get("fields") else {
            return;
        };
        let field = join(self.head.field, "fields");
        let remedy = format!(
            "write [{field}] with a line for each field of a signup, such as number = \"/data/number\""
        );
        let Some(given) = self.entries(value, &field, &remedy) else {
            return;
        };
        for (key, value) in given {
            match value.get_ref().as_table() {
                // `inputs.NAME` without quotes.
                Some(inputs) if key.get_ref() == "inputs" => {
                    for (input, value) in inputs {
                        self.field(format!("inputs.{}", input.get_ref()), value);
                    }
                }
                _ => self.field(key.get_ref().to_string(), value),
            }
        }
    }

    fn field(&mut self, name: String, value: &Value<'t>) {
        let place = format!("fields.{name}");
        let field = join(self.head.field, &place);
        if self.draft.fields.contains_key(&name) {
            let twice = "this field is there twice; remove one";
            self.file.problem(value.span(), &field, twice);
        }
        self.places.insert(place, value.span());
        // Where it cannot be read that was told, and it is not missing besides.
        let source = source(self.file, &field, value);
        let stands_in = || Source::Pointer("/".into());
        self.draft
            .fields
            .insert(name, source.unwrap_or_else(stands_in));
    }

    /// A table of not too many entries.
    fn entries<'v>(
        &mut self,
        value: &'v Value<'t>,
        field: &str,
        remedy: &str,
    ) -> Option<&'v DeTable<'t>> {
        let table = self.file.table(value, field, remedy)?;
        if table.is_empty() || table.len() > ENTRIES_MAX {
            let message = format!("{remedy}; 1 to {ENTRIES_MAX} of them");
            self.file.problem(value.span(), field, message);
            return None;
        }
        Some(table)
    }
}

fn source<'t>(file: &mut TomlFile<'t>, field: &str, value: &Value<'t>) -> Option<Source> {
    const REMEDY: &str = "write a JSON Pointer such as \"/data/number\", or { value = \"...\" }, or { pointer = \"/...\", map = { \"theirs\" = \"ours\" } }";
    if let Some(pointer) = value.get_ref().as_str() {
        return Some(Source::Pointer(pointer.to_owned()));
    }
    let Some(table) = value.get_ref().as_table() else {
        let message = format!("this is {}; {REMEDY}", kind(value.get_ref()));
        file.problem(value.span(), field, message);
        return None;
    };
    file.refuse_unknown(table, field, &["value", "pointer", "map"]);
    match (table.get("value"), table.get("pointer"), table.get("map")) {
        (Some(value), None, None) => constant(file, &join(field, "value"), value),
        (None, Some(pointer), None) => {
            let pointer = file.text(pointer, &join(field, "pointer"))?;
            Some(Source::Pointer(pointer.to_owned()))
        }
        (None, Some(pointer), Some(map)) => {
            let pointer = file.text(pointer, &join(field, "pointer"));
            let map = translation(file, &join(field, "map"), map);
            Some(Source::Translated {
                pointer: pointer?.to_owned(),
                map: map?,
            })
        }
        _ => {
            file.problem(value.span(), field, REMEDY);
            None
        }
    }
}

fn constant<'t>(file: &mut TomlFile<'t>, field: &str, value: &Value<'t>) -> Option<Source> {
    let Some(list) = value.get_ref().as_array() else {
        let text = file.text(value, field)?;
        return Some(Source::Constant(InputValue::Text(text.to_owned())));
    };
    let each = list
        .iter()
        .map(|one| file.text(one, field).map(str::to_owned));
    let texts: Option<Vec<String>> = each.collect();
    Some(Source::Constant(InputValue::List(texts?)))
}

fn translation<'t>(
    file: &mut TomlFile<'t>,
    field: &str,
    value: &Value<'t>,
) -> Option<BTreeMap<String, String>> {
    let remedy = "write map = { \"theirs\" = \"ours\" }";
    let table = file.table(value, field, remedy)?;
    if table.len() > ENTRIES_MAX {
        let message = format!("there are more than {ENTRIES_MAX} entries; remove some");
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
