//! Looking at accounts.

use rusqlite::Row;

use super::{
    inspect::Reader,
    row::{parse, time},
    state::limits_of,
    steady_clock::SteadyClock,
    stops::next_probe,
};
use crate::{AccountStatus, Limits, ProbeKind, Result, Stopped};

/// What the file has of each account. What waits is counted in its lane's index, where the first in
/// the line is found too; what is delayed or runs is read once for all of them.
const STATUS: &str = "SELECT account, requests_per_window, window_ms, in_flight, burst, \
     parked_reason, parked_at, closed_until, \
     (SELECT count(*) FROM progress WHERE lane = l.id AND state = 0 AND wake_at IS NULL) \
     + coalesce(d.n, 0), coalesce(r.n, 0), \
     (SELECT coalesce(sum(n), 0) FROM permit WHERE lane = l.id AND free_at > ?1), \
     (SELECT min(free_at) FROM permit WHERE lane = l.id AND free_at > ?1 AND n > 0), \
     (SELECT o.created_at FROM progress p INDEXED BY progress_due \
      CROSS JOIN onboarding o ON o.seq = p.seq \
      WHERE p.lane = l.id AND p.state = 0 AND p.wake_at IS NULL ORDER BY p.seq LIMIT 1), \
     outage_reason, outage_at, probe_kind, probe_at \
     FROM lane l \
     LEFT JOIN (SELECT lane, count(*) AS n FROM progress INDEXED BY progress_delayed \
      WHERE state = 0 AND wake_at IS NOT NULL GROUP BY lane) d ON d.lane = l.id \
     LEFT JOIN (SELECT lane, count(*) AS n FROM progress INDEXED BY progress_special \
      WHERE state = 1 GROUP BY lane) r ON r.lane = l.id \
     ORDER BY account";

struct Found {
    name: String,
    limits: Option<Limits>,
    /// Why, and since when (ms).
    parked: Option<(String, i64)>,
    outage: Option<(String, i64)>,
    /// How it is tried next, and when (ms).
    next_probe: Option<(ProbeKind, i64)>,
    closed_until: i64,
    waiting: u64,
    running: u64,
    permits_out: u32,
    /// When the first of the permits that are out comes back (ms).
    first_back: Option<i64>,
    oldest: Option<i64>,
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let stopped = |reason: usize, since: usize| {
        let since: Option<i64> = row.get(since)?;
        let reason: Option<String> = row.get(reason)?;
        Ok::<_, rusqlite::Error>(reason.map(|reason| (reason, since.unwrap_or(0))))
    };
    Ok(Found {
        name: row.get(0)?,
        limits: limits_of(row, 1)?,
        parked: stopped(5, 6)?,
        outage: stopped(13, 14)?,
        next_probe: next_probe(row.get(15)?, row.get(16)?),
        closed_until: row.get(7)?,
        waiting: row.get(8)?,
        running: row.get(9)?,
        permits_out: row.get(10)?,
        first_back: row.get(11)?,
        oldest: row.get(12)?,
    })
}

impl Found {
    /// When there is a permit next (ms), as far as the file knows: pacing is the worker's own, and
    /// some milliseconds.
    fn next_permit_at(&self, now: i64) -> Option<i64> {
        if self.parked.is_some() {
            return None;
        }
        let limits = self.limits.unwrap_or(Limits::per_minute(200, 50));
        let back = self
            .first_back
            .filter(|_| self.permits_out >= limits.requests_per_window);
        let closed = Some(self.closed_until).filter(|at| *at > now);
        let tried = self.outage.as_ref().and(self.next_probe);
        let tried = tried.map(|(_, at)| at).filter(|at| *at > now);
        back.max(closed).max(tried)
    }
}

impl Reader {
    pub(super) fn accounts(&self, clock: &SteadyClock) -> Result<Vec<AccountStatus>> {
        let now = clock.now_ms();
        let at = |steady| time(clock.to_wall(steady));
        let stopped = |(reason, since)| Stopped {
            reason,
            since: at(since),
        };
        let rows: Vec<Found> = self
            .connection
            .prepare_cached(STATUS)
            .and_then(|mut s| s.query_map([now], found)?.collect())
            .map_err(|error| self.fail(error))?;
        let status = |found: Found| {
            Ok(AccountStatus {
                name: parse(&self.place, "account", &found.name)?,
                next_permit_at: found.next_permit_at(now).map(at),
                closed_until: (found.closed_until > now).then(|| at(found.closed_until)),
                oldest_waiting_at: found.oldest.map(time),
                parked: found.parked.map(stopped),
                outage: found.outage.map(stopped),
                next_probe: found.next_probe.map(|(kind, ms)| (kind, at(ms))),
                waiting: found.waiting,
                running: found.running,
                permits_out: found.permits_out,
                limits: found.limits,
            })
        };
        rows.into_iter().map(status).collect()
    }
}
