//! What happened: noted while operations run, written with them, read in its order.

use async_trait::async_trait;
use onboarding::{OnboardingId, State};
use rusqlite::{Connection, Row};

use super::{
    SqliteStore,
    batches::{Moved, count},
    inspect::Reader,
    row::{parse, state_number, state_of, time},
};
use crate::{Error, Feed, Happening, Position, RefusedId, Result, What};

/// An account was parked. Smaller numbers are the states of onboardings.
const PARKED: i64 = 16;
/// A person let an account go on.
const RESUMED: i64 = 17;
/// A message was refused.
const REFUSED: i64 = 18;

struct Item {
    at: i64,
    what: i64,
    subject: i64,
    reason: Option<String>,
}

/// What happened in the transaction under way, and was not written yet.
#[derive(Default)]
pub(super) struct News {
    items: Vec<Item>,
    moved: Vec<Moved>,
}

impl News {
    /// An onboarding moved from a state to one that is told: it ended, or is queued again.
    pub(super) fn moved(&mut self, at: i64, seq: i64, from: State, to: State) {
        self.items.push(Item {
            at,
            what: state_number(to),
            subject: seq,
            reason: None,
        });
        self.moved.push(Moved { seq, from, to });
    }

    /// A lane was parked for a reason, or goes on.
    pub(super) fn parked(&mut self, at: i64, lane: i64, reason: Option<&str>) {
        self.items.push(Item {
            at,
            what: if reason.is_some() { PARKED } else { RESUMED },
            subject: lane,
            reason: reason.map(str::to_owned),
        });
    }

    /// A message was refused for the first time.
    pub(super) fn refused(&mut self, at: i64, id: RefusedId) {
        self.items.push(Item {
            at,
            what: REFUSED,
            subject: 0,
            reason: Some(id.to_string()),
        });
    }

    /// Writes it out: a short row each, and one write per batch that is counted.
    pub(super) fn save(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.items.is_empty() {
            return Ok(());
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO happening (at, what, subject, reason) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for item in self.items.drain(..) {
            insert.execute((item.at, item.what, item.subject, item.reason))?;
        }
        count(connection, &mut self.moved)
    }
}

/// A row of the feed, with the names of what it is about.
struct Told {
    position: i64,
    at: i64,
    what: i64,
    onboarding: Option<[u8; 16]>,
    account: Option<String>,
    reason: Option<String>,
}

fn told(row: &Row<'_>) -> rusqlite::Result<Told> {
    Ok(Told {
        position: row.get(0)?,
        at: row.get(1)?,
        what: row.get(2)?,
        onboarding: row.get(3)?,
        account: row.get(4)?,
        reason: row.get(5)?,
    })
}

impl Reader {
    fn last_position(&self) -> Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT max(position) FROM happening")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }

    /// The number of a position; 0, which is before all, where it is none of this store's.
    fn number_of(&self, position: &Position) -> Result<i64> {
        let number = position.0.parse().ok();
        let number = number.filter(|number: &i64| *number > 0 && number.to_string() == position.0);
        let last = self.last_position()?.unwrap_or(0);
        Ok(number.filter(|number| *number <= last).unwrap_or(0))
    }

    fn happenings(&self, after: Option<&Position>, limit: usize) -> Result<Vec<Happening>> {
        let after = after.map_or(Ok(0), |position| self.number_of(position))?;
        let rows: Vec<Told> = self
            .connection
            .prepare_cached(
                "SELECT h.position, h.at, h.what, o.id, l.account, h.reason FROM happening h \
                 LEFT JOIN onboarding o ON h.what < 16 AND o.seq = h.subject \
                 LEFT JOIN lane l ON h.what BETWEEN 16 AND 17 AND l.id = h.subject \
                 WHERE h.position > ?1 ORDER BY h.position LIMIT ?2",
            )
            .and_then(|mut s| s.query_map((after, limit.clamp(1, 1000)), told)?.collect())
            .map_err(|error| self.fail(error))?;
        rows.into_iter().map(|row| self.happening(row)).collect()
    }

    fn happening(&self, row: Told) -> Result<Happening> {
        let unknown = |what| Error::Corrupt {
            place: format!("{}, table happening", self.place),
            message: format!("row {} tells of nothing known ({what})", row.position),
        };
        let what = match (row.what, row.onboarding, row.account) {
            (PARKED, _, Some(account)) => What::Parked {
                account: parse(&self.place, "account", &account)?,
                reason: row.reason.unwrap_or_default(),
            },
            (RESUMED, _, Some(account)) => What::Resumed {
                account: parse(&self.place, "account", &account)?,
            },
            (REFUSED, ..) => What::Refused {
                id: RefusedId::parse(row.reason.as_deref().unwrap_or_default())
                    .ok_or_else(|| unknown(row.what))?,
            },
            (state, Some(id), None) => What::Moved {
                id: OnboardingId::from_bytes(id),
                state: state_of(state, false),
            },
            (what, ..) => return Err(unknown(what)),
        };
        Ok(Happening {
            position: Position(row.position.to_string()),
            at: time(row.at),
            what,
        })
    }
}

#[async_trait]
impl Feed for SqliteStore {
    async fn happenings(&self, after: Option<&Position>, limit: usize) -> Result<Vec<Happening>> {
        let after = after.cloned();
        self.read(move |reader| reader.happenings(after.as_ref(), limit))
            .await
    }

    async fn latest(&self) -> Result<Option<Position>> {
        let last = self.read(Reader::last_position).await?;
        Ok(last.map(|number| Position(number.to_string())))
    }
}
