//! Noticing that the file was restored, or that a copy was put in its place.
//!
//! What was made at Exotel after the backup is not in it. So it is known by its inode, and by a counter
//! that grows with a worker's writes and that a small file beside it keeps too: that one does not go
//! back with the database.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{file_identity::beside, steady_clock::SteadyClock, writer::Tx};
use crate::{Limits, Result, clock::millis, operate::LATE_REQUEST};

/// How often the counter grows while a worker writes.
const STEP_MS: i64 = 1000;

/// What the file beside the database ends in.
const SUFFIX: &str = ".mark";

/// What the file beside the database says; `None` where it says nothing that can be read.
pub(super) fn counter_beside(database: &Path) -> Option<i64> {
    let text = fs::read_to_string(beside(database, SUFFIX)).ok()?;
    text.trim_end().parse().ok().filter(|counter| *counter >= 0)
}

/// The counter, as a worker keeps it.
pub(super) struct WorkMark {
    path: PathBuf,
    counter: i64,
    /// What is to be written beside the database once the transaction is committed.
    unwritten: bool,
    /// Not to grow before then (ms).
    next: i64,
    /// How many rows this connection had changed when that was last looked at.
    changes: u64,
    /// It was told that it cannot be kept.
    told: bool,
}

impl WorkMark {
    /// Of a database whose own counter stands at `counter`, durably.
    pub(super) fn at(database: &Path, counter: i64) -> Self {
        Self {
            path: beside(database, SUFFIX),
            counter,
            unwritten: true,
            next: 0,
            changes: 0,
            told: false,
        }
    }

    /// Lets it grow where the transaction under way has written something, once in a while.
    pub(super) fn grow(
        &mut self,
        connection: &Connection,
        clock: &SteadyClock,
    ) -> rusqlite::Result<()> {
        let (now, changes) = (clock.now_ms(), connection.total_changes());
        if now < self.next || changes == self.changes {
            return Ok(());
        }
        let counter = connection
            .prepare_cached("UPDATE work_mark SET counter = counter + 1 RETURNING counter")?
            .query_row([], |row| row.get(0))?;
        clock.record(connection)?;
        self.changes = connection.total_changes();
        self.next = now.saturating_add(STEP_MS);
        // Where it went back, an older copy was written into the file: the next start notices it.
        self.unwritten = counter > self.counter;
        self.counter = self.counter.max(counter);
        Ok(())
    }

    /// After a transaction that was undone.
    pub(super) fn forget(&mut self) {
        self.unwritten = false;
        self.next = 0;
    }

    /// After the commit, so that it is never ahead of the database.
    pub(super) fn write(&mut self) {
        if !std::mem::take(&mut self.unwritten) {
            return;
        }
        match replace(&self.path, self.counter) {
            Ok(()) => self.told = false,
            Err(error) if !self.told => {
                self.told = true;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    path = %self.path.display(),
                    "the counter beside the database cannot be written; a backup that is restored over this database may not be noticed"
                );
            }
            Err(_) => {}
        }
    }
}

/// All of it or nothing.
fn replace(path: &Path, counter: i64) -> std::io::Result<()> {
    let draft = beside(path, ".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&draft)?;
    file.write_all(format!("{counter}\n").as_bytes())?;
    fs::rename(&draft, path)
}

impl Tx<'_> {
    /// What a worker does first: whoever worked on this file is gone. Takes back what that one held,
    /// and doubts everything where the file is not the one that it worked on. Returns the counter.
    pub(super) fn take_over(&mut self, beside: Option<i64>) -> Result<i64> {
        self.take_back_all()?;
        let (counter, inode, born): (i64, i64, i64) = self
            .connection
            .query_row("SELECT counter, inode, born FROM work_mark", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|error| self.fail(error))?;
        let why = match beside {
            Some(ahead) if ahead > counter => "it is older than the counter beside it",
            _ if counter == 0 => return self.keep_work_mark(0),
            None => "there is no counter beside it, or none that can be read",
            Some(_) if (inode, born) != self.state.identity.of_database() => {
                "it is another file than the one that was worked on"
            }
            Some(_) => return self.keep_work_mark(counter),
        };
        let onboardings = self.distrust()?;
        tracing::warn!(
            store = self.state.place,
            onboardings,
            why,
            "the database was restored or copied: what is not finished is read back at Exotel before it is written, which costs requests, and the accounts wait until what was sent lately is out of their windows"
        );
        self.keep_work_mark(counter.max(beside.unwrap_or(0)))
    }

    /// Writes down that this file is the one that is worked on from here on.
    fn keep_work_mark(&self, before: i64) -> Result<i64> {
        let (inode, born) = self.state.identity.of_database();
        let counter = before.saturating_add(1);
        self.connection
            .execute(
                "UPDATE work_mark SET counter = ?1, inode = ?2, born = ?3",
                (counter, inode, born),
            )
            .map_err(|error| self.fail(error))?;
        Ok(counter)
    }

    /// Lets everything that is not finished be read back before it is written again, and closes every
    /// account until no window can hold a request that the file knows nothing of. Returns how many
    /// onboardings that are.
    pub(super) fn distrust(&mut self) -> Result<u64> {
        let marked = self
            .connection
            .execute(
                "UPDATE progress SET suspect = 1 WHERE state = 0 OR state = 1 OR state = 3",
                [],
            )
            .map_err(|error| self.fail(error))?;
        let lanes: Vec<_> = self
            .state
            .lanes
            .ids()
            .into_iter()
            .filter_map(|id| self.state.lanes.get(id))
            .map(|lane| (lane.account.clone(), lane.limits))
            .collect();
        let now = self.state.now();
        for (account, Limits { window, .. }) in lanes {
            let until = now.saturating_add(millis(window + LATE_REQUEST));
            self.close(&account, until)?;
        }
        Ok(marked as u64)
    }
}
