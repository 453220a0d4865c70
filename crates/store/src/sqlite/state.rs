//! What the writer keeps in memory, and how it stays true to the file.

use std::{collections::HashMap, sync::Arc, time::Duration};

use onboarding::{AccountName, Journal, OnboardingId};
use rusqlite::{Connection, Row};

use super::{
    failure::Failure,
    lane::Lane,
    lanes::Lanes,
    row::{from_json, journal_of},
};
use crate::{Error, Limits, Result, SealingKey, WorkerName, clock::Clock};

/// An onboarding that a worker of this process holds.
pub(super) struct Running {
    pub(super) seq: i64,
    pub(super) epoch: u64,
    pub(super) lane: i64,
    pub(super) worker: WorkerName,
    /// How long one of its requests may take.
    pub(super) request_timeout: Duration,
    pub(super) journal: Journal,
    /// When the lease ends (ms). Only here: when the process ends, so does every lease of it.
    pub(super) until: i64,
    /// A person asked to cancel it.
    pub(super) cancel: bool,
}

/// The writer's memory. Lanes and permits mirror the file; `refresh` takes in what other processes
/// changed, `save` writes out what this one did.
pub(super) struct State {
    pub(super) place: String,
    pub(super) key: SealingKey,
    pub(super) lanes: Lanes,
    pub(super) running: HashMap<OnboardingId, Running>,
    /// The earliest time that a delayed onboarding wakes (ms); 0 where it is not known.
    pub(super) next_wake: i64,
    /// When leases are looked through next (ms).
    pub(super) next_expiry: i64,
    /// Whether something changed that a waiting claimer has to hear of.
    pub(super) changed: bool,
    configured: HashMap<AccountName, Limits>,
    /// Whether this process works on the store. Then it serves every lane, those of accounts that
    /// its configuration does not name too, so that they come to light.
    serving: bool,
    notify: Arc<tokio::sync::Notify>,
    data_version: i64,
    change: i64,
    next_sweep: i64,
    /// Whether `running` may be ahead of the file.
    doubtful: bool,
    /// Lanes that the transaction under way made; they are gone if it is undone.
    entered: Vec<i64>,
}

/// How often permits that came back are removed from the file. They count no more in memory, so
/// this is about space alone.
const SWEEP_MS: i64 = 5000;

const LANE_COLUMNS: &str = "id, account, requests_per_window, window_ms, in_flight, burst, \
     parked_reason IS NOT NULL, closed_until, changed";

struct LaneRow {
    id: i64,
    account: String,
    limits: Option<Limits>,
    parked: bool,
    closed_until: i64,
}

pub(super) fn limits_of(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Limits>> {
    let Some(requests_per_window) = row.get::<_, Option<u32>>(first)? else {
        return Ok(None);
    };
    let window_ms: i64 = row.get(first + 1)?;
    Ok(Some(Limits {
        requests_per_window,
        window: Duration::from_millis(u64::try_from(window_ms).unwrap_or(0)),
        in_flight: row.get(first + 2)?,
        burst: row.get(first + 3)?,
    }))
}

fn lane_row(row: &Row<'_>) -> rusqlite::Result<LaneRow> {
    Ok(LaneRow {
        id: row.get(0)?,
        account: row.get(1)?,
        limits: limits_of(row, 2)?,
        parked: row.get(6)?,
        closed_until: row.get(7)?,
    })
}

fn permits_of(connection: &Connection, lane: i64) -> rusqlite::Result<Vec<(i64, u32)>> {
    connection
        .prepare_cached("SELECT free_at, n FROM permit WHERE lane = ?1 AND n > 0")?
        .query_map([lane], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

impl State {
    pub(super) fn new(
        place: String,
        key: SealingKey,
        clock: Arc<dyn Clock>,
        notify: Arc<tokio::sync::Notify>,
    ) -> Self {
        Self {
            place,
            key,
            lanes: Lanes::new(clock),
            running: HashMap::new(),
            next_wake: 0,
            next_expiry: 0,
            changed: false,
            configured: HashMap::new(),
            serving: false,
            notify,
            data_version: -1,
            change: -1,
            next_sweep: 0,
            doubtful: false,
            entered: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.lanes.clock.now_ms()
    }

    /// After a transaction that was undone: believe the file again.
    pub(super) fn forget(&mut self) {
        self.data_version = -1;
        self.change = -1;
        self.next_wake = 0;
        self.doubtful = true;
        self.unenter(0);
        drop(self.lanes.take_unsaved());
        for id in self.lanes.ids() {
            self.lanes.change(id, |lane| lane.has_due = true);
        }
    }

    /// Tells waiting claimers, if there is something to tell.
    pub(super) fn announce(&mut self) {
        self.entered.clear();
        if std::mem::take(&mut self.changed) {
            self.notify.notify_waiters();
            self.notify.notify_one();
        }
    }

    /// Takes in what other processes committed since the last transaction.
    pub(super) fn refresh(&mut self, connection: &Connection) -> Result<()> {
        let place = self.place.clone();
        let fail = |error| Error::from(Failure::new(&place, error));
        let version = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)))
            .map_err(fail)?;
        if version == self.data_version {
            return Ok(());
        }
        if self.doubtful {
            self.reload_running(connection)?;
            self.doubtful = false;
        }
        let change: i64 = connection
            .prepare_cached("SELECT n FROM change")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(fail)?;
        if change != self.change {
            self.load_lanes(connection, self.change)?;
            self.load_cancels(connection)?;
            self.next_wake = 0;
            self.changed = true;
        }
        self.data_version = version;
        self.change = change;
        Ok(())
    }

    /// Learns which of the held onboardings a person cancelled elsewhere.
    fn load_cancels(&mut self, connection: &Connection) -> Result<()> {
        if self.running.is_empty() {
            return Ok(());
        }
        let asked: Vec<[u8; 16]> = connection
            .prepare_cached(
                "SELECT o.id FROM progress p CROSS JOIN onboarding o ON o.seq = p.seq \
                 WHERE p.state = 1 AND p.cancel = 1",
            )
            .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
            .map_err(|error| Error::from(Failure::new(&self.place, error)))?;
        for id in asked {
            if let Some(held) = self.running.get_mut(&OnboardingId::from_bytes(id)) {
                held.cancel = true;
            }
        }
        Ok(())
    }

    /// Makes the held leases those that the file knows.
    fn reload_running(&mut self, connection: &Connection) -> Result<()> {
        let fail = |error| Error::from(Failure::new(&self.place, error));
        let rows: Vec<([u8; 16], u64, String, Option<String>)> = connection
            .prepare_cached(
                "SELECT o.id, p.epoch, o.plan, p.journal FROM progress p \
                 CROSS JOIN onboarding o ON o.seq = p.seq WHERE p.state = 1",
            )
            .and_then(|mut s| {
                s.query_map([], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect()
            })
            .map_err(fail)?;
        let mut held = HashMap::new();
        for (id, epoch, plan, journal) in rows {
            let id = OnboardingId::from_bytes(id);
            if let Some(mut running) = self.running.remove(&id).filter(|held| held.epoch == epoch) {
                let plan = from_json(&self.place, "plan", &plan)?;
                running.journal = journal_of(&self.place, journal.as_deref(), &plan)?;
                held.insert(id, running);
            }
        }
        self.running = held;
        Ok(())
    }

    fn load_lanes(&mut self, connection: &Connection, after: i64) -> Result<()> {
        let fail = |error| Error::from(Failure::new(&self.place, error));
        let sql = format!("SELECT {LANE_COLUMNS} FROM lane WHERE changed > ?1");
        let rows: Vec<LaneRow> = connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_map([after], lane_row)?.collect())
            .map_err(fail)?;
        for row in rows {
            self.load_lane(connection, row)?;
        }
        Ok(())
    }

    fn load_lane(&mut self, connection: &Connection, row: LaneRow) -> Result<()> {
        let fail = |error| Error::from(Failure::new(&self.place, error));
        let account: AccountName = row.account.parse().map_err(|error| Error::Corrupt {
            place: format!("{}, table lane", self.place),
            message: format!("{error}"),
        })?;
        let permits = permits_of(connection, row.id).map_err(fail)?;
        let configured = self.configured.get(&account).copied();
        let limits = configured
            .or(row.limits)
            .unwrap_or(Limits::per_minute(200, 50));
        if self.lanes.get(row.id).is_none() {
            self.enter(row.id, &account);
        }
        let serving = self.serving;
        self.lanes.change(row.id, |lane| {
            lane.set_limits(limits);
            lane.served = serving;
            lane.parked = row.parked;
            lane.closed_until = row.closed_until;
            lane.has_due = true;
            lane.load_permits(permits);
        });
        Ok(())
    }

    /// Keeps an account's limits for as long as the process lives.
    pub(super) fn configure(&mut self, account: &AccountName, id: i64, limits: Limits) {
        self.configured.insert(account.clone(), limits);
        self.lanes.change(id, |lane| lane.set_limits(limits));
    }

    /// From now on this process works on the store.
    pub(super) fn start_serving(&mut self) {
        self.serving = true;
        for id in self.lanes.ids() {
            self.lanes.change(id, |lane| lane.served = true);
        }
    }

    /// Takes in a lane that this process made.
    pub(super) fn enter(&mut self, id: i64, account: &AccountName) {
        let limits = self
            .configured
            .get(account)
            .copied()
            .unwrap_or(Limits::per_minute(200, 50));
        let mut lane = Lane::new(id, account.clone(), limits, &self.lanes.clock);
        lane.served = self.serving;
        self.lanes.insert(lane);
        self.entered.push(id);
    }

    /// How many lanes the transaction under way has made.
    pub(super) fn entered(&self) -> usize {
        self.entered.len()
    }

    /// Forgets the lanes that the transaction under way made after it had made `kept`.
    pub(super) fn unenter(&mut self, kept: usize) {
        for id in self.entered.drain(kept.min(self.entered.len())..) {
            self.lanes.remove(id);
        }
    }

    /// Writes out what changed in memory.
    pub(super) fn save(&mut self, connection: &Connection) -> Result<()> {
        let now = self.now();
        let changes = self.lanes.take_unsaved();
        let mut write = || -> rusqlite::Result<()> {
            if !changes.is_empty() {
                let mut statement = connection.prepare_cached(
                    "INSERT INTO permit (lane, free_at, n) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (lane, free_at) DO UPDATE SET n = n + excluded.n",
                )?;
                for (lane, at, change) in &changes {
                    statement.execute((lane, at, change))?;
                }
            }
            if now >= self.next_sweep {
                connection
                    .prepare_cached("DELETE FROM permit WHERE free_at <= ?1 OR n = 0")?
                    .execute([now])?;
                self.next_sweep = now.saturating_add(SWEEP_MS);
            }
            Ok(())
        };
        write().map_err(|error| Failure::new(&self.place, error).into())
    }

    /// Reads a lane's permits anew: for a process that shares the account with a worker elsewhere,
    /// whose every request it does not hear of.
    pub(super) fn reload_permits(&mut self, connection: &Connection, lane: i64) -> Result<()> {
        self.save(connection)?;
        let permits = permits_of(connection, lane)
            .map_err(|error| Error::from(Failure::new(&self.place, error)))?;
        self.lanes.change(lane, |lane| lane.load_permits(permits));
        Ok(())
    }

    /// Counts a change of a lane that workers in other processes have to hear of.
    pub(super) fn mark(&mut self, connection: &Connection, lane: i64) -> Result<()> {
        let fail = |error| Error::from(Failure::new(&self.place, error));
        let change: i64 = connection
            .prepare_cached("UPDATE change SET n = n + 1 RETURNING n")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(fail)?;
        connection
            .prepare_cached("UPDATE lane SET changed = ?1 WHERE id = ?2")
            .and_then(|mut s| s.execute((change, lane)))
            .map_err(fail)?;
        self.change = change;
        self.changed = true;
        Ok(())
    }
}
