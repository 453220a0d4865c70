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

    /// How many of `connections` may carry a request of an onboarding at once: four fifths, at least
    /// one. The rest is for connections that are idle in a pool or about to close, and for requests
    /// outside of onboardings.
    #[must_use]
    pub fn in_flight_of(connections: u32) -> u32 {
        connections.saturating_sub((connections / 5).max(1)).max(1)
    }
}

/// The longest that an account is closed by a 429, and a probe put off: what lies further ahead was
/// written by a clock that was wrong.
pub const CLOSED_AT_MOST: Duration = Duration::from_secs(60 * 60);

/// Why and since when nothing is sent to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// What a person reads.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// How a stopped account is tried again: by one request, whose answer says whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// A read that needs no onboarding.
    Read,
    /// The `create_trunk` of one onboarding that has no trunk yet: only that shows whether the
    /// account may create any.
    Create,
}

/// What stops an account on every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// It is parked: its onboardings are blocked until it is resumed, by a person or by a probe.
    Parked,
    /// It is closed: Exotel does not answer. Its onboardings are queued until a probe works.
    Outage,
}

/// A worker's word that an account is to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Which way.
    pub kind: StopKind,
    /// What a person reads.
    pub reason: String,
    /// How it is tried again, and after how long first; `None`: only a person resumes it.
    pub probe: Option<(ProbeKind, Duration)>,
}

/// A stopped account that is to be tried now, by whom this was handed to and by nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Which account.
    pub account: AccountName,
    /// How.
    pub kind: ProbeKind,
    /// What stopped it.
    pub stopped: StopKind,
    /// For how long it has been stopped.
    pub lasts: Duration,
    /// Probes in a row that failed before this one.
    pub failures: u32,
    /// Which one it is; meaningful to the store alone.
    pub token: i64,
}

/// What came of a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The account goes on.
    Works,
    /// It does not.
    Failed {
        /// When it is tried again, an hour at most; `None`: only a person resumes it.
        next: Option<Duration>,
        /// Park the account from now on, for this reason: the outage has lasted too long.
        park: Option<String>,
    },
}

/// What an account was before a person resumed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// Parked.
    Parked,
    /// Closed, by a 429 or because Exotel did not answer.
    Closed,
    /// Neither.
    Open,
}

/// An account as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatus {
    /// Which.
    pub name: AccountName,
    /// Parked: nothing is sent until it is resumed, by a person or by a probe.
    pub parked: Option<Stopped>,
    /// Closed by a 429: nothing is sent until then.
    pub closed_until: Option<Timestamp>,
    /// Closed because Exotel does not answer: nothing is sent until a probe works.
    pub outage: Option<Stopped>,
    /// How and when it is tried again, where it is parked or Exotel does not answer. `None`: only
    /// a person resumes it.
    pub next_probe: Option<(ProbeKind, Timestamp)>,
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

impl AccountStatus {
    /// An account that nothing is known of.
    #[must_use]
    pub fn new(name: AccountName) -> Self {
        Self {
            name,
            parked: None,
            closed_until: None,
            outage: None,
            next_probe: None,
            waiting: 0,
            running: 0,
            permits_out: 0,
            limits: None,
            next_permit_at: None,
            oldest_waiting_at: None,
        }
    }

    /// Whether it goes on by itself and sends nothing until then: after a 429, or because Exotel does
    /// not answer.
    #[must_use]
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.outage.is_some() || self.closed_until.is_some_and(|until| until > now)
    }
}
