//! A store that keeps what it is told, in the order in which it is told.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there or the test fails"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use store::{Batch, BatchNumber, Candidate, Committed, Intake};

/// What a store was told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    pub(crate) begun: usize,
    pub(crate) sources: Vec<String>,
    pub(crate) recipes: Vec<String>,
    /// How many candidates came at once.
    pub(crate) chunks: Vec<usize>,
    pub(crate) candidates: Vec<Candidate>,
}

/// Takes everything and keeps it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Catcher(Arc<Mutex<Told>>);

impl Catcher {
    pub(crate) fn told(&self) -> Told {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Intake for Catcher {
    async fn begin(&self) -> store::Result<Box<dyn Batch>> {
        self.0.lock().unwrap().begun += 1;
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Batch for Catcher {
    fn describe(&mut self, source: &str) {
        self.0.lock().unwrap().sources.push(source.to_owned());
    }

    async fn add_recipe(&mut self, digest: &str, _recipe: &str) -> store::Result<()> {
        self.0.lock().unwrap().recipes.push(digest.to_owned());
        Ok(())
    }

    async fn add(&mut self, chunk: Vec<Candidate>) -> store::Result<()> {
        let mut told = self.0.lock().unwrap();
        told.chunks.push(chunk.len());
        told.candidates.extend(chunk);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> store::Result<Committed> {
        let told = self.0.lock().unwrap();
        Ok(Committed::Accepted {
            accepted: told.candidates.len() as u64,
            duplicates: 0,
            batch: (!told.sources.is_empty()).then_some(BatchNumber(7)),
            numbers_in_use: Vec::new(),
        })
    }
}
