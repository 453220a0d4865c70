//! What a worker tells while it runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use exotel::Class;
use onboarding::{AccountName, OnboardingId, State, StepKind};

/// Something that happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An onboarding was claimed.
    Claimed {
        /// Of which account.
        account: &'a AccountName,
        /// How often it was claimed, this time included.
        epoch: u64,
    },
    /// A request ended: answered, lost, or never sent ([`Class::NeverSent`]).
    Request {
        /// To which account.
        account: &'a AccountName,
        /// Which call: one of the client's names, as in `create_trunk`.
        call: &'static str,
        /// What it came to; `None` is success.
        failure: Option<Class>,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// From before it was sent until it ended.
        duration: Duration,
    },
    /// An onboarding that held its lease for want of a permit goes on, with one or without.
    PermitWait {
        /// Of which account.
        account: &'a AccountName,
        /// How long it waited.
        waited: Duration,
        /// Whether it got one.
        granted: bool,
    },
    /// A step came to something under one lease, and that is recorded.
    Step {
        /// Of which account.
        account: &'a AccountName,
        /// Which kind.
        step: StepKind,
        /// What it came to.
        outcome: StepOutcome,
    },
    /// A lease was given back before the onboarding's end.
    Released {
        /// Of which account.
        account: &'a AccountName,
        /// Why.
        why: Release,
    },
    /// A lease was lost, or left to end because a handler broke.
    LeaseLost {
        /// Of which account.
        account: &'a AccountName,
    },
    /// A handler panicked or hung.
    Broken {
        /// Of which account.
        account: &'a AccountName,
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
    /// An earlier request of an onboarding may still be processed: it waits before it is repeated.
    Settling {
        /// Of which account.
        account: &'a AccountName,
        /// Which onboarding.
        id: OnboardingId,
        /// How long it waits.
        delay: Duration,
    },
    /// Surplus copies of a repeated write were removed.
    SurplusRemoved {
        /// Of which account.
        account: &'a AccountName,
        /// Of which kind of step.
        step: StepKind,
        /// How many.
        copies: u32,
    },
    /// An account is closed until Exotel answers again.
    Outage {
        /// Which.
        account: &'a AccountName,
    },
    /// A probe let a stopped account go on.
    Resumed {
        /// Which.
        account: &'a AccountName,
    },
    /// An account was parked; its onboardings are blocked until it is resumed.
    Parked {
        /// Which.
        account: &'a AccountName,
        /// Why.
        reason: &'a str,
    },
}

/// What a step came to under one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// Its request was answered with success, or its comparison found everything.
    Done,
    /// What it would have made was there already, and it is this onboarding's.
    Adopted,
    /// A person decides.
    Failed,
    /// Nothing came of it and nothing is in doubt; it is tried again.
    PutBack,
    /// Whether it took effect is not known; it is read back, then tried again.
    Unknown,
}

impl StepOutcome {
    /// Its name in metrics and traces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Adopted => "adopted",
            Self::Failed => "failed",
            Self::PutBack => "put_back",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a lease was given back before the onboarding's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// There was no permit for the next request, and none soon.
    NoPermit,
    /// It is to be tried again later: its account is closed or parked, or a request failed.
    Later,
    /// The worker ends.
    Shutdown,
}

impl Release {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPermit => "no_permit",
            Self::Later => "later",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Is told of every [`Event`] as it happens, by the task that caused it. Calls must be cheap and
/// must not block: count, or set a value.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn event(&self, event: Event<'_>) {
        (**self).event(event);
    }
}

/// Both are told, the first one first.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn event(&self, event: Event<'_>) {
        self.0.event(event);
        self.1.event(event);
    }
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
    /// Surplus copies of repeated writes that were removed.
    pub surplus_removed: u64,
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
    pub(crate) surplus_removed: AtomicU64,
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
            surplus_removed: of(&self.surplus_removed),
        }
    }
}
