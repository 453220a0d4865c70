//! Looking at what is there.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use onboarding::{
    AccountName, Direction, Fault, Journal, Key, OnboardingId, PartnerName, PhoneNumber, Plan,
    SipPassword, State,
};

use crate::{AccountStatus, Error, NumberHolder, Result, WorkerStatus};

/// An onboarding, whole. Its password is not in it; see [`Inspect::password`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onboarding {
    /// Its id.
    pub id: OnboardingId,
    /// Its key.
    pub key: Key,
    /// Its account.
    pub account: AccountName,
    /// Its partner.
    pub partner: PartnerName,
    /// Its number.
    pub number: PhoneNumber,
    /// Its direction.
    pub direction: Direction,
    /// Where it stands. `Blocked` is `Queued` on a parked account.
    pub state: State,
    /// The signup as given, canonical JSON.
    pub signup: String,
    /// The digest of its recipe.
    pub recipe: String,
    /// Its steps.
    pub plan: Plan,
    /// What is known of them.
    pub journal: Journal,
    /// What a person has to know, with the index of the step it is of.
    pub fault: Option<(Fault, Option<usize>)>,
    /// How often it was claimed.
    pub epoch: u64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How far the store's time, in which the journal's doubts are, is ahead of the time of day, in
    /// milliseconds.
    pub time_ahead_ms: i64,
}

/// Which onboardings to list; an empty filter lists all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this partner.
    pub partner: Option<PartnerName>,
    /// Only of this account.
    pub account: Option<AccountName>,
    /// Only of this batch.
    pub batch: Option<BatchNumber>,
}

/// Names a batch: the place of its first onboarding in the order of acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchNumber(pub u64);

impl std::fmt::Display for BatchNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a batch is that said where it came from; see [`crate::Batch::describe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchStatus {
    /// Which.
    pub number: BatchNumber,
    /// Where it came from, for people.
    pub source: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Onboardings that it brought.
    pub accepted: u64,
    /// Signups in it that were there before.
    pub duplicates: u64,
    /// Of the accepted ones, how many have succeeded, also those that have left the store since.
    pub succeeded: u64,
    /// How many are failed now.
    pub failed: u64,
    /// How many are cancelled, also those that have left the store since.
    pub cancelled: u64,
}

impl BatchStatus {
    /// How many are still to end: queued, running or blocked.
    #[must_use]
    pub fn open(&self) -> u64 {
        let ended = self.succeeded + self.failed + self.cancelled;
        self.accepted.saturating_sub(ended)
    }
}

/// Where a page ended; text to its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Some onboardings, in the order in which they were accepted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// At most as many as asked for.
    pub items: Vec<Onboarding>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// How many onboardings are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<State, u64>);

impl Tally {
    /// How many are in `state`.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.0.get(&state).copied().unwrap_or(0)
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// How a store is that answers.
#[derive(Debug)]
pub enum Health {
    /// It takes writes, as far as it knows.
    Well,
    /// The oldest write has waited for so long.
    Stuck(Duration),
    /// Writes fail.
    Failing(Error),
}

/// The reader's side of a store. Nothing here changes anything or waits for a worker.
#[async_trait]
pub trait Inspect: Send + Sync + 'static {
    /// Whether the store answers, and takes writes as far as it knows: for those who ask whether
    /// requests can be served.
    async fn health(&self) -> Result<Health> {
        self.recipe("").await.map(|_| Health::Well)
    }

    /// The onboarding with this id.
    async fn get(&self, id: OnboardingId) -> Result<Option<Onboarding>>;

    /// The onboardings with these ids, in any order; ids that are not there are left out.
    async fn get_many(&self, ids: &[OnboardingId]) -> Result<Vec<Onboarding>> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(self.get(*id).await?);
        }
        Ok(found)
    }

    /// A page of at most `limit` (1 to 1000) onboardings after `after`.
    async fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page>;

    /// How many are in which state, without reading them all.
    async fn tally(&self) -> Result<Tally>;

    /// At most `limit` (1 to 200) batches before `before`, the newest first. Those of which
    /// everything has left the store may have left with it.
    async fn batches(&self, before: Option<BatchNumber>, limit: usize) -> Result<Vec<BatchStatus>>;

    /// The batch with this number.
    async fn batch(&self, number: BatchNumber) -> Result<Option<BatchStatus>>;

    /// The workers that were heard of, the last one first; also those that vanished not long ago.
    async fn workers(&self) -> Result<Vec<WorkerStatus>>;

    /// How many late checks are still to be made, due or not.
    async fn late_checks_left(&self) -> Result<u64>;

    /// Every account that the store knows, by name.
    async fn accounts(&self) -> Result<Vec<AccountStatus>>;

    /// Who has each of these numbers, of whatever account: the onboarding that asked for it first and
    /// is not cancelled.
    async fn number_holders(&self, numbers: &[PhoneNumber]) -> Result<Vec<Option<NumberHolder>>>;

    /// A recipe (canonical JSON) by its digest.
    async fn recipe(&self, digest: &str) -> Result<Option<String>>;

    /// The SIP password of an onboarding, if it has one.
    async fn password(&self, id: OnboardingId) -> Result<Option<SipPassword>>;
}
