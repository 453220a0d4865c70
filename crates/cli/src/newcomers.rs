//! Accounts that come while a worker runs: added to the accounts file, or, in the sandbox, named first
//! by a signup. Whoever signs up waits for nobody to start the worker again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use onboarding::AccountName;
use store::{Store, Unusable};
use worker::Served;

use crate::{
    accounts::Accounts,
    commands::onboard::served,
    error::Result,
    reloading::{Marks, Watched},
    settings::Settings,
    worker_run,
};

/// How often the file is looked at: a look costs one system call.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the sandbox's store is asked, which nobody shares and which is small.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Takes up accounts that come.
pub(crate) struct Newcomers {
    pub(crate) served: Served,
    pub(crate) store: Arc<dyn Store>,
    /// Those that the worker started with.
    pub(crate) accounts: Accounts,
    /// The base URL of the simulator that stands in for all of them.
    pub(crate) simulator: Option<String>,
    pub(crate) settings: Settings,
    /// Those that cannot be served, as it was told last.
    pub(crate) told: Vec<Unusable>,
}

impl Newcomers {
    /// Looks for them until it is dropped. What is wrong with the file is told when it is new; those
    /// who are served stay so.
    pub(crate) async fn take_up(mut self) {
        // Read once more than it has to be: it may have changed since the worker read it.
        let mut file = Watched::new(Marks::default());
        let mut again = false;
        let mut told = String::new();
        let sandbox = self.simulator.is_some();
        loop {
            tokio::time::sleep(if sandbox { ASK_EVERY } else { LOOK_EVERY }).await;
            let changed = file.is_due(Marks::of_file(&self.settings.accounts)) || again;
            if !sandbox && !changed {
                continue;
            }
            let taken = self.take(changed).await;
            // Also after a mistake that is not in the file: a secret may come later than its name.
            again = taken.is_err() || !self.told.is_empty();
            let wrong = taken
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            if wrong != told && !wrong.is_empty() {
                tracing::warn!(
                    error = wrong,
                    "new accounts cannot be served; those that are go on"
                );
            }
            told = wrong;
        }
    }

    async fn take(&mut self, changed: bool) -> Result<()> {
        if changed {
            let found = Accounts::load(&self.settings, self.simulator.is_some())?;
            self.tell_of_changes(&found);
            self.accounts = found;
        }
        let names: Vec<AccountName> = if self.simulator.is_some() {
            served(&*self.store, &self.accounts).await?
        } else {
            self.accounts.names().cloned().collect()
        };
        let new: BTreeSet<AccountName> = names
            .into_iter()
            .filter(|name| !self.served.has(name))
            .collect();
        if new.is_empty() && self.told.is_empty() {
            return Ok(());
        }
        let unlocked = self.accounts.only(&new).unlock(&self.settings);
        self.served.add(worker_run::accounts(
            &new,
            &self.accounts,
            &unlocked.keys,
            self.simulator.as_deref(),
            &self.settings,
        ));
        self.tell_of_unusable(unlocked.unusable());
        Ok(())
    }

    /// Says which cannot be served, each once for the same reason, and lets others know.
    fn tell_of_unusable(&mut self, unusable: Vec<Unusable>) {
        for own in unusable.iter().filter(|own| !self.told.contains(own)) {
            tracing::warn!(
                account = %own.account,
                error = own.reason,
                "an account cannot be served; the others are, and it is once that is mended"
            );
        }
        self.served.cannot_serve(unusable.clone());
        self.told = unusable;
    }

    /// An account that is served already stays as it is: its connections and those of a changed one
    /// together could be more than Exotel allows.
    fn tell_of_changes(&self, found: &Accounts) {
        let changed: Vec<&str> = self
            .accounts
            .names()
            .filter(|name| found.find(name) != self.accounts.find(name))
            .map(AccountName::as_str)
            .collect();
        if !changed.is_empty() {
            tracing::warn!(
                accounts = changed.join(", "),
                "accounts were changed or removed in the file; that takes effect when the worker is started again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use store::{SealingKey, SqliteOptions, World, clock::SystemClock, sqlite::SqliteStore};

    use super::*;
    use crate::{args::Cli, settings::Typed};

    #[tokio::test]
    async fn an_account_that_cannot_be_served_keeps_no_other_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (accounts, secret) = (path("accounts.toml"), path("secret"));
        fs::write(&secret, "made-up").unwrap();
        let account = |name: &str, secret: &str| {
            format!(
                "[accounts.{name}]\naccount_sid = \"{name}1\"\nregion = \"in\"\napi_key = {{ file = \"{secret}\" }}\napi_token = {{ file = \"{secret}\" }}\n"
            )
        };
        fs::write(&accounts, account("acme", &secret)).unwrap();
        let cli = Cli::parse_from(["trunkline", "--accounts", &accounts, "list"]);
        let settings = Settings::load(&cli.global, &Typed::default()).unwrap();
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("store.db"),
            patience: store::sqlite::BUSY_TIMEOUT,
            key: SealingKey::generate().0,
            world: World::Live,
            clock: Arc::new(SystemClock::default()),
        });
        let served = Served::default();
        let mut newcomers = Newcomers {
            served: served.clone(),
            store: store.unwrap(),
            accounts: Accounts::load(&settings, false).unwrap(),
            simulator: None,
            settings,
            told: Vec::new(),
        };
        let missing = path("missing");
        let text = [account("birch", &missing), account("cedar", &secret)];
        fs::write(&accounts, text.concat()).unwrap();
        newcomers.take(true).await.unwrap();
        let wrong = newcomers.told.clone();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].account.as_str(), "birch");
        assert!(wrong[0].reason.contains(&missing), "{wrong:?}");
        let has = |name: &str| served.has(&name.parse().unwrap());
        assert!(has("cedar") && !has("birch"));

        fs::write(&missing, "made-up").unwrap();
        newcomers.take(true).await.unwrap();
        assert!(has("birch") && newcomers.told.is_empty());
    }
}
