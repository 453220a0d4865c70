//! Hearing of changes that other processes make.

use std::{path::Path, sync::Mutex, time::Duration};

use rusqlite::Connection;

/// How often the file is asked whether another process changed it. Asking reads one counter in
/// shared memory, some microseconds; 5 ms keep a signup's first request within 20 ms of its
/// acceptance.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How many looks are between two at whether the file is still the same: a tenth of a second.
pub(super) const LOOKS_PER_CHECK: u32 = 20;

/// A connection for that question alone, and its last answers.
pub(super) struct Watch(Mutex<Seen>);

struct Seen {
    connection: Connection,
    data_version: i64,
    change: i64,
}

impl Watch {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // It is asked on the callers' threads, which must not be held up; no answer is one too.
        connection.busy_timeout(Duration::from_millis(5))?;
        let change = connection.query_row("SELECT n FROM change", [], |row| row.get(0))?;
        Ok(Self(Mutex::new(Seen {
            connection,
            data_version: -1,
            change,
        })))
    }

    /// Whether the change counter moved since the last call. An answer that cannot be had counts
    /// as a change: a claim too many is harmless.
    pub(super) fn moved(&self) -> bool {
        let mut seen = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.look().unwrap_or(true)
    }

    /// The file was replaced: nothing is written to it at the end.
    pub(super) fn leave_alone(&self) {
        let seen = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        super::writer::leave_alone(&seen.connection);
    }
}

impl Seen {
    fn look(&mut self) -> rusqlite::Result<bool> {
        let version: i64 = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if version == self.data_version {
            return Ok(false);
        }
        let change: i64 = self
            .connection
            .prepare_cached("SELECT n FROM change")?
            .query_row([], |row| row.get(0))?;
        let moved = change != self.change;
        self.data_version = version;
        self.change = change;
        Ok(moved)
    }
}
