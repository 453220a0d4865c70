//! Finished onboardings that are checked once more.

use std::time::Duration;

use onboarding::{OnboardingId, Plan};
use rusqlite::OptionalExtension;

use super::{
    inspect::Reader,
    row::{from_json, journal_of, to_json},
    writer::Tx,
};
use crate::{LateCheck, LateChecked, LateChecks, Result, clock::millis};

impl Tx<'_> {
    /// Of one that ended then. The worker decides when it is time; until then it puts the check off.
    pub(super) fn schedule_late_check(&self, seq: i64, ended_at: i64) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO late_check (seq, due_at, ended_at) VALUES (?1, ?2, ?2)",
            )
            .and_then(|mut s| s.execute((seq, ended_at)))
            .map(drop)
            .map_err(|error| self.fail(error))
    }

    fn put_off_late_check(&self, seq: i64, due_at: i64) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE late_check SET due_at = ?2 WHERE seq = ?1")
            .and_then(|mut s| s.execute((seq, due_at)))
            .map(drop)
            .map_err(|error| self.fail(error))
    }

    pub(super) fn forget_late_check(&self, seq: i64) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM late_check WHERE seq = ?1")
            .and_then(|mut s| s.execute([seq]))
            .map(drop)
            .map_err(|error| self.fail(error))
    }

    pub(super) fn take_late_checks(&mut self, max: usize, hidden: Duration) -> Result<LateChecks> {
        let now = self.state.now();
        let found: Vec<(i64, LateCheck)> = self
            .connection
            .prepare_cached(
                "SELECT l.seq, o.id, p.epoch, l.ended_at, p.suspect FROM late_check l \
                 JOIN onboarding o ON o.seq = l.seq JOIN progress p ON p.seq = l.seq \
                 WHERE l.due_at <= ?1 ORDER BY l.due_at LIMIT ?2",
            )
            .and_then(|mut s| {
                s.query_map((now, max), |row| {
                    let ended = u64::try_from(now - row.get::<_, i64>(3)?).unwrap_or(0);
                    let check = LateCheck {
                        id: OnboardingId::from_bytes(row.get(1)?),
                        epoch: row.get(2)?,
                        suspect: row.get(4)?,
                        ended: Duration::from_millis(ended),
                        now_ms: now,
                    };
                    Ok((row.get(0)?, check))
                })?
                .collect()
            })
            .map_err(|error| self.fail(error))?;
        let until = now.saturating_add(millis(hidden));
        for (seq, _) in &found {
            self.put_off_late_check(*seq, until)?;
        }
        let next: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(due_at) FROM late_check")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))?;
        Ok(LateChecks {
            due: found.into_iter().map(|(_, check)| check).collect(),
            next: next.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0))),
        })
    }

    pub(super) fn late_checked(&mut self, check: &LateCheck, found: LateChecked) -> Result<()> {
        let row: Option<(i64, String, Option<String>)> = self
            .connection
            .prepare_cached(
                "SELECT p.seq, o.plan, p.journal FROM onboarding o JOIN progress p ON p.seq = o.seq \
                 WHERE o.id = ?1 AND p.epoch = ?2 AND p.state > 1",
            )
            .and_then(|mut s| {
                s.query_row((check.id.to_bytes(), check.epoch), |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
            })
            .map_err(|error| self.fail(error))?;
        let Some((seq, plan, journal)) = row else {
            return Ok(());
        };
        let now = self.state.now();
        if !found.steps.is_empty() {
            let place = &self.state.place;
            let plan: Plan = from_json(place, "plan", &plan)?;
            let mut journal = journal_of(place, journal.as_deref(), &plan)?;
            for (index, record) in found.steps {
                journal.set(index, record);
            }
            let journal = to_json(place, &journal)?;
            let fault = found
                .fault
                .map(|fault| to_json(place, &fault))
                .transpose()?;
            self.connection
                .prepare_cached(
                    "UPDATE progress SET journal = ?2, fault = coalesce(?3, fault) WHERE seq = ?1",
                )
                .and_then(|mut s| s.execute((seq, journal, fault)))
                .map_err(|error| self.fail(error))?;
        }
        match found.again {
            Some(again) => self.put_off_late_check(seq, now.saturating_add(millis(again))),
            None => self.forget_late_check(seq),
        }
    }
}

impl Reader {
    pub(super) fn late_checks_left(&self) -> Result<u64> {
        self.connection
            .prepare_cached("SELECT count(*) FROM late_check")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }
}
