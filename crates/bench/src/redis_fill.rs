//! Signups made up in this process, as the producer makes them of a file.

use std::{
    io::Cursor,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use onboarding::{AccountName, RecipeBook};
use producer::{About, Accounts, Desk, Source};
use store::{Batch, Candidate, Committed, Intake, Limits};

use crate::setup::signups;

/// Candidates and the recipes that they were made with.
#[derive(Default, Clone)]
pub(crate) struct Made {
    pub(crate) recipes: Vec<(String, String)>,
    pub(crate) candidates: Vec<Candidate>,
}

/// Takes everything and keeps it, instead of a store.
#[derive(Default, Clone)]
pub(crate) struct Catcher(Arc<Mutex<Made>>);

impl Catcher {
    /// What it caught since the last time.
    pub(crate) fn take(&self) -> Made {
        self.with(std::mem::take)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Made) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Intake for Catcher {
    async fn begin(&self) -> store::Result<Box<dyn Batch>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Batch for Catcher {
    fn describe(&mut self, _source: &str) {}

    async fn add_recipe(&mut self, digest: &str, recipe: &str) -> store::Result<()> {
        self.with(|made| made.recipes.push((digest.to_owned(), recipe.to_owned())));
        Ok(())
    }

    async fn add(&mut self, chunk: Vec<Candidate>) -> store::Result<()> {
        self.with(|made| made.candidates.extend(chunk));
        Ok(())
    }

    async fn commit(self: Box<Self>) -> store::Result<Committed> {
        Ok(Committed::Accepted {
            accepted: self.with(|made| made.candidates.len()) as u64,
            duplicates: 0,
            batch: None,
            numbers_in_use: Vec::new(),
        })
    }
}

/// Made-up signups of four steps from number `from` on, planned.
pub(crate) async fn make(from: usize, count: usize, accounts: usize) -> Result<Made> {
    let catcher = Catcher::default();
    let text = signups(from, count, accounts)?;
    let source = Source::from_reader("made up", None, Cursor::new(text));
    let desk = Desk::new(RecipeBook::builtin(), Accounts::Any);
    let about = About::default();
    producer::enqueue(vec![source], &desk, about, &catcher, |_| {}).await?;
    Ok(catcher.take())
}

/// Accepts some of them as one batch.
pub(crate) async fn accept(
    store: &dyn Intake,
    recipes: &[(String, String)],
    candidates: Vec<Candidate>,
) -> Result<()> {
    let count = candidates.len() as u64;
    let mut batch = store.begin().await?;
    for (digest, recipe) in recipes {
        batch.add_recipe(digest, recipe).await?;
    }
    batch.add(candidates).await?;
    let committed = batch.commit().await?;
    let all = matches!(committed, Committed::Accepted { accepted, .. } if accepted == count);
    ensure!(all, "{committed:?}");
    Ok(())
}

/// Accepts so many new ones, in small batches.
pub(crate) async fn fill(
    store: &dyn Intake,
    from: usize,
    count: usize,
    accounts: usize,
) -> Result<()> {
    let made = make(from, count, accounts).await?;
    for chunk in made.candidates.chunks(250) {
        accept(store, &made.recipes, chunk.to_vec()).await?;
    }
    Ok(())
}

/// The accounts `bench0`, `bench1`, ... with limits that nothing reaches.
pub(crate) fn accounts(count: usize) -> Result<Vec<(AccountName, Limits)>> {
    (0..count)
        .map(|n| {
            let name = format!("bench{n}").parse::<AccountName>()?;
            Ok((name, Limits::per_minute(1_000_000, 1000)))
        })
        .collect()
}
