//! Why a command did not do what it was asked.

use std::fmt::Write as _;

use crate::{exit::Exit, problem::Problem};

/// A command's failure, by what the person can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// Correct what was given; nothing was changed.
    #[error("{}", list(.0))]
    Refused(Vec<Problem>),
    /// The store does not answer now; nothing has to be corrected here, and trying again later may
    /// help.
    #[error("{message}{}", .then.map(|then| format!("; {then}")).unwrap_or_default())]
    Away {
        /// What happened.
        message: String,
        /// What that means for what was asked, and what to do, once it is known.
        then: Option<&'static str>,
    },
    /// Something outside went wrong while it ran.
    #[error("{0}")]
    Failed(String),
}

/// What the commands return.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One thing is wrong with what was given.
    pub(crate) fn refused(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused(vec![Problem::new(field, message)])
    }

    /// Something went wrong while it ran; the chain of causes is told.
    pub(crate) fn failed(what: &str, cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::Failed(format!("{what}: {}", chain(cause)))
    }

    /// The same after something was begun: what has to be corrected by a person is no refusal any
    /// more, as that says that nothing was changed.
    pub(crate) fn once_begun(self) -> Self {
        match self {
            Self::Refused(problems) => Self::Failed(list(&problems)),
            other @ (Self::Away { .. } | Self::Failed(_)) => other,
        }
    }

    /// Where the store is away, and nothing closer to it has said: what that means and what to do.
    pub(crate) fn or_then(self, then: &'static str) -> Self {
        match self {
            Self::Away {
                message,
                then: None,
            } => Self::Away {
                message,
                then: Some(then),
            },
            other @ (Self::Away { .. } | Self::Refused(_) | Self::Failed(_)) => other,
        }
    }

    /// Where the store is away: nothing was changed before.
    pub(crate) fn unchanged(self) -> Self {
        self.or_then("nothing was changed")
    }

    /// The status that the process ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Refused,
            Self::Away { .. } | Self::Failed(_) => Exit::Left,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::WorkerRunning { .. } | store::Error::Unusable { .. } => {
                Self::refused("store", chain(&error))
            }
            store::Error::Unavailable { .. } => Self::Away {
                message: chain(&error),
                then: error
                    .changed_nothing()
                    .then_some("this changed nothing; mend that, and run the same again"),
            },
            store::Error::LeaseLost { .. } | store::Error::Corrupt { .. } | _ => {
                Self::Failed(chain(&error))
            }
        }
    }
}

impl From<records::Error> for Error {
    fn from(error: records::Error) -> Self {
        match error {
            records::Error::AccountUnknown { message } => Self::refused("accounts", message),
            records::Error::Store(error) => error.into(),
            records::Error::Damaged { message } => Self::Failed(message),
            other => Self::Failed(chain(&other)),
        }
    }
}

/// The result of looking at a store that may be away for a while: `None` where it is. It will be
/// looked at again; the worker beside it tells people of the outage, once.
pub(crate) fn unless_away<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Away { message, .. }) => {
            tracing::debug!(error = message, "the store is away");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Nothing wrong, or all of it at once.
pub(crate) fn refuse_if_any(problems: Vec<Problem>) -> Result<()> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(problems))
    }
}

/// An error and its causes, each once.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let own = next.to_string();
        if !text.contains(&own) {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {own}");
        }
        cause = next.source();
    }
    text
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_turns_out_unusable_is_a_refusal_only_before_something_was_begun() {
        let lost = || store::Error::Unusable {
            place: "redis://host".to_owned(),
            message: "it is not there any more".to_owned(),
        };
        assert_eq!(Error::from(lost()).exit(), Exit::Refused);
        let later = Error::from(lost()).once_begun();
        assert_eq!(later.exit(), Exit::Left);
        assert!(later.to_string().contains("it is not there any more"));
    }
}
