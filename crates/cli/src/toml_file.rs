//! TOML with the line of everything, so that each problem says where it is.

use std::ops::{Range, RangeInclusive};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use onboarding::nearest;

use crate::problem::Problem;

/// Largest file that is read: configuration is small, and a mistaken path may be anything.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// A value with the place it stands at.
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// A TOML text and the problems found in it so far.
#[derive(Debug)]
pub(crate) struct TomlFile<'t> {
    name: &'t str,
    text: &'t str,
    /// Everything that is wrong, in the order in which it was found.
    pub(crate) problems: Vec<Problem>,
    /// Lines that are no TOML: what is read there is a guess of the parser.
    broken: Vec<u64>,
}

impl<'t> TomlFile<'t> {
    /// A text that came from the file called `name`.
    pub(crate) fn new(name: &'t str, text: &'t str) -> Self {
        Self {
            name,
            text,
            problems: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Its tables; with syntax errors what could be read of them.
    pub(crate) fn parse(&mut self) -> Spanned<DeTable<'t>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let at = error.span().unwrap_or(0..0);
            // The parser's message may quote what it found, and that may be a secret.
            let message = format!("this is not TOML: {}", error.message());
            let line = self.line(&at);
            self.problem(at, "", message);
            self.broken.push(line);
        }
        table
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, at: &Range<usize>) -> u64 {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    }

    /// Notes a problem; on a line that is no TOML that alone is told.
    pub(crate) fn problem(&mut self, at: Range<usize>, field: &str, message: impl Into<String>) {
        let line = self.line(&at);
        // What the parser made up to go on stands nowhere.
        let made_up = at == (0..0) && !self.broken.is_empty();
        if made_up || self.broken.contains(&line) {
            return;
        }
        self.problems
            .push(Problem::at(self.name, Some(line), field, message));
    }

    /// Notes what is wrong with `key` of `table`: not one of `known`.
    pub(crate) fn refuse_unknown(&mut self, table: &DeTable<'t>, within: &str, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                self.unknown(key, within, known);
            }
        }
    }

    /// Notes that there is no such key as this one `within` a table.
    pub(crate) fn unknown(&mut self, key: &Spanned<DeString<'t>>, within: &str, known: &[&str]) {
        let field = join(within, key.get_ref());
        let message = format!(
            "there is no such key{}; the keys are {}",
            nearest::hint(key.get_ref(), known.iter().copied()),
            known.join(", ")
        );
        self.problem(key.span(), &field, message);
    }

    /// Notes that `key` of the table whose head is at `head` is missing.
    pub(crate) fn missing(&mut self, head: &Range<usize>, within: &str, key: &str, remedy: &str) {
        let message = format!("this is missing; {remedy}");
        self.problem(head.clone(), &join(within, key), message);
    }

    /// The text that `value` has to be.
    pub(crate) fn text<'v>(&mut self, value: &'v Value<'t>, field: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let message = format!("this is {}; write a text in quotes", kind(value.get_ref()));
            self.problem(value.span(), field, message);
        }
        text
    }

    /// The table that `value` has to be.
    pub(crate) fn table<'v>(
        &mut self,
        value: &'v Value<'t>,
        field: &str,
        remedy: &str,
    ) -> Option<&'v DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let message = format!("this is {}; {remedy}", kind(value.get_ref()));
            self.problem(value.span(), field, message);
        }
        table
    }

    /// The number within `bounds` that `value` has to be.
    pub(crate) fn number(
        &mut self,
        value: &Value<'t>,
        field: &str,
        bounds: RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = integer(value.get_ref()).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let message = format!(
                "write a whole number from {} to {}",
                bounds.start(),
                bounds.end()
            );
            self.problem(value.span(), field, message);
        }
        number
    }
}

/// `within.key`, or the key alone at the top.
pub(crate) fn join(within: &str, key: &str) -> String {
    let shown: String = key.escape_debug().take(80).collect();
    if within.is_empty() {
        shown
    } else {
        format!("{within}.{shown}")
    }
}

/// What a value is, for people.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A whole number, if it is one of 64 bits.
pub(crate) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}
