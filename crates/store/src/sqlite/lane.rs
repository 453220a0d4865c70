//! One account's lane in memory: its permits, its pace, and when it may next be served.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as PaceClock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use onboarding::{AccountName, OnboardingId};

use super::steady_clock::SteadyClock;
use crate::{Limits, Permit, ProbeKind, StopKind, clock::millis};

/// Returned permits are counted in steps of 100 ms, rounded up: a sixth of a percent of a minute at
/// most, and a busy account writes ten rows a second instead of one per request.
const ANSWERED_STEP_MS: i64 = 100;

/// Permits of requests in flight are counted in steps of a second, rounded up: they matter only
/// when no answer comes.
const IN_FLIGHT_STEP_MS: i64 = 1000;

/// How long a caller that waits for the lane's next permit has it to itself, on top of the wait.
const RESERVED_MS: i64 = 50;

/// The store's clock as `governor` wants it.
#[derive(Clone)]
struct Pace(Arc<SteadyClock>);

impl PaceClock for Pace {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        Duration::from_millis(u64::try_from(self.0.now_ms()).unwrap_or(0)).into()
    }
}

type Pacer = RateLimiter<NotKeyed, InMemoryState, Pace, NoOpMiddleware<Nanos>>;

/// Why no permit was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There will be one at this time (ms).
    Until(i64),
    /// The account is parked, or Exotel does not answer.
    Stopped,
}

/// Who asks for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A claim, or somebody outside of any onboarding.
    Anyone,
    /// Who holds this onboarding.
    Holder(OnboardingId),
    /// Who is to try a stopped account.
    Probe,
}

/// What stops a lane, and when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoppedLane {
    pub(super) kind: StopKind,
    /// Since when (ms).
    pub(super) since: i64,
    pub(super) probe: Option<NextProbe>,
}

/// The next time that a stopped lane is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextProbe {
    pub(super) kind: ProbeKind,
    /// When (ms).
    pub(super) at: i64,
    pub(super) failures: u32,
}

/// A lane.
pub(super) struct Lane {
    pub(super) id: i64,
    pub(super) account: AccountName,
    pub(super) limits: Limits,
    pub(super) stopped: Option<StoppedLane>,
    /// The onboarding whose holder tries the stopped account: it goes on all the same.
    pub(super) prober: Option<OnboardingId>,
    /// Closed by a 429 until then (ms).
    pub(super) closed_until: i64,
    /// Whether this process serves it.
    pub(super) served: bool,
    /// Whether something in it may be due; a claim that finds nothing sets it false.
    pub(super) has_due: bool,
    /// When it comes back, and how many permits with it. The sum is what is out.
    out: BTreeMap<i64, u32>,
    out_total: u32,
    /// Requests in flight from this process: when they time out (ms), and their serial.
    in_flight: BTreeSet<(i64, u64)>,
    pacer: Arc<Pacer>,
    pace_until: i64,
    /// Who waits for the next permit, and until when it is kept for it (ms).
    reserved: Option<(OnboardingId, i64)>,
    /// Changes of `out` that the file does not have yet.
    unsaved: BTreeMap<i64, i64>,
    clock: Arc<SteadyClock>,
}

fn pacer(limits: &Limits, clock: &Arc<SteadyClock>) -> Arc<Pacer> {
    let requests = limits.requests_per_window.max(1);
    let period = (limits.window / requests).max(Duration::from_nanos(1));
    let burst = NonZeroU32::new(limits.burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(period)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst);
    Arc::new(RateLimiter::direct_with_clock(
        quota,
        Pace(Arc::clone(clock)),
    ))
}

fn up_to_step(ms: i64, step: i64) -> i64 {
    ms.div_euclid(step).saturating_add(1).saturating_mul(step)
}

impl Lane {
    pub(super) fn new(
        id: i64,
        account: AccountName,
        limits: Limits,
        clock: &Arc<SteadyClock>,
    ) -> Self {
        Self {
            id,
            account,
            limits,
            stopped: None,
            prober: None,
            closed_until: 0,
            served: false,
            has_due: true,
            out: BTreeMap::new(),
            out_total: 0,
            in_flight: BTreeSet::new(),
            pacer: pacer(&limits, clock),
            pace_until: 0,
            reserved: None,
            unsaved: BTreeMap::new(),
            clock: Arc::clone(clock),
        }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        if limits != self.limits {
            self.limits = limits;
            self.pacer = pacer(&limits, &self.clock);
            self.pace_until = 0;
        }
    }

    /// Replaces what is out by what the file says.
    pub(super) fn load_permits(&mut self, rows: impl IntoIterator<Item = (i64, u32)>) {
        self.out.clear();
        for (at, n) in rows {
            *self.out.entry(at).or_insert(0) += n;
        }
        self.out_total = self.out.values().sum();
        self.unsaved.clear();
    }

    /// When it can next be served (ms), as far as is known now; `None`: not before something
    /// changes.
    pub(super) fn ready_at(&self) -> Option<i64> {
        if !self.served {
            return None;
        }
        if let Some(stopped) = &self.stopped {
            let probe = stopped.probe?;
            // Without an onboarding there is nothing to create.
            let possible = probe.kind == ProbeKind::Read || self.has_due;
            return possible.then(|| self.permit_at().max(probe.at));
        }
        let reserved = self.reserved_until(Asker::Anyone);
        self.has_due.then(|| self.permit_at().max(reserved))
    }

    /// Until when the next permit is kept for somebody else than `asker` (ms).
    fn reserved_until(&self, asker: Asker) -> i64 {
        match self.reserved {
            Some((waiter, until)) if asker != Asker::Holder(waiter) => until,
            Some(_) | None => 0,
        }
    }

    /// Until when a stopped lane gives `asker` nothing (ms); `None`: it does not say.
    fn stopped_until(&self, asker: Asker) -> Option<i64> {
        let Some(stopped) = &self.stopped else {
            return Some(0);
        };
        match (asker, stopped.kind) {
            (Asker::Probe, _) => Some(0),
            (Asker::Holder(id), _) if self.prober == Some(id) => Some(0),
            // Where nobody works, whoever asks finds out whether Exotel answers.
            (Asker::Anyone, StopKind::Outage) => Some(stopped.probe.map_or(0, |next| next.at)),
            (Asker::Anyone | Asker::Holder(_), _) => None,
        }
    }

    /// When there can be a permit (ms), whoever asks.
    fn permit_at(&self) -> i64 {
        let returned = if self.out_total < self.limits.requests_per_window {
            0
        } else {
            self.out.first_key_value().map_or(0, |(at, _)| *at)
        };
        let landed = if self.in_flight.len() < self.limits.in_flight as usize {
            0
        } else {
            self.in_flight.first().map_or(0, |(at, _)| *at)
        };
        returned
            .max(landed)
            .max(self.pace_until)
            .max(self.closed_until)
    }

    /// Takes a permit, if there is one.
    pub(super) fn take(
        &mut self,
        now: i64,
        timeout: Duration,
        serial: u64,
        asker: Asker,
    ) -> Result<Permit, Denied> {
        self.expire(now);
        let stopped = self.stopped_until(asker).ok_or(Denied::Stopped)?;
        let reserved = self.reserved_until(asker);
        let at = self.permit_at().max(reserved).max(stopped);
        if at > now {
            return Err(Denied::Until(at));
        }
        if let Err(early) = self.pacer.check() {
            let wait = early.earliest_possible().duration_since(Nanos::from(0));
            let until = i64::try_from(u64::from(wait) / 1_000_000).unwrap_or(i64::MAX);
            self.pace_until = until.saturating_add(1).max(now + 1);
            return Err(Denied::Until(self.pace_until));
        }
        let times_out = now.saturating_add(millis(timeout));
        let expires_ms = up_to_step(
            times_out.saturating_add(millis(self.limits.window)),
            IN_FLIGHT_STEP_MS,
        );
        if self
            .reserved
            .is_some_and(|(waiter, _)| asker == Asker::Holder(waiter))
        {
            self.reserved = None;
        }
        self.add(expires_ms, 1);
        self.in_flight.insert((times_out, serial));
        Ok(Permit {
            account: self.account.clone(),
            serial,
            expires_ms,
        })
    }

    /// Keeps the next permit for the one that was told to wait until `at`, unless it is kept for
    /// another already.
    pub(super) fn reserve(&mut self, now: i64, waiter: OnboardingId, at: i64) {
        if self.reserved_until(Asker::Holder(waiter)) <= now {
            self.reserved = Some((waiter, at.saturating_add(RESERVED_MS)));
        }
    }

    /// A permit's request ended. Returns whether it was in flight until now.
    pub(super) fn settle(&mut self, now: i64, permit: &Permit, answered: bool) -> bool {
        let landed = self
            .in_flight
            .iter()
            .find(|(_, serial)| *serial == permit.serial)
            .copied();
        // Once only: told twice, or after its timeout, it comes back when it expires.
        let Some(entry) = landed else { return false };
        self.in_flight.remove(&entry);
        if answered && self.out.contains_key(&permit.expires_ms) {
            self.add(permit.expires_ms, -1);
            let back = now.saturating_add(millis(self.limits.window));
            self.add(up_to_step(back, ANSWERED_STEP_MS), 1);
        }
        true
    }

    fn add(&mut self, at: i64, change: i64) {
        let n = self.out.entry(at).or_insert(0);
        let before = *n;
        *n = u32::try_from((i64::from(before) + change).max(0)).unwrap_or(u32::MAX);
        self.out_total = self.out_total - before + *n;
        if *n == 0 {
            self.out.remove(&at);
        }
        *self.unsaved.entry(at).or_insert(0) += change;
    }

    fn expire(&mut self, now: i64) {
        while let Some(entry) = self.out.first_entry() {
            if *entry.key() > now {
                break;
            }
            self.out_total -= entry.remove();
        }
        while let Some((at, serial)) = self.in_flight.first().copied() {
            if at > now {
                break;
            }
            self.in_flight.remove(&(at, serial));
        }
    }

    /// Takes the changes that the file does not have yet.
    pub(super) fn take_unsaved(&mut self) -> BTreeMap<i64, i64> {
        let mut unsaved = std::mem::take(&mut self.unsaved);
        unsaved.retain(|_, change| *change != 0);
        unsaved
    }
}
