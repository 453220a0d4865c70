//! What can go wrong, by what the caller can do about it.

use std::fmt;

use onboarding::Problem;

/// A failure of this crate. None of its texts has a secret, a signature or a body in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something is configured wrongly: a person changes the settings. All problems at once; their
    /// fields are relative to the sender or the endpoint.
    #[error("{}", listed(.0))]
    Settings(Vec<Problem>),
    /// A message does not show that it comes from a sender: it is refused, and nothing is done.
    #[error(transparent)]
    Unauthentic(#[from] Unauthentic),
    /// A message is a sender's, and is not what its mapping expects: its sender, or the mapping, has
    /// to change. Nothing was taken from it.
    #[error("{}", listed(.problems))]
    Unfit {
        /// What is wrong, at most a hundred of it.
        problems: Vec<Unfit>,
        /// How many more there are.
        more: usize,
    },
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}; look at the machine's certificates")]
    Tls(String),
}

/// Why a message is not taken for a sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unauthentic {
    /// A header is missing.
    #[error("the header {0} is missing; sign messages as Standard Webhooks does")]
    Missing(&'static str),
    /// A header is not what it should be.
    #[error("the header {header} is malformed; {right}")]
    Malformed {
        /// Which.
        header: &'static str,
        /// What would be right.
        right: &'static str,
    },
    /// It was signed too long ago: it may be a replay.
    #[error(
        "the message was signed more than {tolerance_seconds} s ago; sign every attempt anew, and set the sender's clock"
    )]
    TooOld {
        /// How old it may be.
        tolerance_seconds: u64,
    },
    /// It was signed in the future.
    #[error(
        "the message was signed more than {tolerance_seconds} s in the future; set the sender's clock"
    )]
    TooNew {
        /// How far ahead it may be.
        tolerance_seconds: u64,
    },
    /// No signature is one of a known secret's over this message.
    #[error(
        "no signature matches; check the secret that both sides share, and that the body arrives as it was signed"
    )]
    NoMatch,
}

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Which of the message's signups, from 1; `None` where it is the message as a whole.
    pub item: Option<usize>,
    /// The signup's field, as in `number` or `inputs.NAME`; empty where it is none.
    pub field: String,
    /// Where in the message, as a JSON Pointer (RFC 6901); empty where it is the message as a
    /// whole, or a constant of the mapping.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(item) = self.item {
            write!(f, "signup {item}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

fn listed(problems: &[impl fmt::Display]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
