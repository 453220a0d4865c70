//! Which onboarding has a number: the first that asked for it, until it is cancelled.

use onboarding::{OnboardingId, PhoneNumber};
use rusqlite::{OptionalExtension, Row};

use super::{inspect::Reader, row::parse, writer::Tx};
use crate::{NumberHolder, Result, intake::digits_of};

fn found(row: &Row<'_>) -> rusqlite::Result<([u8; 16], String)> {
    Ok((row.get(0)?, row.get(1)?))
}

impl Tx<'_> {
    /// Gives a number to an onboarding, if nobody has it; else says who does, if it is another.
    pub(super) fn take_number(&self, number: u64, seq: i64) -> Result<Option<i64>> {
        let taken = || -> rusqlite::Result<Option<i64>> {
            let new = self
                .connection
                .prepare_cached(
                    "INSERT INTO number_holder (number, seq) VALUES (?1, ?2) \
                     ON CONFLICT DO NOTHING",
                )?
                .execute((number, seq))?;
            if new > 0 {
                return Ok(None);
            }
            self.connection
                .prepare_cached("SELECT seq FROM number_holder WHERE number = ?1 AND seq <> ?2")?
                .query_row((number, seq), |row| row.get(0))
                .optional()
        };
        taken().map_err(|error| self.fail(error))
    }

    /// An onboarding was cancelled: its number is free, if it had it.
    pub(super) fn free_number(&self, seq: i64) -> Result<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM number_holder WHERE seq = ?1 AND number = \
                 (SELECT CAST(substr(number, 2) AS INTEGER) FROM onboarding WHERE seq = ?1)",
            )
            .and_then(|mut s| s.execute([seq]))
            .map(drop)
            .map_err(|error| self.fail(error))
    }

    /// Who has the place `seq` in the order of acceptance.
    pub(super) fn holder_at(&self, seq: i64) -> Result<Option<NumberHolder>> {
        let row = self
            .connection
            .prepare_cached("SELECT id, key FROM onboarding WHERE seq = ?1")
            .and_then(|mut s| s.query_row([seq], found).optional())
            .map_err(|error| self.fail(error))?;
        row.map(|(id, key)| {
            Ok(NumberHolder {
                id: OnboardingId::from_bytes(id),
                key: parse(&self.state.place, "key", &key)?,
            })
        })
        .transpose()
    }
}

impl Reader {
    pub(super) fn number_holders(
        &self,
        numbers: &[PhoneNumber],
    ) -> Result<Vec<Option<NumberHolder>>> {
        let holder = |number: &PhoneNumber| {
            let row = self
                .connection
                .prepare_cached(
                    "SELECT o.id, o.key FROM number_holder n \
                     CROSS JOIN onboarding o ON o.seq = n.seq WHERE n.number = ?1",
                )
                .and_then(|mut s| s.query_row([digits_of(number)], found).optional())
                .map_err(|error| self.fail(error))?;
            row.map(|(id, key)| {
                Ok(NumberHolder {
                    id: OnboardingId::from_bytes(id),
                    key: parse(&self.place, "key", &key)?,
                })
            })
            .transpose()
        };
        numbers.iter().map(holder).collect()
    }
}
