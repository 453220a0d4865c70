//! Batches that said where they came from, and how far they are; see `lua/batches.lua`.

use std::ops::Range;

use redis::{Value, cmd};
use serde::Deserialize;

use super::{RedisStore, inspect::bytes, lane::time};
use crate::{BatchNumber, BatchStatus, Error, Result};

/// Most batches that are looked at as one: some tenths of a millisecond of the server's time.
const AT_ONCE: usize = 64;

/// The bytes of a place in the order of acceptance.
const PLACE: usize = 6;

/// Commands per batch.
const COMMANDS: usize = 3;

/// What a batch is, as packed.
#[derive(Deserialize)]
struct Packed {
    source: String,
    duplicates: u64,
    created_ms: i64,
}

/// A place, as members and fields have it.
fn packed_place(place: u64) -> Vec<u8> {
    let bytes = place.min((1 << (8 * PLACE)) - 1).to_be_bytes();
    bytes[bytes.len() - PLACE..].to_vec()
}

/// The first and the last place of a batch, of its member.
fn places(member: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = member.split_at_checked(PLACE)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, digit| n << 8 | u64::from(*digit));
    (last.len() == PLACE).then(|| (number(first), number(last)))
}

fn number(value: Option<Value>) -> u64 {
    value
        .and_then(bytes)
        .and_then(|digits| std::str::from_utf8(&digits).ok()?.parse().ok())
        .unwrap_or(0)
}

impl RedisStore {
    /// The places of a batch's onboardings in the order of acceptance.
    pub(super) async fn places_of(&self, batch: BatchNumber) -> Result<Option<Range<u64>>> {
        let mut command = cmd("ZRANGEBYLEX");
        command.arg(self.name("batch_order"));
        command
            .arg([b"[", &packed_place(batch.0)[..]].concat())
            .arg("+");
        command.arg("LIMIT").arg(0).arg(1);
        let member = self.values(&command).await?.pop().and_then(bytes);
        let found = member.and_then(|member| places(&member));
        Ok(found
            .filter(|(first, _)| *first == batch.0)
            .map(|(first, last)| first..last + 1))
    }

    pub(super) async fn batch_of(&self, batch: BatchNumber) -> Result<Option<BatchStatus>> {
        let Some(places) = self.places_of(batch).await? else {
            return Ok(None);
        };
        let found = self.statuses(&[(places.start, places.end - 1)]).await?;
        Ok(found.into_iter().next())
    }

    pub(super) async fn batches_before(
        &self,
        before: Option<BatchNumber>,
        limit: usize,
    ) -> Result<Vec<BatchStatus>> {
        let mut command = cmd("ZREVRANGEBYLEX");
        command.arg(self.name("batch_order"));
        match before {
            Some(before) => command.arg([b"(", &packed_place(before.0)[..]].concat()),
            None => command.arg("+"),
        };
        command.arg("-").arg("LIMIT").arg(0).arg(limit);
        let members = self.values(&command).await?.into_iter().filter_map(bytes);
        let wanted: Vec<_> = members.filter_map(|member| places(&member)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        for some in wanted.chunks(AT_ONCE) {
            found.extend(self.statuses(some).await?);
        }
        Ok(found)
    }

    /// How far batches are, of one moment. One that has left meanwhile is left out.
    async fn statuses(&self, batches: &[(u64, u64)]) -> Result<Vec<BatchStatus>> {
        let mut commands = Vec::with_capacity(batches.len() * COMMANDS);
        for (first, last) in batches {
            let field = packed_place(*first);
            let count = |letter: &[u8]| [&field[..], letter].concat();
            let mut row = cmd("HMGET");
            row.arg(self.name("batch_rows")).arg(&field);
            row.arg(count(b"s")).arg(count(b"c"));
            commands.push(row);
            for state in ["failed", "cancelled"] {
                let mut within = cmd("ZCOUNT");
                within.arg(self.name(state)).arg(first).arg(last);
                commands.push(within);
            }
        }
        let mut answers = self.link.query_together(&commands).await?.into_iter();
        let mut found = Vec::with_capacity(batches.len());
        for (first, last) in batches {
            let row = answers.next();
            let (failed, cancelled) = (number(answers.next()), number(answers.next()));
            let Some(Value::Array(row)) = row else {
                continue;
            };
            let mut row = row.into_iter();
            let Some(packed) = row.next().and_then(bytes) else {
                continue;
            };
            let packed: Packed =
                rmp_serde::from_slice(&packed).map_err(|error| Error::Corrupt {
                    place: format!("{}, batch {first}", self.place()),
                    message: format!("what it is cannot be read: {error}"),
                })?;
            found.push(BatchStatus {
                number: BatchNumber(*first),
                source: packed.source,
                created_at: time(packed.created_ms),
                accepted: last - first + 1,
                duplicates: packed.duplicates,
                succeeded: number(row.next()),
                failed,
                cancelled: cancelled + number(row.next()),
            });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_names_its_first_and_last_place() {
        let member = [packed_place(7), packed_place(1 << 40)].concat();
        assert_eq!(places(&member), Some((7, 1 << 40)));
        assert_eq!(places(b"short"), None);
        assert_eq!(places(b"not of two places"), None);
        assert_eq!(packed_place(u64::MAX), [0xff; PLACE]);
    }
}
