//! Accepting batches.
//!
//! A small batch is one script. A large one is laid down in chunks where nobody sees it, which
//! keeps its keys for it; one script then decides that it is accepted, and it is entered into the
//! lanes in chunks, by whoever accepted it or, should that one vanish, by a worker.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use onboarding::{AccountName, OnboardingId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    RedisStore,
    laying::{Ahead, BatchId, LOOK_EVERY, Laid, Obstacle, Verdict},
    record,
    script::ACCEPT,
};
use crate::{
    Batch, Candidate, Clash, ClashKind, Committed, NumberInUse, Origin, Result,
    intake::kept_source,
    spool::{self, Spool},
};

/// Most rows of one script: some milliseconds of the server's time.
pub(super) const CHUNK: usize = 256;

/// Values that a row has in a script's arguments.
pub(super) const VALUES: usize = 3;

/// A signup ready to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    file: u32,
    line: u64,
    id: OnboardingId,
    account: AccountName,
    /// The packed record without its header, in base64.
    packed: String,
}

impl Row {
    fn origin(&self) -> Origin {
        Origin {
            file: self.file,
            line: self.line,
        }
    }

    fn packed(&self, place: &str) -> Result<Vec<u8>> {
        STANDARD
            .decode(&self.packed)
            .map_err(|error| spool::failed(place, std::io::Error::other(error)))
    }
}

/// A batch of a [`RedisStore`].
pub(super) struct RedisBatch {
    store: Arc<RedisStore>,
    /// Where it comes from, as the scripts are told: behind `=`, or nothing.
    source: Vec<u8>,
    recipes: Vec<(String, String)>,
    spool: Spool<Row>,
    /// What of the spool is on its way already: laying down begins before everything is there.
    ahead: Option<Ahead>,
    /// The arguments of the chunk that is being filled.
    chunk: Vec<Vec<u8>>,
}

impl RedisBatch {
    pub(super) fn new(store: Arc<RedisStore>) -> Self {
        Self {
            store,
            source: Vec::new(),
            recipes: Vec::new(),
            spool: Spool::default(),
            ahead: None,
            chunk: Vec::new(),
        }
    }

    /// Hands full chunks on, once it is clear that the batch is a large one.
    async fn lay_ahead(&mut self) {
        if self.chunk.len() < CHUNK * VALUES {
            return;
        }
        let chunk = std::mem::take(&mut self.chunk);
        let ahead = self
            .ahead
            .get_or_insert_with(|| Ahead::start(Arc::clone(&self.store)));
        ahead.lay(chunk).await;
    }
}

#[async_trait]
impl Batch for RedisBatch {
    fn describe(&mut self, source: &str) {
        self.source = [b"=", kept_source(source).as_bytes()].concat();
    }

    async fn add_recipe(&mut self, digest: &str, recipe: &str) -> Result<()> {
        if !self.recipes.iter().any(|(known, _)| known == digest) {
            self.recipes.push((digest.to_owned(), recipe.to_owned()));
        }
        Ok(())
    }

    async fn add(&mut self, chunk: Vec<Candidate>) -> Result<()> {
        for Candidate { origin, new } in chunk {
            let packed = record::pack(&new, &self.store.key, self.store.place())?;
            let row = Row {
                file: origin.file,
                line: origin.line,
                id: new.id,
                account: new.account,
                packed: STANDARD.encode(&packed),
            };
            self.chunk.push(row.id.to_bytes().to_vec());
            self.chunk.push(row.account.as_str().as_bytes().to_vec());
            self.chunk.push(packed);
            self.spool
                .push(row)
                .map_err(|error| spool::failed(self.store.place(), error))?;
            self.lay_ahead().await;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Committed> {
        let Self {
            store,
            source,
            recipes,
            mut spool,
            ahead,
            chunk,
        } = *self;
        store.add_recipes(&recipes).await?;
        match ahead {
            None => store.accept(&mut spool, source).await,
            Some(ahead) => {
                let (batch, laid) = ahead.end(chunk).await;
                store.accept_large(&mut spool, &source, batch, laid).await
            }
        }
    }
}

impl RedisStore {
    pub(super) async fn add_recipes(&self, recipes: &[(String, String)]) -> Result<()> {
        for (digest, json) in recipes {
            let mut command = redis::cmd("HSETNX");
            command.arg(self.name("recipes")).arg(digest).arg(json);
            self.query_again(&command).await?;
        }
        Ok(())
    }

    async fn accept(&self, spool: &mut Spool<Row>, source: Vec<u8>) -> Result<Committed> {
        let batch: BatchId = rand::random();
        let mut args = vec![self.world.name().to_vec(), source];
        spool.each(|row| push_row(&mut args, row, self.place()), self.place())?;
        let began = Instant::now();
        loop {
            let answer = self.again(&ACCEPT, batch, &args, true).await?;
            let verdict = Verdict::read(answer, self).await?;
            match verdict.state.as_str() {
                "busy" => self.await_others(&verdict, began).await?,
                "refused" => return self.refused(verdict.obstacles, spool).await,
                _ => {
                    let rows: HashMap<u64, &[u8]> = verdict
                        .obstacles
                        .iter()
                        .map(|one| (one.row, one.whose.as_slice()))
                        .collect();
                    let holder = |nth, _| {
                        let id = (*rows.get(&nth)?).try_into().ok()?;
                        Some(OnboardingId::from_bytes(id))
                    };
                    let in_use = self.numbers_in_use(rows.len(), holder, spool).await;
                    return Ok(verdict.accepted(in_use));
                }
            }
        }
    }

    /// Accepts a batch of which what `laid` says is down.
    async fn accept_large(
        &self,
        spool: &mut Spool<Row>,
        source: &[u8],
        mut batch: BatchId,
        mut laid: Result<Laid>,
    ) -> Result<Committed> {
        let began = Instant::now();
        loop {
            match laid {
                Ok(Laid::Down {
                    new,
                    duplicates,
                    chunks,
                }) => {
                    let down = (new, duplicates, chunks);
                    if let Some((decided, in_use)) = self.decide(batch, down, source).await? {
                        let holder = |_, id| in_use.get(&id).copied();
                        let in_use = self.numbers_in_use(in_use.len(), holder, spool).await;
                        return Ok(decided.accepted(in_use));
                    }
                    // It took so long that it was taken away; nothing of it is there.
                    self.patience(began)?;
                }
                Ok(Laid::Refused(obstacles)) => {
                    let refused = self.refused(obstacles, spool).await;
                    self.take_away(batch, false).await?;
                    return refused;
                }
                Ok(Laid::MakesWay) => {
                    self.take_away(batch, false).await?;
                    self.patience(began)?;
                    sleep(LOOK_EVERY.mul_f64(1.0 + 4.0 * rand::random::<f64>())).await;
                }
                Err(error) => {
                    // As far as it can be: what is left goes when its time is over.
                    let _ = self.take_away(batch, false).await;
                    return Err(error);
                }
            }
            batch = rand::random();
            laid = self.lay_down(batch, spool, began).await;
        }
    }

    /// What is told of the signups whose number another onboarding has: `holder` knows which, by place
    /// and id. The batch is accepted whatever comes of it.
    async fn numbers_in_use(
        &self,
        count: usize,
        holder: impl Fn(u64, OnboardingId) -> Option<OnboardingId>,
        spool: &mut Spool<Row>,
    ) -> Vec<NumberInUse> {
        if count == 0 {
            return Vec::new();
        }
        self.look_up_holders(holder, spool)
            .await
            .unwrap_or_else(|error| {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "who has the numbers of accepted signups could not be looked up"
                );
                Vec::new()
            })
    }

    async fn look_up_holders(
        &self,
        holder: impl Fn(u64, OnboardingId) -> Option<OnboardingId>,
        spool: &mut Spool<Row>,
    ) -> Result<Vec<NumberInUse>> {
        let mut found = Vec::new();
        let mut nth = 0;
        spool.each(
            |row| {
                if found.len() < <dyn Batch>::CLASHES_MAX
                    && let Some(holder) = holder(nth, row.id)
                {
                    let packed = row.packed(self.place())?;
                    let own = record::unpack(row.id, &packed, &self.key, self.place())?;
                    found.push((row.origin(), own.number, holder));
                }
                nth += 1;
                Ok(())
            },
            self.place(),
        )?;
        let ids: Vec<OnboardingId> = found.iter().map(|(.., holder)| *holder).collect();
        let holders = self.holders(&ids).await?;
        let all = found.into_iter().zip(holders);
        Ok(all
            .filter_map(|((origin, number, _), holder)| {
                Some(NumberInUse {
                    origin,
                    number,
                    holder: holder?,
                })
            })
            .collect())
    }

    /// Says what is wrong with a refused batch.
    async fn refused(
        &self,
        mut obstacles: Vec<Obstacle>,
        spool: &mut Spool<Row>,
    ) -> Result<Committed> {
        obstacles.truncate(<dyn Batch>::CLASHES_MAX);
        let mut rows: HashMap<u64, usize> = HashMap::new();
        let mut clashes = Vec::with_capacity(obstacles.len());
        // Others of the same batch, by id: their clashes.
        let mut inside: HashMap<OnboardingId, Vec<usize>> = HashMap::new();
        for (at, obstacle) in obstacles.iter().enumerate() {
            let whose: [u8; 16] = obstacle.whose.as_slice().try_into().unwrap_or_default();
            let whose = OnboardingId::from_bytes(whose);
            let accepted = self.record_of(whose).await?;
            if accepted.is_none() {
                inside.entry(whose).or_default().push(at);
            }
            let kind = if obstacle.what == "c" {
                ClashKind::Content {
                    refused: String::new(),
                    existing: accepted.map(|found| found.signup).unwrap_or_default(),
                    existing_origin: None,
                }
            } else {
                ClashKind::TrunkName {
                    name: String::new(),
                    taken_by: whose,
                    taken_origin: None,
                }
            };
            rows.insert(obstacle.row, at);
            clashes.push(Clash {
                origin: Origin::default(),
                id: whose,
                kind,
            });
        }
        let mut nth = 0;
        spool.each(
            |row| {
                self.complete(row, nth, &rows, &mut inside, &mut clashes)?;
                nth += 1;
                Ok(())
            },
            self.place(),
        )?;
        Ok(Committed::Refused { clashes })
    }

    /// Fills in what only the input knows: where a refused row stood, and its text.
    fn complete(
        &self,
        row: &Row,
        nth: u64,
        rows: &HashMap<u64, usize>,
        inside: &mut HashMap<OnboardingId, Vec<usize>>,
        clashes: &mut [Clash],
    ) -> Result<()> {
        let own = rows.get(&nth);
        let first_of = inside.remove(&row.id);
        if own.is_none() && first_of.is_none() {
            return Ok(());
        }
        let packed = row.packed(self.place())?;
        let read = record::unpack(row.id, &packed, &self.key, self.place())?;
        for at in first_of.unwrap_or_default() {
            match &mut clashes[at].kind {
                ClashKind::Content {
                    existing,
                    existing_origin,
                    ..
                } => {
                    existing.clone_from(&read.signup);
                    *existing_origin = Some(row.origin());
                }
                ClashKind::TrunkName { taken_origin, .. } => *taken_origin = Some(row.origin()),
            }
        }
        if let Some(at) = own {
            let clash = &mut clashes[*at];
            clash.origin = row.origin();
            clash.id = row.id;
            match &mut clash.kind {
                ClashKind::Content { refused, .. } => *refused = read.signup,
                ClashKind::TrunkName { name, .. } => {
                    *name = read
                        .plan
                        .trunk_name()
                        .map(ToString::to_string)
                        .unwrap_or_default();
                }
            }
        }
        Ok(())
    }
}

pub(super) fn push_row(args: &mut Vec<Vec<u8>>, row: &Row, place: &str) -> Result<()> {
    args.push(row.id.to_bytes().to_vec());
    args.push(row.account.as_str().as_bytes().to_vec());
    args.push(row.packed(place)?);
    Ok(())
}
