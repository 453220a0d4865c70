//! An account as the API and the pages show it.

use std::collections::{BTreeMap, BTreeSet};

use onboarding::AccountName;
use records::{AccountBook, AccountFacts, AccountRecord, Time, Workers};
use serde::Serialize;
use store::AccountStatus;

/// The record of an account, and what only those who watch want to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView<'a> {
    /// The record.
    #[serde(flatten)]
    pub record: AccountRecord<'a>,
    /// When the next request may be sent, if not now; an estimate.
    pub next_permit_at: Option<Time>,
    /// Since when the first in its line waits.
    pub oldest_waiting_at: Option<Time>,
}

/// Every account that the accounts file or the store knows.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    names: BTreeSet<AccountName>,
    facts: BTreeMap<AccountName, AccountFacts>,
    statuses: BTreeMap<AccountName, AccountStatus>,
    workers: Workers,
}

impl Accounts {
    /// From what the two know, and what workers say.
    #[must_use]
    pub fn of(book: &dyn AccountBook, statuses: Vec<AccountStatus>, workers: Workers) -> Self {
        let mut own = Self {
            names: book.names().into_iter().collect(),
            workers,
            ..Self::default()
        };
        for status in statuses {
            own.names.insert(status.name.clone());
            own.statuses.insert(status.name.clone(), status);
        }
        for name in &own.names {
            if let Some(facts) = book.find(name) {
                own.facts.insert(name.clone(), facts);
            }
        }
        own
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = AccountView<'_>> {
        self.names.iter().map(|name| {
            let status = self.statuses.get(name);
            AccountView {
                record: AccountRecord::of(name, self.facts.get(name), status, &self.workers),
                next_permit_at: status.and_then(|status| status.next_permit_at).map(Time),
                oldest_waiting_at: status.and_then(|status| status.oldest_waiting_at).map(Time),
            }
        })
    }

    /// The one with this name.
    #[must_use]
    pub fn find(&self, name: &AccountName) -> Option<AccountView<'_>> {
        self.iter().find(|view| view.record.name == name)
    }
}
