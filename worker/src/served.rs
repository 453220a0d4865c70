//! The accounts that a worker serves, and those that come while it runs.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use onboarding::AccountName;
use store::{Limits, Unusable, workers::HEARD_EVERY};
use tokio::sync::Notify;

use crate::{Account, retry, shared::Shared};

/// The accounts that a worker serves. Clones are the same ones: what is added through one of them
/// while the worker runs is served from then on.
#[derive(Debug, Clone, Default)]
pub struct Served(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    accounts: RwLock<HashMap<AccountName, Arc<Account>>>,
    grew: Notify,
    /// Those that cannot be served.
    unusable: RwLock<Vec<Unusable>>,
    said_otherwise: Notify,
}

impl From<Vec<Account>> for Served {
    fn from(accounts: Vec<Account>) -> Self {
        let served = Self::default();
        served.insert(accounts);
        served
    }
}

impl Served {
    /// Serves these too. One whose name is served already is left out, whatever it says: the
    /// connections of the old one and the new one together could be more than Exotel allows.
    pub fn add(&self, accounts: Vec<Account>) {
        if self.insert(accounts) {
            self.0.grew.notify_one();
        }
    }

    /// Says which accounts cannot be served now, and why: others learn it from the store.
    pub fn cannot_serve(&self, unusable: Vec<Unusable>) {
        let now = self.0.unusable.write();
        let mut now = now.unwrap_or_else(PoisonError::into_inner);
        if *now != unusable {
            *now = unusable;
            self.0.said_otherwise.notify_one();
        }
    }

    /// Whether the account of this name is served.
    #[must_use]
    pub fn has(&self, name: &AccountName) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn get(&self, name: &AccountName) -> Option<Arc<Account>> {
        let accounts = self.0.accounts.read();
        let accounts = accounts.unwrap_or_else(PoisonError::into_inner);
        accounts.get(name).cloned()
    }

    /// As the store is told of them.
    pub(crate) fn limits(&self) -> Vec<(AccountName, Limits)> {
        let accounts = self.0.accounts.read();
        let accounts = accounts.unwrap_or_else(PoisonError::into_inner);
        let each = accounts.iter();
        each.map(|(name, own)| (name.clone(), own.limits)).collect()
    }

    /// Whether any of them is new.
    fn insert(&self, accounts: Vec<Account>) -> bool {
        let all = self.0.accounts.write();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        let before = all.len();
        for account in accounts {
            all.entry(account.name.clone())
                .or_insert_with(|| Arc::new(account));
        }
        all.len() > before
    }
}

/// Tells the store of accounts that are added, until this is dropped. They are there before the store
/// hands out anything of them.
pub(crate) async fn register_new(shared: Arc<Shared>) {
    loop {
        shared.served.0.grew.notified().await;
        for delay in retry::of_store() {
            let limits = shared.served.limits();
            let name = &shared.settings.worker_name;
            let Err(error) = shared.store.register(name, &limits).await else {
                tracing::info!(accounts = limits.len(), "new accounts are served");
                break;
            };
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "new accounts could not be entered; trying again"
            );
            tokio::time::sleep(delay).await;
        }
    }
}

/// Says in the store that this worker runs, and what it cannot serve, until this is dropped.
pub(crate) async fn say(shared: Arc<Shared>) {
    let served = &shared.served.0;
    loop {
        let unusable = {
            let now = served.unusable.read();
            now.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let name = &shared.settings.worker_name;
        if let Err(error) = shared.store.heard(name, Some(&unusable)).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the store could not be told that this worker runs"
            );
        }
        let _ = tokio::time::timeout(HEARD_EVERY, served.said_otherwise.notified()).await;
    }
}
