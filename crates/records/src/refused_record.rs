//! The record of a refused message.

use serde::{Deserialize, Serialize};
use store::{Refused, RefusedId, refused::PROBLEMS_BYTES_MAX};

use crate::Time;

/// Most problems of one message that are kept.
const PROBLEMS_MAX: usize = 20;

/// Most characters of each of a problem's texts; what they name is shorter unless somebody means harm.
const CHARS_MAX: usize = 300;

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedProblem {
    /// Where in the message, as a JSON Pointer; empty where it is in no one place.
    pub pointer: String,
    /// The signup's field; empty where it is none.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// An authentic webhook that was refused for its content. Its signups were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "refused")]
pub struct RefusedRecord<'r> {
    /// Its id here.
    #[serde(serialize_with = "as_text")]
    pub id: RefusedId,
    /// The sender's name in the settings.
    pub sender: &'r str,
    /// Its `webhook-id`.
    pub message: &'r str,
    /// The status that its last attempt was answered with.
    pub status: u16,
    /// What was wrong with it then.
    pub problems: Vec<RefusedProblem>,
    /// How often it came.
    pub attempts: u32,
    /// When it came first.
    pub first_at: Time,
    /// When it came last.
    pub last_at: Time,
}

fn as_text<S: serde::Serializer>(id: &RefusedId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

impl<'r> RefusedRecord<'r> {
    /// The record of a refused message.
    #[must_use]
    pub fn of(own: &'r Refused) -> Self {
        Self {
            id: own.id,
            sender: &own.sender,
            message: &own.message,
            status: own.status,
            // What another version wrote is not known here, and the rest is.
            problems: serde_json::from_str(&own.problems).unwrap_or_default(),
            attempts: own.attempts,
            first_at: Time(own.first_at),
            last_at: Time(own.last_at),
        }
    }
}

impl RefusedProblem {
    /// Problems as a store keeps them: the first of them, their texts cut where they are long.
    #[must_use]
    pub fn written(problems: impl IntoIterator<Item = Self>) -> String {
        let cut = |text: String| text.chars().take(CHARS_MAX).collect();
        let mut kept: Vec<Self> = problems
            .into_iter()
            .take(PROBLEMS_MAX)
            .map(|own| Self {
                pointer: cut(own.pointer),
                field: cut(own.field),
                message: cut(own.message),
            })
            .collect();
        loop {
            let text = serde_json::to_string(&kept).unwrap_or_default();
            if text.len() <= PROBLEMS_BYTES_MAX || kept.pop().is_none() {
                return text;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_much_is_wrong_what_is_kept_is_bounded_and_read_again() {
        let problem = |text: &str| RefusedProblem {
            pointer: text.into(),
            field: text.into(),
            message: text.into(),
        };
        for text in ["short", &"long ".repeat(1000), &"\u{1F600}\"".repeat(1000)] {
            let written = RefusedProblem::written((0..100).map(|_| problem(text)));
            assert!(written.len() <= PROBLEMS_BYTES_MAX, "{}", written.len());
            let read: Vec<RefusedProblem> = serde_json::from_str(&written).unwrap();
            assert!(!read.is_empty() && read.len() <= PROBLEMS_MAX);
        }
    }
}
