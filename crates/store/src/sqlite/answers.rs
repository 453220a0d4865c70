//! What was asked, and what was answered.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::OptionalExtension;

use super::{SqliteStore, inspect::Reader, writer::Tx};
use crate::{Answers, Remembered, Result, clock::millis};

impl Tx<'_> {
    fn remember(
        &self,
        scope: &str,
        key: &str,
        digest: [u8; 32],
        keep: Duration,
    ) -> Result<Remembered> {
        self.state.refuse_if_closed()?;
        let now = self.state.wall();
        let asked: Option<([u8; 32], Option<Vec<u8>>)> = self
            .connection
            .prepare_cached(
                "SELECT digest, answer FROM answer \
                 WHERE scope = ?1 AND key = ?2 AND expires_at > ?3",
            )
            .and_then(|mut s| {
                s.query_row((scope, key, now), |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(|error| self.fail(error))?;
        match asked {
            Some((known, _)) if known != digest => return Ok(Remembered::Other),
            Some((_, Some(answer))) => return Ok(Remembered::Answered(answer)),
            Some((_, None)) => return Ok(Remembered::Unanswered),
            None => {}
        }
        // In place of one that is over, if that was not removed yet.
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO answer (scope, key, digest, expires_at) \
                 VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut s| s.execute((scope, key, digest, now.saturating_add(millis(keep)))))
            .map_err(|error| self.fail(error))?;
        Ok(Remembered::New)
    }

    fn answer(&self, scope: &str, key: &str, answer: Vec<u8>) -> Result<Vec<u8>> {
        let now = self.state.wall();
        let written = self
            .connection
            .prepare_cached(
                "UPDATE answer SET answer = ?3 \
                 WHERE scope = ?1 AND key = ?2 AND expires_at > ?4 AND answer IS NULL",
            )
            .and_then(|mut s| s.execute((scope, key, &answer, now)))
            .map_err(|error| self.fail(error))?;
        if written > 0 {
            return Ok(answer);
        }
        let kept: Option<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT answer FROM answer WHERE scope = ?1 AND key = ?2 AND expires_at > ?3",
            )
            .and_then(|mut s| s.query_row((scope, key, now), |row| row.get(0)).optional())
            .map_err(|error| self.fail(error))?;
        Ok(kept.unwrap_or(answer))
    }
}

impl Reader {
    fn is_remembered(&self, scope: &str, key: &str, now: i64) -> Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM answer \
                 WHERE scope = ?1 AND key = ?2 AND expires_at > ?3)",
            )
            .and_then(|mut s| s.query_row((scope, key, now), |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }
}

#[async_trait]
impl Answers for SqliteStore {
    async fn remember(
        &self,
        scope: &str,
        key: &str,
        digest: [u8; 32],
        keep: Duration,
    ) -> Result<Remembered> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.writer
            .call(move |tx| tx.remember(&scope, &key, digest, keep))
            .await
    }

    async fn is_remembered(&self, scope: &str, key: &str) -> Result<bool> {
        let (scope, key, now) = (scope.to_owned(), key.to_owned(), self.clock.now_ms());
        self.read(move |reader| reader.is_remembered(&scope, &key, now))
            .await
    }

    async fn answer(&self, scope: &str, key: &str, answer: &[u8]) -> Result<Vec<u8>> {
        let (scope, key, answer) = (scope.to_owned(), key.to_owned(), answer.to_owned());
        self.writer
            .call(move |tx| tx.answer(&scope, &key, answer))
            .await
    }
}
