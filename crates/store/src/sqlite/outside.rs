//! Requests outside of any onboarding: those of `verify` and `accounts check`, each a process of its
//! own beside the worker. How many of them are in flight is counted in the file.

use std::time::Duration;

use onboarding::AccountName;

use super::{lane::Asker, writer::Tx};
use crate::{Granted, Limits, Result, Settled, clock::millis};

/// How soon to ask again where as many as may be are in flight: each ends earlier than is known.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How many of an account's requests may be in flight outside of onboardings, for all processes
/// together: within what a worker leaves of the connections, for it may keep all of its own open.
fn most_outside(limits: &Limits) -> u32 {
    (limits.in_flight / 5).max(1)
}

impl Tx<'_> {
    pub(super) fn permit_outside(
        &mut self,
        account: &AccountName,
        request_timeout: Duration,
    ) -> Result<Granted> {
        self.state.refuse_if_closed()?;
        let id = self.lane_of(account)?;
        self.state.reload_permits(self.connection, id)?;
        if self.is_full_outside(id)? {
            return Ok(Granted::Wait(LOOK_AGAIN));
        }
        let granted = self.permit_for(id, request_timeout, Asker::Anyone)?;
        if let Granted::Permit(permit) = &granted {
            self.connection
                .prepare_cached(
                    "INSERT INTO permit (lane, free_at, n, outside) VALUES (?1, ?2, 0, 1) \
                     ON CONFLICT (lane, free_at) DO UPDATE SET outside = outside + 1",
                )
                .and_then(|mut s| s.execute((id, permit.expires_ms)))
                .map_err(|error| self.fail(error))?;
            self.state.mark(self.connection, id)?;
        }
        Ok(granted)
    }

    /// Whether as many are in flight as may be. One that is never heard of again counts until its
    /// timeout, which is a window before its permit comes back.
    fn is_full_outside(&self, id: i64) -> Result<bool> {
        let Some(lane) = self.state.lanes.get(id).filter(|it| it.stopped.is_none()) else {
            return Ok(false);
        };
        let landed = self.state.now().saturating_add(millis(lane.limits.window));
        let outside: u32 = self
            .connection
            .prepare_cached(
                "SELECT coalesce(sum(outside), 0) FROM permit WHERE lane = ?1 AND free_at > ?2",
            )
            .and_then(|mut s| s.query_row((id, landed), |row| row.get(0)))
            .map_err(|error| self.fail(error))?;
        Ok(outside >= most_outside(&lane.limits))
    }

    pub(super) fn settle_outside(&mut self, settled: &[Settled]) -> Result<()> {
        for one in settled {
            let id = self.lane_of(&one.permit.account)?;
            if self.state.lanes.settle(&one.permit, one.answered) {
                self.connection
                    .prepare_cached(
                        "UPDATE permit SET outside = outside - 1 \
                         WHERE lane = ?1 AND free_at = ?2 AND outside > 0",
                    )
                    .and_then(|mut s| s.execute((id, one.permit.expires_ms)))
                    .map_err(|error| self.fail(error))?;
            }
            self.state.mark(self.connection, id)?;
        }
        Ok(())
    }
}
