//! Leaving for another store, and taking one in.

use async_trait::async_trait;
use onboarding::{Journal, Secret, SipPassword};
use rusqlite::{OptionalExtension, Row};

use super::{
    SqliteStore,
    failure::Failure,
    inspect::{Reader, after},
    intake::chosen_trunk_name,
    lane_table::NO_LANE,
    row::{
        COLUMNS, Raw, TABLES, TABLES_BY_ID, direction_number, onboarding, raw, state_number,
        to_json,
    },
    writer::Tx,
};
use crate::{
    Carried, CarriedAccount, CarriedIn, Cursor, Departure, Error, MoveId, Onboarding, Outgoing,
    Result, StopKind, Transfer, clock::millis, intake::digits_of, transfer::Mark,
};

#[async_trait]
impl Transfer for SqliteStore {
    async fn begin_departure(&self, to: &str) -> Result<Departure> {
        // Held until this process ends, so that nobody works on it meanwhile.
        self.take_place()?;
        let beside = self.counter_beside();
        let to = to.to_owned();
        self.writer
            .call(move |tx| {
                let now = tx.state.wall();
                let before = tx.state.mark.as_ref();
                let (mark, departure) = Mark::depart(before, &tx.state.place, &to, now)?;
                // The place was free, so whoever holds a lease is gone.
                tx.take_over(beside)?;
                tx.keep_mark(mark)?;
                Ok(departure)
            })
            .await
    }

    async fn carry_out(&self, after: Option<&Cursor>, limit: usize) -> Result<Outgoing> {
        let (after, key) = (after.cloned(), self.key.clone());
        let (rows, place, time_ahead_ms) = self
            .read(move |reader| {
                let rows = reader.carried(after.as_ref(), limit)?;
                Ok((rows, reader.place.clone(), reader.time_ahead_ms))
            })
            .await?;
        let full = rows.len() == limit.clamp(1, 1000);
        let next = rows.last().map(|row| Cursor(row.raw.seq.to_string()));
        let items = rows.into_iter().map(|row| {
            let onboarding = Onboarding {
                time_ahead_ms,
                ..onboarding(&place, row.raw)?
            };
            let password = row.password.map(|sealed| {
                let opened = key.open(&onboarding.id.to_bytes(), &sealed);
                opened.map_err(|error| Error::Corrupt {
                    place: format!("{place}, {}", onboarding.id),
                    message: error.to_string(),
                })
            });
            Ok(Carried {
                password: password.transpose()?.map(SipPassword::from_secret),
                in_doubt: row.suspect,
                has_number: row.has_number,
                onboarding,
            })
        });
        Ok(Outgoing {
            items: items.collect::<Result<_>>()?,
            next: next.filter(|_| full),
        })
    }

    async fn end_departure(&self, id: &MoveId) -> Result<()> {
        let id = id.clone();
        self.writer
            .call(move |tx| {
                let now = tx.state.wall();
                let before = tx.state.mark.as_ref();
                let mark = Mark::departed(before, &tx.state.place, &id, now)?;
                tx.keep_mark(mark)
            })
            .await
    }

    async fn begin_arrival(&self, id: &MoveId, from: &str) -> Result<bool> {
        let (id, from) = (id.clone(), from.to_owned());
        self.writer
            .call(move |tx| {
                let now = tx.state.wall();
                let is_empty = tx.is_empty()?;
                let before = tx.state.mark.as_ref();
                let (mark, to_come) =
                    Mark::arrive(before, &tx.state.place, &id, &from, is_empty, now)?;
                tx.keep_mark(mark)?;
                Ok(to_come)
            })
            .await
    }

    async fn carry_accounts(&self, accounts: &[CarriedAccount]) -> Result<()> {
        let accounts = accounts.to_vec();
        self.writer
            .call(move |tx| {
                accounts
                    .iter()
                    .try_for_each(|account| tx.carry_account(account))
            })
            .await
    }

    async fn carry_in(
        &self,
        recipes: &[(String, String)],
        onboardings: Vec<Carried>,
    ) -> Result<CarriedIn> {
        let recipes = recipes.to_vec();
        self.writer
            .call(move |tx| tx.carry_in(&recipes, &onboardings))
            .await
    }

    async fn end_arrival(&self, id: &MoveId) -> Result<()> {
        let id = id.clone();
        self.writer
            .call(move |tx| {
                let now = tx.state.wall();
                let before = tx.state.mark.as_ref();
                let mark = Mark::arrived(before, &tx.state.place, &id, now)?;
                tx.keep_mark(mark)
            })
            .await
    }
}

/// A row on its way out.
struct CarriedRow {
    raw: Raw,
    suspect: bool,
    password: Option<Vec<u8>>,
    has_number: bool,
}

fn carried(row: &Row<'_>) -> rusqlite::Result<CarriedRow> {
    Ok(CarriedRow {
        raw: raw(row)?,
        suspect: row.get("suspect")?,
        password: row.get("password")?,
        has_number: row.get("has_number")?,
    })
}

impl Reader {
    fn carried(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Vec<CarriedRow>> {
        let after = after(&self.place, cursor)?;
        let sql = format!(
            "SELECT {COLUMNS}, p.suspect AS suspect, o.password AS password, \
             EXISTS (SELECT 1 FROM number_holder WHERE seq = p.seq \
             AND number = CAST(substr(o.number, 2) AS INTEGER)) AS has_number \
             FROM {TABLES} WHERE p.seq > ?1 ORDER BY p.seq LIMIT ?2"
        );
        let limit = i64::try_from(limit.clamp(1, 1000)).unwrap_or(1000);
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_map((after, limit), carried)?.collect())
            .map_err(|error| Failure::new(&self.place, error).into())
    }
}

impl Tx<'_> {
    /// Writes down this store's part in a move, for other processes too.
    fn keep_mark(&mut self, mark: Mark) -> Result<()> {
        let text = to_json(&self.state.place, &mark)?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('move', ?1)")
            .and_then(|mut s| s.execute([text.as_bytes()]))
            .map_err(|error| self.fail(error))?;
        self.state.mark = Some(mark);
        self.state.mark(self.connection, NO_LANE)
    }

    fn is_empty(&self) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM onboarding)")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }

    fn carry_account(&mut self, account: &CarriedAccount) -> Result<()> {
        let lane = self.lane_of(&account.name)?;
        if let Some(limits) = account.limits {
            self.connection
                .prepare_cached(
                    "UPDATE lane SET requests_per_window = ?2, window_ms = ?3, in_flight = ?4, \
                     burst = ?5 WHERE id = ?1 AND requests_per_window IS NULL",
                )
                .and_then(|mut s| {
                    s.execute((
                        lane,
                        limits.requests_per_window,
                        millis(limits.window),
                        limits.in_flight,
                        limits.burst,
                    ))
                })
                .map_err(|error| self.fail(error))?;
        }
        for (kind, stopped) in [
            (StopKind::Parked, &account.parked),
            (StopKind::Outage, &account.outage),
        ] {
            if let Some(stopped) = stopped {
                let why = (stopped.reason.as_str(), stopped.since.as_millisecond());
                self.carry_stopped(lane, kind, why, account.probe)?;
            }
        }
        if account.closed_for.is_zero() {
            return self.state.mark(self.connection, lane);
        }
        let until = self.state.now().saturating_add(millis(account.closed_for));
        self.close(&account.name, until).map(drop)
    }

    fn carry_in(&mut self, recipes: &[(String, String)], all: &[Carried]) -> Result<CarriedIn> {
        self.bind_world()?;
        self.keep_recipes(recipes)?;
        let mut came = CarriedIn::default();
        let mut lanes = std::collections::BTreeSet::new();
        let sql = format!("SELECT {COLUMNS} FROM {TABLES_BY_ID}");
        for one in all {
            let there = self
                .connection
                .prepare_cached(&sql)
                .and_then(|mut s| s.query_row([one.onboarding.id.to_bytes()], raw).optional())
                .map_err(|error| self.fail(error))?;
            let Some(there) = there else {
                lanes.insert(self.put(one)?);
                came.new += 1;
                continue;
            };
            if !one.is_there(&onboarding(&self.state.place, there)?) {
                return Err(one.differs(&self.state.place));
            }
            came.there_before += 1;
        }
        for lane in lanes {
            self.state.lanes.change(lane, |lane| lane.has_due = true);
            self.state.mark(self.connection, lane)?;
        }
        Ok(came)
    }

    fn seal(&self, owner: &[u8], secret: &Secret) -> Result<Vec<u8>> {
        let sealed = self.state.key.seal(owner, secret);
        sealed.map_err(|error| Error::Unusable {
            place: self.state.place.clone(),
            message: error.to_string(),
        })
    }

    /// Writes one that is not here yet. Returns its lane.
    fn put(&mut self, one: &Carried) -> Result<i64> {
        let own = &one.onboarding;
        let place = self.state.place.clone();
        let clock = self.state.lanes.clock.clone();
        let lane = self.lane_of(&own.account)?;
        let id = own.id.to_bytes();
        let password = one.password.as_ref();
        let password = password.map(|password| self.seal(&id, password.secret()));
        self.connection
            .prepare_cached(
                "INSERT INTO onboarding (id, key, lane, partner, number, direction, signup, \
                 recipe, plan, trunk_name, password, created_at, accepted_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )
            .map_err(|error| self.fail(error))?
            .execute((
                id,
                own.key.as_str(),
                lane,
                own.partner.as_str(),
                own.number.as_str(),
                direction_number(own.direction),
                &own.signup,
                &own.recipe,
                to_json(&place, &own.plan)?,
                chosen_trunk_name(&own.plan),
                password.transpose()?,
                own.created_at.as_millisecond(),
                clock.of_wall(own.created_at.as_millisecond()),
            ))
            .map_err(|error| self.fail(error))?;
        let seq = self.connection.last_insert_rowid();
        let journal = one.journal(clock.ahead_ms());
        let journal = (journal != Journal::new(&own.plan))
            .then(|| to_json(&place, &journal))
            .transpose()?;
        let fault = own.fault.as_ref();
        let fault_step = fault.and_then(|(_, step)| *step);
        let fault = fault.map(|(fault, _)| to_json(&place, fault)).transpose()?;
        self.connection
            .prepare_cached(
                "INSERT INTO progress (seq, lane, state, epoch, suspect, journal, fault, \
                 fault_step, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .and_then(|mut s| {
                s.execute((
                    seq,
                    lane,
                    state_number(one.arrives_as()),
                    own.epoch,
                    one.arrives_in_doubt(),
                    journal,
                    fault,
                    fault_step,
                    own.updated_at.as_millisecond(),
                ))
            })
            .map_err(|error| self.fail(error))?;
        if one.has_number {
            self.take_number(digits_of(&own.number), seq)?;
        }
        if one.arrives_as().is_finished() && own.journal.needs_late_check() {
            let ended_at = clock.of_wall(own.updated_at.as_millisecond());
            self.schedule_late_check(seq, ended_at)?;
        }
        Ok(lane)
    }
}
