//! How far the feed was laid out.

use std::fmt;

use store::{Cursor, Position};

/// A mark, as the store keeps it in text of at most 200 bytes: three positions and cursors of at
/// most 40 and some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// Everything up to here; `None`: nothing had happened.
    After(Option<Position>),
    /// Everything up to `before`, and of what waits for the account that was parked at `at`, what
    /// stands up to `cursor`.
    Within {
        before: Option<Position>,
        at: Position,
        cursor: Cursor,
    },
}

/// Where nothing had happened.
const NOTHING: &str = "-";

impl Mark {
    /// `None`: it is none that this version writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kind = words.next()?;
        let position = |word: &str| (word != NOTHING).then(|| Position(word.to_owned()));
        let before = position(words.next()?);
        let mark = match kind {
            "after" => Self::After(before),
            "within" => Self::Within {
                before,
                at: position(words.next()?)?,
                cursor: Cursor(words.next()?.to_owned()),
            },
            _ => return None,
        };
        words.next().is_none().then_some(mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |position: &Option<Position>| match position {
            Some(Position(text)) => text.clone(),
            None => NOTHING.to_owned(),
        };
        match self {
            Self::After(position) => write!(f, "after {}", shown(position)),
            Self::Within { before, at, cursor } => {
                write!(f, "within {} {at} {}", shown(before), cursor.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_and_what_is_none_is_known() {
        let position = |text: &str| Position(text.to_owned());
        for mark in [
            Mark::After(None),
            Mark::After(Some(position("1732200000000-17"))),
            Mark::Within {
                before: None,
                at: position("18"),
                cursor: Cursor("a99".into()),
            },
            Mark::Within {
                before: Some(position("x".repeat(40).as_str())),
                at: position("y".repeat(40).as_str()),
                cursor: Cursor("z".repeat(40)),
            },
        ] {
            let text = mark.to_string();
            assert!(text.len() <= 200, "{text}");
            assert_eq!(Mark::parse(&text), Some(mark));
        }
        for none in [
            "",
            "after",
            "17",
            "within - - a",
            "within - 5",
            "after 5 6",
            "upto 5",
        ] {
            assert_eq!(Mark::parse(none), None, "{none}");
        }
    }
}
