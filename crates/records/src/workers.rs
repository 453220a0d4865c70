//! Which workers run, as those who look at a store are told.

use jiff::{SignedDuration, Timestamp};
use onboarding::AccountName;
use store::WorkerStatus;

use crate::Time;

/// The workers of a store.
#[derive(Debug, Clone, Default)]
pub struct Workers(Vec<WorkerStatus>);

impl Workers {
    /// From what the store knows.
    #[must_use]
    pub fn of(all: Vec<WorkerStatus>) -> Self {
        Self(all)
    }

    /// Asks the store.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn read(store: &(impl store::Inspect + ?Sized)) -> store::Result<Self> {
        store.workers().await.map(Self)
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.0.iter().filter(|own| own.runs()).count() as u64
    }

    /// When one was last heard of; none where none is known.
    #[must_use]
    pub fn heard_at(&self) -> Option<Time> {
        let ago = self.0.iter().map(|own| own.heard_ago).min()?;
        let ago = SignedDuration::try_from(ago).ok()?;
        Timestamp::now().checked_sub(ago).ok().map(Time)
    }

    /// Why a worker that runs cannot serve this account.
    #[must_use]
    pub fn why_unusable(&self, account: &AccountName) -> Option<&str> {
        let running = self.0.iter().filter(|own| own.runs());
        let mut unusable = running.flat_map(|own| &own.unusable);
        let own = unusable.find(|own| own.account == *account)?;
        Some(&own.reason)
    }

    /// What people are told where so many onboardings wait and no worker runs.
    #[must_use]
    pub fn missing(&self, waiting: u64) -> Option<String> {
        if waiting == 0 || self.running() > 0 {
            return None;
        }
        let last = match self.heard_at() {
            Some(at) => format!("one was last heard of at {at}"),
            None => "none was heard of".to_owned(),
        };
        Some(format!(
            "no worker is running ({last}), and work waits: start `trunkline work`"
        ))
    }
}
