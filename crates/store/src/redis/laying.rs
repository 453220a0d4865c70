//! Laying a large batch down where nobody sees it, and deciding about it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use onboarding::OnboardingId;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    Own, RedisStore,
    answer::Answer,
    intake::{CHUNK, Row, VALUES, push_row},
    script::{APPLY, COMMIT, STAGE, UNSTAGE},
};
use crate::{Batch, BatchNumber, Committed, Error, NumberInUse, Result, spool::Spool};

/// Chunks that wait to be laid down while more is added.
const CHUNKS_AHEAD: usize = 4;

/// How long a batch that is being laid down is kept without a sign of life.
const KEPT: Duration = Duration::from_secs(10);

/// How long another batch that has the same keys is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks whether that other batch is decided.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often a script whose answer was lost is run again, and how long after. All of them answer
/// the repeat as they answered the first.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// By onboarding: the one that has its number.
pub(super) type Holders = HashMap<OnboardingId, OnboardingId>;

/// A batch's name: drawn at random.
pub(super) type BatchId = [u8; 8];

/// What stands in a row's way.
pub(super) struct Obstacle {
    pub(super) row: u64,
    pub(super) what: String,
    pub(super) whose: Vec<u8>,
}

/// What a script said to some rows.
pub(super) struct Verdict {
    pub(super) state: String,
    pub(super) new: u64,
    pub(super) duplicates: u64,
    /// The batch, where it is accepted and said where it came from.
    pub(super) batch: Option<BatchNumber>,
    pub(super) obstacles: Vec<Obstacle>,
}

impl Verdict {
    pub(super) async fn read(mut answer: Answer, store: &RedisStore) -> Result<Self> {
        let state = answer.text()?;
        match state.as_str() {
            "world" => return Err(store.other_world()),
            "closed" => return Err(store.closed().await),
            "gone" => {
                return Ok(Self {
                    state,
                    new: 0,
                    duplicates: 0,
                    batch: None,
                    obstacles: Vec::new(),
                });
            }
            _ => {}
        }
        let (new, duplicates) = (answer.count()?, answer.count()?);
        let batch = Some(answer.count()?).filter(|number| *number > 0);
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
            batch: batch.map(BatchNumber),
            obstacles,
        })
    }

    /// What it means where it is that the batch is accepted.
    pub(super) fn accepted(self, numbers_in_use: Vec<NumberInUse>) -> Committed {
        Committed::Accepted {
            accepted: self.new,
            duplicates: self.duplicates,
            batch: self.batch,
            numbers_in_use,
        }
    }

    /// The batches that have keys which this one wants.
    fn others(&self) -> impl Iterator<Item = BatchId> + '_ {
        let busy = self.obstacles.iter().filter(|one| one.what == "b");
        busy.filter_map(|one| one.whose.as_slice().try_into().ok())
    }
}

/// How laying a large batch down ended.
pub(super) enum Laid {
    Down {
        new: u64,
        duplicates: u64,
        chunks: u64,
    },
    Refused(Vec<Obstacle>),
    /// An older batch wants the same keys: this one makes way and begins again.
    MakesWay,
}

/// How far a batch is laid down.
struct Down {
    batch: BatchId,
    chunks: u64,
    rows: u64,
    new: u64,
    duplicates: u64,
    obstacles: Vec<Obstacle>,
}

impl Down {
    fn new(batch: BatchId) -> Self {
        Self {
            batch,
            chunks: 0,
            rows: 0,
            new: 0,
            duplicates: 0,
            obstacles: Vec::new(),
        }
    }

    /// Lays the next chunk down. `false`: the batch has to make way, or was away too long.
    async fn lay(
        &mut self,
        store: &RedisStore,
        chunk: Vec<Vec<u8>>,
        began: Instant,
    ) -> Result<bool> {
        if self.obstacles.len() >= <dyn Batch>::CLASHES_MAX {
            return Ok(true);
        }
        let rows = chunk.len() / VALUES;
        let mut args = vec![
            self.batch.to_vec(),
            self.chunks.to_string().into_bytes(),
            self.rows.to_string().into_bytes(),
            store.world.name().to_vec(),
            KEPT.as_millis().to_string().into_bytes(),
        ];
        args.extend(chunk);
        loop {
            let answer = store.again(&STAGE, self.batch, &args, false).await?;
            let verdict = Verdict::read(answer, store).await?;
            match verdict.state.as_str() {
                "gone" => return Ok(false),
                "busy" => {
                    store.await_others(&verdict, began).await?;
                    if verdict.others().any(|other| other < self.batch) {
                        return Ok(false);
                    }
                }
                _ => {
                    self.new += verdict.new;
                    self.duplicates += verdict.duplicates;
                    self.obstacles.extend(verdict.obstacles);
                    self.chunks += 1;
                    self.rows += rows as u64;
                    return Ok(true);
                }
            }
        }
    }

    fn laid(self) -> Laid {
        if self.obstacles.is_empty() {
            Laid::Down {
                new: self.new,
                duplicates: self.duplicates,
                chunks: self.chunks,
            }
        } else {
            Laid::Refused(self.obstacles)
        }
    }
}

/// Lays a batch down while more of it is still being added. What is dropped before its end is
/// taken away.
pub(super) struct Ahead {
    batch: BatchId,
    chunks: mpsc::Sender<Option<Vec<Vec<u8>>>>,
    laying: JoinHandle<Result<Laid>>,
}

impl Ahead {
    pub(super) fn start(store: Arc<RedisStore>) -> Self {
        let batch: BatchId = rand::random();
        let (chunks, mut next) = mpsc::channel::<Option<Vec<Vec<u8>>>>(CHUNKS_AHEAD);
        let laying = tokio::spawn(async move {
            let mut down = Down::new(batch);
            let mut failed = None;
            while let Some(chunk) = next.recv().await {
                let Some(chunk) = chunk else {
                    return failed.unwrap_or_else(|| Ok(down.laid()));
                };
                // Others are waited for at the end only: here it would hold up who reads.
                if failed.is_none() {
                    match down.lay(&store, chunk, Instant::now()).await {
                        Ok(true) => {}
                        Ok(false) => failed = Some(Ok(Laid::MakesWay)),
                        Err(error) => failed = Some(Err(error)),
                    }
                }
            }
            // Nobody will end it.
            let _ = store.take_away(batch, false).await;
            Ok(Laid::MakesWay)
        });
        Self {
            batch,
            chunks,
            laying,
        }
    }

    pub(super) async fn lay(&self, chunk: Vec<Vec<u8>>) {
        // Where it has ended, its end says why.
        let _ = self.chunks.send(Some(chunk)).await;
    }

    /// Lays the rest down, and tells how it went.
    pub(super) async fn end(self, rest: Vec<Vec<u8>>) -> (BatchId, Result<Laid>) {
        if !rest.is_empty() {
            self.lay(rest).await;
        }
        let _ = self.chunks.send(None).await;
        let laid = match self.laying.await {
            // It is tried again from the first row on.
            Ok(Err(Error::Unavailable { .. })) | Err(_) => Ok(Laid::MakesWay),
            Ok(laid) => laid,
        };
        (self.batch, laid)
    }
}

impl RedisStore {
    /// Decides that a batch which is down is accepted, and enters it. Also tells of those whose number
    /// another onboarding has, as far as this process entered them. `None`: it is gone.
    pub(super) async fn decide(
        &self,
        batch: BatchId,
        (new, duplicates, chunks): (u64, u64, u64),
        source: &[u8],
    ) -> Result<Option<(Verdict, Holders)>> {
        let args = [
            batch.to_vec(),
            new.to_string().into_bytes(),
            duplicates.to_string().into_bytes(),
            self.world.name().to_vec(),
            chunks.to_string().into_bytes(),
            source.to_vec(),
        ];
        let decided = self.again(&COMMIT, batch, &args, true).await?;
        let decided = Verdict::read(decided, self).await?;
        if decided.state == "gone" {
            return Ok(None);
        }
        // It is accepted, whatever comes now; a claim rolls it forward where this does not.
        let mut in_use = Holders::new();
        if let Err(error) = self.roll_forward(batch, &mut in_use).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "an accepted batch is not entered yet; the next claim goes on with it"
            );
        }
        Ok(Some((decided, in_use)))
    }

    /// Lays all rows down.
    pub(super) async fn lay_down(
        &self,
        batch: BatchId,
        spool: &mut Spool<Row>,
        began: Instant,
    ) -> Result<Laid> {
        let mut down = Down::new(batch);
        let mut rows = spool.rows(self.place())?;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK * VALUES);
            while chunk.len() < CHUNK * VALUES
                && rows.next(self.place(), |row| push_row(&mut chunk, row, self.place()))?
            {
            }
            if chunk.is_empty() {
                return Ok(down.laid());
            }
            if !down.lay(self, chunk, began).await? {
                return Ok(Laid::MakesWay);
            }
        }
    }

    /// Helps the batches that have the same keys to their end, and waits a moment.
    pub(super) async fn await_others(&self, verdict: &Verdict, began: Instant) -> Result<()> {
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

    pub(super) fn patience(&self, began: Instant) -> Result<()> {
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
        self.roll_forward(batch, &mut Holders::new()).await?;
        self.take_away(batch, true).await
    }

    /// Enters an accepted batch into the lanes.
    async fn roll_forward(&self, batch: BatchId, in_use: &mut Holders) -> Result<()> {
        loop {
            let mut answer = self.again(&APPLY, batch, &[batch.to_vec()], false).await?;
            let left = answer.number()?;
            while !answer.is_empty() {
                let (id, holder) = (answer.exactly()?, answer.exactly()?);
                if in_use.len() < <dyn Batch>::CLASHES_MAX {
                    let holder = OnboardingId::from_bytes(holder);
                    in_use.insert(OnboardingId::from_bytes(id), holder);
                }
            }
            if left == 0 {
                return Ok(());
            }
        }
    }

    /// Takes away what was laid down of a batch that is not accepted.
    pub(super) async fn take_away(&self, batch: BatchId, only_if_over: bool) -> Result<()> {
        let args = [batch.to_vec(), vec![b'0' + u8::from(only_if_over)]];
        while self.again(&UNSTAGE, batch, &args, false).await?.number()? > 0 {}
        Ok(())
    }

    /// Sends a command that is safe to repeat.
    pub(super) async fn query_again(&self, command: &redis::Cmd) -> Result<redis::Value> {
        let mut delays = AGAIN.into_iter();
        loop {
            match self.link.query(command).await {
                Err(error @ Error::Unavailable { .. }) => match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(error),
                },
                ended => return ended,
            }
        }
    }

    /// Calls a script that answers the repeat of a call whose answer was lost as it answered that.
    pub(super) async fn again(
        &self,
        script: &super::script::Script,
        own: impl Into<Own>,
        args: &[Vec<u8>],
        durable: bool,
    ) -> Result<Answer> {
        let own = own.into();
        let mut delays = AGAIN.into_iter();
        loop {
            match self.call_with(script, own, args, durable).await {
                Err(error @ Error::Unavailable { .. }) => match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(error),
                },
                ended => return ended,
            }
        }
    }
}
