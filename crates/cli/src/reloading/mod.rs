//! Accounts and recipes of a process that runs for long: what is changed in their files is taken in
//! without a restart.

mod changes;
mod marks;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use onboarding::{AccountName, PartnerName, Recipe, RecipeBook};
use producer::Desk;
use records::{AccountBook, AccountFacts};
use serve::Directory;
use tokio::time::MissedTickBehavior;

pub(crate) use self::marks::{Marks, Watched};

use self::changes::Changes;
use crate::{
    accounts::Accounts,
    error::{Error, Result},
    recipe_files,
    settings::Settings,
};

/// How often it is looked whether a file changed. Looking costs some microseconds a file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Most problems of a file that are told at once in the log.
const PROBLEMS_MAX: usize = 50;

/// What the files say at one moment.
#[derive(Debug)]
struct AtHand {
    accounts: Accounts,
    desk: Desk,
}

/// The accounts and recipes as their files are now, or were before they became wrong.
///
/// It is a directory for whoever answers requests: each asks anew and works with what it got, while
/// another state takes its place. Accounts' keys and tokens are not in it.
#[derive(Debug)]
pub(crate) struct Reloading {
    settings: Settings,
    sandbox: bool,
    now: RwLock<Arc<AtHand>>,
    watched: Mutex<Files>,
}

/// The files as they were last read.
#[derive(Debug)]
struct Files {
    accounts: Watched,
    recipes: Watched,
}

impl Reloading {
    /// Reads the files.
    ///
    /// # Errors
    /// Every problem of the accounts file, else of the recipes.
    pub(crate) fn load(settings: &Settings, sandbox: bool) -> Result<Self> {
        // Looked at before they are read: what changes meanwhile is read again.
        let watched = Files {
            accounts: Watched::new(Marks::of_file(&settings.accounts)),
            recipes: Watched::new(Marks::of_recipes(settings)),
        };
        let accounts = Accounts::load(settings, sandbox)?;
        let book = recipe_files::book(settings.recipes.as_deref())?;
        let desk = Desk::new(book, accounts.for_signups());
        Ok(Self {
            settings: settings.clone(),
            sandbox,
            now: RwLock::new(Arc::new(AtHand { accounts, desk })),
            watched: Mutex::new(watched),
        })
    }

    /// Looks at the files again and again. Never returns; dropping it ends it.
    pub(crate) async fn watch(self: Arc<Self>) {
        self.watch_every(LOOK_EVERY).await;
    }

    async fn watch_every(self: Arc<Self>, pause: Duration) {
        let mut tick = tokio::time::interval(pause);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let own = Arc::clone(&self);
            // A file may be behind a network.
            if let Err(error) = tokio::task::spawn_blocking(move || own.look()).await {
                tracing::error!(%error, "looking at the accounts file and the recipes failed");
            }
        }
    }

    /// Takes in what changed since the last look and was left alone since the one before. Blocks
    /// while it reads.
    fn look(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched
            .accounts
            .is_due(Marks::of_file(&self.settings.accounts))
        {
            let name = format!("the accounts file {}", self.settings.accounts.display());
            match Accounts::load(&self.settings, self.sandbox) {
                Ok(accounts) => self.take_accounts(accounts, &name),
                Err(error) => tell_wrong(&error, &name),
            }
        }
        if watched.recipes.is_due(Marks::of_recipes(&self.settings)) {
            let folder = self.settings.recipes.as_deref();
            let name = folder.map_or_else(String::new, |folder| {
                format!("the folder of recipes {}", folder.display())
            });
            match recipe_files::book(folder) {
                Ok(book) => self.take_recipes(book, &name),
                Err(error) => tell_wrong(&error, &name),
            }
        }
    }

    fn take_accounts(&self, accounts: Accounts, name: &str) {
        let before = self.now();
        tell(
            &Changes::between(&facts(&before.accounts), &facts(&accounts)),
            name,
        );
        let book = Arc::clone(before.desk.book());
        self.put(AtHand {
            desk: Desk::new(book, accounts.for_signups()),
            accounts,
        });
    }

    fn take_recipes(&self, book: RecipeBook, name: &str) {
        let before = self.now();
        tell(
            &Changes::between(&recipes(before.desk.book()), &recipes(&book)),
            name,
        );
        self.put(AtHand {
            desk: Desk::new(book, before.desk.accounts().clone()),
            accounts: before.accounts.clone(),
        });
    }

    fn now(&self) -> Arc<AtHand> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, new: AtHand) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
    }
}

impl Directory for Reloading {
    fn desk(&self) -> Desk {
        self.now().desk.clone()
    }
}

impl AccountBook for Reloading {
    fn find(&self, name: &AccountName) -> Option<AccountFacts> {
        AccountBook::find(&self.now().accounts, name)
    }

    fn unknown(&self, name: &AccountName) -> String {
        self.now().accounts.unknown(name)
    }

    fn names(&self) -> Vec<AccountName> {
        AccountBook::names(&self.now().accounts)
    }
}

/// What of the accounts matters here: not where in the file they stand, and not where their keys
/// are kept.
fn facts(accounts: &Accounts) -> BTreeMap<AccountName, AccountFacts> {
    let each = AccountBook::names(accounts).into_iter();
    each.filter_map(|name| AccountBook::find(accounts, &name).map(|facts| (name, facts)))
        .collect()
}

fn recipes(book: &RecipeBook) -> BTreeMap<&PartnerName, &Recipe> {
    book.iter().map(|recipe| (&recipe.name, recipe)).collect()
}

/// Says what changed.
fn tell(changes: &Changes, name: &str) {
    if changes.is_empty() {
        tracing::debug!("{name} was read again and says the same");
    } else {
        tracing::info!("{name} was read again: {changes}");
    }
}

/// Says that nothing was taken over, and every problem.
fn tell_wrong(error: &Error, name: &str) {
    let text = match error {
        Error::Refused(problems) => {
            let listed = problems.iter().take(PROBLEMS_MAX).map(ToString::to_string);
            let mut text = listed.collect::<Vec<_>>().join("; ");
            if let Some(more) = problems.len().checked_sub(PROBLEMS_MAX).filter(|&n| n > 0) {
                text.push_str(&format!("; and {more} more"));
            }
            text
        }
        Error::Away { .. } | Error::Failed(_) => error.to_string(),
    };
    tracing::error!(
        error = text,
        "{name} changed and is wrong; what it said before is still in use: correct it, a restart is not needed"
    );
}
