//! Messages that were refused; see `lua/refuse.lua`.

use async_trait::async_trait;
use redis::cmd;
use serde::{Deserialize, Serialize};

use super::{Own, RedisStore, inspect::bytes, lane::time, script::REFUSE};
use crate::{
    Cursor, Error, NewRefused, Refusals, Refused, RefusedId, RefusedPage, Result,
    refused::IN_ALL_MAX,
};

/// Bytes of an id, at the beginning of a member of the order; the sender's name comes behind it.
const ID: usize = 16;

/// What a message is: JSON, which the function does not read.
#[derive(Serialize, Deserialize)]
struct What {
    sender: String,
    message: String,
    status: u16,
    problems: String,
}

/// What is kept of one.
#[derive(Deserialize)]
struct Packed {
    number: u64,
    attempts: u32,
    first_ms: i64,
    last_ms: i64,
    what: String,
}

impl RedisStore {
    /// Those of `ids` that are there, in their order, with their numbers.
    async fn refused_with(&self, ids: &[[u8; ID]]) -> Result<Vec<(u64, Refused)>> {
        let packed = self.fields("refused", ids).await?;
        let mut found = Vec::with_capacity(ids.len());
        for (id, packed) in ids.iter().zip(packed) {
            let Some(packed) = packed else { continue };
            let id = RefusedId(*id);
            let damaged = |error: String| Error::Corrupt {
                place: format!("{}, {id}", self.place()),
                message: format!("a refused message cannot be read: {error}"),
            };
            let packed: Packed =
                rmp_serde::from_slice(&packed).map_err(|error| damaged(error.to_string()))?;
            let what: What =
                serde_json::from_str(&packed.what).map_err(|error| damaged(error.to_string()))?;
            let one = Refused {
                id,
                sender: what.sender,
                message: what.message,
                status: what.status,
                problems: what.problems,
                attempts: packed.attempts,
                first_at: time(packed.first_ms),
                last_at: time(packed.last_ms),
            };
            found.push((packed.number, one));
        }
        Ok(found)
    }
}

#[async_trait]
impl Refusals for RedisStore {
    async fn refuse(&self, refused: NewRefused) -> Result<()> {
        let id = RefusedId::of(&refused.sender, &refused.message);
        let sender = refused.sender.clone().into_bytes();
        let what = What {
            sender: refused.sender,
            message: refused.message,
            status: refused.status,
            problems: refused.problems,
        };
        // Plain data with text keys: there is nothing in it that could fail.
        let what = serde_json::to_vec(&what).unwrap_or_default();
        let args = [id.as_bytes().to_vec(), what, sender];
        let mut answer = self.again(&REFUSE, Own::Nothing, &args, true).await?;
        match answer.number()? {
            -1 => Err(self.closed().await),
            _ => Ok(()),
        }
    }

    async fn accepted_after_all(&self, sender: &str, message: &str) -> Result<()> {
        let id = *RefusedId::of(sender, message).as_bytes();
        let mut from_order = cmd("ZREM");
        let member = [&id[..], sender.as_bytes()].concat();
        from_order.arg(self.name("refused_order")).arg(member);
        let mut itself = cmd("HDEL");
        itself.arg(self.name("refused")).arg(&id);
        self.link.query_together(&[from_order, itself]).await?;
        Ok(())
    }

    async fn refused(&self, id: RefusedId) -> Result<Option<Refused>> {
        let found = self.refused_with(&[*id.as_bytes()]).await?.pop();
        Ok(found.map(|(_, one)| one))
    }

    async fn refusals(
        &self,
        sender: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<RefusedPage> {
        let limit = limit.clamp(1, 200);
        let mut command = cmd("ZREVRANGEBYSCORE");
        command.arg(self.name("refused_order"));
        match after {
            Some(Cursor(text)) => {
                let number: u64 = text.parse().map_err(|_| {
                    let shown = text.escape_debug();
                    self.unusable(format!("\"{shown}\" is not where a page ended"))
                })?;
                command.arg(format!("({number}"));
            }
            None => {
                command.arg("+inf");
            }
        }
        // There are never more.
        command.arg("-inf").arg("LIMIT").arg(0).arg(IN_ALL_MAX);
        let members = self.values(&command).await?;
        let own = members.into_iter().filter_map(bytes).filter_map(|member| {
            let (id, of) = member.split_first_chunk::<ID>()?;
            let asked = sender.is_none_or(|sender| sender.as_bytes() == of);
            asked.then_some(*id)
        });
        let own: Vec<[u8; ID]> = own.take(limit + 1).collect();
        let mut found = self.refused_with(&own).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        Ok(RefusedPage {
            next: last.map(|(number, _)| Cursor(number.to_string())),
            items: found.into_iter().map(|(_, one)| one).collect(),
        })
    }
}
