//! The store on Redis: any number of producers and workers, on any number of machines.
//!
//! Every operation that changes something is one Lua script over declared keys (`lua/`), which
//! the server runs as one. All keys share one hash tag, so that they live on one node of a
//! cluster. The clock is the server's.
//!
//! | key | holds |
//! |---|---|
//! | `meta` | schema, world, a check of the secret key, the mark of a move, up to where the feed was laid out |
//! | `count` | counters: sequence numbers, and how many onboardings are in which state |
//! | `onboarding` | by id: what was accepted, packed; see `record` |
//! | `progress` | by id, from the first claim or cancel on: state, epoch, journal |
//! | `entry` | by id: place in the order of acceptance, time, lane; or the batch it is laid down for |
//! | `queue` | what was begun and waits: sorted by lane and order of acceptance |
//! | `delayed` `leases` `late` | what waits until a time; what is held until a time; finished ones that are checked once more |
//! | `account` `lane` | an account's lane by its name; the lane's limits, pace, counts |
//! | `out` `flying` | permits by when they come back; requests in flight |
//! | `ready` | lanes with something due, by group of workers and by when they have allowance |
//! | `groups` `alive` | groups of workers with the same accounts, and when they were heard of |
//! | `workers` `worker` | workers by when they were last heard of; what they say of themselves |
//! | `order` `lane_order` | ids in the order of acceptance, packed: of all, of each lane; what was not begun waits there |
//! | `failed` `cancelled` `done` | ids by order of acceptance; what leaves when its time is over |
//! | `names` `recipes` | chosen trunk names; recipes by digest |
//! | `numbers` | by number, in seven bytes: the onboarding that has it |
//! | `parked` `outages` | why and since when accounts are parked, or Exotel does not answer, by lane |
//! | `batches` `committed` `batch:ID` | batches being laid down, and being entered |
//! | `batch_order` `batch_rows` | batches that said where they came from, by their first and last place; what they are and their counts |
//! | `feed` | a stream of what happened, for as long as [`crate::feed::KEPT`] |
//! | `delivery` `delivery_state` | what is sent to whom, by id; what became of it |
//! | `delivery_order` `delivery_due` `delivery_ended` | deliveries in the order of laying out; what waits by when it is due; what ended by when |
//! | `refused` `refused_order` | messages that were refused, by id; in the order in which they came first |
//! | `answer:ID` | a question that was asked, and its answer; goes by itself |

mod accounts;
mod advancing;
mod answer;
mod answers;
mod batches;
mod dial;
mod durable;
mod failure;
mod feed;
mod inspect;
mod intake;
mod keeper;
mod lane;
mod late_check;
mod laying;
mod link;
mod listing;
mod operate;
mod outbox;
mod progress;
mod record;
mod refused;
mod script;
mod server;
mod tls;
mod transfer;
mod url;
mod wake;
mod wire;
mod work;
mod workers;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onboarding::{OnboardingId, Secret};

pub use url::RedisPlace;

use self::{
    advancing::Advancing,
    answer::Answer,
    intake::RedisBatch,
    laying::BatchId,
    link::Link,
    script::{OPEN, Script},
    work::Group,
};
use crate::{Batch, Error, Intake, Lease, Result, SealingKey, WorkerName, World, transfer::Mark};

/// The version of the keys and of what they hold. A store of a newer one is refused.
///
/// It changes where an older version would misread what it finds. What came later so far has keys of
/// its own, which older versions do not touch, or says so in the record; see `record`. But they do
/// not tell what they do either: a fleet is told of everything once its workers are of this version.
const SCHEMA: u64 = 1;

/// What the key check in `meta` opens to.
const KEY_CHECK: &str = "trunkline";

/// How to open a [`RedisStore`].
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Where it is.
    pub place: RedisPlace,
    /// What its secrets are sealed with.
    pub key: SealingKey,
    /// The simulator's or Exotel's.
    pub world: World,
    /// How long onboardings that succeeded or were cancelled are kept; zero: for good. While one
    /// is kept, the same signup again is the same onboarding.
    pub keep_finished: Duration,
}

/// A store on Redis.
pub struct RedisStore {
    link: Arc<Link>,
    key: SealingKey,
    world: World,
    keep_finished: Duration,
    /// What tells this handle's claims from those of every other process.
    holder: [u8; 8],
    /// What `{` and `}` make the hash tag of, and `:`.
    prefix: String,
    /// The accounts of the workers of this process.
    groups: Mutex<HashMap<WorkerName, Group>>,
    /// What the workers of this process hold: epoch and holder.
    held: Mutex<HashMap<OnboardingId, (u64, WorkerName)>>,
    /// The names of scripts' keys, by where the script is.
    keys: Mutex<HashMap<usize, Arc<[String]>>>,
    /// Writes of workers, gathered.
    advancing: OnceLock<Advancing>,
    /// A batch that somebody left is being brought to its end.
    seeing_to_batch: AtomicBool,
    /// Itself, for batches and for what goes on after a call has returned.
    this: std::sync::Weak<Self>,
}

fn prefix_of(place: &RedisPlace) -> String {
    format!("{{{}}}:", place.name())
}

/// The world of a store; `None` where nothing was accepted yet. Changes nothing.
///
/// # Errors
/// As of [`RedisStore::open`].
pub async fn world_of(place: &RedisPlace) -> Result<Option<World>> {
    let link = Link::open_to_ask(place).await?;
    let mut command = redis::cmd("HGET");
    command
        .arg(format!("{}meta", prefix_of(place)))
        .arg("world");
    let world = inspect::bytes(link.query(&command).await?);
    Ok(world.as_deref().and_then(World::of))
}

/// Whether there is a store, made at least, at this place. Changes nothing.
///
/// # Errors
/// As of [`RedisStore::open`].
pub async fn is_made(place: &RedisPlace) -> Result<bool> {
    let link = Link::open_to_ask(place).await?;
    let mut command = redis::cmd("EXISTS");
    command.arg(format!("{}meta", prefix_of(place)));
    Ok(link.query(&command).await? == redis::Value::Int(1))
}

impl RedisStore {
    /// Opens the store, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Unusable`] where the server is not fit (too old, evicting, a replica), the secret
    /// key or the world is another; [`Error::Unavailable`] where it cannot be reached;
    /// [`Error::Corrupt`] where a newer version wrote it.
    pub async fn open(options: RedisOptions) -> Result<Arc<Self>> {
        let RedisOptions {
            place,
            key,
            world,
            keep_finished,
        } = options;
        let link = Link::open(&place).await?;
        let store = Arc::new_cyclic(|this| Self {
            link,
            key,
            world,
            keep_finished,
            holder: rand::random(),
            prefix: prefix_of(&place),
            groups: Mutex::default(),
            held: Mutex::default(),
            keys: Mutex::default(),
            advancing: OnceLock::new(),
            seeing_to_batch: AtomicBool::new(false),
            this: this.clone(),
        });
        store.check().await?;
        Ok(store)
    }

    /// Makes the store where there is none, and checks that it is this version's, world's, key's.
    async fn check(&self) -> Result<()> {
        let sealed = self
            .key
            .seal(b"meta", &Secret::new(KEY_CHECK))
            .map_err(|error| self.unusable(error.to_string()))?;
        let args = [SCHEMA.to_string().into_bytes(), sealed];
        let mut answer = self.call(&OPEN, &args).await?;
        if answer.number()? == 1 {
            // Where one was expected, its data is gone, or the name is another.
            tracing::warn!(
                store = self.place(),
                "there was no store here; a new one was made"
            );
        }
        let schema = answer.count()?;
        if schema > SCHEMA {
            return Err(Error::Corrupt {
                place: self.place().to_owned(),
                message: format!(
                    "it has schema {schema}, and this trunkline knows up to {SCHEMA}: a newer version wrote it; use that one, or a newer"
                ),
            });
        }
        let check = answer.bytes()?.unwrap_or_default();
        self.key.open(b"meta", &check).map_err(|_| {
            self.unusable(
                "its secrets were sealed with another secret key; set secret_key to the one that every producer and worker of this store has".to_owned(),
            )
        })?;
        let world = answer.bytes()?;
        match world.as_deref().and_then(World::of) {
            Some(bound) if bound != self.world => Err(self.other_world()),
            Some(_) | None => Ok(()),
        }
    }

    /// The place, for messages.
    fn place(&self) -> &str {
        self.link.place()
    }

    /// The name of a key.
    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn lock<'m, T>(&self, mutex: &'m Mutex<T>) -> MutexGuard<'m, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unusable(&self, message: String) -> Error {
        Error::Unusable {
            place: self.place().to_owned(),
            message,
        }
    }

    fn other_world(&self) -> Error {
        self.unusable(match self.world {
            World::Live => "it was filled with --sandbox, so its trunks exist in the simulator only; choose another store: another `name` in the URL is one",
            World::Sandbox => "it holds real onboardings, which --sandbox must not touch; choose another store: another `name` in the URL is one",
        }.to_owned())
    }

    async fn refuse_if_closed(&self) -> Result<()> {
        let meta = self.fields("meta", &["closed", "made"]).await?;
        match &meta[..] {
            [closed, Some(_)] if closed.as_deref() != Some(b"1") => Ok(()),
            _ => Err(self.closed().await),
        }
    }

    /// Why the store is closed.
    async fn closed(&self) -> Error {
        let (mark, made) = match self.fields("meta", &["mark", "made"]).await {
            Ok(mut meta) => {
                let made = meta.pop().flatten();
                (meta.pop().flatten(), made)
            }
            Err(error) => return error,
        };
        if made.is_none() {
            return self.unusable("the store that was opened is not there any more: the server lost its data, or somebody removed it. Stop all producers and workers, bring it back from a backup (docs/operations.md), then start them again".to_owned());
        }
        let mark: Option<Mark> = mark.and_then(|mark| serde_json::from_slice(&mark).ok());
        let refusal = mark.and_then(|mark| mark.refusal(self.place()));
        refusal.unwrap_or_else(|| Error::Unavailable {
            place: self.place().to_owned(),
            message: "the store was closed for a move a moment ago; try again".to_owned(),
            source: None,
        })
    }

    async fn call(&self, script: &Script, args: &[Vec<u8>]) -> Result<Answer> {
        self.call_with(script, Own::Nothing, args, false).await
    }

    async fn call_with(
        &self,
        script: &Script,
        own: Own,
        args: &[Vec<u8>],
        durable: bool,
    ) -> Result<Answer> {
        let keys = self.keys_of(script, own);
        let value = if durable {
            self.link.run_durable(&script.code, &keys, args).await?
        } else {
            self.link.run(&script.code, &keys, args).await?
        };
        Ok(Answer::new(value, self.place()))
    }

    /// The names of a script's keys. Those that are the same every time are made once.
    fn keys_of(&self, script: &Script, own: Own) -> Arc<[String]> {
        let names = || {
            let name = |key: &&str| match (*key, own) {
                ("batch", Own::Batch(batch)) => format!("{}batch:{}", self.prefix, hex(&batch)),
                ("rows", Own::Batch(batch)) => format!("{}batch:{}:rows", self.prefix, hex(&batch)),
                ("answer", Own::Answer(asked)) => format!("{}answer:{}", self.prefix, hex(&asked)),
                (key, _) => self.name(key),
            };
            script.keys.iter().map(name).collect()
        };
        if own != Own::Nothing {
            return names();
        }
        let made = std::ptr::from_ref(script).addr();
        let mut keys = self.lock(&self.keys);
        Arc::clone(keys.entry(made).or_insert_with(names))
    }

    /// A lease is not held any more.
    fn let_go(&self, lease: &Lease) {
        let mut held = self.lock(&self.held);
        if held
            .get(&lease.id)
            .is_some_and(|(epoch, _)| *epoch == lease.epoch)
        {
            held.remove(&lease.id);
        }
    }

    /// Sees to a batch that somebody left on its way, beside whoever noticed it.
    fn see_to_batch_later(&self, batch: BatchId) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        // One at a time: every claim meanwhile notices it too.
        if self.seeing_to_batch.swap(true, Ordering::SeqCst) {
            return;
        }
        tokio::spawn(async move {
            let ended = this.see_to_batch(batch).await;
            this.seeing_to_batch.store(false, Ordering::SeqCst);
            if let Err(error) = ended {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a batch could not be brought to its end; the next claim tries again"
                );
            }
        });
    }
}

/// Of the keys that there are many of, those that a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Nothing,
    Batch(BatchId),
    /// Of the question with this digest of who asked and under which key.
    Answer([u8; 16]),
}

impl From<BatchId> for Own {
    fn from(batch: BatchId) -> Self {
        Self::Batch(batch)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Intake for RedisStore {
    async fn begin(&self) -> Result<Box<dyn Batch>> {
        let this = self.this.upgrade().ok_or_else(|| Error::Unavailable {
            place: self.place().to_owned(),
            message: "the store is being closed".to_owned(),
            source: None,
        })?;
        Ok(Box::new(RedisBatch::new(this)))
    }
}
