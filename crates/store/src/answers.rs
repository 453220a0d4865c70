//! Answers that were given, so that a repeated question gets the same one.

use std::time::Duration;

use async_trait::async_trait;

use crate::Result;

/// Whether a question was asked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// It is new, and remembered from now on.
    New,
    /// The same was asked, and this was the answer.
    Answered(Vec<u8>),
    /// The same was asked, and no answer was recorded: it is being worked on, or a crash came
    /// between. What follows has to bear being done twice.
    Unanswered,
    /// Another question was asked under this key.
    Other,
}

/// The side of a store that remembers what was asked.
#[async_trait]
pub trait Answers: Send + Sync + 'static {
    /// Remembers that the question with this digest was asked under `key` (at most 256 bytes) by
    /// `scope` (at most 128 bytes), for `keep` from the first time on; or says what became of it
    /// then. Durable once it returned.
    async fn remember(
        &self,
        scope: &str,
        key: &str,
        digest: [u8; 32],
        keep: Duration,
    ) -> Result<Remembered>;

    /// Whether a question is remembered under `key` by `scope`, whatever it was. Changes nothing.
    async fn is_remembered(&self, scope: &str, key: &str) -> Result<bool>;

    /// Records the answer (at most 1 MiB), unless there is one. Returns the one that is kept.
    async fn answer(&self, scope: &str, key: &str, answer: &[u8]) -> Result<Vec<u8>>;
}
