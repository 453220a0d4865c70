//! What a store knows of an account.

use std::time::Duration;

use jiff::Timestamp;
use onboarding::AccountName;

/// What an account may do. Kept in the store, so that every sender of a fleet keeps to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most requests that any window of [`Limits::window`] may hold as Exotel sees it. Exotel's
    /// API reference: 200 a minute.
    pub requests_per_window: u32,
    /// How long a permit is kept after its request's answer: 60 s, Exotel's minute.
    pub window: Duration,
    /// Most requests in flight at once, fleet-wide. Exotel's API reference allows 50 connections;
    /// see `Limits::in_flight_of` for the share that leaves room for idle ones.
    pub in_flight: u32,
    /// How many requests may follow each other without pacing: a tenth of the window's, so that a
    /// smaller bucket upstream is not hit by a burst.
    pub burst: u32,
}

impl Limits {
    /// The limits of an account with so many requests a minute and connections.
    #[must_use]
    pub fn per_minute(requests: u32, connections: u32) -> Self {
        Self {
            requests_per_window: requests.max(1),
            window: Duration::from_secs(60),
            in_flight: Self::in_flight_of(connections),
            burst: (requests / 10).max(1),
        }
    }

    /// How many of `connections` may carry a request at once: four fifths, at least one. The rest
    /// is for connections that are idle in a pool or about to close.
    #[must_use]
    pub fn in_flight_of(connections: u32) -> u32 {
        (connections - connections / 5).max(1)
    }
}

/// Why and since when an account is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// What a person reads.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// An account as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatus {
    /// Which.
    pub name: AccountName,
    /// Parked: nothing is sent until a person resumes it.
    pub parked: Option<Parked>,
    /// Closed by a 429: nothing is sent until then.
    pub closed_until: Option<Timestamp>,
    /// Onboardings that wait in its lane, due or not.
    pub waiting: u64,
    /// Onboardings that a worker holds.
    pub running: u64,
    /// Permits that are out: requests in flight and those answered less than a window ago.
    pub permits_out: u32,
    /// The limits last registered, if any.
    pub limits: Option<Limits>,
    /// When a permit is to be had next, if not now; an estimate, for people. `None` where one is to
    /// be had now, or none before a person resumes the account.
    pub next_permit_at: Option<Timestamp>,
    /// When the first in its line was accepted: of what waits and may be claimed now, the oldest.
    pub oldest_waiting_at: Option<Timestamp>,
}
