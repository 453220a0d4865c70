//! Parameters of the query, strictly: what nobody asked for is a mistake that is told.

use std::{fmt::Display, str::FromStr};

use axum::extract::Query;
use http::Uri;

use crate::problem::{Code, FieldProblem, Problem};

/// Most parameters that are looked at.
const PARAMETERS_MAX: usize = 32;

/// The parameters of a query, and what is wrong with them.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    problems: Vec<FieldProblem>,
}

impl Params {
    /// Those of `uri`; others than `allowed` and repeated ones are problems.
    pub(super) fn read(uri: &Uri, allowed: &[&str]) -> Self {
        let Ok(Query(mut pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            let mut params = Self {
                pairs: Vec::new(),
                problems: Vec::new(),
            };
            params.wrong("query", "it cannot be read; write name=value, joined by &");
            return params;
        };
        pairs.truncate(PARAMETERS_MAX);
        let mut params = Self {
            pairs: Vec::with_capacity(pairs.len()),
            problems: Vec::new(),
        };
        for (name, value) in pairs {
            if !allowed.contains(&name.as_str()) {
                let known = match allowed {
                    [] => "there are none here".to_owned(),
                    some => format!("there are {}", some.join(", ")),
                };
                let shown: String = name.escape_debug().take(60).collect();
                params.wrong(&shown, format!("there is no such parameter; {known}"));
            } else if params.pairs.iter().any(|(known, _)| *known == name) {
                params.wrong(&name, "it is there twice; write it once");
            } else {
                params.pairs.push((name, value));
            }
        }
        params
    }

    /// Notes what is wrong with a parameter.
    pub(super) fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(FieldProblem {
            pointer: String::new(),
            field: name.to_owned(),
            message: message.into(),
        });
    }

    /// The text of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The name of something in the settings; `wrong` says what to write instead.
    pub(super) fn name(&mut self, name: &str, wrong: &str) -> Option<String> {
        let text = self.text(name)?.to_owned();
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !(1..=64).contains(&text.len()) || !text.chars().all(known) {
            self.wrong(name, wrong);
        }
        Some(text)
    }

    /// The value of a parameter.
    pub(super) fn value<T>(&mut self, name: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let parsed = self.text(name)?.parse::<T>();
        parsed
            .map_err(|error| self.wrong(name, error.to_string()))
            .ok()
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str, least: usize, most: usize) -> Option<usize> {
        let text = self.text(name)?;
        // `+5` and `007` are numbers to Rust and to nobody's schema.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && (text.len() == 1 || !text.starts_with('0'));
        match text.parse() {
            Ok(number) if plain && (least..=most).contains(&number) => Some(number),
            _ => {
                self.wrong(name, format!("write a whole number from {least} to {most}"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.text(name) {
            Some("true") => true,
            Some("false") | None => false,
            Some(_) => {
                self.wrong(name, "write true or false");
                false
            }
        }
    }

    /// That nothing was wrong.
    ///
    /// # Errors
    /// Everything that was.
    pub(super) fn done(self) -> Result<(), Problem> {
        let Some(first) = self.problems.first() else {
            return Ok(());
        };
        let detail = format!("{}: {}", first.field, first.message);
        Err(Problem::new(Code::InvalidParameter, detail).with_errors(self.problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let uri: Uri = "/x?limit=0&limit=2&colour=red&show=maybe&state=done"
            .parse()
            .unwrap();
        let mut params = Params::read(&uri, &["limit", "show", "state"]);
        assert_eq!(params.number("limit", 1, 200), None);
        assert!(!params.flag("show"));
        assert_eq!(params.value::<onboarding::State>("state"), None);
        let problem = params.done().unwrap_err();
        let fields: Vec<&str> = problem.errors().iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["limit", "colour", "limit", "show", "state"]);
    }

    #[test]
    fn numbers_are_written_plainly() {
        for (text, expected) in [
            ("1", Some(1)),
            ("200", Some(200)),
            ("201", None),
            ("0", None),
            ("+5", None),
            ("05", None),
            ("", None),
            ("5.0", None),
            ("99999999999999999999999", None),
        ] {
            let uri: Uri = format!("/x?limit={text}").parse().unwrap();
            let mut params = Params::read(&uri, &["limit"]);
            assert_eq!(params.number("limit", 1, 200), expected, "{text}");
        }
    }
}
