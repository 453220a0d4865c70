//! What a page says after something was done: named in its address, the words are ours.

use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Done {
    Retried,
    Cancelled,
    CancelledSoon,
    NotNow,
    Resumed,
    Opened,
    WasOpen,
    Resent,
    Enqueued,
    NothingNew,
}

/// A line at the top of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) tone: &'static str,
    pub(crate) text: &'static str,
}

impl Done {
    /// As it stands in an address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::Cancelled => "cancelled",
            Self::CancelledSoon => "cancelled-soon",
            Self::NotNow => "not-now",
            Self::Resumed => "resumed",
            Self::Opened => "opened",
            Self::WasOpen => "was-open",
            Self::Resent => "resent",
            Self::Enqueued => "enqueued",
            Self::NothingNew => "nothing-new",
        }
    }

    /// The line.
    pub(crate) fn note(self) -> Note {
        let (tone, text) = match self {
            Self::Retried => ("plain", "It is queued again."),
            Self::Cancelled => ("plain", "It is cancelled."),
            Self::CancelledSoon => (
                "plain",
                "A worker holds it: it will be cancelled as soon as the request in flight is on record.",
            ),
            Self::NotNow => (
                "blocked",
                "Nothing was changed: its state does not allow it any more.",
            ),
            Self::Resumed => (
                "plain",
                "The account goes on. If Exotel still refuses it, it will be parked again.",
            ),
            Self::Opened => (
                "plain",
                "The account was closed and goes on. If Exotel still gives no answer, or answers 429, it will be closed again.",
            ),
            Self::WasOpen => ("plain", "The account was neither parked nor closed."),
            Self::Resent => ("plain", "It is sent again now."),
            Self::Enqueued => (
                "succeeded",
                "All of it is accepted and durable. Workers take it from here.",
            ),
            Self::NothingNew => (
                "plain",
                "All of it was accepted before: nothing new was started.",
            ),
        };
        Note { tone, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_reads_back_from_an_address() {
        for done in [
            Done::Retried,
            Done::Cancelled,
            Done::CancelledSoon,
            Done::NotNow,
            Done::Resumed,
            Done::Opened,
            Done::WasOpen,
            Done::Resent,
            Done::Enqueued,
            Done::NothingNew,
        ] {
            let read: Done = serde_json::from_value(done.as_str().into()).unwrap();
            assert_eq!(read, done);
        }
    }
}
