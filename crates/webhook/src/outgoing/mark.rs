//! How far the feed was laid out.

use std::fmt;

use jiff::Timestamp;
use store::{Cursor, Position};

/// A mark, as the store keeps it in text of at most 200 bytes: three positions and cursors of at
/// most 40 and some, and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// There is nobody to be told; this was the present when that was last looked at. `None`:
    /// nothing had happened.
    Idle(Option<Position>),
    /// Everything up to `position`, which happened at `at`, where that is known.
    After {
        position: Option<Position>,
        at: Option<Timestamp>,
    },
    /// Everything up to `before`, and of what waits for the account that was parked at `parking`,
    /// what stands up to `cursor`.
    Within {
        before: Option<Position>,
        parking: Position,
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
            "idle" => Self::Idle(before),
            "after" => Self::After {
                position: before,
                at: match words.next() {
                    None => None,
                    Some(ms) => Some(Timestamp::from_millisecond(ms.parse().ok()?).ok()?),
                },
            },
            "within" => Self::Within {
                before,
                parking: position(words.next()?)?,
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
            Self::Idle(position) => write!(f, "idle {}", shown(position)),
            Self::After { position, at } => {
                write!(f, "after {}", shown(position))?;
                at.map_or(Ok(()), |at| write!(f, " {}", at.as_millisecond()))
            }
            Self::Within {
                before,
                parking,
                cursor,
            } => {
                write!(f, "within {} {parking} {}", shown(before), cursor.0)
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
            Mark::Idle(None),
            Mark::Idle(Some(position("1732200000000-17"))),
            Mark::After {
                position: None,
                at: None,
            },
            Mark::After {
                position: Some(position("1732200000000-17")),
                at: None,
            },
            Mark::After {
                position: Some(position("x".repeat(40).as_str())),
                at: Some(Timestamp::from_millisecond(1_732_200_000_017).unwrap()),
            },
            Mark::Within {
                before: None,
                parking: position("18"),
                cursor: Cursor("a99".into()),
            },
            Mark::Within {
                before: Some(position("x".repeat(40).as_str())),
                parking: position("y".repeat(40).as_str()),
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
            "after 5 x",
            "after 5 6 7",
            "idle",
            "idle 5 6",
            "upto 5",
        ] {
            assert_eq!(Mark::parse(none), None, "{none}");
        }
    }
}
