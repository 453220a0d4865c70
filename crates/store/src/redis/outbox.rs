//! Deliveries, until they were made; see `lua/outbox.lua`.

use std::time::Duration;

use async_trait::async_trait;
use onboarding::OnboardingId;
use redis::cmd;
use serde::Deserialize;

use super::{
    Own, RedisStore,
    answer::Answer,
    inspect::{AT_ONCE, bytes},
    lane::time,
    record,
    script::{ATTEMPTED, LAY_OUT, RESEND, TAKE_DUE},
};
use crate::{
    AfterAttempt, Attempt, Cursor, Delivery, DeliveryFilter, DeliveryId, DeliveryPage,
    DeliveryState, Due, Error, NewDelivery, Outbox, Result, clock::millis,
};

/// Most deliveries that are laid out at once, and bytes of a mark: the trait's bounds.
const LAID_OUT_AT_ONCE: usize = 500;
const MARK_MAX: usize = 200;

/// Most bytes of what went wrong with an attempt that are kept: a line.
const ERROR_MAX: usize = 1000;

/// Most deliveries that are looked at for one page; a page that finds fewer has an end to go on
/// from. Some hundred milliseconds.
const LOOKS: usize = 20_000;

/// The bytes of a delivery's id, and of its number in the order of laying out.
const ID: usize = 16;
const NUMBER: usize = 6;

/// What becomes of a delivery, as packed.
#[derive(Debug, Clone, Deserialize)]
struct Packed {
    state: u8,
    attempts: u32,
    attempts_before: u32,
    _number: u64,
    created_ms: i64,
    since_ms: i64,
    next_ms: i64,
    _held: u8,
    status: i32,
    error: String,
    duration_ms: u64,
    last_ms: i64,
    endpoint: String,
    onboarding: String,
}

impl Packed {
    fn unpack(place: &str, packed: &[u8]) -> Result<Self> {
        rmp_serde::from_slice(packed)
            .map_err(|error| damaged(place, &format!("its state cannot be read: {error}")))
    }

    fn state(&self) -> DeliveryState {
        match self.state {
            1 => DeliveryState::Delivered,
            2 => DeliveryState::GivenUp,
            _ => DeliveryState::Waiting,
        }
    }

    fn fits(&self, filter: &DeliveryFilter) -> bool {
        filter.state.is_none_or(|state| state == self.state())
            && filter
                .endpoint
                .as_ref()
                .is_none_or(|own| *own == self.endpoint)
            && filter
                .onboarding
                .is_none_or(|own| own.to_string() == self.onboarding)
    }

    /// The delivery, of this and what is sent.
    fn whole(self, id: DeliveryId, sent: &[u8], place: &str) -> Result<Delivery> {
        let sent = record::text_of(sent).map_err(|wrong| damaged(place, &wrong))?;
        let (event, payload) = sent
            .split_once('\n')
            .ok_or_else(|| damaged(place, "it has nothing to send"))?;
        let onboarding = Some(&self.onboarding).filter(|id| !id.is_empty());
        let onboarding: Option<OnboardingId> = onboarding
            .map(|id| id.parse())
            .transpose()
            .map_err(|error| damaged(place, &format!("what it is about is no id: {error}")))?;
        let state = self.state();
        Ok(Delivery {
            id,
            event: event.to_owned(),
            payload: payload.to_owned(),
            onboarding,
            state,
            attempts: self.attempts,
            attempts_before: self.attempts_before,
            created_at: time(self.created_ms),
            since: time(self.since_ms),
            next_at: (state == DeliveryState::Waiting).then(|| time(self.next_ms)),
            last: (self.last_ms > 0).then(|| {
                let attempt = Attempt {
                    status: u16::try_from(self.status).ok(),
                    error: Some(self.error).filter(|error| !error.is_empty()),
                    duration_ms: self.duration_ms,
                };
                (attempt, time(self.last_ms))
            }),
            endpoint: self.endpoint,
        })
    }
}

fn damaged(place: &str, wrong: &str) -> Error {
    Error::Corrupt {
        place: place.to_owned(),
        message: format!("a delivery is damaged: {wrong}"),
    }
}

fn digits(n: impl ToString) -> Vec<u8> {
    n.to_string().into_bytes()
}

/// The sixteen bytes that an id's digits name.
fn packed_id(id: &DeliveryId) -> Vec<u8> {
    let hex = id.as_str().strip_prefix("msg_").unwrap_or_default();
    hex.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn id_of(packed: &[u8]) -> Option<DeliveryId> {
    let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
    DeliveryId::parse(&format!("msg_{hex}"))
}

/// A text of at most so many bytes.
fn at_most(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

impl RedisStore {
    /// Deliveries in the order of laying out, before the one with this number, the newest first:
    /// number and id.
    async fn laid_out_before(&self, number: Option<u64>) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut command = cmd("ZREVRANGEBYLEX");
        command.arg(self.name("delivery_order"));
        match number {
            Some(number) => {
                let bytes = number.to_be_bytes();
                command.arg([b"(", &bytes[bytes.len() - NUMBER..]].concat());
            }
            None => {
                command.arg("+");
            }
        }
        command.arg("-").arg("LIMIT").arg(0).arg(AT_ONCE);
        let members = self.values(&command).await?.into_iter().filter_map(bytes);
        Ok(members
            .filter_map(|member| {
                let (number, id) = member.split_at_checked(NUMBER)?;
                let number = number.iter().fold(0, |n, digit| n << 8 | u64::from(*digit));
                (id.len() == ID).then(|| (number, id.to_vec()))
            })
            .collect())
    }

    /// Those of `ids` that are there, in their order.
    async fn whole_deliveries(&self, found: Vec<(Vec<u8>, Packed)>) -> Result<Vec<Delivery>> {
        let ids: Vec<&Vec<u8>> = found.iter().map(|(id, _)| id).collect();
        let sent = self.fields("delivery", &ids).await?;
        let mut whole = Vec::with_capacity(found.len());
        for ((id, packed), sent) in found.into_iter().zip(sent) {
            if let (Some(id), Some(sent)) = (id_of(&id), sent) {
                let place = format!("{}, {id}", self.place());
                whole.push(packed.whole(id, &sent, &place)?);
            }
        }
        Ok(whole)
    }

    async fn states_of(&self, ids: &[Vec<u8>]) -> Result<Vec<Option<Packed>>> {
        let states = self.fields("delivery_state", ids).await?;
        states
            .into_iter()
            .map(|packed| {
                packed
                    .map(|packed| Packed::unpack(self.place(), &packed))
                    .transpose()
            })
            .collect()
    }

    fn due(&self, mut answer: Answer) -> Result<Due> {
        let next = u64::try_from(answer.number()?).ok();
        let mut deliveries = Vec::new();
        while !answer.is_empty() {
            let id = answer.exactly::<ID>()?;
            let (state, sent) = (answer.bytes()?, answer.bytes()?);
            let Some(id) = id_of(&id) else { continue };
            let place = format!("{}, {id}", self.place());
            let whole = Packed::unpack(&place, &state.unwrap_or_default())
                .and_then(|packed| packed.whole(id, &sent.unwrap_or_default(), &place));
            match whole {
                Ok(delivery) => deliveries.push(delivery),
                // The others are not to be held up by it; it comes again when it is looked at.
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a delivery cannot be made"
                ),
            }
        }
        Ok(Due {
            deliveries,
            next: next.map(Duration::from_millis),
        })
    }
}

#[async_trait]
impl Outbox for RedisStore {
    async fn laid_out(&self) -> Result<Option<String>> {
        let mark = self.fields("meta", &["laid_out"]).await?.pop().flatten();
        Ok(mark.and_then(|mark| String::from_utf8(mark).ok()))
    }

    async fn lay_out(
        &self,
        before: Option<&str>,
        after: &str,
        deliveries: Vec<NewDelivery>,
    ) -> Result<bool> {
        if deliveries.len() > LAID_OUT_AT_ONCE || after.len() > MARK_MAX {
            return Err(self.unusable(format!(
                "{} deliveries and a mark of {} bytes are more than is laid out at once",
                deliveries.len(),
                after.len()
            )));
        }
        // Where the answer to this call is lost and it is repeated, the mark is its own.
        let call: [u8; 8] = rand::random();
        let mut args = vec![
            before
                .map(|mark| format!("={mark}"))
                .unwrap_or_default()
                .into_bytes(),
            after.as_bytes().to_vec(),
            call.to_vec(),
        ];
        for new in deliveries {
            let mut sent = Vec::new();
            let text = format!("{}\n{}", new.event, new.payload);
            record::put_text(&mut sent, &text)
                .ok_or_else(|| self.unusable(format!("the delivery {} is too long", new.id)))?;
            args.push(packed_id(&new.id));
            args.push(new.endpoint.into_bytes());
            let about = new.onboarding.map(|id| id.to_string());
            args.push(about.unwrap_or_default().into_bytes());
            args.push(sent);
        }
        match self
            .again(&LAY_OUT, Own::Nothing, &args, true)
            .await?
            .number()?
        {
            -1 => Err(self.closed().await),
            laid => Ok(laid == 1),
        }
    }

    async fn take_due(&self, max: usize, hold: Duration) -> Result<Due> {
        let args = [digits(max.clamp(1, 64)), digits(millis(hold).max(1))];
        let mut answer = self.call(&TAKE_DUE, &args).await?;
        if answer.text()? == "closed" {
            return Err(self.closed().await);
        }
        self.due(answer)
    }

    async fn attempted(
        &self,
        id: &DeliveryId,
        attempt: u32,
        made: Attempt,
        then: AfterAttempt,
    ) -> Result<bool> {
        let (then, delay) = match then {
            AfterAttempt::Delivered => ("delivered", Duration::ZERO),
            AfterAttempt::Again { delay } => ("again", delay),
            AfterAttempt::GiveUp => ("give_up", Duration::ZERO),
        };
        let error = made.error.unwrap_or_default();
        let args = [
            packed_id(id),
            digits(attempt),
            digits(made.status.map_or(-1, i32::from)),
            at_most(&error, ERROR_MAX).as_bytes().to_vec(),
            digits(made.duration_ms),
            then.as_bytes().to_vec(),
            digits(millis(delay)),
        ];
        let mut answer = self.again(&ATTEMPTED, Own::Nothing, &args, false).await?;
        Ok(answer.number()? == 1)
    }

    async fn resend(&self, id: &DeliveryId) -> Result<bool> {
        let args = [packed_id(id)];
        let mut answer = self.again(&RESEND, Own::Nothing, &args, true).await?;
        match answer.number()? {
            -1 => Err(self.closed().await),
            sent => Ok(sent == 1),
        }
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        let ids = [packed_id(id)];
        let Some(packed) = self.states_of(&ids).await?.pop().flatten() else {
            return Ok(None);
        };
        let [id] = ids;
        Ok(self.whole_deliveries(vec![(id, packed)]).await?.pop())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<DeliveryPage> {
        let limit = limit.clamp(1, 200);
        let mut number = after
            .map(|Cursor(text)| {
                text.parse::<u64>().map_err(|_| {
                    self.unusable(format!(
                        "\"{}\" is not where a page ended",
                        text.escape_debug()
                    ))
                })
            })
            .transpose()?;
        let mut found: Vec<(u64, Vec<u8>, Packed)> = Vec::new();
        let (mut looks, mut ended) = (0, false);
        while found.len() <= limit && looks < LOOKS && !ended {
            let some = self.laid_out_before(number).await?;
            ended = some.len() < AT_ONCE;
            looks += some.len();
            number = some.last().map(|(number, _)| *number).or(number);
            let ids: Vec<Vec<u8>> = some.iter().map(|(_, id)| id.clone()).collect();
            let states = self.states_of(&ids).await?;
            for ((number, id), state) in some.into_iter().zip(states) {
                found.extend(
                    state
                        .filter(|state| state.fits(filter))
                        .map(|state| (number, id, state)),
                );
            }
        }
        let next = if found.len() > limit {
            found.truncate(limit);
            found.last().map(|(number, ..)| *number)
        } else {
            number.filter(|_| !ended)
        };
        let found = found
            .into_iter()
            .map(|(_, id, state)| (id, state))
            .collect();
        Ok(DeliveryPage {
            items: self.whole_deliveries(found).await?,
            next: next.map(|number| Cursor(number.to_string())),
        })
    }

    async fn deliveries_waiting(&self) -> Result<u64> {
        let mut command = cmd("ZCARD");
        command.arg(self.name("delivery_due"));
        let count = self.link.query(&command).await?;
        Answer::new(count, self.place()).count()
    }
}
