//! What happened: a stream, whose ids are the positions.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the protocol has many kinds of values; all that are not expected mean the same"
)]

use async_trait::async_trait;
use onboarding::{OnboardingId, State};
use redis::{Value, cmd};

use super::{RedisStore, inspect::bytes, lane::time};
use crate::{Error, Feed, Happening, Position, RefusedId, Result, What};

/// Where an entry stands: its time in milliseconds, and its place among those of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EntryId {
    ms: u64,
    nth: u64,
}

impl EntryId {
    fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        };
        let (ms, nth) = text.split_once('-')?;
        Some(Self {
            ms: digits(ms)?,
            nth: digits(nth)?,
        })
    }

    fn position(self) -> Position {
        Position(format!("{}-{}", self.ms, self.nth))
    }
}

/// What an entry says; see `lua/feed.lua`. `None` for what a newer version knows.
fn read(said: &[u8]) -> Option<What> {
    let (kind, rest) = said.split_first()?;
    let moved = |state| {
        let id: [u8; 16] = rest.try_into().ok()?;
        Some(What::Moved {
            id: OnboardingId::from_bytes(id),
            state,
        })
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind {
        b'q' => moved(State::Queued),
        b's' => moved(State::Succeeded),
        b'f' => moved(State::Failed),
        b'c' => moved(State::Cancelled),
        b'p' => {
            let mut parts = rest.splitn(2, |byte| *byte == 0);
            Some(What::Parked {
                account: text(parts.next()?).parse().ok()?,
                reason: text(parts.next()?),
            })
        }
        b'r' => Some(What::Resumed {
            account: text(rest).parse().ok()?,
        }),
        b'x' => Some(What::Refused {
            id: RefusedId(rest.try_into().ok()?),
        }),
        _ => None,
    }
}

/// The id of an entry, and what its one field holds.
fn entry(value: Value) -> Option<(EntryId, Vec<u8>)> {
    let Value::Array(parts) = value else {
        return None;
    };
    let mut parts = parts.into_iter();
    let id = String::from_utf8(bytes(parts.next()?)?).ok()?;
    let said = match parts.next()? {
        Value::Array(fields) => fields.into_iter().nth(1).and_then(bytes)?,
        _ => return None,
    };
    Some((EntryId::parse(&id)?, said))
}

impl RedisStore {
    /// Entries behind `after`, the oldest first.
    async fn entries(
        &self,
        after: Option<EntryId>,
        limit: usize,
    ) -> Result<Vec<(EntryId, Vec<u8>)>> {
        let from = match after {
            Some(after) => format!("({}", after.position()),
            None => "-".to_owned(),
        };
        let mut command = cmd("XRANGE");
        command.arg(self.name("feed")).arg(from).arg("+");
        command.arg("COUNT").arg(limit);
        self.read_entries(&command).await
    }

    async fn last_entry(&self) -> Result<Option<EntryId>> {
        let mut command = cmd("XREVRANGE");
        command.arg(self.name("feed")).arg("+").arg("-");
        command.arg("COUNT").arg(1);
        let last = self.read_entries(&command).await?.pop();
        Ok(last.map(|(id, _)| id))
    }

    async fn read_entries(&self, command: &redis::Cmd) -> Result<Vec<(EntryId, Vec<u8>)>> {
        let entries = self.values(command).await?.into_iter().map(entry);
        entries
            .collect::<Option<_>>()
            .ok_or_else(|| Error::Corrupt {
                place: format!("{}, feed", self.place()),
                message: "it has entries that no version of trunkline writes; does another program write under this store's name?".to_owned(),
            })
    }
}

#[async_trait]
impl Feed for RedisStore {
    async fn happenings(&self, after: Option<&Position>, limit: usize) -> Result<Vec<Happening>> {
        let limit = limit.clamp(1, 1000);
        let mut after = after.and_then(|position| EntryId::parse(&position.0));
        loop {
            let mut entries = self.entries(after, limit).await?;
            if let Some(asked) = after
                && entries.is_empty()
                && self.last_entry().await?.is_some_and(|last| last < asked)
            {
                // Nothing stood there: it is another store's, or what a failover has lost.
                entries = self.entries(None, limit).await?;
            }
            let full = entries.len() == limit;
            after = entries.last().map(|(id, _)| *id);
            let found: Vec<Happening> = entries
                .into_iter()
                .filter_map(|(id, said)| {
                    Some(Happening {
                        position: id.position(),
                        at: time(i64::try_from(id.ms).ok()?),
                        what: read(&said)?,
                    })
                })
                .collect();
            if !found.is_empty() || !full {
                return Ok(found);
            }
        }
    }

    async fn latest(&self) -> Result<Option<Position>> {
        Ok(self.last_entry().await?.map(EntryId::position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_two_numbers_and_nothing_else() {
        let id = EntryId::parse("1790000000000-12").unwrap();
        assert_eq!(id.position(), Position("1790000000000-12".to_owned()));
        for text in [
            "",
            "7",
            "-",
            "7-",
            "-7",
            "+7-1",
            "7-1-1",
            " 7-1",
            "(7-1",
            "7-99999999999999999999",
        ] {
            assert_eq!(EntryId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_an_entry_says_is_read_and_what_is_not_known_is_passed_over() {
        let id = OnboardingId::from_bytes([7; 16]);
        let moved = |kind: u8| read(&[&[kind], &[7; 16][..]].concat());
        for (kind, state) in [
            (b'q', State::Queued),
            (b's', State::Succeeded),
            (b'f', State::Failed),
            (b'c', State::Cancelled),
        ] {
            assert_eq!(moved(kind), Some(What::Moved { id, state }));
        }
        let parked = What::Parked {
            account: "acme".parse().unwrap(),
            reason: "why\0ever".to_owned(),
        };
        assert_eq!(read(b"pacme\0why\0ever"), Some(parked));
        let resumed = What::Resumed {
            account: "acme".parse().unwrap(),
        };
        assert_eq!(read(b"racme"), Some(resumed));
        let refused = What::Refused {
            id: RefusedId([7; 16]),
        };
        assert_eq!(moved(b'x'), Some(refused));
        for odd in [
            &b""[..],
            b"s",
            b"sshort",
            b"p",
            b"pacme",
            b"r",
            b"xshort",
            b"y1234567890123456",
        ] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
