//! Accepting batches.
//!
//! A small batch is one script. A large one is laid down in chunks where nobody sees it, which
//! keeps its keys for it; one script then decides that it is accepted, and it is entered into the
//! lanes in chunks, by whoever accepted it or, should that one vanish, by a worker.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use onboarding::{AccountName, OnboardingId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    RedisStore,
    answer::Answer,
    record,
    script::{ACCEPT, APPLY, COMMIT, STAGE, UNSTAGE},
};
use crate::{
    Batch, Candidate, Clash, ClashKind, Committed, Error, Origin, Result,
    spool::{self, Spool},
};

/// Most rows of one script: some milliseconds of the server's time.
const CHUNK: usize = 256;

/// How long a batch that is being laid down is kept without a sign of life.
const KEPT: Duration = Duration::from_secs(10);

/// How long another batch that has the same keys is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks whether that other batch is decided.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often a script whose answer was lost is run again, and how long after. All of them answer
/// the repeat as they answered the first.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// A batch's name: drawn at random.
pub(super) type BatchId = [u8; 8];

/// A signup ready to be sent.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
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
    recipes: Vec<(String, String)>,
    spool: Spool<Row>,
}

impl RedisBatch {
    pub(super) fn new(store: Arc<RedisStore>) -> Self {
        Self {
            store,
            recipes: Vec::new(),
            spool: Spool::default(),
        }
    }
}

#[async_trait]
impl Batch for RedisBatch {
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
                packed: STANDARD.encode(packed),
            };
            self.spool
                .push(row)
                .map_err(|error| spool::failed(self.store.place(), error))?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Committed> {
        let Self {
            store,
            recipes,
            mut spool,
        } = *self;
        store.add_recipes(&recipes).await?;
        if spool.len() <= CHUNK as u64 {
            store.accept(&mut spool).await
        } else {
            store.accept_large(&mut spool).await
        }
    }
}

/// What stands in a row's way.
struct Obstacle {
    row: u64,
    what: String,
    whose: Vec<u8>,
}

/// What a script said to some rows.
struct Verdict {
    state: String,
    new: u64,
    duplicates: u64,
    obstacles: Vec<Obstacle>,
}

impl Verdict {
    async fn read(mut answer: Answer, store: &RedisStore) -> Result<Self> {
        let state = answer.text()?;
        match state.as_str() {
            "world" => return Err(store.other_world()),
            "closed" => return Err(store.closed().await),
            "gone" => {
                return Ok(Self {
                    state,
                    new: 0,
                    duplicates: 0,
                    obstacles: Vec::new(),
                });
            }
            _ => {}
        }
        let (new, duplicates) = (answer.count()?, answer.count()?);
        let mut obstacles = Vec::new();
        while !answer.is_empty() {
            obstacles.push(Obstacle {
                row: answer.count()?,
                what: answer.text()?,
                whose: answer.bytes()?.unwrap_or_default(),
            });
        }
        Ok(Self {
            state,
            new,
            duplicates,
            obstacles,
        })
    }

    /// The batches that have keys which this one wants.
    fn others(&self) -> impl Iterator<Item = BatchId> + '_ {
        let busy = self.obstacles.iter().filter(|one| one.what == "b");
        busy.filter_map(|one| one.whose.as_slice().try_into().ok())
    }
}

/// How laying a large batch down ended.
enum Laid {
    Down {
        new: u64,
        duplicates: u64,
    },
    Refused(Vec<Obstacle>),
    /// An older batch wants the same keys: this one makes way and begins again.
    MakesWay,
}

impl RedisStore {
    pub(super) async fn add_recipes(&self, recipes: &[(String, String)]) -> Result<()> {
        for (digest, json) in recipes {
            let mut command = redis::cmd("HSETNX");
            command.arg(self.name("recipes")).arg(digest).arg(json);
            self.link.query(&command).await?;
        }
        Ok(())
    }

    async fn accept(&self, spool: &mut Spool<Row>) -> Result<Committed> {
        let batch: BatchId = rand::random();
        let mut args = vec![self.world.name().to_vec()];
        spool.each(|row| push_row(&mut args, row, self.place()), self.place())?;
        let began = Instant::now();
        loop {
            let answer = self.again(&ACCEPT, batch, &args, true).await?;
            let verdict = Verdict::read(answer, self).await?;
            match verdict.state.as_str() {
                "busy" => self.await_others(&verdict, began).await?,
                "refused" => return self.refused(verdict.obstacles, None, spool).await,
                _ => {
                    return Ok(Committed::Accepted {
                        accepted: verdict.new,
                        duplicates: verdict.duplicates,
                    });
                }
            }
        }
    }

    async fn accept_large(&self, spool: &mut Spool<Row>) -> Result<Committed> {
        let began = Instant::now();
        loop {
            let batch: BatchId = rand::random();
            let laid = self.lay_down(batch, spool, began).await;
            let (new, duplicates) = match laid {
                Ok(Laid::Down { new, duplicates }) => (new, duplicates),
                Ok(Laid::Refused(obstacles)) => {
                    let refused = self.refused(obstacles, Some(batch), spool).await;
                    self.take_away(batch, false).await?;
                    return refused;
                }
                Ok(Laid::MakesWay) => {
                    self.take_away(batch, false).await?;
                    sleep(LOOK_EVERY.mul_f64(1.0 + 4.0 * rand::random::<f64>())).await;
                    continue;
                }
                Err(error) => {
                    // As far as it can be: what is left goes when its time is over.
                    let _ = self.take_away(batch, false).await;
                    return Err(error);
                }
            };
            let args = [
                batch.to_vec(),
                new.to_string().into_bytes(),
                duplicates.to_string().into_bytes(),
                self.world.name().to_vec(),
            ];
            let decided = self.again(&COMMIT, batch, &args, true).await?;
            let decided = Verdict::read(decided, self).await?;
            if decided.state == "gone" {
                // It took so long that it was taken away; nothing of it is there.
                self.patience(began)?;
                continue;
            }
            self.roll_forward(batch).await?;
            return Ok(Committed::Accepted {
                accepted: new,
                duplicates,
            });
        }
    }

    /// Lays all rows down.
    async fn lay_down(
        &self,
        batch: BatchId,
        spool: &mut Spool<Row>,
        began: Instant,
    ) -> Result<Laid> {
        let (mut new, mut duplicates) = (0, 0);
        let mut obstacles: Vec<Obstacle> = Vec::new();
        let mut rows = spool.rows(self.place())?;
        let (mut chunk, mut first) = (0_u64, 0_u64);
        loop {
            let mut args = vec![
                batch.to_vec(),
                chunk.to_string().into_bytes(),
                first.to_string().into_bytes(),
                self.world.name().to_vec(),
                KEPT.as_millis().to_string().into_bytes(),
            ];
            let mut taken = 0;
            while taken < CHUNK
                && rows.next(self.place(), |row| push_row(&mut args, row, self.place()))?
            {
                taken += 1;
            }
            if taken == 0 || obstacles.len() >= <dyn Batch>::CLASHES_MAX {
                break;
            }
            let verdict = loop {
                let answer = self.again(&STAGE, batch, &args, false).await?;
                let verdict = Verdict::read(answer, self).await?;
                match verdict.state.as_str() {
                    "gone" => return Ok(Laid::MakesWay),
                    "busy" => {
                        self.await_others(&verdict, began).await?;
                        if verdict.others().any(|other| other < batch) {
                            return Ok(Laid::MakesWay);
                        }
                    }
                    _ => break verdict,
                }
            };
            new += verdict.new;
            duplicates += verdict.duplicates;
            obstacles.extend(verdict.obstacles);
            chunk += 1;
            first += taken as u64;
        }
        if obstacles.is_empty() {
            Ok(Laid::Down { new, duplicates })
        } else {
            Ok(Laid::Refused(obstacles))
        }
    }

    /// Helps the batches that have the same keys to their end, and waits a moment.
    async fn await_others(&self, verdict: &Verdict, began: Instant) -> Result<()> {
        self.patience(began)?;
        let mut seen = Vec::new();
        for other in verdict.others() {
            if !seen.contains(&other) {
                seen.push(other);
                self.see_to_batch(other).await?;
            }
        }
        sleep(LOOK_EVERY).await;
        Ok(())
    }

    fn patience(&self, began: Instant) -> Result<()> {
        if began.elapsed() < PATIENCE {
            return Ok(());
        }
        Err(Error::Unavailable {
            place: self.place().to_owned(),
            message: "other producers are accepting some of the same signups and do not come to an end; nothing of this batch was taken, run the same again".to_owned(),
            source: None,
        })
    }

    /// Brings a batch that somebody else left on its way to its end: forward where it was
    /// accepted, away where it was not and its time is over.
    pub(super) async fn see_to_batch(&self, batch: BatchId) -> Result<()> {
        self.roll_forward(batch).await?;
        self.take_away(batch, true).await
    }

    /// Enters an accepted batch into the lanes.
    async fn roll_forward(&self, batch: BatchId) -> Result<()> {
        while self
            .again(&APPLY, batch, &[batch.to_vec()], false)
            .await?
            .number()?
            > 0
        {}
        Ok(())
    }

    /// Takes away what was laid down of a batch that is not accepted.
    async fn take_away(&self, batch: BatchId, only_if_over: bool) -> Result<()> {
        let args = [batch.to_vec(), vec![b'0' + u8::from(only_if_over)]];
        while self.again(&UNSTAGE, batch, &args, false).await?.number()? > 0 {}
        Ok(())
    }

    async fn again(
        &self,
        script: &super::script::Script,
        batch: BatchId,
        args: &[Vec<u8>],
        durable: bool,
    ) -> Result<Answer> {
        let mut delays = AGAIN.into_iter();
        loop {
            match self.call_with(script, Some(batch), args, durable).await {
                Err(error @ Error::Unavailable { .. }) => match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(error),
                },
                ended => return ended,
            }
        }
    }

    /// Says what is wrong with a refused batch.
    async fn refused(
        &self,
        mut obstacles: Vec<Obstacle>,
        batch: Option<BatchId>,
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
            let existing = self.record_of(whose).await?;
            let accepted = existing.filter(|found| found.staged.is_none() || found.staged != batch);
            let accepted = accepted.filter(|found| found.staged.is_none());
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
        // A header that was never written, so that the rest can be read.
        let packed = [&[b'S'; 21][..], &row.packed(self.place())?].concat();
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

fn push_row(args: &mut Vec<Vec<u8>>, row: &Row, place: &str) -> Result<()> {
    args.push(row.id.to_bytes().to_vec());
    args.push(row.account.as_str().as_bytes().to_vec());
    args.push(row.packed(place)?);
    Ok(())
}
