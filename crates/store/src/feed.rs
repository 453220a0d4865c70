//! What happened, in the order in which it happened: for those who watch, and for those who are told.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use onboarding::{AccountName, OnboardingId, State};

use crate::{RefusedId, Result};

/// How long the feed keeps what happened. Nobody who reads it may be away for longer: three days
/// are a weekend, and three times as long as a delivery is tried.
pub const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Where something stands in the feed; text to its users, without blanks, at most 40 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position(pub String);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that happened here. It is written by the same operation that made it so; what a move
/// brought from another store happened there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Where it stands; greater than all before it.
    pub position: Position,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An onboarding succeeded, failed, was cancelled, or was queued again by a person.
    Moved {
        /// Which.
        id: OnboardingId,
        /// Where it stood then: `Succeeded`, `Failed`, `Cancelled` or `Queued`.
        state: State,
    },
    /// An account was parked: what waits in its lane is blocked from then on.
    Parked {
        /// Which.
        account: AccountName,
        /// Why.
        reason: String,
    },
    /// A person let an account go on.
    Resumed {
        /// Which.
        account: AccountName,
    },
    /// An authentic webhook was refused for its content, for the first time.
    Refused {
        /// Which.
        id: RefusedId,
    },
}

/// The watcher's side of a store.
#[async_trait]
pub trait Feed: Send + Sync + 'static {
    /// What happened after `after`, oldest first, at most `limit` (1 to 1000) of it. `None`: from
    /// the oldest that is kept. Where what stood at `after` has left, it begins with the oldest too.
    /// A position that is none of this store's reads as one before everything.
    async fn happenings(&self, after: Option<&Position>, limit: usize) -> Result<Vec<Happening>>;

    /// The position of the last thing that happened; `None` where nothing is kept.
    async fn latest(&self) -> Result<Option<Position>>;
}
