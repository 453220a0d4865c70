//! What a worker tells while it runs.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use exotel::Class;
use onboarding::{AccountName, OnboardingId, State};

/// Something that happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request ended: answered, lost, or never sent ([`Class::NeverSent`]).
    Request {
        /// To which account.
        account: &'a AccountName,
        /// What it came to; `None` is success.
        failure: Option<Class>,
    },
    /// An onboarding ended: succeeded, failed or cancelled. It is recorded.
    Finished {
        /// Which.
        id: OnboardingId,
        /// As what.
        state: State,
    },
    /// An account answered 429 and is closed on every worker.
    Closed {
        /// Which.
        account: &'a AccountName,
        /// For how long.
        delay: Duration,
    },
    /// An account was parked; its onboardings are blocked until a person resumes it.
    Parked {
        /// Which.
        account: &'a AccountName,
        /// Why.
        reason: &'a str,
    },
}

/// Is told of every [`Event`] as it happens, by the task that caused it. Calls must be cheap and
/// must not block: count, or set a value.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// What a worker did, from its start to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests sent, whatever came of them.
    pub requests: u64,
    /// Onboardings that succeeded.
    pub succeeded: u64,
    /// Onboardings that failed.
    pub failed: u64,
    /// Onboardings that a person cancelled while this worker held them.
    pub cancelled: u64,
    /// Leases that were given back before the end: no permit, a delay, a shutdown.
    pub released: u64,
    /// Leases that were lost, or left to end because a handler broke.
    pub lost: u64,
    /// Handlers that panicked or hung.
    pub broken: u64,
    /// Answers of 429.
    pub throttled: u64,
    /// Accounts parked.
    pub parked: u64,
}

/// [`Stats`] while they grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) released: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) parked: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            requests: of(&self.requests),
            succeeded: of(&self.succeeded),
            failed: of(&self.failed),
            cancelled: of(&self.cancelled),
            released: of(&self.released),
            lost: of(&self.lost),
            broken: of(&self.broken),
            throttled: of(&self.throttled),
            parked: of(&self.parked),
        }
    }
}
