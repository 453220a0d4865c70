//! Looking at deliveries.

use onboarding::OnboardingId;
use rusqlite::{OptionalExtension, Row, ToSql};

use super::{inspect::Reader, row::time};
use crate::{
    Attempt, Cursor, Delivery, DeliveryFilter, DeliveryId, DeliveryPage, DeliveryState, Error,
    Result,
};

const STATES: [DeliveryState; 3] = [
    DeliveryState::Waiting,
    DeliveryState::Delivered,
    DeliveryState::GivenUp,
];

pub(super) fn state_number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Waiting => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::GivenUp => 2,
    }
}

/// The columns of [`raw`].
pub(super) const COLUMNS: &str = "seq, id, endpoint, event, onboarding, payload, state, attempts, \
     attempts_before, created_at, since, next_at, last_status, last_error, last_ms, last_at";

/// A row of [`COLUMNS`] as it is in the file.
pub(super) struct Raw {
    pub(super) seq: i64,
    text: [String; 4],
    onboarding: Option<[u8; 16]>,
    state: i64,
    attempts: [u32; 2],
    created_at: i64,
    since: i64,
    next_at: Option<i64>,
    last: Option<(Attempt, i64)>,
}

pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let made = Attempt {
        status: row.get(12)?,
        error: row.get(13)?,
        duration_ms: row.get::<_, Option<u64>>(14)?.unwrap_or(0),
    };
    Ok(Raw {
        seq: row.get(0)?,
        text: [row.get(1)?, row.get(2)?, row.get(3)?, row.get(5)?],
        onboarding: row.get(4)?,
        state: row.get(6)?,
        attempts: [row.get(7)?, row.get(8)?],
        created_at: row.get(9)?,
        since: row.get(10)?,
        next_at: row.get(11)?,
        last: row.get::<_, Option<i64>>(15)?.map(|at| (made, at)),
    })
}

pub(super) fn delivery(place: &str, raw: Raw) -> Result<Delivery> {
    let corrupt = |what: &str| Error::Corrupt {
        place: format!("{place}, table delivery"),
        message: format!("the {what} of row {} cannot be read", raw.seq),
    };
    let [id, endpoint, event, payload] = raw.text;
    let state = STATES.into_iter().find(|it| state_number(*it) == raw.state);
    Ok(Delivery {
        id: DeliveryId::parse(&id).ok_or_else(|| corrupt("id"))?,
        endpoint,
        event,
        onboarding: raw.onboarding.map(OnboardingId::from_bytes),
        payload,
        state: state.ok_or_else(|| corrupt("state"))?,
        attempts: raw.attempts[0],
        attempts_before: raw.attempts[1],
        created_at: time(raw.created_at),
        since: time(raw.since),
        next_at: raw.next_at.map(time),
        last: raw.last.map(|(made, at)| (made, time(at))),
    })
}

/// The numbers of a page's deliveries and of one more (`?1`: before which, `?2`: how many), found
/// in the index that has what is asked for in the list's order.
fn numbers(filter: &DeliveryFilter) -> String {
    let newest = |conditions: &str| {
        format!("SELECT seq FROM delivery WHERE seq < ?1 {conditions} ORDER BY seq DESC LIMIT ?2")
    };
    let of_state = |state| format!("AND state = {}", state_number(state));
    let state = filter.state.map(of_state).unwrap_or_default();
    match (filter.onboarding, &filter.endpoint) {
        (None, None) => newest(&state),
        // There are few of one onboarding.
        (Some(_), None) => newest(&format!("AND onboarding = ?3 {state}")),
        (Some(_), Some(_)) => newest(&format!("AND onboarding = ?3 AND endpoint = ?4 {state}")),
        (None, Some(_)) => {
            let of = |state| newest(&format!("AND endpoint = ?3 AND state = {state}"));
            match filter.state {
                Some(state) => of(state_number(state)),
                None => {
                    let each = STATES
                        .map(|state| format!("SELECT seq FROM ({})", of(state_number(state))));
                    each.join(" UNION ALL ")
                }
            }
        }
    }
}

impl Reader {
    pub(super) fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        let sql = format!("SELECT {COLUMNS} FROM delivery WHERE id = ?1");
        let row = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([id.as_str()], raw).optional())
            .map_err(|error| self.fail(error))?;
        row.map(|row| delivery(&self.place, row)).transpose()
    }

    pub(super) fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<DeliveryPage> {
        let limit = limit.clamp(1, 200);
        let before = match after {
            None => i64::MAX,
            Some(_) => super::inspect::after(&self.place, after)?,
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery WHERE seq IN ({}) ORDER BY seq DESC LIMIT ?2",
            numbers(filter)
        );
        let mut arguments: Vec<Box<dyn ToSql>> = vec![Box::new(before), Box::new(limit + 1)];
        if let Some(id) = filter.onboarding {
            arguments.push(Box::new(id.to_bytes()));
        }
        if let Some(endpoint) = &filter.endpoint {
            arguments.push(Box::new(endpoint.clone()));
        }
        let mut rows = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut s| {
                s.query_map(rusqlite::params_from_iter(arguments.iter()), raw)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(|error| self.fail(error))?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| Cursor(row.seq.to_string()));
        let items = rows.into_iter().map(|row| delivery(&self.place, row));
        Ok(DeliveryPage {
            items: items.collect::<Result<_>>()?,
            next,
        })
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{super::schema, *};
    use crate::{SealingKey, World};

    /// How SQLite goes about the numbers of a page.
    fn steps(file: &Connection, filter: &DeliveryFilter) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {}", numbers(filter));
        let mut statement = file.prepare(&sql).unwrap();
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get(3).unwrap());
        }
        steps
    }

    #[test]
    fn a_page_is_found_in_an_index_in_its_order_whatever_is_asked_for() {
        let mut file = Connection::open_in_memory().unwrap();
        let (key, _) = SealingKey::generate();
        let clock = std::sync::Arc::new(crate::clock::SystemClock::default());
        schema::prepare(&mut file, "a test", World::Live, &key, clock).unwrap();
        for number in 0..8 {
            let one = |bit: u8| number & bit != 0;
            let filter = DeliveryFilter {
                endpoint: one(1).then(|| "crm".to_owned()),
                state: one(2).then_some(DeliveryState::GivenUp),
                onboarding: one(4).then(|| OnboardingId::from_bytes([1; 16])),
            };
            let steps = steps(&file, &filter);
            for step in &steps {
                // A scan of what a part of the question gave is none of the table.
                let reads_all = step.starts_with("SCAN delivery");
                assert!(
                    !reads_all && !step.contains("TEMP"),
                    "{filter:?}: {steps:?}"
                );
            }
            let found = steps.iter().any(|step| step.starts_with("SEARCH delivery"));
            assert!(found, "{filter:?}: {steps:?}");
        }
    }
}
