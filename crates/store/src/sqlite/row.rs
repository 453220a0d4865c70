//! Between rows and types.

use onboarding::{Direction, Fault, Journal, Plan, State};
use rusqlite::Row;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Onboarding, Result};

/// The number of a state in the file. Blocked has none: it is queued on a parked lane.
pub(super) fn state_number(state: State) -> i64 {
    match state {
        State::Queued | State::Blocked => 0,
        State::Running => 1,
        State::Succeeded => 2,
        State::Failed => 3,
        State::Cancelled => 5,
    }
}

/// The state with a number, on a lane that is parked or not.
pub(super) fn state_of(number: i64, parked: bool) -> State {
    match number {
        1 => State::Running,
        2 => State::Succeeded,
        3 => State::Failed,
        5 => State::Cancelled,
        _ if parked => State::Blocked,
        _ => State::Queued,
    }
}

pub(super) fn direction_number(direction: Direction) -> i64 {
    match direction {
        Direction::Outbound => 0,
        Direction::Inbound => 1,
        Direction::Both => 2,
    }
}

pub(super) fn direction_of(number: i64) -> Direction {
    match number {
        0 => Direction::Outbound,
        1 => Direction::Inbound,
        _ => Direction::Both,
    }
}

/// Text of a value of ours.
pub(super) fn to_json<T: Serialize>(place: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Unavailable {
        place: place.to_owned(),
        message: "a value cannot be written as JSON".to_owned(),
        source: Some(Box::new(error)),
    })
}

/// A value of ours from its text.
pub(super) fn from_json<T: DeserializeOwned>(place: &str, what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt {
        place: place.to_owned(),
        message: format!("the {what} of an onboarding cannot be read: {error}"),
    })
}

/// Parses a text column that was validated before it was written.
pub(super) fn parse<T>(place: &str, what: &str, text: &str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Error::Corrupt {
        place: place.to_owned(),
        message: format!("the {what} of an onboarding cannot be read: {error}"),
    })
}

pub(super) fn journal_of(place: &str, text: Option<&str>, plan: &Plan) -> Result<Journal> {
    text.map_or_else(
        || Ok(Journal::new(plan)),
        |text| from_json(place, "journal", text),
    )
}

/// A time column.
pub(super) fn time(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// The columns of [`onboarding()`], of [`TABLES`].
pub(super) const COLUMNS: &str = "o.seq, o.id, o.key, l.account, o.partner, o.number, \
     o.direction, p.state, l.parked_reason IS NOT NULL, p.epoch, o.signup, o.recipe, o.plan, \
     p.journal, p.fault, p.fault_step, o.created_at, p.updated_at";

/// Where they come from: `CROSS` keeps this order, in which the partial indexes serve.
pub(super) const TABLES: &str = "progress p CROSS JOIN onboarding o ON o.seq = p.seq \
     CROSS JOIN lane l ON l.id = p.lane";

/// The same for the one with an id (`?1`). In the order above, looking for an id would read all
/// that is there.
pub(super) const TABLES_BY_ID: &str = "onboarding o CROSS JOIN progress p ON p.seq = o.seq \
     CROSS JOIN lane l ON l.id = p.lane WHERE o.id = ?1";

/// A row of [`COLUMNS`] as it is in the file.
pub(super) struct Raw {
    pub(super) seq: i64,
    id: [u8; 16],
    text: [String; 4],
    direction: i64,
    state: i64,
    parked: bool,
    epoch: u64,
    signup: String,
    recipe: String,
    plan: String,
    journal: Option<String>,
    fault: Option<String>,
    fault_step: Option<usize>,
    created_at: i64,
    updated_at: i64,
}

pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        seq: row.get(0)?,
        id: row.get(1)?,
        text: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
        direction: row.get(6)?,
        state: row.get(7)?,
        parked: row.get(8)?,
        epoch: row.get(9)?,
        signup: row.get(10)?,
        recipe: row.get(11)?,
        plan: row.get(12)?,
        journal: row.get(13)?,
        fault: row.get(14)?,
        fault_step: row.get(15)?,
        created_at: row.get(16)?,
        updated_at: row.get(17)?,
    })
}

pub(super) fn onboarding(place: &str, raw: Raw) -> Result<Onboarding> {
    let [key, account, partner, number] = &raw.text;
    let plan: Plan = from_json(place, "plan", &raw.plan)?;
    let journal = journal_of(place, raw.journal.as_deref(), &plan)?;
    let fault: Option<Fault> = raw
        .fault
        .as_deref()
        .map(|text| from_json(place, "fault", text))
        .transpose()?;
    Ok(Onboarding {
        id: onboarding::OnboardingId::from_bytes(raw.id),
        key: parse(place, "key", key)?,
        account: parse(place, "account", account)?,
        partner: parse(place, "partner", partner)?,
        number: parse(place, "number", number)?,
        direction: direction_of(raw.direction),
        state: state_of(raw.state, raw.parked),
        signup: raw.signup,
        recipe: raw.recipe,
        plan,
        journal,
        fault: fault.map(|fault| (fault, raw.fault_step)),
        epoch: raw.epoch,
        created_at: time(raw.created_at),
        updated_at: time(raw.updated_at),
        time_ahead_ms: 0,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{super::schema, *};
    use crate::{SealingKey, World};

    #[test]
    fn one_onboarding_is_found_without_reading_the_others() {
        let mut file = Connection::open_in_memory().unwrap();
        let (key, _) = SealingKey::generate();
        let clock = std::sync::Arc::new(crate::clock::SystemClock::default());
        schema::prepare(&mut file, "a test", World::Live, &key, clock).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN SELECT {COLUMNS} FROM {TABLES_BY_ID}");
        let mut statement = file.prepare(&sql).unwrap();
        let steps = statement
            .query_map([[0_u8; 16]], |row| row.get::<_, String>(3))
            .unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert_eq!(steps.len(), 3, "{steps:?}");
        for step in steps {
            assert!(step.starts_with("SEARCH"), "{step}");
        }
    }
}
