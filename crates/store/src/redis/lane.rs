//! An account's lane as the scripts keep it; see `lua/lane.lua`.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use onboarding::AccountName;
use serde::Deserialize;

use crate::{AccountStatus, Error, Limits, ProbeKind, Result, StopKind, Stopped};

/// A lane's number, big-endian.
pub(super) type LaneNumber = [u8; 4];

/// The packed fields that readers need, in their order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Lane {
    name: String,
    limit: u32,
    window_ms: u64,
    connections: u32,
    burst: u32,
    told: u8,
    stopped: u8,
    closed_until: i64,
    pace_ms: f64,
    _asker: serde::de::IgnoredAny,
    _asker_until: i64,
    pub(super) waiting: u64,
    running: u64,
    pub(super) due: i64,
    out: i64,
    flying: i64,
    pub(super) taken: u64,
    _groups: serde::de::IgnoredAny,
    _places: serde::de::IgnoredAny,
    pub(super) looked: u64,
    swept: u64,
    last: u64,
    probe: u8,
    probe_at: i64,
    _probe_failures: u32,
    _prober: serde::de::IgnoredAny,
}

/// What stops a lane, by its number; see `lua/lane.lua`.
pub(super) fn stop_kind_of(number: i64) -> Option<StopKind> {
    match number {
        1 => Some(StopKind::Parked),
        2 => Some(StopKind::Outage),
        _ => None,
    }
}

pub(super) fn stop_number(kind: StopKind) -> u8 {
    match kind {
        StopKind::Parked => 1,
        StopKind::Outage => 2,
    }
}

/// How a stopped lane is tried, by its number; see `lua/lane.lua`.
pub(super) fn probe_kind_of(number: i64) -> Option<ProbeKind> {
    match number {
        1 => Some(ProbeKind::Read),
        2 => Some(ProbeKind::Create),
        _ => None,
    }
}

pub(super) fn probe_number(kind: Option<ProbeKind>) -> u8 {
    match kind {
        None => 0,
        Some(ProbeKind::Read) => 1,
        Some(ProbeKind::Create) => 2,
    }
}

impl Lane {
    pub(super) fn unpack(packed: &[u8], place: &str) -> Result<Self> {
        rmp_serde::from_slice(packed).map_err(|error| Error::Corrupt {
            place: place.to_owned(),
            message: format!("the lane of an account cannot be read: {error}"),
        })
    }

    pub(super) fn account(&self, place: &str) -> Result<AccountName> {
        self.name.parse().map_err(|error| Error::Corrupt {
            place: place.to_owned(),
            message: format!("the name of an account cannot be read: {error}"),
        })
    }

    /// The segments of the permits that may be out, by number.
    pub(super) fn segments(&self) -> std::ops::RangeInclusive<u64> {
        if self.out > 0 {
            (self.swept + 1) / STEPS..=self.last
        } else {
            std::ops::RangeInclusive::new(1, 0)
        }
    }

    /// Whether Exotel does not answer.
    fn is_out(&self) -> bool {
        stop_kind_of(self.stopped.into()) == Some(StopKind::Outage)
    }

    /// Whether as many requests are in flight as may be.
    pub(super) fn is_full(&self) -> bool {
        self.flying >= i64::from(self.connections)
    }

    /// The account as people see it.
    pub(super) fn status(&self, seen: &Seen<'_>, place: &str) -> Result<AccountStatus> {
        let Seen {
            stopped, now_ms, ..
        } = *seen;
        let swept = self.swept.max(u64::try_from(now_ms / STEP_MS).unwrap_or(0));
        let permits_out = permits_out(&seen.out, swept);
        let next = self.next_permit_ms(seen, permits_out, swept);
        Ok(AccountStatus {
            name: self.account(place)?,
            parked: stopped.filter(|_| !self.is_out()).cloned(),
            closed_until: (self.closed_until > now_ms).then(|| time(self.closed_until)),
            outage: stopped.filter(|_| self.is_out()).cloned(),
            next_probe: probe_kind_of(self.probe.into()).map(|kind| (kind, time(self.probe_at))),
            waiting: self.waiting,
            running: self.running,
            permits_out,
            limits: (self.told == 1).then_some(Limits {
                requests_per_window: self.limit,
                window: Duration::from_millis(self.window_ms),
                in_flight: self.connections,
                burst: self.burst,
            }),
            next_permit_at: next.map(time),
            oldest_waiting_at: seen.oldest_ms.map(time),
        })
    }

    /// When there is a permit, if not now; as `permit_at` in `lua/lane.lua` tells it.
    fn next_permit_ms(&self, seen: &Seen<'_>, permits_out: u32, swept: u64) -> Option<i64> {
        if seen.stopped.is_some() && !self.is_out() {
            return None;
        }
        let tried = self.is_out().then_some(self.probe_at);
        let back = (permits_out >= self.limit)
            .then(|| first_back_ms(&seen.out, swept))
            .flatten();
        let landed = seen
            .times_out_ms
            .map(|at| at.saturating_sub(i64::try_from(self.window_ms).unwrap_or(i64::MAX)));
        let window = self.window_ms as f64;
        let period = window / f64::from(self.limit.max(1));
        let pace = self.pace_ms.min(seen.now_ms as f64 + window);
        let paced = (pace - f64::from(self.burst.saturating_sub(1)) * period).floor() as i64;
        let at = [Some(self.closed_until), tried, back, landed, Some(paced)];
        at.into_iter()
            .flatten()
            .max()
            .filter(|at| *at > seen.now_ms)
    }
}

/// What is known of an account besides its lane.
pub(super) struct Seen<'a> {
    /// Why nothing is sent to it.
    pub(super) stopped: Option<&'a Stopped>,
    /// Its permits that are out, by segment.
    pub(super) out: Vec<(u64, Vec<u8>)>,
    /// Where as many requests are in flight as may be: when the permit of the first comes back if
    /// it is never answered.
    pub(super) times_out_ms: Option<i64>,
    /// When the first in its line was accepted.
    pub(super) oldest_ms: Option<i64>,
    pub(super) now_ms: i64,
}

/// Permits are counted by when they come back, in steps of so many milliseconds, so many steps in
/// a segment.
const STEP_MS: i64 = 100;
const STEPS: u64 = 32;

/// When the first of them comes back after a step.
fn first_back_ms(segments: &[(u64, Vec<u8>)], after: u64) -> Option<i64> {
    let mut steps = segments.iter().flat_map(|(segment, counts)| {
        let counts = counts.chunks_exact(3).map(|count| count != [0; 3]);
        (segment * STEPS..).zip(counts)
    });
    let (step, _) = steps.find(|(step, any)| *step > after && *any)?;
    Some(i64::try_from(step).ok()?.saturating_mul(STEP_MS))
}

/// How many come back after a step, of counts of three bytes each, big-endian.
fn permits_out(segments: &[(u64, Vec<u8>)], after: u64) -> u32 {
    let mut total = 0;
    for (segment, counts) in segments {
        for (step, count) in (segment * STEPS..).zip(counts.chunks_exact(3)) {
            if step > after {
                total += count.iter().fold(0, |n, digit| n << 8 | u32::from(*digit));
            }
        }
    }
    total
}

/// Why and since when an account is stopped, as packed.
#[derive(Deserialize)]
struct PackedStopped(String, i64);

/// The stopped accounts, of the fields and values of their hash.
pub(super) fn stopped(
    mut values: impl Iterator<Item = Option<Vec<u8>>>,
    place: &str,
) -> Result<HashMap<LaneNumber, Stopped>> {
    let mut all = HashMap::new();
    while let (Some(Some(number)), Some(Some(packed))) = (values.next(), values.next()) {
        let read: PackedStopped =
            rmp_serde::from_slice(&packed).map_err(|error| Error::Corrupt {
                place: place.to_owned(),
                message: format!("why an account is stopped cannot be read: {error}"),
            })?;
        if let Ok(number) = LaneNumber::try_from(number) {
            let stopped = Stopped {
                reason: read.0,
                since: time(read.1),
            };
            all.insert(number, stopped);
        }
    }
    Ok(all)
}

/// A time of the store.
pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
