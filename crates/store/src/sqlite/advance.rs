//! Recording what happened to a claimed onboarding.

use std::time::Duration;

use onboarding::{Fault, State};

use super::{
    lane::{Asker, Denied},
    row::{state_number, to_json},
    writer::Tx,
};
use crate::{
    Advance, Advanced, Error, Granted, Lease, Result, Settled, Then, WorkerName, clock::millis,
};

/// How long a caller whose account is parked waits before it asks again.
const PARKED_WAIT: Duration = Duration::from_secs(1);

/// What a write leaves the row in.
struct Written {
    state: State,
    suspect: bool,
    wake_at: Option<i64>,
    fault: Option<(Fault, Option<usize>)>,
    late_check: bool,
}

impl Written {
    fn state(state: State) -> Self {
        Self {
            state,
            suspect: false,
            wake_at: None,
            fault: None,
            late_check: false,
        }
    }
}

impl Tx<'_> {
    pub(super) fn settle(&mut self, settled: &[Settled]) {
        for one in settled {
            self.state.lanes.settle(&one.permit, one.answered);
        }
    }

    pub(super) fn advance(&mut self, lease: &Lease, advance: Advance) -> Result<Advanced> {
        self.settle(&advance.settled);
        let lost = || Error::LeaseLost {
            id: lease.id,
            epoch: lease.epoch,
        };
        let (seq, lane, cancel) = match self.state.running.get(&lease.id) {
            Some(held) if held.epoch == lease.epoch => (held.seq, held.lane, held.cancel),
            _ => return Err(lost()),
        };
        let recorded = !advance.steps.is_empty();
        if let Some(running) = self.state.running.get_mut(&lease.id) {
            for (index, record) in advance.steps {
                running.journal.set(index, record);
            }
        }
        if cancel && advance.then != Then::Succeed {
            let cancelled = Written {
                late_check: advance.late_check,
                ..Written::state(State::Cancelled)
            };
            self.write(lease, seq, cancelled)?;
            return Ok(Advanced::Cancelled);
        }
        self.then(lease, seq, lane, recorded, advance.then, advance.late_check)
    }

    fn then(
        &mut self,
        lease: &Lease,
        seq: i64,
        lane: i64,
        recorded: bool,
        then: Then,
        late_check: bool,
    ) -> Result<Advanced> {
        let (written, advanced) = match then {
            Then::Keep => return self.keep(lease, seq, recorded).map(|()| Advanced::Kept),
            Then::Permit => return self.permit_or_release(lease, seq, lane, recorded),
            Then::PermitOrWait => return self.permit_or_wait(lease, seq, lane, recorded),
            Then::Release { delay } => {
                let wake_at =
                    (!delay.is_zero()).then(|| self.state.now().saturating_add(millis(delay)));
                (
                    Written {
                        wake_at,
                        ..Written::state(State::Queued)
                    },
                    Advanced::Released,
                )
            }
            Then::Abandon => (
                Written {
                    suspect: true,
                    ..Written::state(State::Queued)
                },
                Advanced::Released,
            ),
            Then::Succeed => (
                Written {
                    late_check,
                    ..Written::state(State::Succeeded)
                },
                Advanced::Finished,
            ),
            Then::Fail { fault, step } => {
                let fault = Some((fault, step));
                (
                    Written {
                        fault,
                        late_check,
                        ..Written::state(State::Failed)
                    },
                    Advanced::Finished,
                )
            }
        };
        self.write(lease, seq, written)?;
        Ok(advanced)
    }

    fn permit_or_release(
        &mut self,
        lease: &Lease,
        seq: i64,
        lane: i64,
        recorded: bool,
    ) -> Result<Advanced> {
        match self.permit_for(lane, self.timeout_of(lease), Asker::Holder(lease.id))? {
            Granted::Permit(permit) => {
                self.keep(lease, seq, recorded)?;
                Ok(Advanced::Permitted(permit))
            }
            Granted::Wait(_) | Granted::Parked(_) => {
                self.write(lease, seq, Written::state(State::Queued))?;
                Ok(Advanced::Released)
            }
        }
    }

    /// How long a request of this lease's holder may take.
    fn timeout_of(&self, lease: &Lease) -> Duration {
        self.state
            .running
            .get(&lease.id)
            .map_or(Duration::ZERO, |held| held.request_timeout)
    }

    fn keep(&mut self, lease: &Lease, seq: i64, recorded: bool) -> Result<()> {
        if !recorded {
            return Ok(());
        }
        let Some(running) = self.state.running.get(&lease.id) else {
            return Ok(());
        };
        let journal = to_json(&self.state.place, &running.journal)?;
        let written = self
            .connection
            .prepare_cached(
                "UPDATE progress SET journal = ?3, updated_at = ?4 \
                 WHERE seq = ?1 AND epoch = ?2 AND state = 1",
            )
            .and_then(|mut s| s.execute((seq, lease.epoch, journal, self.state.wall())))
            .map_err(|error| self.fail(error))?;
        self.fence(lease, written)
    }

    /// What the epoch in the file does not let through is not the caller's to write.
    fn fence(&mut self, lease: &Lease, written: usize) -> Result<()> {
        if written > 0 {
            return Ok(());
        }
        self.state.end(lease.id);
        Err(Error::LeaseLost {
            id: lease.id,
            epoch: lease.epoch,
        })
    }

    fn permit_or_wait(
        &mut self,
        lease: &Lease,
        seq: i64,
        lane: i64,
        recorded: bool,
    ) -> Result<Advanced> {
        match self.permit_for(lane, self.timeout_of(lease), Asker::Holder(lease.id))? {
            Granted::Permit(permit) => {
                self.keep(lease, seq, recorded)?;
                Ok(Advanced::Permitted(permit))
            }
            Granted::Wait(wait) => {
                let now = self.state.now();
                let at = now.saturating_add(millis(wait));
                self.state
                    .lanes
                    .change(lane, |lane| lane.reserve(now, lease.id, at));
                self.keep(lease, seq, recorded)?;
                Ok(Advanced::Wait(wait))
            }
            Granted::Parked(_) => {
                self.write(lease, seq, Written::state(State::Queued))?;
                Ok(Advanced::Released)
            }
        }
    }

    /// A permit of a lane, or how long to wait.
    pub(super) fn permit_for(
        &mut self,
        lane: i64,
        request_timeout: Duration,
        asker: Asker,
    ) -> Result<Granted> {
        let now = self.state.now();
        match self.state.lanes.take(lane, request_timeout, asker) {
            Some(Ok(permit)) => Ok(Granted::Permit(permit)),
            Some(Err(Denied::Until(at))) => {
                let ms = u64::try_from(at - now).unwrap_or(0).max(1);
                Ok(Granted::Wait(Duration::from_millis(ms)))
            }
            Some(Err(Denied::Stopped)) => Ok(Granted::Parked(
                self.parked_reason(lane)?.unwrap_or_default(),
            )),
            None => Ok(Granted::Wait(PARKED_WAIT)),
        }
    }

    /// Ends the lease and leaves the row in its new state.
    fn write(&mut self, lease: &Lease, seq: i64, written: Written) -> Result<()> {
        let place = self.state.place.clone();
        let Some(running) = self.state.end(lease.id) else {
            return Ok(());
        };
        let lane = running.lane;
        let journal = to_json(&place, &running.journal)?;
        let (fault, fault_step) = match written.fault {
            Some((fault, step)) => (Some(to_json(&place, &fault)?), step),
            None => (None, None),
        };
        let now = self.state.wall();
        let rows = self
            .connection
            .prepare_cached(
                "UPDATE progress SET state = ?2, journal = ?3, fault = ?4, fault_step = ?5, \
                 wake_at = ?6, suspect = ?7, updated_at = ?8, cancel = 0 \
                 WHERE seq = ?1 AND epoch = ?9 AND state = 1",
            )
            .and_then(|mut s| {
                s.execute((
                    seq,
                    state_number(written.state),
                    journal,
                    fault,
                    fault_step,
                    written.wake_at,
                    written.suspect,
                    now,
                    lease.epoch,
                ))
            })
            .map_err(|error| self.fail(error))?;
        self.fence(lease, rows)?;
        match written.state {
            State::Succeeded | State::Failed | State::Cancelled => {
                let news = &mut self.state.news;
                news.moved(now, seq, State::Running, written.state);
                if written.state == State::Cancelled {
                    self.free_number(seq)?;
                }
                if written.late_check {
                    self.schedule_late_check(seq, self.state.now())?;
                }
            }
            State::Queued | State::Running | State::Blocked => {}
        }
        if written.state == State::Queued {
            match written.wake_at {
                Some(at) => self.state.next_wake = self.state.next_wake.min(at),
                None => {
                    self.state.lanes.change(lane, |lane| lane.has_due = true);
                }
            }
        }
        // A lease that ended may let its lane go on, at once or later.
        self.state.changed = true;
        Ok(())
    }

    /// Prolongs leases; returns those that are lost.
    pub(super) fn renew(&mut self, leases: Vec<Lease>, lease: Duration) -> Vec<Lease> {
        let until = self.state.now().saturating_add(millis(lease));
        let mut lost = Vec::new();
        for one in leases {
            match self.state.running.get_mut(&one.id) {
                Some(held) if held.epoch == one.epoch => held.until = until,
                _ => lost.push(one),
            }
        }
        lost
    }

    /// Gives back all that a worker holds, in doubt.
    pub(super) fn abandon(&mut self, worker: &WorkerName) -> Result<u64> {
        let theirs = self
            .state
            .running
            .values()
            .filter(|held| held.worker == *worker);
        let theirs: Vec<i64> = theirs.map(|held| held.seq).collect();
        self.take_back(&theirs)
    }
}
