//! What a person may do.

use onboarding::{Event, OnboardingId, Plan, State};
use rusqlite::OptionalExtension;

use super::{
    row::{from_json, journal_of, state_number, state_of, to_json},
    writer::Tx,
};
use crate::{Cancelled, Result, Retried};

/// What an operator's action needs to know of an onboarding.
struct Found {
    seq: i64,
    lane: i64,
    /// It was claimed, or may have been.
    begun: bool,
    /// Its digits.
    number: u64,
    state: i64,
    parked: bool,
    plan: String,
    journal: Option<String>,
}

impl Tx<'_> {
    fn find(&self, id: OnboardingId) -> Result<Option<Found>> {
        self.connection
            .prepare_cached(
                "SELECT p.seq, p.lane, p.state, l.parked_reason IS NOT NULL, o.plan, p.journal, \
                 p.epoch > 0 OR p.suspect, CAST(substr(o.number, 2) AS INTEGER) FROM onboarding o \
                 JOIN progress p ON p.seq = o.seq JOIN lane l ON l.id = p.lane \
                 WHERE o.id = ?1",
            )
            .and_then(|mut s| {
                s.query_row([id.to_bytes()], |row| {
                    Ok(Found {
                        seq: row.get(0)?,
                        lane: row.get(1)?,
                        state: row.get(2)?,
                        parked: row.get(3)?,
                        plan: row.get(4)?,
                        journal: row.get(5)?,
                        begun: row.get(6)?,
                        number: row.get(7)?,
                    })
                })
                .optional()
            })
            .map_err(|error| self.fail(error))
    }

    pub(super) fn retry(&mut self, id: OnboardingId, replace_credentials: bool) -> Result<Retried> {
        let Some(found) = self.find(id)? else {
            return Ok(Retried::Unknown);
        };
        let state = state_of(found.state, found.parked);
        if state.after(Event::Retried).is_err() {
            return Ok(Retried::NotNow(state));
        }
        let now = self.state.wall();
        let place = &self.state.place;
        let plan: Plan = from_json(place, "plan", &found.plan)?;
        let mut journal = journal_of(place, found.journal.as_deref(), &plan)?;
        let suspect = journal.reopen(replace_credentials);
        let journal = to_json(place, &journal)?;
        self.connection
            .prepare_cached(
                "UPDATE progress SET state = 0, journal = ?2, suspect = suspect OR ?4, \
                 cancel = 0, wake_at = NULL, fault = NULL, fault_step = NULL, updated_at = ?3 \
                 WHERE seq = ?1",
            )
            .and_then(|mut s| s.execute((found.seq, journal, now, suspect)))
            .map_err(|error| self.fail(error))?;
        self.forget_late_check(found.seq)?;
        self.take_number(found.number, found.seq)?;
        self.state.news.moved(now, found.seq, state, State::Queued);
        self.state
            .lanes
            .change(found.lane, |lane| lane.has_due = true);
        self.state.mark(self.connection, found.lane)?;
        Ok(Retried::Queued)
    }

    pub(super) fn cancel(&mut self, id: OnboardingId) -> Result<Cancelled> {
        let Some(found) = self.find(id)? else {
            return Ok(Cancelled::Unknown);
        };
        let state = state_of(found.state, found.parked);
        let now = self.state.wall();
        let Ok(next) = state.after(Event::Cancelled) else {
            return Ok(Cancelled::NotNow(state));
        };
        if found.state == 1 {
            self.connection
                .prepare_cached("UPDATE progress SET cancel = 1 WHERE seq = ?1")
                .and_then(|mut s| s.execute([found.seq]))
                .map_err(|error| self.fail(error))?;
            if let Some(held) = self.state.running.get_mut(&id) {
                held.cancel = true;
            }
            self.state.mark(self.connection, found.lane)?;
            return Ok(Cancelled::Soon);
        }
        self.connection
            .prepare_cached(
                "UPDATE progress SET state = ?2, wake_at = NULL, updated_at = ?3 WHERE seq = ?1",
            )
            .and_then(|mut s| s.execute((found.seq, state_number(next), now)))
            .map_err(|error| self.fail(error))?;
        if found.begun {
            self.schedule_late_check(found.seq, self.state.now())?;
        }
        self.free_number(found.seq)?;
        self.state.news.moved(now, found.seq, state, next);
        self.state.mark(self.connection, found.lane)?;
        Ok(Cancelled::Now)
    }
}
