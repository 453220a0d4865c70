//! Reads TOML piece by piece. Every problem is noted with its line, and reading goes on.

use std::{collections::BTreeMap, str::FromStr};

use toml::de::{DeTable, DeValue};

use crate::{nearest, problem::Invalid, recipe::RecipeProblem};

/// A table and the keys that lead to it.
pub(crate) struct Node<'n> {
    pub(crate) path: String,
    pub(crate) table: &'n DeTable<'n>,
}

impl<'n> Node<'n> {
    pub(crate) fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The entries in the order of the text.
    pub(crate) fn entries(&self) -> Vec<(usize, &'n str, &'n DeValue<'n>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let name: &str = key.get_ref();
                (key.span().start, name, value.get_ref())
            })
            .collect();
        entries.sort_by_key(|(at, ..)| *at);
        entries
    }
}

/// Reads values, notes where they are, and goes on after every problem.
pub(crate) struct Reader {
    line_starts: Vec<usize>,
    pub(crate) lines: BTreeMap<String, usize>,
    pub(crate) problems: Vec<RecipeProblem>,
}

impl Reader {
    pub(crate) fn new(text: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            line_starts: std::iter::once(0).chain(breaks).collect(),
            lines: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    pub(crate) fn line_at(&self, offset: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= offset)
            .max(1)
    }

    /// Reports a problem of `field` at its line, or at that of the closest table around it. One
    /// problem per field: a second one mostly follows from the first.
    pub(crate) fn report(&mut self, field: &str, message: impl Into<String>) {
        if self.problems.iter().any(|problem| problem.field == field) {
            return;
        }
        let mut around = field;
        let line = loop {
            if let Some(line) = self.lines.get(around) {
                break *line;
            }
            match around.rsplit_once('.') {
                Some((parent, _)) => around = parent,
                None => break 1,
            }
        };
        self.problems.push(RecipeProblem {
            line,
            field: field.to_owned(),
            message: message.into(),
        });
    }

    /// Notes where every key of the table is, and refuses those that `known` does not have.
    pub(crate) fn keys(&mut self, node: &Node<'_>, known: &[&str]) {
        for (at, key, _) in node.entries() {
            let field = node.field(key);
            self.lines.insert(field.clone(), self.line_at(at));
            if !known.contains(&key) {
                let hint = nearest::hint(key, known.iter().copied());
                self.report(
                    &field,
                    format!(
                        "there is no such key{hint}; here may stand {}",
                        known.join(", ")
                    ),
                );
            }
        }
    }

    pub(crate) fn wrong_type(&mut self, field: &str, value: &DeValue<'_>, right: &str) {
        self.report(
            field,
            format!("this is a TOML {}; write {right}", value.type_str()),
        );
    }

    pub(crate) fn text(&mut self, node: &Node<'_>, key: &str) -> Option<String> {
        let value = node.table.get(key)?.get_ref();
        match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(&node.field(key), value, "a text in quotes");
                None
            }
        }
    }

    pub(crate) fn required_text(
        &mut self,
        node: &Node<'_>,
        key: &str,
        right: &str,
    ) -> Option<String> {
        self.demand(node, key, right);
        let text = self.text(node, key)?;
        if text.trim().is_empty() {
            self.report(&node.field(key), format!("this is empty; write {right}"));
        }
        Some(text)
    }

    pub(crate) fn demand(&mut self, node: &Node<'_>, key: &str, right: &str) {
        if !node.table.contains_key(key) {
            self.report(
                &node.field(key),
                format!("it is missing; write {key} = {right}"),
            );
        }
    }

    pub(crate) fn parsed<T: FromStr<Err = Invalid>>(
        &mut self,
        node: &Node<'_>,
        key: &str,
    ) -> Option<T> {
        let text = self.text(node, key)?;
        self.parse(&node.field(key), &text)
    }

    pub(crate) fn parse<T: FromStr<Err = Invalid>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(Invalid(message)) => {
                self.report(field, message);
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, node: &Node<'_>, key: &str) -> Option<bool> {
        let value = node.table.get(key)?.get_ref();
        let flag = value.as_bool();
        if flag.is_none() {
            self.wrong_type(&node.field(key), value, "true or false, without quotes");
        }
        flag
    }

    pub(crate) fn integer(&mut self, field: &str, value: &DeValue<'_>) -> Option<i64> {
        let number = value
            .as_integer()
            .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        if number.is_none() {
            self.wrong_type(field, value, "a whole number");
        }
        number
    }

    pub(crate) fn length(&mut self, node: &Node<'_>, key: &str) -> Option<u16> {
        let value = node.table.get(key)?.get_ref();
        let field = node.field(key);
        let number = self.integer(&field, value)?;
        match u16::try_from(number) {
            Ok(length) if (1..=512).contains(&length) => Some(length),
            _ => {
                self.report(
                    &field,
                    format!("{number} is no length here; write 1 to 512"),
                );
                None
            }
        }
    }

    pub(crate) fn texts(&mut self, node: &Node<'_>, key: &str) -> Vec<String> {
        let Some(value) = node.table.get(key) else {
            return Vec::new();
        };
        let field = node.field(key);
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(
                &field,
                value.get_ref(),
                "a list of texts, such as [\"a\", \"b\"]",
            );
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (at, element) in list.iter().enumerate() {
            let place = format!("{field}.{at}");
            let line = self.line_at(element.span().start);
            self.lines.insert(place.clone(), line);
            match element.get_ref().as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.wrong_type(&place, element.get_ref(), "a text in quotes"),
            }
        }
        texts
    }

    pub(crate) fn parsed_texts<T: FromStr<Err = Invalid>>(
        &mut self,
        node: &Node<'_>,
        key: &str,
    ) -> Vec<T> {
        let field = node.field(key);
        let texts = self.texts(node, key);
        let parsed = texts.iter().enumerate();
        parsed
            .filter_map(|(at, text)| self.parse(&format!("{field}.{at}"), text))
            .collect()
    }

    pub(crate) fn child<'n>(&mut self, node: &Node<'n>, key: &str) -> Option<Node<'n>> {
        let value = node.table.get(key)?.get_ref();
        self.table(node.field(key), value)
    }

    pub(crate) fn table<'n>(&mut self, path: String, value: &'n DeValue<'n>) -> Option<Node<'n>> {
        match value.as_table() {
            Some(table) => Some(Node { path, table }),
            None => {
                self.wrong_type(&path, value, &format!("a table: [{path}]"));
                None
            }
        }
    }

    /// The named tables in the table at `key`.
    pub(crate) fn named<'n>(&mut self, node: &Node<'n>, key: &str) -> Vec<(String, Node<'n>)> {
        let Some(outer) = self.child(node, key) else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for (at, name, value) in outer.entries() {
            let path = outer.field(name);
            self.lines.insert(path.clone(), self.line_at(at));
            if let Some(inner) = self.table(path, value) {
                named.push((name.to_owned(), inner));
            }
        }
        named
    }

    pub(crate) fn text_map(&mut self, node: &Node<'_>, key: &str) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let Some(inner) = self.child(node, key) else {
            return map;
        };
        for (at, name, _) in inner.entries() {
            self.lines.insert(inner.field(name), self.line_at(at));
            if let Some(text) = self.text(&inner, name) {
                map.insert(name.to_owned(), text);
            }
        }
        map
    }
}
