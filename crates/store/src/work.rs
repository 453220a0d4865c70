//! Handing out onboardings under a lease, with permits to send.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use onboarding::{
    AccountName, Direction, Fault, Journal, Key, OnboardingId, PartnerName, PhoneNumber, Plan,
    SipPassword, StepRecord, TraceContext,
};

use crate::{Limits, NumberHolder, Probe, Probed, Result, Stop, Unusable};

/// Names a worker process, uniquely per start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerName(pub String);

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A worker's time-limited right to run one onboarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which onboarding.
    pub id: OnboardingId,
    /// Its account.
    pub account: AccountName,
    /// The fencing token: one more with every claim.
    pub epoch: u64,
}

/// The right to send one request to one account.
///
/// It is out from the moment it is taken until a window after its request's answer; without an
/// answer until the request's timeout and a window. Nothing has to be done for it to come back,
/// so a crash cannot lose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// For which account.
    pub account: AccountName,
    /// Which of its permits; meaningful to the store alone.
    pub serial: u64,
    /// When it comes back by itself, in the store's milliseconds; meaningful to the store alone.
    pub expires_ms: i64,
}

/// A permit whose request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub permit: Permit,
    /// Whether an answer came, or the request certainly never left: the permit comes back a window
    /// after now. Otherwise it stays out until it expires.
    pub answered: bool,
}

/// An onboarding handed to a worker.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The lease. It lasts as long as was asked for, from before the call returned.
    pub lease: Lease,
    /// What the onboarding's last holder left in doubt: it vanished without giving the lease back,
    /// or a person asked for a retry. Then the first unfinished step is read back before it is
    /// repeated. Also true of every step that is `Unknown` in the journal, whatever this says.
    pub verify: bool,
    /// The idempotency key.
    pub key: Key,
    /// The partner.
    pub partner: PartnerName,
    /// The number.
    pub number: PhoneNumber,
    /// The direction.
    pub direction: Direction,
    /// The steps.
    pub plan: Plan,
    /// What is known of them.
    pub journal: Journal,
    /// The SIP password, if the plan needs one.
    pub password: Option<SipPassword>,
    /// The store's clock at the hand-out, in milliseconds. Times in the journal are of this clock.
    pub now_ms: i64,
    /// How long before that it was accepted. Exact where [`Claim::verify`] is set; elsewhere it may
    /// be zero.
    pub age: Duration,
    /// The trace that the signup came with.
    pub trace: Option<TraceContext>,
    /// For the first request.
    pub permit: Permit,
    /// Another onboarding that has its number: then it is not to begin.
    pub number_in_use: Option<NumberHolder>,
    /// Its account is stopped, and this onboarding's `create_trunk` is to show whether it may go
    /// on. It takes permits all the same; [`Work::probed`] is told what came of it.
    pub probe: Option<Probe>,
}

/// An account that is to be tried by a read.
#[derive(Debug, Clone)]
pub struct ReadProbe {
    /// Which.
    pub probe: Probe,
    /// For the read.
    pub permit: Permit,
}

/// What a call of [`Work::claim`] gave.
#[derive(Debug, Default)]
pub struct Claims {
    /// At most as many as asked for, each of another turn of the round robin.
    pub claims: Vec<Claim>,
    /// Accounts that are to be tried now; they take no place of `max`.
    pub probes: Vec<ReadProbe>,
    /// In how long there may be more, if nothing new comes in. `None`: not before something does.
    pub next: Option<Duration>,
}

/// Numbers a worker's write: drawn once and repeated with it. Those of one process grow, so that a
/// copy of an earlier one that arrives late is known as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteId(pub u64);

/// The last one drawn.
static LAST_WRITE: AtomicU64 = AtomicU64::new(0);

impl WriteId {
    /// A greater one than any that this process drew before.
    #[must_use]
    pub fn draw() -> Self {
        Self(LAST_WRITE.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// One atomic write of a worker.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Which write. Where the answer to the lease's last one was lost ([`crate::Error::Unavailable`]),
    /// the same write again is answered as it was, and does nothing twice. One with a smaller number
    /// than the lease's last does nothing and is answered with [`crate::Error::LeaseLost`].
    pub write: WriteId,
    /// Step records to replace, by index in the plan.
    pub steps: Vec<(usize, StepRecord)>,
    /// Permits whose requests ended.
    pub settled: Vec<Settled>,
    /// What comes next.
    pub then: Then,
    /// If this write ends the onboarding, it is checked once more later; see [`LateCheck`].
    pub late_check: bool,
}

/// A finished onboarding that is checked once more: something that it sent may have taken effect
/// after it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateCheck {
    /// Which.
    pub id: OnboardingId,
    /// How often it had been claimed when it ended.
    pub epoch: u64,
    /// It was cancelled while it was in doubt: its first unfinished step may have been sent though
    /// the journal does not say so.
    pub suspect: bool,
    /// How long ago it ended.
    pub ended: Duration,
    /// The store's clock when the check was taken, in milliseconds; see [`Claim::now_ms`].
    pub now_ms: i64,
}

/// What a call of [`Work::late_checks`] gave.
#[derive(Debug, Default)]
pub struct LateChecks {
    /// At most as many as asked for.
    pub due: Vec<LateCheck>,
    /// In how long the next one is due, if there is one.
    pub next: Option<Duration>,
}

/// What a late check found.
#[derive(Debug, Clone, Default)]
pub struct LateChecked {
    /// Step records to replace, by index in the plan.
    pub steps: Vec<(usize, StepRecord)>,
    /// What a person has to know, instead of what the onboarding failed with.
    pub fault: Option<Fault>,
    /// It is checked again after this long; `None`: it is not.
    pub again: Option<Duration>,
}

/// What a worker wants after recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Keep the lease; nothing is sent next.
    Keep,
    /// Keep the lease and take a permit for the next request; without one give the lease back, to
    /// go on when there is one. Giving back so leaves nothing in doubt.
    Permit,
    /// As [`Then::Permit`], but without one keep the lease and be told how long to wait; the
    /// lane's next permit is kept for this caller. For reads that must not start over.
    PermitOrWait,
    /// Give the lease back; due again after the delay. Leaves nothing in doubt that the journal
    /// does not say.
    Release {
        /// How long not to touch it.
        delay: Duration,
    },
    /// Give the lease back in doubt, as if its holder had vanished: the next one reads back first.
    Abandon,
    /// Every step is done.
    Succeed,
    /// A person decides. The fault is the onboarding's, `step` the index of the step it is of.
    Fail {
        /// What happened.
        fault: Fault,
        /// Which step it is of.
        step: Option<usize>,
    },
}

/// What came of an [`Advance`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advanced {
    /// The lease is kept.
    Kept,
    /// The lease is kept and here is the permit.
    Permitted(Permit),
    /// The lease is kept; ask again after this long.
    Wait(Duration),
    /// The lease was given back, as asked or for want of a permit.
    Released,
    /// The onboarding is finished, as asked.
    Finished,
    /// A person cancelled it meanwhile: it is recorded and finished as cancelled.
    Cancelled,
}

/// A permit, or how long to wait for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// Send.
    Permit(Permit),
    /// Ask again after this long.
    Wait(Duration),
    /// The account is parked, for this reason.
    Parked(String),
}

/// The worker's side of a store.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// Enters the accounts that this worker serves, with their limits, and, where the store allows
    /// one worker, takes that place. It is handed onboardings of these accounts and of no others.
    ///
    /// # Errors
    /// [`crate::Error::WorkerRunning`] where the place is taken.
    async fn register(&self, worker: &WorkerName, accounts: &[(AccountName, Limits)])
    -> Result<()>;

    /// Notes that this worker runs, and which accounts it cannot serve; nothing: it has ended. A
    /// worker says so every [`crate::workers::HEARD_EVERY`].
    async fn heard(&self, worker: &WorkerName, says: Option<&[Unusable]>) -> Result<()>;

    /// Hands out up to `max` onboardings, each with a lease and a permit for its first request.
    /// Lanes are served by the time their account next has allowance, round robin among those that
    /// have; within a lane those that were accepted first. Returns at once.
    ///
    /// `request_timeout` bounds how long a request of this worker may take.
    async fn claim(
        &self,
        worker: &WorkerName,
        max: usize,
        lease: Duration,
        request_timeout: Duration,
    ) -> Result<Claims>;

    /// Returns when there may be something to claim that was not there at the last
    /// [`Work::claim`]: a new signup, a retry, an account resumed, by whatever process. May return
    /// without cause; never misses one.
    async fn changed(&self);

    /// Records what happened and says what comes next, as one atomic operation.
    ///
    /// # Errors
    /// [`crate::Error::LeaseLost`]: nothing was written, except that the permits are settled.
    async fn advance(&self, lease: &Lease, advance: Advance) -> Result<Advanced>;

    /// Prolongs leases, to end this long from now. Returns those that are lost.
    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<Lease>>;

    /// Gives back all leases that this worker still holds, in doubt: for the end of a process
    /// whose handlers were cut.
    async fn abandon(&self, worker: &WorkerName) -> Result<u64>;

    /// Takes a permit outside of any onboarding: for `verify` and `accounts check`.
    async fn permit(&self, account: &AccountName, request_timeout: Duration) -> Result<Granted>;

    /// Settles permits taken by [`Work::permit`].
    async fn settle(&self, settled: Vec<Settled>) -> Result<()>;

    /// Closes an account for this long, an hour at most, on every worker: it answered 429. Returns
    /// whether it was open until now.
    async fn close_account(&self, account: &AccountName, delay: Duration) -> Result<bool>;

    /// Takes up to `max` late checks that are due. Until `hidden` has passed no other call gets
    /// them, so that what a crash interrupted is done again.
    async fn late_checks(&self, max: usize, hidden: Duration) -> Result<LateChecks>;

    /// Records what a late check found. Changes nothing where the onboarding is not as it was when
    /// the check was taken: then it was retried since.
    async fn late_checked(&self, check: &LateCheck, found: LateChecked) -> Result<()>;

    /// Stops an account on every worker. Returns whether that is news: one that is parked stays
    /// parked for its first reason, and an outage is one outage however many notice it.
    async fn stop_account(&self, account: &AccountName, stop: &Stop) -> Result<bool>;

    /// Says what came of a probe. Returns `false`, and changes nothing, where the account was
    /// resumed or stopped anew since, or is tried by somebody else.
    async fn probed(&self, probe: &Probe, came: &Probed) -> Result<bool>;
}
