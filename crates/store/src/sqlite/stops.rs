//! Stopping accounts, trying them again, and letting them go on.

use onboarding::AccountName;

use super::{
    lane::{Asker, NextProbe, StoppedLane},
    state::FARTHEST_MS,
    writer::Tx,
};
use crate::{Permit, Probe, ProbeKind, Probed, Result, Resumed, Stop, StopKind, clock::millis};

/// For so many of a request's longest times a probe is nobody else's: a read is one request, a
/// `create_trunk` may have to be looked for in a list first.
const READ_HOLDS: i64 = 2;
const CREATE_HOLDS: i64 = 10;

fn kind_number(kind: ProbeKind) -> i64 {
    match kind {
        ProbeKind::Read => 1,
        ProbeKind::Create => 2,
    }
}

impl Tx<'_> {
    /// Stops an account, unless it is stopped as firmly already. Returns whether it is news.
    pub(super) fn stop(&mut self, account: &AccountName, stop: &Stop) -> Result<bool> {
        let lane = self.lane_of(account)?;
        let before = self.state.lanes.get(lane).and_then(|lane| lane.stopped);
        match (before.map(|before| before.kind), stop.kind) {
            (Some(StopKind::Parked), _) | (Some(StopKind::Outage), StopKind::Outage) => {
                return Ok(false);
            }
            (Some(StopKind::Outage), StopKind::Parked) | (None, _) => {}
        }
        let probe = stop.probe.map(|(kind, after)| NextProbe {
            kind,
            at: self
                .state
                .now()
                .saturating_add(millis(after).min(FARTHEST_MS)),
            failures: 0,
        });
        let since = self.state.now();
        self.keep_stopped(lane, stop.kind, &stop.reason, since, probe)?;
        self.tell_parked(lane, stop.kind, &stop.reason);
        Ok(true)
    }

    /// Parks an account until a person resumes it. Returns whether it was not parked before.
    pub(super) fn park(&mut self, account: &AccountName, reason: &str) -> Result<bool> {
        let lane = self.lane_of(account)?;
        let before = self.state.lanes.get(lane).and_then(|lane| lane.stopped);
        let parked = before.filter(|before| before.kind == StopKind::Parked);
        let since = parked.map_or_else(|| self.state.now(), |parked| parked.since);
        self.keep_stopped(lane, StopKind::Parked, reason, since, None)?;
        if parked.is_none() {
            self.tell_parked(lane, StopKind::Parked, reason);
        }
        Ok(parked.is_none())
    }

    /// Takes in an account that was stopped elsewhere since an earlier time of day (ms): it is no
    /// news.
    pub(super) fn carry_stopped(
        &mut self,
        lane: i64,
        kind: StopKind,
        (reason, since): (&str, i64),
        probe: Option<ProbeKind>,
    ) -> Result<()> {
        let stopped = self.state.lanes.get(lane).and_then(|lane| lane.stopped);
        if stopped.is_some() {
            return Ok(());
        }
        let now = self.state.now();
        let probe = probe.map(|kind| NextProbe {
            kind,
            at: now,
            failures: 0,
        });
        let since = self.state.lanes.clock.of_wall(since);
        self.keep_stopped(lane, kind, reason, since, probe)
    }

    fn tell_parked(&mut self, lane: i64, kind: StopKind, reason: &str) {
        if kind == StopKind::Parked {
            let now = self.state.wall();
            self.state.news.parked(now, lane, Some(reason));
        }
    }

    fn keep_stopped(
        &mut self,
        lane: i64,
        kind: StopKind,
        reason: &str,
        since: i64,
        probe: Option<NextProbe>,
    ) -> Result<()> {
        let (parked, outage) = match kind {
            StopKind::Parked => (Some((reason, since)), None),
            StopKind::Outage => (None, Some((reason, since))),
        };
        self.connection
            .prepare_cached(
                "UPDATE lane SET parked_reason = ?2, parked_at = ?3, outage_reason = ?4, \
                 outage_at = ?5, probe_kind = ?6, probe_at = ?7, probe_failures = ?8 WHERE id = ?1",
            )
            .and_then(|mut s| {
                s.execute((
                    lane,
                    parked.map(|(reason, _)| reason),
                    parked.map(|(_, since)| since),
                    outage.map(|(reason, _)| reason),
                    outage.map(|(_, since)| since),
                    probe.map_or(0, |next| kind_number(next.kind)),
                    probe.map_or(0, |next| next.at),
                    probe.map_or(0, |next| next.failures),
                ))
            })
            .map_err(|error| self.fail(error))?;
        self.state.lanes.change(lane, |lane| {
            lane.prober = None;
            lane.stopped = Some(StoppedLane { kind, since, probe });
        });
        self.state.mark(self.connection, lane)
    }

    /// Lets an account go on. Returns what it was.
    pub(super) fn resume(&mut self, account: &AccountName) -> Result<Resumed> {
        let lane = self.lane_of(account)?;
        let now = self.state.now();
        let (stopped, closed) = match self.state.lanes.get(lane) {
            Some(own) => (own.stopped, own.closed_until > now),
            None => (None, false),
        };
        let was = match stopped.map(|stopped| stopped.kind) {
            Some(StopKind::Parked) => Resumed::Parked,
            Some(StopKind::Outage) => Resumed::Closed,
            None if closed => Resumed::Closed,
            None => return Ok(Resumed::Open),
        };
        self.open(lane, true)?;
        if was == Resumed::Parked {
            let now = self.state.wall();
            self.state.news.parked(now, lane, None);
        }
        Ok(was)
    }

    /// Opens a lane; what a 429 closed as well, where a person says so.
    fn open(&mut self, lane: i64, also_closed: bool) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE lane SET parked_reason = NULL, parked_at = NULL, outage_reason = NULL, \
                 outage_at = NULL, probe_kind = 0, probe_at = 0, probe_failures = 0, \
                 closed_until = iif(?2, 0, closed_until) WHERE id = ?1",
            )
            .and_then(|mut s| s.execute((lane, also_closed)))
            .map_err(|error| self.fail(error))?;
        self.state.lanes.change(lane, |lane| {
            lane.stopped = None;
            lane.prober = None;
            if also_closed {
                lane.closed_until = 0;
            }
        });
        self.state.mark(self.connection, lane)
    }

    /// Hands a lane's due probe out, with the permit for its first request. `None`: there is no
    /// permit now; the lane has its new place.
    pub(super) fn take_probe(
        &mut self,
        lane: i64,
        (stopped, next): (StoppedLane, NextProbe),
        request_timeout: std::time::Duration,
    ) -> Result<Option<(Probe, Permit)>> {
        let Some(Ok(permit)) = self.state.lanes.take(lane, request_timeout, Asker::Probe) else {
            return Ok(None);
        };
        let now = self.state.now();
        let holds = match next.kind {
            ProbeKind::Read => READ_HOLDS,
            ProbeKind::Create => CREATE_HOLDS,
        };
        let token = now.saturating_add(millis(request_timeout).max(1).saturating_mul(holds));
        let probe = Probe {
            account: permit.account.clone(),
            kind: next.kind,
            stopped: stopped.kind,
            lasts: std::time::Duration::from_millis(
                u64::try_from(now - stopped.since).unwrap_or(0),
            ),
            failures: next.failures,
            token,
        };
        self.put_probe_off(lane, Some(NextProbe { at: token, ..next }))?;
        Ok(Some((probe, permit)))
    }

    fn put_probe_off(&mut self, lane: i64, next: Option<NextProbe>) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE lane SET probe_kind = ?2, probe_at = ?3, probe_failures = ?4 WHERE id = ?1",
            )
            .and_then(|mut s| {
                s.execute((
                    lane,
                    next.map_or(0, |next| kind_number(next.kind)),
                    next.map_or(0, |next| next.at),
                    next.map_or(0, |next| next.failures),
                ))
            })
            .map_err(|error| self.fail(error))?;
        self.state.lanes.change(lane, |lane| {
            if let Some(stopped) = &mut lane.stopped {
                stopped.probe = next;
            }
        });
        Ok(())
    }

    pub(super) fn probed(&mut self, probe: &Probe, came: &Probed) -> Result<bool> {
        let lane = self.lane_of(&probe.account)?;
        let stopped = self.state.lanes.get(lane).and_then(|lane| lane.stopped);
        let next = stopped.and_then(|stopped| Some((stopped, stopped.probe?)));
        let Some((stopped, next)) = next.filter(|(_, next)| next.at == probe.token) else {
            return Ok(false);
        };
        let now = self.state.now();
        match came {
            Probed::Works => {
                self.open(lane, false)?;
                if stopped.kind == StopKind::Parked {
                    let now = self.state.wall();
                    self.state.news.parked(now, lane, None);
                }
            }
            Probed::Failed { next: after, park } => {
                let next = after.map(|after| NextProbe {
                    kind: next.kind,
                    at: now.saturating_add(millis(after).min(FARTHEST_MS)),
                    failures: next.failures.saturating_add(1),
                });
                match park {
                    Some(reason) if stopped.kind == StopKind::Outage => {
                        self.keep_stopped(lane, StopKind::Parked, reason, now, next)?;
                        self.tell_parked(lane, StopKind::Parked, reason);
                    }
                    Some(_) | None => {
                        self.put_probe_off(lane, next)?;
                        self.state.mark(self.connection, lane)?;
                    }
                }
            }
        }
        Ok(true)
    }

    /// When a lane is to be tried, and how, if that is now.
    pub(super) fn due_probe(&self, lane: i64) -> Option<(StoppedLane, NextProbe)> {
        let stopped = self.state.lanes.get(lane)?.stopped?;
        Some((stopped, stopped.probe?))
    }
}

/// How and when (ms) an account is tried again.
pub(super) fn next_probe(kind: i64, at: i64) -> Option<(ProbeKind, i64)> {
    Some((super::state::probe_kind_of(kind)?, at))
}
