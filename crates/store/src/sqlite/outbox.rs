//! Deliveries: laid out, taken, told of.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::OptionalExtension;

use super::{
    SqliteStore,
    delivery::{COLUMNS, delivery, raw, state_number},
    inspect::Reader,
    writer::Tx,
};
use crate::{
    AfterAttempt, Attempt, Cursor, Delivery, DeliveryFilter, DeliveryId, DeliveryPage,
    DeliveryState, Due, Error, NewDelivery, Outbox, Result, clock::millis,
};

/// Most deliveries that are laid out at once.
const LAID_OUT_MAX: usize = 500;

/// Most deliveries that are taken at once.
const TAKEN_MAX: usize = 64;

const MARK: &str = "SELECT CAST(value AS TEXT) FROM meta WHERE name = 'laid_out'";

impl Tx<'_> {
    fn lay_out(
        &self,
        before: Option<&str>,
        after: &str,
        deliveries: &[NewDelivery],
    ) -> Result<bool> {
        self.state.refuse_if_closed()?;
        let mark: Option<String> = self
            .connection
            .prepare_cached(MARK)
            .and_then(|mut s| s.query_row([], |row| row.get(0)).optional())
            .map_err(|error| self.fail(error))?;
        if mark.as_deref() != before {
            return Ok(false);
        }
        let now = self.state.wall();
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO delivery (id, endpoint, event, onboarding, payload, \
                 created_at, since, next_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6)",
            )
            .map_err(|error| self.fail(error))?;
        for new in deliveries {
            insert
                .execute((
                    new.id.as_str(),
                    &new.endpoint,
                    &new.event,
                    new.onboarding.map(|id| id.to_bytes()),
                    &new.payload,
                    now,
                ))
                .map_err(|error| self.fail(error))?;
        }
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('laid_out', ?1)")
            .and_then(|mut s| s.execute([after.as_bytes()]))
            .map_err(|error| self.fail(error))?;
        Ok(true)
    }

    fn take_due(&self, max: usize, hold: Duration) -> Result<Due> {
        self.state.refuse_if_closed()?;
        let now = self.state.wall();
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery INDEXED BY delivery_due \
             WHERE state = 0 AND next_at <= ?1 ORDER BY next_at LIMIT ?2"
        );
        let rows: Vec<_> = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| {
                s.query_map((now, max.clamp(1, TAKEN_MAX)), raw)?
                    .collect::<rusqlite::Result<_>>()
            })
            .map_err(|error| self.fail(error))?;
        let until = now.saturating_add(millis(hold));
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in rows {
            self.connection
                .prepare_cached(
                    "UPDATE delivery SET attempts = attempts + 1, next_at = ?2 WHERE seq = ?1",
                )
                .and_then(|mut s| s.execute((row.seq, until)))
                .map_err(|error| self.fail(error))?;
            match delivery(&self.state.place, row) {
                Ok(mut taken) => {
                    taken.attempts += 1;
                    taken.next_at = Some(super::row::time(until));
                    deliveries.push(taken);
                }
                // The others are not to be held up by it; it comes again when it is looked at.
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a delivery cannot be made"
                ),
            }
        }
        let next: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT min(next_at) FROM delivery INDEXED BY delivery_due WHERE state = 0",
            )
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))?;
        let wait = |at: i64| Duration::from_millis(u64::try_from(at - now).unwrap_or(0));
        Ok(Due {
            deliveries,
            next: next.map(wait),
        })
    }

    fn attempted(
        &self,
        id: &DeliveryId,
        attempt: u32,
        made: &Attempt,
        then: AfterAttempt,
    ) -> Result<bool> {
        let now = self.state.wall();
        let (state, next_at) = match then {
            AfterAttempt::Delivered => (DeliveryState::Delivered, None),
            AfterAttempt::Again { delay } => {
                let at = now.saturating_add(millis(delay));
                (DeliveryState::Waiting, Some(at))
            }
            AfterAttempt::GiveUp => (DeliveryState::GivenUp, None),
        };
        let written = self
            .connection
            .prepare_cached(
                "UPDATE delivery SET state = ?3, next_at = ?4, last_status = ?5, \
                 last_error = ?6, last_ms = ?7, last_at = ?8 \
                 WHERE id = ?1 AND attempts = ?2 AND attempts > attempts_before",
            )
            .and_then(|mut s| {
                s.execute((
                    id.as_str(),
                    attempt,
                    state_number(state),
                    next_at,
                    made.status,
                    &made.error,
                    i64::try_from(made.duration_ms).unwrap_or(i64::MAX),
                    now,
                ))
            })
            .map_err(|error| self.fail(error))?;
        Ok(written > 0)
    }

    fn resend(&self, id: &DeliveryId) -> Result<bool> {
        self.state.refuse_if_closed()?;
        let written = self
            .connection
            .prepare_cached(
                "UPDATE delivery SET state = 0, attempts_before = attempts, since = ?2, \
                 next_at = ?2 WHERE id = ?1",
            )
            .and_then(|mut s| s.execute((id.as_str(), self.state.wall())))
            .map_err(|error| self.fail(error))?;
        Ok(written > 0)
    }
}

impl Reader {
    fn laid_out(&self) -> Result<Option<String>> {
        self.connection
            .prepare_cached(MARK)
            .and_then(|mut s| s.query_row([], |row| row.get(0)).optional())
            .map_err(|error| self.fail(error))
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn laid_out(&self) -> Result<Option<String>> {
        self.read(Reader::laid_out).await
    }

    async fn lay_out(
        &self,
        before: Option<&str>,
        after: &str,
        deliveries: Vec<NewDelivery>,
    ) -> Result<bool> {
        if deliveries.len() > LAID_OUT_MAX {
            return Err(Error::Unusable {
                place: self.place.clone(),
                message: format!("at most {LAID_OUT_MAX} deliveries are laid out at once"),
            });
        }
        let (before, after) = (before.map(str::to_owned), after.to_owned());
        self.writer
            .call(move |tx| tx.lay_out(before.as_deref(), &after, &deliveries))
            .await
    }

    async fn take_due(&self, max: usize, hold: Duration) -> Result<Due> {
        self.writer.call(move |tx| tx.take_due(max, hold)).await
    }

    async fn attempted(
        &self,
        id: &DeliveryId,
        attempt: u32,
        made: Attempt,
        then: AfterAttempt,
    ) -> Result<bool> {
        let id = id.clone();
        self.writer
            .call(move |tx| tx.attempted(&id, attempt, &made, then))
            .await
    }

    async fn resend(&self, id: &DeliveryId) -> Result<bool> {
        let id = id.clone();
        self.writer.call(move |tx| tx.resend(&id)).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        let id = id.clone();
        self.read(move |reader| reader.delivery(&id)).await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<DeliveryPage> {
        let (filter, after) = (filter.clone(), after.cloned());
        self.read(move |reader| reader.deliveries(&filter, after.as_ref(), limit))
            .await
    }

    async fn deliveries_waiting(&self) -> Result<u64> {
        self.read(|reader| {
            reader.count("SELECT count(*) FROM delivery INDEXED BY delivery_due WHERE state = 0")
        })
        .await
    }
}
