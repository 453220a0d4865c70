//! Messages that were refused.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, ToSql};

use super::{SqliteStore, inspect::Reader, row::time, writer::Tx};
use crate::{
    Cursor, NewRefused, Refusals, Refused, RefusedId, RefusedPage, Result,
    refused::{IN_ALL_MAX, OF_A_SENDER_MAX},
};

impl Tx<'_> {
    fn refuse(&mut self, new: &NewRefused) -> Result<()> {
        self.state.refuse_if_closed()?;
        let now = self.state.wall();
        let id = RefusedId::of(&new.sender, &new.message);
        let again = self
            .connection
            .prepare_cached(
                "UPDATE refused SET status = ?2, problems = ?3, attempts = attempts + 1, \
                 last_at = ?4 WHERE id = ?1",
            )
            .and_then(|mut s| s.execute((id.as_bytes(), new.status, &new.problems, now)))
            .map_err(|error| self.fail(error))?;
        if again > 0 {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO refused (id, sender, message, status, problems, first_at, last_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            )
            .and_then(|mut s| {
                s.execute((
                    id.as_bytes(),
                    &new.sender,
                    &new.message,
                    new.status,
                    &new.problems,
                    now,
                ))
            })
            .map_err(|error| self.fail(error))?;
        self.make_room(&new.sender)
            .map_err(|error| self.fail(error))?;
        self.state.news.refused(now, id);
        Ok(())
    }

    /// Those beyond the bounds leave, the oldest first.
    fn make_room(&self, sender: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM refused WHERE n IN (SELECT n FROM refused WHERE sender = ?1 \
                 ORDER BY n DESC LIMIT -1 OFFSET ?2)",
            )?
            .execute((sender, OF_A_SENDER_MAX))?;
        self.connection
            .prepare_cached(
                "DELETE FROM refused WHERE n IN (SELECT n FROM refused \
                 ORDER BY n DESC LIMIT -1 OFFSET ?1)",
            )?
            .execute([IN_ALL_MAX])?;
        Ok(())
    }

    fn accepted_after_all(&self, id: RefusedId) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM refused WHERE id = ?1")
            .and_then(|mut s| s.execute([id.as_bytes()]))
            .map_err(|error| self.fail(error))?;
        Ok(())
    }
}

/// The columns of [`refused`].
const COLUMNS: &str = "n, id, sender, message, status, problems, attempts, first_at, last_at";

/// The number of a row of [`COLUMNS`], and what it says.
fn refused(row: &Row<'_>) -> rusqlite::Result<(i64, Refused)> {
    let one = Refused {
        id: RefusedId(row.get(1)?),
        sender: row.get(2)?,
        message: row.get(3)?,
        status: row.get(4)?,
        problems: row.get(5)?,
        attempts: row.get(6)?,
        first_at: time(row.get(7)?),
        last_at: time(row.get(8)?),
    };
    Ok((row.get(0)?, one))
}

impl Reader {
    fn refused(&self, id: RefusedId) -> Result<Option<Refused>> {
        let sql = format!("SELECT {COLUMNS} FROM refused WHERE id = ?1");
        let found = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([id.as_bytes()], refused).optional())
            .map_err(|error| self.fail(error))?;
        Ok(found.map(|(_, one)| one))
    }

    fn refusals(
        &self,
        sender: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<RefusedPage> {
        let limit = limit.clamp(1, 200);
        let before = match after {
            None => i64::MAX,
            Some(_) => super::inspect::after(&self.place, after)?,
        };
        let of = sender.map_or("", |_| "AND sender = ?3");
        let sql = format!(
            "SELECT {COLUMNS} FROM refused WHERE n < ?1 {of} \
             ORDER BY n DESC LIMIT ?2"
        );
        let mut arguments: Vec<Box<dyn ToSql>> = vec![Box::new(before), Box::new(limit + 1)];
        if let Some(sender) = sender {
            arguments.push(Box::new(sender.to_owned()));
        }
        let mut found: Vec<(i64, Refused)> = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| {
                s.query_map(rusqlite::params_from_iter(arguments.iter()), refused)?
                    .collect()
            })
            .map_err(|error: rusqlite::Error| self.fail(error))?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        Ok(RefusedPage {
            next: last.map(|(n, _)| Cursor(n.to_string())),
            items: found.into_iter().map(|(_, one)| one).collect(),
        })
    }
}

#[async_trait]
impl Refusals for SqliteStore {
    async fn refuse(&self, refused: NewRefused) -> Result<()> {
        self.writer.call(move |tx| tx.refuse(&refused)).await
    }

    async fn accepted_after_all(&self, sender: &str, message: &str) -> Result<()> {
        let id = RefusedId::of(sender, message);
        self.writer.call(move |tx| tx.accepted_after_all(id)).await
    }

    async fn refused(&self, id: RefusedId) -> Result<Option<Refused>> {
        self.read(move |reader| reader.refused(id)).await
    }

    async fn refusals(
        &self,
        sender: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<RefusedPage> {
        let (sender, after) = (sender.map(str::to_owned), after.cloned());
        self.read(move |reader| reader.refusals(sender.as_deref(), after.as_ref(), limit))
            .await
    }
}
