//! What happens to an onboarding, as the scripts keep it; see `lua/onboarding.lua`.

use onboarding::{Fault, Journal, Plan, State, Step, StepRecord, StepState};
use serde::Deserialize;

use crate::{Error, Result};

/// The packed fields, in their order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Progress {
    pub(super) state: u8,
    pub(super) epoch: u64,
    _seq: u64,
    _lane: Bytes,
    pub(super) suspect: u8,
    _cancel: u8,
    pub(super) updated_ms: i64,
    _wake_at: i64,
    _write: Bytes,
    _answer: Bytes,
    fault: String,
    fault_step: i64,
    _timeout: i64,
    steps: Steps,
    _holder: Bytes,
}

/// Bytes that are no text.
#[derive(Debug, Clone)]
struct Bytes;

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// The scripts' language has no empty list: it is an empty map there.
#[derive(Debug, Clone, Default)]
struct Steps(Vec<String>);

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Steps;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of steps")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Steps, A::Error> {
                let mut steps = Vec::new();
                while let Some(step) = list.next_element()? {
                    steps.push(step);
                }
                Ok(Steps(steps))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<Steps, A::Error> {
                Ok(Steps::default())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Progress {
    pub(super) fn unpack(place: &str, packed: &[u8]) -> Result<Self> {
        rmp_serde::from_slice(packed).map_err(|error| Error::Corrupt {
            place: place.to_owned(),
            message: format!("the progress of an onboarding cannot be read: {error}"),
        })
    }

    /// The state, on an account that is parked or not.
    pub(super) fn state(&self, parked: bool) -> State {
        state_of(self.state, parked)
    }

    pub(super) fn journal(&self, place: &str, plan: &Plan) -> Result<Journal> {
        let mut journal = Journal::new(plan);
        for (index, text) in self.steps.0.iter().enumerate() {
            if !text.is_empty() {
                journal.set(index, from_json::<StepRecord>(place, "journal", text)?);
            }
        }
        Ok(journal)
    }

    pub(super) fn fault(&self, place: &str) -> Result<Option<(Fault, Option<usize>)>> {
        if self.fault.is_empty() {
            return Ok(None);
        }
        let fault = from_json(place, "fault", &self.fault)?;
        Ok(Some((fault, usize::try_from(self.fault_step).ok())))
    }
}

fn from_json<T: serde::de::DeserializeOwned>(place: &str, what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt {
        place: place.to_owned(),
        message: format!("the {what} of an onboarding cannot be read: {error}"),
    })
}

/// The state with a number; see `lua/common.lua`.
pub(super) fn state_of(number: u8, parked: bool) -> State {
    match number {
        1 => State::Running,
        2 => State::Succeeded,
        3 => State::Failed,
        5 => State::Cancelled,
        _ if parked => State::Blocked,
        _ => State::Queued,
    }
}

/// The number of a state. Blocked has none: it is queued on a parked account.
pub(super) fn state_number(state: State) -> u8 {
    match state {
        State::Queued | State::Blocked => 0,
        State::Running => 1,
        State::Succeeded => 2,
        State::Failed => 3,
        State::Cancelled => 5,
    }
}

/// The step in flight of one whose holder vanished, as unknown.
pub(super) fn in_flight_unknown(plan: &Plan, journal: &Journal) -> Option<(usize, StepRecord)> {
    let index = journal.first_unfinished()?;
    if plan.steps.get(index) == Some(&Step::Verify) {
        return None;
    }
    let mut record = journal.record(index)?.clone();
    record.state = StepState::Unknown;
    Some((index, record))
}

pub(super) fn json(place: &str, value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Unusable {
        place: place.to_owned(),
        message: format!("a value cannot be written as JSON: {error}"),
    })
}
