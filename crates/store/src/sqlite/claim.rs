//! Handing out onboardings.

use std::time::Duration;

use onboarding::{
    Direction, Fault, Journal, Key, OnboardingId, PartnerName, PhoneNumber, Plan, SipPassword,
    State, Step, StepState, TraceContext,
};
use rusqlite::{OptionalExtension, Row};

use super::{
    lane::{Asker, NextProbe, StoppedLane},
    row::{direction_of, from_json, journal_of, parse, to_json},
    schema::other_world,
    state::Running,
    writer::Tx,
};
use crate::{
    Claim, Claims, Error, Lease, Permit, Probe, ProbeKind, ReadProbe, Result, WorkerName,
    clock::millis, intake::digits_of,
};

/// How often leases are looked through for ended ones.
const EXPIRY_EVERY_MS: i64 = 250;

/// Most stopped accounts that one claim hands out to be tried.
const PROBES_MAX: usize = 64;

/// Most onboardings that are looked at for one whose next step creates a trunk.
const PROBERS_MAX: usize = 64;

/// Most onboardings woken at once: bounds one transaction.
const WAKE_MAX: i64 = 500;

struct Candidate {
    seq: i64,
    id: [u8; 16],
    text: [String; 3],
    direction: i64,
    epoch: u64,
    suspect: bool,
    plan: String,
    journal: Option<String>,
    password: Option<Vec<u8>>,
    trace: Option<Vec<u8>>,
    accepted_at: i64,
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        seq: row.get(0)?,
        id: row.get(1)?,
        text: [row.get(2)?, row.get(3)?, row.get(4)?],
        direction: row.get(5)?,
        epoch: row.get(6)?,
        suspect: row.get(7)?,
        plan: row.get(8)?,
        journal: row.get(9)?,
        password: row.get(10)?,
        trace: row.get(11)?,
        accepted_at: row.get(12)?,
    })
}

/// A candidate that can be read.
struct Ready {
    seq: i64,
    id: OnboardingId,
    key: Key,
    partner: PartnerName,
    number: PhoneNumber,
    direction: Direction,
    epoch: u64,
    suspect: bool,
    plan: Plan,
    journal: Journal,
    password: Option<SipPassword>,
    trace: Option<TraceContext>,
    accepted_at: i64,
}

impl Ready {
    fn next_is_create(&self) -> bool {
        let next = self.journal.first_unfinished();
        let step = next.and_then(|index| self.plan.steps.get(index));
        matches!(step, Some(Step::CreateTrunk { .. }))
    }
}

/// An onboarding whose holder vanished.
struct Held {
    seq: i64,
    lane: i64,
    id: [u8; 16],
    cancel: bool,
    plan: String,
    journal: Option<String>,
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        seq: row.get(0)?,
        lane: row.get(1)?,
        id: row.get(2)?,
        cancel: row.get(3)?,
        plan: row.get(4)?,
        journal: row.get(5)?,
    })
}

/// How to claim: the caller's terms.
pub(super) struct Terms {
    pub(super) worker: WorkerName,
    pub(super) max: usize,
    pub(super) lease: Duration,
    pub(super) request_timeout: Duration,
}

impl Tx<'_> {
    pub(super) fn claim(&mut self, terms: &Terms) -> Result<Claims> {
        if self.state.other_world {
            return Err(other_world(&self.state.place, self.state.world));
        }
        self.state.refuse_if_closed()?;
        self.wake()?;
        self.take_back_expired()?;
        let now = self.state.now();
        let (mut claims, mut probes) = (Vec::new(), Vec::new());
        while claims.len() < terms.max && probes.len() < PROBES_MAX {
            let Some(lane) = self.state.lanes.next_ready(now) else {
                break;
            };
            if let Some(due) = self.due_probe(lane) {
                self.probe(lane, due, terms, &mut claims, &mut probes)?;
                continue;
            }
            let Some(found) = self.heads(lane, 1)?.pop() else {
                self.state.lanes.change(lane, |lane| lane.has_due = false);
                continue;
            };
            let Some(ready) = self.read_or_set_aside(found)? else {
                continue;
            };
            // Whether there was a permit or not, the lane has its new place now.
            let taken = self
                .state
                .lanes
                .take(lane, terms.request_timeout, Asker::Anyone);
            if let Some(Ok(permit)) = taken {
                claims.push(self.hand_out(lane, ready, (permit, None), terms)?);
            }
        }
        Ok(Claims {
            claims,
            probes,
            next: self.next(now),
        })
    }

    /// Hands a due probe out, if there is a permit and, where one is needed, an onboarding.
    fn probe(
        &mut self,
        lane: i64,
        due: (StoppedLane, NextProbe),
        terms: &Terms,
        claims: &mut Vec<Claim>,
        probes: &mut Vec<ReadProbe>,
    ) -> Result<()> {
        let mut creator = None;
        if due.1.kind == ProbeKind::Create {
            let mut any = false;
            for found in self.heads(lane, PROBERS_MAX)? {
                any = true;
                let Some(ready) = self.read_or_set_aside(found)? else {
                    return Ok(());
                };
                if ready.next_is_create() {
                    creator = Some(ready);
                    break;
                }
            }
            if !any {
                self.state.lanes.change(lane, |lane| lane.has_due = false);
                return Ok(());
            }
        }
        let Some((probe, permit)) = self.take_probe(lane, due, terms.request_timeout)? else {
            return Ok(());
        };
        match creator {
            Some(ready) => {
                let id = ready.id;
                claims.push(self.hand_out(lane, ready, (permit, Some(probe)), terms)?);
                self.state.lanes.change(lane, |lane| lane.prober = Some(id));
            }
            // None that waits has a trunk to create, so a read has to do.
            None => probes.push(ReadProbe { probe, permit }),
        }
        Ok(())
    }

    /// In how long there may be more.
    fn next(&self, now: i64) -> Option<Duration> {
        let wake = Some(self.state.next_wake).filter(|at| *at != i64::MAX);
        let expiry = (!self.state.running.is_empty()).then_some(self.state.next_expiry);
        let at = [self.state.lanes.next_at(), wake, expiry]
            .into_iter()
            .flatten()
            .min()?;
        Some(Duration::from_millis(u64::try_from(at - now).unwrap_or(0)))
    }

    /// The first in a lane's line.
    fn heads(&self, lane: i64, most: usize) -> Result<Vec<Candidate>> {
        self.connection
            .prepare_cached(
                "SELECT p.seq, o.id, o.key, o.partner, o.number, o.direction, p.epoch, p.suspect, \
                 o.plan, p.journal, o.password, o.trace, o.accepted_at \
                 FROM progress p INDEXED BY progress_due \
                 CROSS JOIN onboarding o ON o.seq = p.seq \
                 WHERE p.lane = ?1 AND p.state = 0 AND p.wake_at IS NULL ORDER BY p.seq LIMIT ?2",
            )
            .and_then(|mut s| s.query_map((lane, most), candidate)?.collect())
            .map_err(|error| self.fail(error))
    }

    fn read(&self, found: Candidate) -> Result<Ready> {
        let place = &self.state.place;
        let id = OnboardingId::from_bytes(found.id);
        let plan: Plan = from_json(place, "plan", &found.plan)?;
        let journal = journal_of(place, found.journal.as_deref(), &plan)?;
        let password = match &found.password {
            Some(sealed) => Some(self.open_password(id, sealed)?),
            None => None,
        };
        let [key, partner, number] = &found.text;
        Ok(Ready {
            seq: found.seq,
            id,
            key: parse(place, "key", key)?,
            partner: parse(place, "partner", partner)?,
            number: parse(place, "number", number)?,
            direction: direction_of(found.direction),
            epoch: found.epoch,
            suspect: found.suspect,
            plan,
            journal,
            password,
            trace: found.trace.as_deref().and_then(TraceContext::from_bytes),
            accepted_at: found.accepted_at,
        })
    }

    /// One row that cannot be read must not keep all the others back.
    fn read_or_set_aside(&mut self, found: Candidate) -> Result<Option<Ready>> {
        let seq = found.seq;
        match self.read(found) {
            Ok(ready) => Ok(Some(ready)),
            Err(error) => {
                self.set_aside(seq, &error)?;
                Ok(None)
            }
        }
    }

    /// Fails an onboarding whose row cannot be read, for a person to look at.
    fn set_aside(&mut self, seq: i64, error: &Error) -> Result<()> {
        tracing::error!(
            seq,
            error = error as &dyn std::error::Error,
            "a row is damaged"
        );
        let fault = Fault {
            code: "row_damaged".to_owned(),
            message: format!(
                "{error}; restore the store from a backup, or use the trunkline that wrote it, then retry"
            ),
        };
        let fault = to_json(&self.state.place, &fault)?;
        let now = self.state.wall();
        self.connection
            .prepare_cached(
                "UPDATE progress SET state = 3, fault = ?2, updated_at = ?3 WHERE seq = ?1",
            )
            .and_then(|mut s| s.execute((seq, fault, now)))
            .map_err(|error| self.fail(error))?;
        self.state
            .news
            .moved(now, seq, State::Queued, State::Failed);
        Ok(())
    }

    fn hand_out(
        &mut self,
        lane: i64,
        ready: Ready,
        (permit, probe): (Permit, Option<Probe>),
        terms: &Terms,
    ) -> Result<Claim> {
        let (now, wall) = (self.state.now(), self.state.wall());
        let Ready {
            seq, id, journal, ..
        } = ready;
        let epoch = ready.epoch + 1;
        self.connection
            .prepare_cached(
                "UPDATE progress SET state = 1, epoch = ?2, updated_at = ?3 WHERE seq = ?1",
            )
            .and_then(|mut s| s.execute((seq, epoch, wall)))
            .map_err(|error| self.fail(error))?;
        let holder = self.take_number(digits_of(&ready.number), seq)?;
        let number_in_use = match holder {
            Some(holder) => self.holder_at(holder)?,
            None => None,
        };
        let claim = Claim {
            lease: Lease {
                id,
                account: permit.account.clone(),
                epoch,
            },
            verify: ready.suspect,
            key: ready.key,
            partner: ready.partner,
            number: ready.number,
            direction: ready.direction,
            plan: ready.plan,
            journal: journal.clone(),
            password: ready.password,
            now_ms: now,
            age: Duration::from_millis(u64::try_from(now - ready.accepted_at).unwrap_or(0)),
            trace: ready.trace,
            permit,
            number_in_use,
            probe,
        };
        let running = Running {
            seq,
            epoch,
            lane,
            worker: terms.worker.clone(),
            request_timeout: terms.request_timeout,
            journal,
            until: now.saturating_add(millis(terms.lease)),
            cancel: false,
        };
        self.state.running.insert(id, running);
        Ok(claim)
    }

    fn open_password(&self, id: OnboardingId, sealed: &[u8]) -> Result<SipPassword> {
        let secret = self
            .state
            .key
            .open(&id.to_bytes(), sealed)
            .map_err(|error| Error::Corrupt {
                place: format!("{}, {id}", self.state.place),
                message: error.to_string(),
            })?;
        Ok(SipPassword::from_secret(secret))
    }

    /// Makes delayed onboardings due whose time has come.
    fn wake(&mut self) -> Result<()> {
        let now = self.state.now();
        if now < self.state.next_wake {
            return Ok(());
        }
        let lanes: Vec<i64> = self
            .connection
            .prepare_cached(
                "UPDATE progress SET wake_at = NULL WHERE seq IN \
                 (SELECT seq FROM progress INDEXED BY progress_delayed \
                  WHERE state = 0 AND wake_at IS NOT NULL AND wake_at <= ?1 \
                  ORDER BY wake_at LIMIT ?2) RETURNING lane",
            )
            .and_then(|mut s| s.query_map((now, WAKE_MAX), |row| row.get(0))?.collect())
            .map_err(|error| self.fail(error))?;
        for lane in lanes {
            self.state.lanes.change(lane, |lane| lane.has_due = true);
        }
        let next: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT min(wake_at) FROM progress INDEXED BY progress_delayed \
                 WHERE state = 0 AND wake_at IS NOT NULL",
            )
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))?;
        self.state.next_wake = next.unwrap_or(i64::MAX);
        Ok(())
    }

    fn take_back_expired(&mut self) -> Result<()> {
        let now = self.state.now();
        if now < self.state.next_expiry {
            return Ok(());
        }
        self.state.next_expiry = now.saturating_add(EXPIRY_EVERY_MS);
        let ended = self.state.running.values().filter(|held| held.until <= now);
        let ended: Vec<i64> = ended.map(|held| held.seq).collect();
        self.take_back(&ended).map(drop)
    }

    /// Takes every running onboarding back: its holder is certainly gone.
    pub(super) fn take_back_all(&mut self) -> Result<u64> {
        let running: Vec<i64> = self
            .connection
            .prepare_cached("SELECT seq FROM progress WHERE state = 1")
            .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
            .map_err(|error| self.fail(error))?;
        self.take_back(&running)
    }

    /// Takes back what is still running of these.
    pub(super) fn take_back(&mut self, seqs: &[i64]) -> Result<u64> {
        let mut taken = 0;
        for seq in seqs {
            let found = self
                .connection
                .prepare_cached(
                    "SELECT p.seq, p.lane, o.id, p.cancel, o.plan, p.journal \
                     FROM progress p CROSS JOIN onboarding o ON o.seq = p.seq \
                     WHERE p.seq = ?1 AND p.state = 1",
                )
                .and_then(|mut s| s.query_row([seq], held).optional())
                .map_err(|error| self.fail(error))?;
            if let Some(found) = found {
                self.give_back_in_doubt(&found)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Ends a lease whose holder vanished: queued again in doubt, or cancelled if a person asked.
    fn give_back_in_doubt(&mut self, held: &Held) -> Result<()> {
        let Held {
            seq,
            lane,
            id,
            cancel,
            plan,
            journal,
        } = held;
        self.state.end(OnboardingId::from_bytes(*id));
        let now = self.state.wall();
        if !cancel {
            self.connection
                .prepare_cached(
                    "UPDATE progress SET state = 0, suspect = 1, wake_at = NULL, updated_at = ?2 \
                     WHERE seq = ?1",
                )
                .and_then(|mut s| s.execute((seq, now)))
                .map_err(|error| self.fail(error))?;
            self.state.lanes.change(*lane, |lane| lane.has_due = true);
            self.state.changed = true;
            return Ok(());
        }
        let journal = self.in_flight_unknown(plan, journal.as_deref());
        self.connection
            .prepare_cached(
                "UPDATE progress SET state = 5, journal = coalesce(?2, journal), updated_at = ?3 \
                 WHERE seq = ?1",
            )
            .and_then(|mut s| s.execute((seq, journal, now)))
            .map_err(|error| self.fail(error))?;
        let news = &mut self.state.news;
        news.moved(now, *seq, State::Running, State::Cancelled);
        self.free_number(*seq)?;
        self.schedule_late_check(*seq, self.state.now())
    }

    /// The journal of a cancelled onboarding whose holder vanished: nobody will look any more
    /// whether the step in flight was done, so it says so. `None` where it cannot be read.
    fn in_flight_unknown(&self, plan: &str, journal: Option<&str>) -> Option<String> {
        let place = &self.state.place;
        let plan: Plan = from_json(place, "plan", plan).ok()?;
        let mut journal = journal_of(place, journal, &plan).ok()?;
        let index = journal.first_unfinished()?;
        if plan.steps.get(index) != Some(&Step::Verify) {
            let mut record = journal.record(index).cloned().unwrap_or_default();
            record.state = StepState::Unknown;
            journal.set(index, record);
        }
        to_json(place, &journal).ok()
    }
}
