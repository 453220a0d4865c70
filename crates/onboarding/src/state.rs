//! The states of an onboarding and the only legal ways between them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::problem::Invalid;

/// Where an onboarding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for a worker, its account's allowance or a due time.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Every step is done.
    Succeeded,
    /// A person decides: retry or cancel.
    Failed,
    /// Its account is parked; it goes on by itself when the account is resumed.
    Blocked,
    /// A person called it off.
    Cancelled,
}

/// What happens to an onboarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A worker took a lease on it.
    Claimed,
    /// Its worker gave it back, or its lease ended.
    Released,
    /// Its last step is done.
    Succeeded,
    /// A step cannot be done.
    Failed,
    /// Its account was parked.
    AccountParked,
    /// Its account was resumed.
    AccountResumed,
    /// A person wants it tried again.
    Retried,
    /// A person called it off.
    Cancelled,
}

/// An event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an onboarding that is {state} cannot be {event:?}")]
pub struct IllegalEvent {
    /// The state it was in.
    pub state: State,
    /// What should have happened.
    pub event: Event,
}

impl State {
    /// Every state, in the order people read them.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Blocked,
        Self::Cancelled,
    ];

    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalEvent`] where the state does not allow the event.
    pub fn after(self, event: Event) -> Result<Self, IllegalEvent> {
        match (self, event) {
            (Self::Queued, Event::Claimed) => Ok(Self::Running),
            (Self::Running, Event::Released) | (Self::Blocked, Event::AccountResumed) => {
                Ok(Self::Queued)
            }
            (Self::Running, Event::Succeeded) => Ok(Self::Succeeded),
            (Self::Running, Event::Failed) => Ok(Self::Failed),
            (Self::Queued | Self::Running, Event::AccountParked) => Ok(Self::Blocked),
            (Self::Failed | Self::Cancelled, Event::Retried) => Ok(Self::Queued),
            (Self::Queued | Self::Running | Self::Failed | Self::Blocked, Event::Cancelled) => {
                Ok(Self::Cancelled)
            }
            (state, event) => Err(IllegalEvent { state, event }),
        }
    }

    /// Whether nothing happens any more without a person.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Its name in records and options.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            Invalid(format!(
                "\"{}\" is not a state; write queued, running, succeeded, failed, blocked or cancelled",
                text.escape_debug()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 8] = [
        Event::Claimed,
        Event::Released,
        Event::Succeeded,
        Event::Failed,
        Event::AccountParked,
        Event::AccountResumed,
        Event::Retried,
        Event::Cancelled,
    ];

    #[test]
    fn every_pair_of_state_and_event_is_decided() {
        use State::{Blocked, Cancelled, Failed, Queued, Running, Succeeded};
        let table: [(State, [Option<State>; 8]); 6] = [
            (
                Queued,
                [
                    Some(Running),
                    None,
                    None,
                    None,
                    Some(Blocked),
                    None,
                    None,
                    Some(Cancelled),
                ],
            ),
            (
                Running,
                [
                    None,
                    Some(Queued),
                    Some(Succeeded),
                    Some(Failed),
                    Some(Blocked),
                    None,
                    None,
                    Some(Cancelled),
                ],
            ),
            (Succeeded, [None; 8]),
            (
                Failed,
                [
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some(Queued),
                    Some(Cancelled),
                ],
            ),
            (
                Blocked,
                [
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some(Queued),
                    None,
                    Some(Cancelled),
                ],
            ),
            (
                Cancelled,
                [None, None, None, None, None, None, Some(Queued), None],
            ),
        ];
        for (state, row) in table {
            for (event, expected) in EVENTS.into_iter().zip(row) {
                assert_eq!(state.after(event).ok(), expected, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn a_state_reads_back_from_its_name() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
        assert!("done".parse::<State>().is_err());
    }
}
