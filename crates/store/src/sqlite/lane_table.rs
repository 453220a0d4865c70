//! The table of lanes: entering accounts, closing and parking them.

use onboarding::AccountName;

use super::{state::FARTHEST_MS, writer::Tx};
use crate::{Limits, Result, clock::millis};

/// No lane: their numbers begin at 1.
pub(super) const NO_LANE: i64 = 0;

impl Tx<'_> {
    /// The lane of `account`, made if it is not there.
    pub(super) fn lane_of(&mut self, account: &AccountName) -> Result<i64> {
        if let Some(id) = self.state.lanes.id_of(account) {
            return Ok(id);
        }
        self.connection
            .prepare_cached("INSERT INTO lane (account) VALUES (?1)")
            .and_then(|mut s| s.execute([account.as_str()]))
            .map_err(|error| self.fail(error))?;
        let id = self.connection.last_insert_rowid();
        self.state.enter(id, account);
        Ok(id)
    }

    /// Keeps an account's limits.
    pub(super) fn configure(&mut self, account: &AccountName, limits: &Limits) -> Result<()> {
        let id = self.lane_of(account)?;
        self.connection
            .prepare_cached(
                "UPDATE lane SET requests_per_window = ?2, window_ms = ?3, in_flight = ?4, \
                 burst = ?5 WHERE id = ?1",
            )
            .and_then(|mut s| {
                s.execute((
                    id,
                    limits.requests_per_window,
                    millis(limits.window),
                    limits.in_flight,
                    limits.burst,
                ))
            })
            .map_err(|error| self.fail(error))?;
        self.state.configure(account, id, *limits);
        self.state.mark(self.connection, id)
    }

    /// Closes a lane until a time (ms), an hour ahead at most, if it is not closed for longer.
    pub(super) fn close(&mut self, account: &AccountName, until: i64) -> Result<()> {
        let until = until.min(self.state.now().saturating_add(FARTHEST_MS));
        let id = self.lane_of(account)?;
        self.connection
            .prepare_cached("UPDATE lane SET closed_until = max(closed_until, ?2) WHERE id = ?1")
            .and_then(|mut s| s.execute((id, until)))
            .map_err(|error| self.fail(error))?;
        self.state
            .lanes
            .change(id, |lane| lane.closed_until = lane.closed_until.max(until));
        self.state.mark(self.connection, id)
    }

    /// Parks a lane for a reason, or resumes it. Returns whether it was parked before.
    pub(super) fn park(&mut self, account: &AccountName, reason: Option<&str>) -> Result<bool> {
        let now = self.state.now();
        let was = self.park_since(account, reason, now)?;
        if was != reason.is_some() {
            let lane = self.lane_of(account)?;
            self.state.news.parked(now, lane, reason);
        }
        Ok(was)
    }

    /// The same, where it has been parked since an earlier time (ms), elsewhere: it is no news.
    pub(super) fn park_since(
        &mut self,
        account: &AccountName,
        reason: Option<&str>,
        since: i64,
    ) -> Result<bool> {
        let id = self.lane_of(account)?;
        let was = self.state.lanes.get(id).is_some_and(|lane| lane.parked);
        if was && reason.is_some() {
            return Ok(true);
        }
        self.connection
            .prepare_cached("UPDATE lane SET parked_reason = ?2, parked_at = ?3 WHERE id = ?1")
            .and_then(|mut s| s.execute((id, reason, since)))
            .map_err(|error| self.fail(error))?;
        self.state
            .lanes
            .change(id, |lane| lane.parked = reason.is_some());
        self.state.mark(self.connection, id)?;
        Ok(was)
    }

    /// Why an account is parked.
    pub(super) fn parked_reason(&self, lane: i64) -> Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT parked_reason FROM lane WHERE id = ?1")
            .and_then(|mut s| s.query_row([lane], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }
}
