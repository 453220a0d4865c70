//! What endpoints are told of.

use std::{fmt, str::FromStr};

use onboarding::{State, problem::Invalid};

/// Something that an endpoint can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// An onboarding has all its resources.
    Succeeded,
    /// An onboarding failed: a person decides.
    Failed,
    /// An onboarding waits, because its account was parked.
    Blocked,
    /// An authentic webhook was refused for its content: its signups were not accepted.
    Refused,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Blocked, Self::Refused];

    /// Its name in settings: `succeeded`, `failed`, `blocked`, `refused`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
        }
    }

    /// Its name in messages: `onboarding.succeeded`, ...
    #[must_use]
    pub fn message_type(self) -> &'static str {
        match self {
            Self::Succeeded => "onboarding.succeeded",
            Self::Failed => "onboarding.failed",
            Self::Blocked => "onboarding.blocked",
            Self::Refused => "signup.refused",
        }
    }

    /// What it is that an onboarding moved to this state, if anybody can be told.
    pub(crate) fn of(state: State) -> Option<Self> {
        match state {
            State::Succeeded => Some(Self::Succeeded),
            State::Failed => Some(Self::Failed),
            State::Blocked => Some(Self::Blocked),
            State::Queued | State::Running | State::Cancelled => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Event {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let known = Self::ALL.into_iter().find(|event| event.as_str() == text);
        known.ok_or_else(|| {
            let shown: String = text.escape_debug().take(80).collect();
            Invalid(format!(
                "there is no event \"{shown}\"; write some of \"succeeded\", \"failed\", \"blocked\", \"refused\""
            ))
        })
    }
}
