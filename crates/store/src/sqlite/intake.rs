//! Accepting batches: rows wait in memory, then in a temporary file, and enter the store in one
//! transaction.

use std::sync::Arc;

use async_trait::async_trait;
use onboarding::{OnboardingId, Plan, Step};
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use super::{
    SqliteStore,
    row::{direction_number, parse, to_json},
    schema::other_world,
    writer::Tx,
};
use crate::{
    Batch, Candidate, Clash, ClashKind, Committed, Error, NumberInUse, Origin, Result,
    intake::kept_source,
    spool::{self, Spool},
};

/// A signup ready to be written; its password is sealed already.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    file: u32,
    line: u64,
    id: OnboardingId,
    key: String,
    account: String,
    partner: String,
    number: String,
    direction: i64,
    signup: String,
    recipe: String,
    plan: String,
    trunk_name: Option<String>,
    password: Option<Vec<u8>>,
    trace: Option<Vec<u8>>,
}

impl Row {
    fn origin(&self) -> Origin {
        Origin {
            file: self.file,
            line: self.line,
        }
    }
}

/// A batch of a [`SqliteStore`].
pub(super) struct SqliteBatch {
    store: Arc<SqliteStore>,
    recipes: Vec<(String, String)>,
    source: Option<String>,
    spool: Spool<Row>,
}

pub(super) fn chosen_trunk_name(plan: &Plan) -> Option<String> {
    plan.steps.iter().find_map(|step| {
        if let Step::CreateTrunk { name, chosen: true } = step {
            Some(name.to_string())
        } else {
            None
        }
    })
}

impl SqliteBatch {
    pub(super) fn new(store: Arc<SqliteStore>) -> Self {
        Self {
            store,
            recipes: Vec::new(),
            source: None,
            spool: Spool::default(),
        }
    }

    fn row(&self, candidate: Candidate) -> Result<Row> {
        let Candidate { origin, new } = candidate;
        let place = &self.store.place;
        let trunk_name = chosen_trunk_name(&new.plan);
        let password = match &new.password {
            None => None,
            Some(password) => {
                let sealed = self.store.key.seal(&new.id.to_bytes(), password.secret());
                Some(sealed.map_err(|error| Error::Unusable {
                    place: place.clone(),
                    message: error.to_string(),
                })?)
            }
        };
        Ok(Row {
            file: origin.file,
            line: origin.line,
            id: new.id,
            key: new.key.into(),
            account: new.account.into(),
            partner: new.partner.into(),
            number: new.number.into(),
            direction: direction_number(new.direction),
            signup: new.signup,
            recipe: new.recipe,
            plan: to_json(place, &new.plan)?,
            trunk_name,
            password,
            trace: new.trace.map(|trace| trace.to_bytes().to_vec()),
        })
    }
}

#[async_trait]
impl Batch for SqliteBatch {
    fn describe(&mut self, source: &str) {
        self.source = Some(kept_source(source).to_owned());
    }

    async fn add_recipe(&mut self, digest: &str, recipe: &str) -> Result<()> {
        if !self.recipes.iter().any(|(known, _)| known == digest) {
            self.recipes.push((digest.to_owned(), recipe.to_owned()));
        }
        Ok(())
    }

    async fn add(&mut self, chunk: Vec<Candidate>) -> Result<()> {
        for candidate in chunk {
            let row = self.row(candidate)?;
            self.spool
                .push(row)
                .map_err(|error| spool::failed(&self.store.place, error))?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Committed> {
        let Self {
            store,
            recipes,
            source,
            mut spool,
        } = *self;
        store
            .writer
            .call(move |tx| tx.accept(&recipes, source.as_deref(), &mut spool))
            .await
    }
}

/// What became of one row.
enum Taken {
    /// Who has its number, if it is another.
    New(Option<i64>),
    Duplicate,
    Clash(Clash),
}

impl Tx<'_> {
    fn accept(
        &mut self,
        recipes: &[(String, String)],
        source: Option<&str>,
        spool: &mut Spool<Row>,
    ) -> Result<Committed> {
        self.state.refuse_if_closed()?;
        // Other callers share this transaction, so a refused batch is undone alone.
        self.connection
            .execute_batch("SAVEPOINT batch")
            .map_err(|error| self.fail(error))?;
        self.keep_recipes(recipes)?;
        let first_seq = self.next_seq()?;
        self.bind_world()?;
        let (mut accepted, mut duplicates) = (0_u64, 0_u64);
        let mut clashes: Vec<Clash> = Vec::new();
        let mut numbers_in_use = Vec::new();
        let mut lanes = std::collections::BTreeSet::new();
        let place = self.state.place.clone();
        let lanes_before = self.state.entered();
        spool.each(
            |row| {
                if clashes.len() >= <dyn Batch>::CLASHES_MAX {
                    return Ok(());
                }
                match self.take_row(row, &mut lanes)? {
                    Taken::New(holder) => {
                        accepted += 1;
                        if let Some(seq) = holder
                            && numbers_in_use.len() < <dyn Batch>::CLASHES_MAX
                            && let Some(holder) = self.holder_at(seq)?
                        {
                            numbers_in_use.push(NumberInUse {
                                origin: row.origin(),
                                number: parse(&place, "number", &row.number)?,
                                holder,
                            });
                        }
                    }
                    Taken::Duplicate => duplicates += 1,
                    Taken::Clash(clash) => clashes.push(clash),
                }
                Ok(())
            },
            &place,
        )?;
        if clashes.is_empty() {
            let batch = match source {
                Some(source) if accepted > 0 => {
                    Some(self.keep_batch(first_seq, accepted, duplicates, source)?)
                }
                Some(_) | None => None,
            };
            self.connection
                .execute_batch("RELEASE batch")
                .map_err(|error| self.fail(error))?;
            for lane in lanes {
                self.state.lanes.change(lane, |lane| lane.has_due = true);
                self.state.mark(self.connection, lane)?;
            }
            return Ok(Committed::Accepted {
                accepted,
                duplicates,
                batch,
                numbers_in_use,
            });
        }
        self.name_origins(&mut clashes, first_seq, spool)?;
        self.connection
            .execute_batch("ROLLBACK TO batch; RELEASE batch")
            .map_err(|error| self.fail(error))?;
        self.state.unenter(lanes_before);
        Ok(Committed::Refused { clashes })
    }

    pub(super) fn keep_recipes(&self, recipes: &[(String, String)]) -> Result<()> {
        for (digest, json) in recipes {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO recipe (digest, json) VALUES (?1, ?2)")
                .and_then(|mut s| s.execute((digest, json)))
                .map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// The first batch decides which world the file is of; a later one has to be of the same.
    pub(super) fn bind_world(&self) -> Result<()> {
        if !self.state.is_own_world(self.connection)? {
            return Err(other_world(&self.state.place, self.state.world));
        }
        self.connection
            .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'world' AND value <> ?1")
            .and_then(|mut s| s.execute([self.state.world.name()]))
            .map(drop)
            .map_err(|error| self.fail(error))
    }

    fn next_seq(&self) -> Result<i64> {
        self.connection
            .prepare_cached("SELECT coalesce(max(seq), 0) + 1 FROM onboarding")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(|error| self.fail(error))
    }

    fn take_row(
        &mut self,
        row: &Row,
        lanes: &mut std::collections::BTreeSet<i64>,
    ) -> Result<Taken> {
        let id = row.id.to_bytes();
        let existing: Option<String> = self
            .connection
            .prepare_cached("SELECT signup FROM onboarding WHERE id = ?1")
            .and_then(|mut s| s.query_row([id], |row| row.get(0)).optional())
            .map_err(|error| self.fail(error))?;
        if let Some(existing) = existing {
            if existing == row.signup {
                return Ok(Taken::Duplicate);
            }
            let kind = ClashKind::Content {
                refused: row.signup.clone(),
                existing,
                existing_origin: None,
            };
            return Ok(Taken::Clash(Clash {
                origin: row.origin(),
                id: row.id,
                kind,
            }));
        }
        let account = parse(&self.state.place, "account", &row.account)?;
        let lane = self.lane_of(&account)?;
        lanes.insert(lane);
        if let Some(name) = &row.trunk_name
            && let Some(taken_by) = self.trunk_name_taken(lane, name)?
        {
            let kind = ClashKind::TrunkName {
                name: name.clone(),
                taken_by,
                taken_origin: None,
            };
            return Ok(Taken::Clash(Clash {
                origin: row.origin(),
                id: row.id,
                kind,
            }));
        }
        let seq = self.insert(row, lane)?;
        let number = row.number.trim_start_matches('+').parse().unwrap_or(0);
        self.take_number(number, seq).map(Taken::New)
    }

    fn trunk_name_taken(&self, lane: i64, name: &str) -> Result<Option<OnboardingId>> {
        self.connection
            .prepare_cached("SELECT id FROM onboarding WHERE lane = ?1 AND trunk_name = ?2")
            .and_then(|mut s| {
                s.query_row((lane, name), |row| row.get(0).map(OnboardingId::from_bytes))
                    .optional()
            })
            .map_err(|error| self.fail(error))
    }

    /// Writes a row; returns its place in the order of acceptance.
    fn insert(&self, row: &Row, lane: i64) -> Result<i64> {
        let now = self.state.wall();
        self.connection
            .prepare_cached(
                "INSERT INTO onboarding (id, key, lane, partner, number, direction, signup, \
                 recipe, plan, trunk_name, password, created_at, trace, accepted_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )
            .and_then(|mut s| {
                s.execute((
                    row.id.to_bytes(),
                    &row.key,
                    lane,
                    &row.partner,
                    &row.number,
                    row.direction,
                    &row.signup,
                    &row.recipe,
                    &row.plan,
                    &row.trunk_name,
                    &row.password,
                    now,
                    &row.trace,
                    self.state.now(),
                ))
            })
            .map_err(|error| self.fail(error))?;
        let seq = self.connection.last_insert_rowid();
        self.connection
            .prepare_cached("INSERT INTO progress (seq, lane, updated_at) VALUES (?1, ?2, ?3)")
            .and_then(|mut s| s.execute((seq, lane, now)))
            .map(|_| seq)
            .map_err(|error| self.fail(error))
    }

    /// Finds out where in the batch those stood that the clashing ones clash with.
    fn name_origins(
        &self,
        clashes: &mut [Clash],
        first_seq: i64,
        spool: &mut Spool<Row>,
    ) -> Result<()> {
        let mut wanted = std::collections::HashMap::new();
        for (at, clash) in clashes.iter().enumerate() {
            let other = match &clash.kind {
                ClashKind::Content { .. } => clash.id,
                ClashKind::TrunkName { taken_by, .. } => *taken_by,
            };
            let in_batch: bool = self
                .connection
                .prepare_cached("SELECT 1 FROM onboarding WHERE id = ?1 AND seq >= ?2")
                .and_then(|mut s| s.exists((other.to_bytes(), first_seq)))
                .map_err(|error| self.fail(error))?;
            if in_batch {
                wanted.entry(other).or_insert_with(Vec::new).push(at);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        spool.each(
            |row| {
                for at in wanted.remove(&row.id).unwrap_or_default() {
                    let (ClashKind::Content {
                        existing_origin: place,
                        ..
                    }
                    | ClashKind::TrunkName {
                        taken_origin: place,
                        ..
                    }) = &mut clashes[at].kind;
                    *place = Some(row.origin());
                }
                Ok(())
            },
            &self.state.place,
        )
    }
}
