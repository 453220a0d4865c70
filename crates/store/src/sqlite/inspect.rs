//! Reading, on connections of its own, so that nobody who looks delays who works.

use std::collections::BTreeMap;

use onboarding::{OnboardingId, State};
use rusqlite::{Connection, OptionalExtension, ToSql};

use super::{
    batches::first_seq,
    failure::Failure,
    row::{COLUMNS, Raw, TABLES, TABLES_BY_ID, onboarding, raw, state_number},
};
use crate::{Cursor, Error, Filter, Onboarding, Page, Result, Tally};

/// The number that a page begins after.
pub(super) fn after(place: &str, cursor: Option<&Cursor>) -> Result<i64> {
    match cursor {
        None => Ok(0),
        Some(Cursor(text)) => text.parse().map_err(|_| Error::Unusable {
            place: place.to_owned(),
            message: format!("\"{}\" is not where a page ended", text.escape_debug()),
        }),
    }
}

/// A connection that only reads.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) place: String,
    /// See [`Onboarding::time_ahead_ms`].
    pub(super) time_ahead_ms: i64,
}

impl Reader {
    fn onboarding(&self, row: Raw) -> Result<Onboarding> {
        let time_ahead_ms = self.time_ahead_ms;
        onboarding(&self.place, row).map(|own| Onboarding {
            time_ahead_ms,
            ..own
        })
    }

    pub(super) fn fail(&self, error: rusqlite::Error) -> Error {
        Failure::new(&self.place, error).into()
    }

    pub(super) fn get(&self, id: OnboardingId) -> Result<Option<Onboarding>> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES_BY_ID}");
        let row = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([id.to_bytes()], raw).optional())
            .map_err(|error| self.fail(error))?;
        row.map(|row| self.onboarding(row)).transpose()
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let limit = limit.clamp(1, 1000);
        let after = self::after(&self.place, after)?;
        let mut conditions = vec!["p.seq > ?".to_owned()];
        let mut arguments: Vec<Box<dyn ToSql>> = vec![Box::new(after)];
        if let Some(state) = filter.state {
            // Written out, not bound, so that the partial indexes can serve it.
            conditions.push(format!("p.state = {}", state_number(state)));
            match state {
                State::Blocked => conditions.push("l.parked_reason IS NOT NULL".to_owned()),
                State::Queued => conditions.push("l.parked_reason IS NULL".to_owned()),
                State::Running | State::Succeeded | State::Failed | State::Cancelled => {}
            }
        }
        if let Some(partner) = &filter.partner {
            conditions.push("o.partner = ?".to_owned());
            arguments.push(Box::new(partner.to_string()));
        }
        if let Some(account) = &filter.account {
            conditions.push("l.account = ?".to_owned());
            arguments.push(Box::new(account.to_string()));
        }
        if let Some(batch) = filter.batch {
            // What is no batch has no end, and nothing is before that.
            let own = "p.seq >= ? AND p.seq <= (SELECT last_seq FROM batch WHERE first_seq = ?)";
            conditions.push(own.to_owned());
            arguments.push(Box::new(first_seq(batch)));
            arguments.push(Box::new(first_seq(batch)));
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE {} ORDER BY p.seq LIMIT {}",
            conditions.join(" AND "),
            limit + 1
        );
        let mut rows = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| {
                s.query_map(rusqlite::params_from_iter(arguments.iter()), raw)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(|error| self.fail(error))?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more {
            rows.last().map(|row| Cursor(row.seq.to_string()))
        } else {
            None
        };
        let items = rows
            .into_iter()
            .map(|row| self.onboarding(row))
            .collect::<Result<_>>()?;
        Ok(Page { items, next })
    }

    pub(super) fn count(&self, sql: &str) -> Result<u64> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }

    /// Counts by index: what waits, runs, failed or was cancelled has one each, and what is left
    /// succeeded.
    pub(super) fn tally(&self) -> Result<Tally> {
        let begin = |sql| {
            self.connection
                .execute_batch(sql)
                .map_err(|error| self.fail(error))
        };
        begin("BEGIN")?;
        let counted = self.tally_now();
        begin("COMMIT")?;
        counted
    }

    fn tally_now(&self) -> Result<Tally> {
        // The index on the short ids is the smallest one that has every row.
        let all = self.count("SELECT count(*) FROM onboarding")?;
        let queued = self.count(
            "SELECT (SELECT count(*) FROM progress WHERE state = 0 AND wake_at IS NULL) \
                  + (SELECT count(*) FROM progress WHERE state = 0 AND wake_at IS NOT NULL)",
        )?;
        let blocked = self.count(
            "SELECT coalesce(sum((SELECT count(*) FROM progress p \
                  WHERE p.lane = l.id AND p.state = 0 AND p.wake_at IS NULL) \
                + (SELECT count(*) FROM progress p \
                  WHERE p.lane = l.id AND p.state = 0 AND p.wake_at IS NOT NULL)), 0) \
             FROM lane l WHERE l.parked_reason IS NOT NULL",
        )?;
        let running = self.count("SELECT count(*) FROM progress WHERE state = 1")?;
        let failed = self.count("SELECT count(*) FROM progress WHERE state = 3")?;
        let cancelled = self.count("SELECT count(*) FROM progress WHERE state = 5")?;
        let succeeded = all.saturating_sub(queued + running + failed + cancelled);
        Ok(Tally(BTreeMap::from([
            (State::Queued, queued.saturating_sub(blocked)),
            (State::Running, running),
            (State::Succeeded, succeeded),
            (State::Failed, failed),
            (State::Blocked, blocked),
            (State::Cancelled, cancelled),
        ])))
    }

    pub(super) fn recipe(&self, digest: &str) -> Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT json FROM recipe WHERE digest = ?1")
            .and_then(|mut s| s.query_row([digest], |row| row.get(0)).optional())
            .map_err(|error| self.fail(error))
    }

    pub(super) fn sealed_password(&self, id: OnboardingId) -> Result<Option<Vec<u8>>> {
        self.connection
            .prepare_cached("SELECT password FROM onboarding WHERE id = ?1")
            .and_then(|mut s| s.query_row([id.to_bytes()], |row| row.get(0)).optional())
            .map(Option::flatten)
            .map_err(|error| self.fail(error))
    }
}
