//! Batches that said where they came from, and how far they are.

use onboarding::State;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{inspect::Reader, row::time, writer::Tx};
use crate::{BatchNumber, BatchStatus, Result};

/// An onboarding that ended, or was queued again after it had.
pub(super) struct Moved {
    pub(super) seq: i64,
    pub(super) from: State,
    pub(super) to: State,
}

impl Moved {
    /// How many more there are in a state.
    fn change(&self, state: State) -> i64 {
        i64::from(self.to == state) - i64::from(self.from == state)
    }
}

/// The batch that begins at a number or last before it: from where to where it goes.
fn batch_before(connection: &Connection, seq: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT first_seq, last_seq FROM batch WHERE first_seq <= ?1 \
             ORDER BY first_seq DESC LIMIT 1",
        )?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Where the next batch after a number begins.
fn batch_after(connection: &Connection, seq: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT min(first_seq) FROM batch WHERE first_seq > ?1")?
        .query_row([seq], |row| row.get(0))
}

/// Counts what moved, in its batches. What was accepted together moves together mostly, so this is
/// one look and one write per batch and transaction, however many onboardings moved in it.
pub(super) fn count(connection: &Connection, moved: &mut Vec<Moved>) -> rusqlite::Result<()> {
    moved.sort_unstable_by_key(|one| one.seq);
    let mut rest = moved.as_slice();
    while let Some(first) = rest.first() {
        let batch = batch_before(connection, first.seq)?;
        let Some((first_seq, last_seq)) = batch.filter(|(_, last)| *last >= first.seq) else {
            let next = batch_after(connection, first.seq)?.unwrap_or(i64::MAX);
            rest = &rest[rest.partition_point(|one| one.seq < next)..];
            continue;
        };
        let (own, others) = rest.split_at(rest.partition_point(|one| one.seq <= last_seq));
        let change = |state| own.iter().map(|one| one.change(state)).sum::<i64>();
        connection
            .prepare_cached(
                "UPDATE batch SET succeeded = succeeded + ?2, failed = failed + ?3, \
                 cancelled = cancelled + ?4 WHERE first_seq = ?1",
            )?
            .execute((
                first_seq,
                change(State::Succeeded),
                change(State::Failed),
                change(State::Cancelled),
            ))?;
        rest = others;
    }
    moved.clear();
    Ok(())
}

impl Tx<'_> {
    /// Keeps a batch that was just accepted: so many onboardings from `first_seq` on.
    pub(super) fn keep_batch(
        &self,
        first_seq: i64,
        accepted: u64,
        duplicates: u64,
        source: &str,
    ) -> Result<BatchNumber> {
        let accepted = i64::try_from(accepted).unwrap_or(i64::MAX);
        let last_seq = first_seq.saturating_add(accepted).saturating_sub(1);
        self.connection
            .prepare_cached(
                "INSERT INTO batch (first_seq, last_seq, source, duplicates, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut s| {
                s.execute((first_seq, last_seq, source, duplicates, self.state.wall()))
            })
            .map_err(|error| self.fail(error))?;
        Ok(number(first_seq))
    }
}

fn number(first_seq: i64) -> BatchNumber {
    BatchNumber(u64::try_from(first_seq).unwrap_or(0))
}

/// The first onboarding of a batch, as the file numbers it.
pub(super) fn first_seq(number: BatchNumber) -> i64 {
    i64::try_from(number.0).unwrap_or(i64::MAX)
}

const COLUMNS: &str = "first_seq, source, created_at, last_seq - first_seq + 1, duplicates, \
     succeeded, failed, cancelled";

fn status(row: &Row<'_>) -> rusqlite::Result<BatchStatus> {
    Ok(BatchStatus {
        number: number(row.get(0)?),
        source: row.get(1)?,
        created_at: time(row.get(2)?),
        accepted: row.get(3)?,
        duplicates: row.get(4)?,
        succeeded: row.get(5)?,
        failed: row.get(6)?,
        cancelled: row.get(7)?,
    })
}

impl Reader {
    pub(super) fn batches(
        &self,
        before: Option<BatchNumber>,
        limit: usize,
    ) -> Result<Vec<BatchStatus>> {
        let before = before.map_or(i64::MAX, first_seq);
        let sql = format!(
            "SELECT {COLUMNS} FROM batch WHERE first_seq < ?1 ORDER BY first_seq DESC LIMIT ?2"
        );
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut s| {
                s.query_map((before, limit.clamp(1, 200)), status)?
                    .collect()
            })
            .map_err(|error| self.fail(error))
    }

    pub(super) fn batch(&self, number: BatchNumber) -> Result<Option<BatchStatus>> {
        let sql = format!("SELECT {COLUMNS} FROM batch WHERE first_seq = ?1");
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([first_seq(number)], status).optional())
            .map_err(|error| self.fail(error))
    }
}
