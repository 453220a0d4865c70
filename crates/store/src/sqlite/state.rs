//! What the writer keeps in memory, and how it stays true to the file.

use std::{collections::HashMap, sync::Arc, time::Duration};

use onboarding::{AccountName, Journal, OnboardingId};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{
    failure::Failure,
    feed::News,
    file_identity::FileIdentity,
    lane::{Lane, NextProbe, StoppedLane},
    lanes::Lanes,
    restored::WorkMark,
    retention::Retention,
    row::{from_json, journal_of},
    steady_clock::SteadyClock,
};
use crate::{
    CLOSED_AT_MOST, Error, Limits, ProbeKind, Result, SealingKey, StopKind, WorkerName, World,
    transfer::Mark,
};

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
    pub(super) identity: Arc<FileIdentity>,
    /// Of a process that works on the store.
    work_mark: Option<WorkMark>,
    pub(super) world: World,
    /// Another process filled the file for the other world after this one had opened it.
    pub(super) other_world: bool,
    /// This store's part in the last move that it was in.
    pub(super) mark: Option<Mark>,
    pub(super) key: SealingKey,
    pub(super) lanes: Lanes,
    pub(super) running: HashMap<OnboardingId, Running>,
    /// The earliest time that a delayed onboarding wakes (ms); 0 where it is not known.
    pub(super) next_wake: i64,
    /// When leases are looked through next (ms).
    pub(super) next_expiry: i64,
    /// Whether something changed that a waiting claimer has to hear of.
    pub(super) changed: bool,
    /// What happened in the transaction under way.
    pub(super) news: News,
    retention: Retention,
    configured: HashMap<AccountName, Limits>,
    /// Whether this process works on the store. Then it serves the lanes of the accounts that it
    /// was given, and no others.
    serving: bool,
    notify: Arc<tokio::sync::Notify>,
    data_version: i64,
    change: i64,
    next_sweep: i64,
    /// Whether `running` may be ahead of the file.
    doubtful: bool,
    /// Lanes that the transaction under way made; they are gone if it is undone.
    entered: Vec<i64>,
    /// Leases that the transaction under way ended; they are held again if it is undone.
    ended: Vec<(OnboardingId, Running)>,
}

/// How often permits that came back are removed from the file. They count no more in memory, so
/// this is about space alone.
const SWEEP_MS: i64 = 5000;

const LANE_COLUMNS: &str = "id, account, requests_per_window, window_ms, in_flight, burst, \
     parked_reason IS NOT NULL, closed_until, outage_reason IS NOT NULL, parked_at, outage_at, \
     probe_kind, probe_at, probe_failures";

/// Where the time of day is this far from the file's time, one of the two is wrong.
const CLOCKS_DIFFER_MS: i64 = 3_600_000;

/// The longest that an account is closed, or waits to be tried again.
pub(super) const FARTHEST_MS: i64 = CLOSED_AT_MOST.as_millis() as i64;

struct LaneRow {
    id: i64,
    account: String,
    limits: Option<Limits>,
    stopped: Option<StoppedLane>,
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

struct RunningRow {
    seq: i64,
    id: [u8; 16],
    epoch: u64,
    cancel: bool,
    plan: String,
    journal: Option<String>,
}

fn running_row(row: &Row<'_>) -> rusqlite::Result<RunningRow> {
    Ok(RunningRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        epoch: row.get(2)?,
        cancel: row.get(3)?,
        plan: row.get(4)?,
        journal: row.get(5)?,
    })
}

fn lane_row(row: &Row<'_>) -> rusqlite::Result<LaneRow> {
    Ok(LaneRow {
        id: row.get(0)?,
        account: row.get(1)?,
        limits: limits_of(row, 2)?,
        stopped: stopped(row)?,
        closed_until: row.get(7)?,
    })
}

fn stopped(row: &Row<'_>) -> rusqlite::Result<Option<StoppedLane>> {
    let (kind, since) = match (row.get(6)?, row.get(8)?) {
        (true, _) => (StopKind::Parked, row.get::<_, Option<i64>>(9)?),
        (false, true) => (StopKind::Outage, row.get(10)?),
        (false, false) => return Ok(None),
    };
    let probe = match probe_kind_of(row.get(11)?) {
        Some(kind) => Some(NextProbe {
            kind,
            at: row.get(12)?,
            failures: row.get(13)?,
        }),
        None => None,
    };
    Ok(Some(StoppedLane {
        kind,
        since: since.unwrap_or(0),
        probe,
    }))
}

/// How a stopped account is tried, by its number in the file.
pub(super) fn probe_kind_of(number: i64) -> Option<ProbeKind> {
    match number {
        1 => Some(ProbeKind::Read),
        2 => Some(ProbeKind::Create),
        _ => None,
    }
}

/// What is out of a lane's permits.
fn permits_of(connection: &Connection, lane: i64) -> rusqlite::Result<Vec<(i64, u32)>> {
    connection
        .prepare_cached("SELECT free_at, n FROM permit WHERE lane = ?1 AND n > 0")?
        .query_map([lane], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

impl State {
    pub(super) fn new(
        place: String,
        world: World,
        key: SealingKey,
        identity: Arc<FileIdentity>,
        clock: Arc<SteadyClock>,
        notify: Arc<tokio::sync::Notify>,
    ) -> Self {
        Self {
            place,
            identity,
            work_mark: None,
            world,
            other_world: false,
            mark: None,
            key,
            lanes: Lanes::new(clock),
            running: HashMap::new(),
            next_wake: 0,
            next_expiry: 0,
            changed: false,
            news: News::default(),
            retention: Retention::default(),
            configured: HashMap::new(),
            serving: false,
            notify,
            data_version: -1,
            change: -1,
            next_sweep: 0,
            doubtful: false,
            entered: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Now, in the file's time (ms): what permits, delays, closing and leases are counted in.
    pub(super) fn now(&self) -> i64 {
        self.lanes.clock.now_ms()
    }

    /// The time of day (ms): what people read.
    pub(super) fn wall(&self) -> i64 {
        self.lanes.clock.wall_ms()
    }

    /// After a transaction that was undone: believe the file again.
    pub(super) fn forget(&mut self) {
        self.data_version = -1;
        self.change = -1;
        self.next_wake = 0;
        self.doubtful = true;
        self.unenter(0);
        self.running.extend(std::mem::take(&mut self.ended));
        drop(self.lanes.take_unsaved());
        self.news = News::default();
        if let Some(mark) = &mut self.work_mark {
            mark.forget();
        }
        for id in self.lanes.ids() {
            self.lanes.change(id, |lane| lane.has_due = true);
        }
    }

    /// After a commit: tells waiting claimers, if there is something to tell.
    pub(super) fn announce(&mut self) {
        if let Some(mark) = &mut self.work_mark {
            mark.write();
        }
        self.entered.clear();
        self.ended.clear();
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
        // It only grows: an older copy was written into the file.
        if change < self.change {
            return Err(Error::Replaced {
                place: self.place.clone(),
            });
        }
        if change != self.change {
            self.load_lanes(connection, self.change)?;
            self.load_cancels(connection)?;
            self.other_world = !self.is_own_world(connection)?;
            self.mark = self.load_mark(connection)?;
            self.next_wake = 0;
            self.changed = true;
        }
        self.data_version = version;
        self.change = change;
        Ok(())
    }

    /// Whether the file is of this process's world, or of none yet.
    pub(super) fn is_own_world(&self, connection: &Connection) -> Result<bool> {
        connection
            .prepare_cached(
                "SELECT value = ?1 OR NOT EXISTS (SELECT 1 FROM onboarding) \
                 FROM meta WHERE name = 'world'",
            )
            .and_then(|mut s| s.query_row([self.world.name()], |row| row.get(0)))
            .map_err(|error| Failure::new(&self.place, error).into())
    }

    fn load_mark(&self, connection: &Connection) -> Result<Option<Mark>> {
        let kept: Option<Vec<u8>> = connection
            .prepare_cached("SELECT value FROM meta WHERE name = 'move'")
            .and_then(|mut s| s.query_row([], |row| row.get(0)).optional())
            .map_err(|error| Error::from(Failure::new(&self.place, error)))?;
        let read = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|error| Error::Corrupt {
                place: format!("{}, table meta", self.place),
                message: format!("what it says of a move cannot be read: {error}"),
            })
        };
        kept.map(read).transpose()
    }

    /// Nobody works on a store that has left, or that is not all here yet.
    pub(super) fn refuse_if_closed(&self) -> Result<()> {
        let closed = self.mark.as_ref();
        match closed.and_then(|mark| mark.refusal(&self.place)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
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

    /// Makes the held leases those that the file knows. What the file has as running and nobody
    /// holds goes back into its lane, in doubt.
    fn reload_running(&mut self, connection: &Connection) -> Result<()> {
        let place = self.place.clone();
        let fail = |error| Error::from(Failure::new(&place, error));
        let rows: Vec<RunningRow> = connection
            .prepare_cached(
                "SELECT p.seq, o.id, p.epoch, p.cancel, o.plan, p.journal FROM progress p \
                 CROSS JOIN onboarding o ON o.seq = p.seq WHERE p.state = 1",
            )
            .and_then(|mut s| s.query_map([], running_row)?.collect())
            .map_err(fail)?;
        let mut held = HashMap::new();
        for row in rows {
            let id = OnboardingId::from_bytes(row.id);
            let known = self
                .running
                .remove(&id)
                .filter(|held| held.epoch == row.epoch);
            if let Some(mut running) = known {
                let plan = from_json(&place, "plan", &row.plan)?;
                running.journal = journal_of(&place, row.journal.as_deref(), &plan)?;
                running.cancel = row.cancel;
                held.insert(id, running);
            } else if self.serving {
                connection
                    .prepare_cached(
                        "UPDATE progress SET state = 0, suspect = 1, wake_at = NULL WHERE seq = ?1",
                    )
                    .and_then(|mut s| s.execute([row.seq]))
                    .map_err(fail)?;
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
        let served = self.serving && configured.is_some();
        self.lanes.change(row.id, |lane| {
            lane.set_limits(limits);
            lane.served = served;
            lane.stopped = row.stopped;
            lane.closed_until = row.closed_until;
            lane.has_due = true;
            lane.load_permits(permits);
        });
        Ok(())
    }

    /// Keeps an account's limits for as long as the process lives.
    pub(super) fn configure(&mut self, account: &AccountName, id: i64, limits: Limits) {
        self.configured.insert(account.clone(), limits);
        let served = self.serving;
        self.lanes.change(id, |lane| {
            lane.set_limits(limits);
            lane.served = served;
        });
    }

    /// Whether this process works on the store.
    pub(super) fn is_serving(&self) -> bool {
        self.serving
    }

    /// From now on this process works on the store, whose counter stands at `counter`.
    pub(super) fn start_serving(&mut self, counter: i64) {
        self.serving = true;
        self.work_mark = Some(WorkMark::at(self.identity.real_path(), counter));
        for id in self.lanes.ids() {
            let configured = &self.configured;
            self.lanes.change(id, |lane| {
                lane.served = configured.contains_key(&lane.account)
            });
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
        lane.served = self.serving && self.configured.contains_key(account);
        self.lanes.insert(lane);
        self.entered.push(id);
    }

    /// Ends a lease that this process held. It is held again if the transaction is undone.
    pub(super) fn end(&mut self, id: OnboardingId) -> Option<&Running> {
        let running = self.running.remove(&id)?;
        self.ended.push((id, running));
        self.ended.last().map(|(_, running)| running)
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
            self.news.save(connection)?;
            // A command with a wrong clock deletes nothing that those who work or serve keep.
            if self.serving || self.lanes.clock.ahead_ms().abs() < CLOCKS_DIFFER_MS {
                self.retention
                    .keep_to(connection, self.lanes.clock.wall_ms())?;
            }
            if self.serving && now >= self.next_sweep {
                connection
                    .prepare_cached("DELETE FROM permit WHERE free_at <= ?1 OR n = 0")?
                    .execute([now])?;
                self.next_sweep = now.saturating_add(SWEEP_MS);
            }
            if let Some(mark) = &mut self.work_mark {
                mark.grow(connection, &self.lanes.clock)?;
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
