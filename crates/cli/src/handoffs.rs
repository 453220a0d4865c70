//! Handoffs: rendered from what the store and the accounts file know, and written to files.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use onboarding::{Facts, Handoff, Recipe, Signup, prepare};
use store::{Inspect, Onboarding};

use crate::{
    accounts::Accounts,
    error::{Error, Result},
    problem::Problem,
};

/// Renders handoffs; recipes are read once each.
pub(crate) struct Handoffs<'a> {
    store: &'a dyn Inspect,
    accounts: &'a Accounts,
    recipes: BTreeMap<String, Recipe>,
}

impl<'a> Handoffs<'a> {
    /// From this store and these accounts.
    pub(crate) fn new(store: &'a dyn Inspect, accounts: &'a Accounts) -> Self {
        Self {
            store,
            accounts,
            recipes: BTreeMap::new(),
        }
    }

    /// The handoff of an onboarding, in whatever state it is.
    ///
    /// # Errors
    /// Its account is not in the accounts file any more, or the store cannot be read.
    pub(crate) async fn render(&mut self, own: &Onboarding, show_secrets: bool) -> Result<Handoff> {
        let account = self
            .accounts
            .find(&own.account)
            .ok_or_else(|| Error::refused("accounts", self.accounts.unknown(&own.account)))?;
        let password = self.store.password(own.id).await?;
        let recipe = self.recipe(&own.recipe).await?;
        let signup = signup(own, recipe)?;
        Ok(Handoff::render(&Facts {
            recipe,
            id: own.id,
            key: &own.key,
            signup: &signup,
            state: own.state,
            plan: &own.plan,
            journal: &own.journal,
            account_sid: &account.account_sid,
            edge: account.edge.as_ref(),
            signalling_ips: &account.signalling_ips,
            password: password.as_ref().map(|password| password.secret()),
            show_secrets,
        }))
    }

    async fn recipe(&mut self, digest: &str) -> Result<&Recipe> {
        if !self.recipes.contains_key(digest) {
            let text = self.store.recipe(digest).await?.ok_or_else(|| {
                Error::Failed(format!(
                    "the store has no recipe {digest}, which an onboarding was made from; it is damaged: restore a backup"
                ))
            })?;
            let recipe = Recipe::from_canonical_json(&text)
                .map_err(|error| Error::failed("a recipe in the store", &error))?;
            self.recipes.insert(digest.to_owned(), recipe);
        }
        self.recipes
            .get(digest)
            .ok_or_else(|| Error::Failed(format!("the recipe {digest} is gone")))
    }
}

/// The signup as it was accepted. The store keeps it as it was given; its recipe, which the store
/// keeps too, fills in direction, mode and the defaults of its inputs.
fn signup(own: &Onboarding, recipe: &Recipe) -> Result<Signup> {
    let mut given: Signup = serde_json::from_str(&own.signup).map_err(|error| {
        Error::failed(&format!("the signup of {} in the store", own.id), &error)
    })?;
    given.key = Some(own.key.clone());
    given.direction = Some(own.direction);
    // A newer version may refuse what an older one accepted; what was accepted stays.
    Ok(match prepare(recipe, given.clone()) {
        Ok(accepted) => accepted.signup,
        Err(_) => given,
    })
}

/// A folder of handoff files.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`; made with mode 0700 if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| {
            let message = format!("the folder cannot be made ({error}); name another");
            Error::Refused(vec![Problem::at(
                path.display().to_string(),
                None,
                "--out",
                message,
            )])
        })?;
        Ok(Self(path.to_path_buf()))
    }

    /// Writes `ID.json`, mode 0600, at once: a reader sees the old file or the new one, whole.
    /// Not flushed to disk, because it can be had again from the store at any time.
    pub(crate) fn write(&self, handoff: &Handoff) -> Result<()> {
        let path = self.0.join(format!("{}.json", handoff.id));
        self.write_file(&path, handoff)
            .map_err(|error| Error::failed(&path.display().to_string(), &error))
    }

    fn write_file(&self, path: &Path, handoff: &Handoff) -> io::Result<()> {
        let draft = self.0.join(format!(".{}.draft", handoff.id));
        // What a process left that was killed while it wrote.
        let _ = fs::remove_file(&draft);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let written = write_json(file, handoff).and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

fn write_json(file: fs::File, handoff: &Handoff) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, handoff)?;
    out.write_all(b"\n")?;
    out.flush()
}
