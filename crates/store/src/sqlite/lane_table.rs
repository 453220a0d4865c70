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
    /// Returns whether it was open.
    pub(super) fn close(&mut self, account: &AccountName, until: i64) -> Result<bool> {
        let now = self.state.now();
        let until = until.min(now.saturating_add(FARTHEST_MS));
        let id = self.lane_of(account)?;
        let lane = self.state.lanes.get(id);
        let was_open = lane.is_none_or(|lane| lane.closed_until <= now);
        self.connection
            .prepare_cached("UPDATE lane SET closed_until = max(closed_until, ?2) WHERE id = ?1")
            .and_then(|mut s| s.execute((id, until)))
            .map_err(|error| self.fail(error))?;
        self.state
            .lanes
            .change(id, |lane| lane.closed_until = lane.closed_until.max(until));
        self.state.mark(self.connection, id)?;
        Ok(was_open)
    }

    /// Why an account is parked.
    pub(super) fn parked_reason(&self, lane: i64) -> Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT parked_reason FROM lane WHERE id = ?1")
            .and_then(|mut s| s.query_row([lane], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }
}
