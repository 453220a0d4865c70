//! What a person may do.

use std::time::Duration;

use async_trait::async_trait;
use onboarding::{AccountName, OnboardingId, State};

use crate::{Result, Resumed};

/// For how long after its permit a request may still arrive at Exotel whose answer nobody waits for
/// any more, on top of a window: the longest time of a request, unless the settings say otherwise.
pub(crate) const LATE_REQUEST: Duration = Duration::from_secs(10);

/// What came of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It is queued again; what was done stays done.
    Queued,
    /// It is in a state that needs no retry, or there is no way back from.
    NotNow(State),
    /// There is none with this id.
    Unknown,
}

/// What came of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled.
    Now,
    /// A worker holds it; it will be cancelled once the request in flight is recorded.
    Soon,
    /// It is in a state that cannot be cancelled.
    NotNow(State),
    /// There is none with this id.
    Unknown,
}

/// The operator's side of a store.
#[async_trait]
pub trait Operate: Send + Sync + 'static {
    /// Queues a failed or cancelled onboarding again. Its first unfinished step is read back first.
    /// With `replace_credentials`, credentials that it failed for, because their password is not in
    /// this store, are replaced.
    async fn retry(&self, id: OnboardingId, replace_credentials: bool) -> Result<Retried>;

    /// Calls an onboarding off. What it left on Exotel's side stays there.
    async fn cancel(&self, id: OnboardingId) -> Result<Cancelled>;

    /// The store was restored from a backup, and what was made after that is not in it: everything
    /// that is not finished is read back before it is written again, and every account is closed
    /// until no window can hold a request that the store knows nothing of. No worker may run. Returns
    /// how many onboardings are not finished.
    async fn mark_restored(&self) -> Result<u64>;

    /// Lets a parked or closed account go on. Returns what it was.
    async fn resume_account(&self, account: &AccountName) -> Result<Resumed>;

    /// Parks an account until a person resumes it: no probe does. Returns whether it was not
    /// parked before.
    async fn park_account(&self, account: &AccountName, reason: &str) -> Result<bool>;
}
