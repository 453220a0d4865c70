//! Problems with their place.

use onboarding::Problem;
use serde::Serialize;

/// Most bytes of one message; values of any length may be quoted in it.
const MESSAGE_BYTES_MAX: usize = 800;

/// Most bytes of a field's name.
const FIELD_BYTES_MAX: usize = 200;

/// One thing that is wrong with the input, where, and what would be right. As JSON it is the
/// record `{"type":"problem","file","line","field","message"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "problem")]
pub struct Located {
    /// The input, as it was named; `-` is standard input.
    pub file: String,
    /// The line that it is on, from 1; of a signup that spans lines the first, where the wrong
    /// one is not known.
    pub line: u64,
    /// The field, as a person writes it; empty where it is the signup as a whole.
    pub field: String,
    /// What is wrong and what would be right. One line of at most 800 bytes.
    pub message: String,
}

impl Located {
    pub(crate) fn new(file: &str, line: u64, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            line,
            field: shown(problem.field, FIELD_BYTES_MAX),
            message: shown(problem.message, MESSAGE_BYTES_MAX),
        }
    }
}

impl std::fmt::Display for Located {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// `text` without control characters, which could move a terminal's cursor, and without its middle
/// where it is longer than `most` bytes: the place is at its beginning, the remedy at its end.
pub(crate) fn shown(text: String, most: usize) -> String {
    let text = if text.contains(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text
    };
    if text.len() <= most {
        return text;
    }
    let part = (most - 5) / 2;
    let head = text.floor_char_boundary(part);
    let tail = text.ceil_char_boundary(text.len() - part);
    [&text[..head], " ... ", &text[tail..]].concat()
}

/// The first problems, and how many more there are.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) first: Vec<Located>,
    pub(crate) more: u64,
}

impl Problems {
    /// Most problems that are listed.
    const LISTED_MAX: usize = 1000;

    pub(crate) fn add(&mut self, file: &str, line: u64, problem: Problem) {
        if self.first.len() < Self::LISTED_MAX {
            self.first.push(Located::new(file, line, problem));
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_its_place_and_its_remedy_in_one_line() {
        let message = format!("\"\u{1b}[2J{}\" is wrong; write tls", "\u{e9}".repeat(5000));
        let located = Located::new("a.csv", 7, Problem::new("x", message));
        assert!(located.message.len() <= MESSAGE_BYTES_MAX);
        assert!(located.message.starts_with("\" [2J") && located.message.ends_with("write tls"));
        assert!(!located.to_string().contains(char::is_control));
    }

    #[test]
    fn a_problem_is_the_contracts_record() {
        let located = Located::new("a.csv", 7, Problem::new("number", "write it"));
        assert_eq!(
            serde_json::to_string(&located).unwrap(),
            r#"{"type":"problem","file":"a.csv","line":7,"field":"number","message":"write it"}"#
        );
    }
}
