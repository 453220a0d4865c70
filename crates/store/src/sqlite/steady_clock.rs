//! The time of a file: what permits, delays, closing and leases are counted in.
//!
//! All processes of one boot read it from the machine's steady clock, so that they agree whatever
//! their clocks say and whoever sets them. After another boot it goes on from where it was last
//! recorded, by the difference of the times of day, never backwards.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use crate::clock::Clock;

/// A file's time, as this process reads it.
pub(super) struct SteadyClock {
    clock: Arc<dyn Clock>,
    /// What the file's time is ahead of the steady clock of this boot (ms).
    offset_ms: i64,
    /// What it is ahead of the time of day, as this process was told that (ms).
    ahead_ms: i64,
}

/// What the file has of its time.
struct Recorded {
    boot: String,
    offset_ms: i64,
    /// The file's time and the time of day at the same moment (ms).
    at_ms: i64,
    wall_ms: i64,
}

impl Recorded {
    fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT boot, offset_ms, at_ms, wall_ms FROM timeline";
        let read = |row: &Row<'_>| {
            Ok(Self {
                boot: row.get(0)?,
                offset_ms: row.get(1)?,
                at_ms: row.get(2)?,
                wall_ms: row.get(3)?,
            })
        };
        connection.query_row(sql, [], read).optional()
    }

    /// Whether it was recorded in the boot of this clock, which was read after it.
    fn is_of_boot(&self, clock: &dyn Clock, steady_ms: i64) -> bool {
        self.boot == clock.boot() && steady_ms + self.offset_ms >= self.at_ms
    }
}

impl SteadyClock {
    /// Whether the file's time is this boot's already, so that [`SteadyClock::of_file`] writes
    /// nothing.
    pub(super) fn goes_on(connection: &Connection, clock: &dyn Clock) -> rusqlite::Result<bool> {
        let recorded = Recorded::read(connection)?;
        let steady_ms = clock.steady_ms();
        Ok(recorded.is_some_and(|recorded| recorded.is_of_boot(clock, steady_ms)))
    }

    /// Goes on with the file's time.
    pub(super) fn of_file(
        transaction: &Transaction<'_>,
        clock: Arc<dyn Clock>,
    ) -> rusqlite::Result<Self> {
        let recorded = Recorded::read(transaction)?;
        let (steady, wall) = (clock.steady_ms(), clock.now_ms());
        // A new file's time begins as the time of day; nobody relies on that later on.
        let (before, at_ms) = match &recorded {
            None => (None, wall),
            Some(same) if same.is_of_boot(&*clock, steady) => {
                let offset_ms = same.offset_ms;
                return Ok(Self {
                    clock,
                    offset_ms,
                    ahead_ms: steady + offset_ms - wall,
                });
            }
            Some(other) => {
                let passed = wall.saturating_sub(other.wall_ms).max(0);
                (Some(other.at_ms), other.at_ms.saturating_add(passed))
            }
        };
        let own = Self {
            offset_ms: at_ms - steady,
            ahead_ms: at_ms - wall,
            clock,
        };
        transaction.execute("DELETE FROM timeline", [])?;
        transaction.execute(
            "INSERT INTO timeline (boot, offset_ms, at_ms, wall_ms) VALUES (?1, ?2, ?3, ?4)",
            (own.clock.boot(), own.offset_ms, at_ms, wall),
        )?;
        if let Some(before) = before {
            hold_permits(transaction, before, at_ms)?;
        }
        Ok(own)
    }

    /// Now, in the file's time (ms).
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.steady_ms().saturating_add(self.offset_ms)
    }

    /// The time of day now (ms).
    pub(super) fn wall_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the file's time is ahead of the time of day (ms): always the same number of one process.
    pub(super) fn ahead_ms(&self) -> i64 {
        self.ahead_ms
    }

    /// The time of day at a moment of the file's time (ms).
    pub(super) fn to_wall(&self, at_ms: i64) -> i64 {
        at_ms.saturating_add(self.wall_ms() - self.now_ms())
    }

    /// The moment of the file's time at a time of day (ms).
    pub(super) fn of_wall(&self, wall_ms: i64) -> i64 {
        wall_ms.saturating_add(self.now_ms() - self.wall_ms())
    }

    /// Writes down how late it is, for a later boot.
    pub(super) fn record(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE timeline SET at_ms = ?1, wall_ms = ?2")?
            .execute((self.now_ms(), self.wall_ms()))
            .map(drop)
    }
}

/// The longest that a request may take by the settings.
const LONGEST_REQUEST_MS: i64 = 600_000;

/// How long the machine was off is known by its clock alone, which may be wrong. So what was in use
/// of the allowance counts as used just now: it comes back a window from now, and not earlier after
/// the start than it would have come back after the end. No permit is out for longer than a request may
/// take and a window, so that a time that was written down long ago holds none for longer.
fn hold_permits(transaction: &Transaction<'_>, before: i64, now: i64) -> rusqlite::Result<()> {
    transaction.execute(
        "CREATE TEMP TABLE held AS \
         SELECT p.lane, ?2 + max(coalesce(l.window_ms, 60000), \
         min(coalesce(l.window_ms, 60000) + ?3, p.free_at - ?1)) AS free_at, \
         sum(p.n) AS n, sum(p.outside) AS outside \
         FROM permit p JOIN lane l ON l.id = p.lane WHERE p.n > 0 AND p.free_at > ?1 GROUP BY 1, 2",
        (before, now, LONGEST_REQUEST_MS),
    )?;
    transaction.execute_batch(
        "DELETE FROM permit; \
         INSERT INTO permit (lane, free_at, n, outside) SELECT lane, free_at, n, outside FROM held; \
         DROP TABLE held; \
         UPDATE change SET n = n + 1; \
         UPDATE lane SET changed = (SELECT n FROM change)",
    )
}
