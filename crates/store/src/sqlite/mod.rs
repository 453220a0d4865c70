//! The embedded store: one SQLite file, one worker process, any number of others.
//!
//! ```text
//! callers ──operations──▶ writer (one thread, one connection) ──group commit──▶ file
//!                           │ in memory: lanes, permits, held leases
//! callers ──questions───▶ reader (its own connection)        ◀──snapshot────── file
//! ```
//!
//! Writes of the same moment share one transaction and one flush to disk (WAL,
//! `synchronous = FULL`). What the writer keeps in memory mirrors the file; a counter in the file
//! tells it what other processes changed.

mod accounts;
mod advance;
mod answers;
mod batches;
mod claim;
mod delivery;
mod failure;
mod feed;
mod file_identity;
mod inspect;
mod intake;
mod lane;
mod lane_table;
mod lanes;
mod late_check;
mod numbers;
mod operate;
mod outbox;
mod outside;
mod refused;
mod restored;
mod retention;
mod row;
mod schema;
mod state;
mod steady_clock;
mod stops;
mod transfer;
mod watch;
mod worker_place;
mod world;
mod writer;
mod writer_health;

pub use self::{file_identity::refuse_second_path, world::world_of};

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use onboarding::{AccountName, OnboardingId, PhoneNumber, SipPassword};
use rusqlite::Connection;

use self::{
    claim::Terms, failure::Failure, file_identity::FileIdentity, inspect::Reader,
    intake::SqliteBatch, state::State, steady_clock::SteadyClock, watch::Watch,
    worker_place::WorkerPlace, writer::Writer,
};
use crate::{
    AccountStatus, Advance, Advanced, Batch, BatchNumber, BatchStatus, Cancelled, Claims, Cursor,
    Error, Filter, Granted, Health, Inspect, Intake, LateCheck, LateChecked, LateChecks, Lease,
    Limits, NumberHolder, Onboarding, Operate, Page, Probe, Probed, Result, Resumed, Retried,
    SealingKey, Settled, Stop, Tally, Unusable, Work, WorkerName, WorkerStatus, World,
    clock::{Clock, millis},
};

/// How long a write waits for another process's: a batch of a million signups holds the file for
/// some ten seconds.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// How to open a [`SqliteStore`].
pub struct SqliteOptions {
    /// The database file; made, with mode 0600, if it is not there.
    pub path: PathBuf,
    /// Seals the secrets in it.
    pub key: SealingKey,
    /// Fixed when something is first accepted; another one is refused from then on.
    pub world: World,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// How long a write may wait for its turn; then it is given up, and nothing was changed. At most
    /// [`BUSY_TIMEOUT`] makes a difference.
    pub patience: Duration,
}

/// The embedded store.
pub struct SqliteStore {
    place: String,
    path: PathBuf,
    key: SealingKey,
    identity: Arc<FileIdentity>,
    clock: Arc<SteadyClock>,
    writer: Writer,
    reader: Arc<Mutex<Reader>>,
    watch: Watch,
    notify: Arc<tokio::sync::Notify>,
    worker_place: Mutex<Option<WorkerPlace>>,
    myself: std::sync::Weak<Self>,
}

fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

impl SqliteStore {
    /// Opens the file, makes or updates its tables, and starts the thread that writes.
    ///
    /// # Errors
    /// [`Error::Unusable`] where the file cannot be opened, is another world's, is sealed with
    /// another key or was written by a newer version.
    pub fn open(options: SqliteOptions) -> Result<Arc<Self>> {
        let SqliteOptions {
            path,
            key,
            world,
            clock,
            patience,
        } = options;
        let place = format!("sqlite:{}", path.display());
        let fail = |error| Error::from(Failure::new(&place, error));
        make_private(&path).map_err(|error| Error::Unusable {
            place: place.clone(),
            message: format!(
                "the file cannot be made: {error}; see that its folder exists and can be written"
            ),
        })?;
        refuse_second_path(&path)?;
        let mut connection = Connection::open(&path).map_err(fail)?;
        schema::configure(&connection).map_err(fail)?;
        let clock = Arc::new(schema::prepare(
            &mut connection,
            &place,
            world,
            &key,
            clock,
        )?);
        let identity = Arc::new(FileIdentity::of(&connection, &path, &place)?);
        let reading = Connection::open(&path).map_err(fail)?;
        schema::configure(&reading).map_err(fail)?;
        reading
            .pragma_update(None, "query_only", true)
            .map_err(fail)?;
        let watch = Watch::open(&path).map_err(fail)?;
        // All of them have the same files open.
        identity.check()?;
        let notify = Arc::new(tokio::sync::Notify::new());
        let state = State::new(
            place.clone(),
            world,
            key.clone(),
            Arc::clone(&identity),
            Arc::clone(&clock),
            Arc::clone(&notify),
        );
        let writer = Writer::start(connection, state, patience)?;
        let reader = Arc::new(Mutex::new(Reader {
            connection: reading,
            place: place.clone(),
            time_ahead_ms: clock.ahead_ms(),
        }));
        Ok(Arc::new_cyclic(|myself| Self {
            place,
            path,
            key,
            identity,
            clock,
            writer,
            reader,
            watch,
            notify,
            worker_place: Mutex::new(None),
            myself: myself.clone(),
        }))
    }

    async fn read<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T> + Send + 'static,
    {
        let (reader, identity) = (Arc::clone(&self.reader), Arc::clone(&self.identity));
        let answer = tokio::task::spawn_blocking(move || {
            let found = question(&reader.lock().unwrap_or_else(PoisonError::into_inner));
            identity.check().and(found)
        });
        answer.await.unwrap_or_else(|error| {
            Err(Error::Unavailable {
                place: self.place.clone(),
                message: "reading was cut off".to_owned(),
                source: Some(Box::new(error)),
            })
        })
    }

    /// Writes about as much as a signup does, and removes it again.
    async fn try_write(&self) -> Result<()> {
        for sql in [
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('try', zeroblob(65536))",
            "DELETE FROM meta WHERE name = 'try'",
        ] {
            self.writer
                .call(move |tx| {
                    let written = tx.connection.execute(sql, []);
                    written.map(drop).map_err(|error| tx.fail(error))
                })
                .await?;
        }
        Ok(())
    }

    /// Takes the one worker's place. Taking it twice is fine.
    fn take_place(&self) -> Result<()> {
        let mut place = self
            .worker_place
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = Some(WorkerPlace::take(&self.path, &self.place)?);
        }
        Ok(())
    }

    /// What the file beside the database says; only the owner of the worker's place may rely on it.
    fn counter_beside(&self) -> Option<i64> {
        restored::counter_beside(self.identity.real_path())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if self.identity.check().is_err() {
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            writer::leave_alone(&reader.connection);
            self.watch.leave_alone();
        }
    }
}

#[async_trait]
impl Intake for SqliteStore {
    async fn begin(&self) -> Result<Box<dyn Batch>> {
        let store = self.myself.upgrade().ok_or_else(|| Error::Unavailable {
            place: self.place.clone(),
            message: "the store is closing".to_owned(),
            source: None,
        })?;
        Ok(Box::new(SqliteBatch::new(store)))
    }
}

#[async_trait]
impl Work for SqliteStore {
    async fn register(
        &self,
        worker: &WorkerName,
        accounts: &[(AccountName, Limits)],
    ) -> Result<()> {
        tracing::debug!(worker = %worker, accounts = accounts.len(), "registering");
        self.take_place()?;
        let beside = self.counter_beside();
        let accounts = accounts.to_vec();
        let counter = self
            .writer
            .call(move |tx| {
                tx.state.refuse_if_closed()?;
                for (account, limits) in &accounts {
                    tx.configure(account, limits)?;
                }
                tx.state.changed = true;
                // The place was free, so whoever holds a lease is gone.
                match tx.state.is_serving() {
                    true => Ok(None),
                    false => tx.take_over(beside).map(Some),
                }
            })
            .await?;
        let Some(counter) = counter else {
            return Ok(());
        };
        // Only once that is durable, so that a failure leaves it to be done again.
        self.writer
            .call(move |tx| {
                tx.state.start_serving(counter);
                Ok(())
            })
            .await
    }

    async fn heard(&self, worker: &WorkerName, says: Option<&[Unusable]>) -> Result<()> {
        let place = self.worker_place.lock();
        match &*place.unwrap_or_else(PoisonError::into_inner) {
            Some(place) => place.hear(worker, says, &self.clock, &self.place),
            // It has not begun, and nothing is known of it yet.
            None => Ok(()),
        }
    }

    async fn claim(
        &self,
        worker: &WorkerName,
        max: usize,
        lease: Duration,
        request_timeout: Duration,
    ) -> Result<Claims> {
        let terms = Terms {
            worker: worker.clone(),
            max,
            lease,
            request_timeout,
        };
        self.writer.call(move |tx| tx.claim(&terms)).await
    }

    async fn changed(&self) {
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                () = self.notify.notified() => return,
                () = tokio::time::sleep(watch::LOOK_EVERY) => {
                    looks += 1;
                    let replaced = looks.is_multiple_of(watch::LOOKS_PER_CHECK)
                        && self.identity.check().is_err();
                    if replaced || self.watch.moved() {
                        return;
                    }
                }
            }
        }
    }

    async fn advance(&self, lease: &Lease, advance: Advance) -> Result<Advanced> {
        let lease = lease.clone();
        self.writer
            .call(move |tx| tx.advance(&lease, advance))
            .await
    }

    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<Lease>> {
        let leases = leases.to_vec();
        self.writer
            .call(move |tx| Ok(tx.renew(leases, lease)))
            .await
    }

    async fn abandon(&self, worker: &WorkerName) -> Result<u64> {
        let worker = worker.clone();
        self.writer.call(move |tx| tx.abandon(&worker)).await
    }

    async fn permit(&self, account: &AccountName, request_timeout: Duration) -> Result<Granted> {
        let account = account.clone();
        self.writer
            .call(move |tx| tx.permit_outside(&account, request_timeout))
            .await
    }

    async fn settle(&self, settled: Vec<Settled>) -> Result<()> {
        self.writer
            .call(move |tx| tx.settle_outside(&settled))
            .await
    }

    async fn close_account(&self, account: &AccountName, delay: Duration) -> Result<bool> {
        let account = account.clone();
        self.writer
            .call(move |tx| {
                let until = tx.state.now().saturating_add(millis(delay));
                tx.close(&account, until)
            })
            .await
    }

    async fn late_checks(&self, max: usize, hidden: Duration) -> Result<LateChecks> {
        self.writer
            .call(move |tx| tx.take_late_checks(max, hidden))
            .await
    }

    async fn late_checked(&self, check: &LateCheck, found: LateChecked) -> Result<()> {
        let check = check.clone();
        self.writer
            .call(move |tx| tx.late_checked(&check, found))
            .await
    }

    async fn stop_account(&self, account: &AccountName, stop: &Stop) -> Result<bool> {
        let (account, stop) = (account.clone(), stop.clone());
        self.writer.call(move |tx| tx.stop(&account, &stop)).await
    }

    async fn probed(&self, probe: &Probe, came: &Probed) -> Result<bool> {
        let (probe, came) = (probe.clone(), came.clone());
        self.writer.call(move |tx| tx.probed(&probe, &came)).await
    }
}

#[async_trait]
impl Inspect for SqliteStore {
    async fn health(&self) -> Result<Health> {
        self.recipe("").await?;
        let known = self.writer.health();
        if let Some(waited) = known.stuck() {
            return Ok(Health::Stuck(waited));
        }
        if !known.has_failed() {
            return Ok(Health::Well);
        }
        // Nobody else may be sent here until writes work again, so this has to find out.
        match self.try_write().await {
            Ok(()) => Ok(Health::Well),
            Err(error @ Error::Unavailable { .. }) => Ok(Health::Failing(error)),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, id: OnboardingId) -> Result<Option<Onboarding>> {
        self.read(move |reader| reader.get(id)).await
    }

    async fn get_many(&self, ids: &[OnboardingId]) -> Result<Vec<Onboarding>> {
        let ids = ids.to_vec();
        self.read(move |reader| {
            let found = ids.into_iter().filter_map(|id| reader.get(id).transpose());
            found.collect()
        })
        .await
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        let (filter, after) = (filter.clone(), after.cloned());
        self.read(move |reader| reader.list(&filter, after.as_ref(), limit))
            .await
    }

    async fn tally(&self) -> Result<Tally> {
        self.read(Reader::tally).await
    }

    async fn workers(&self) -> Result<Vec<WorkerStatus>> {
        Ok(worker_place::heard_of(&self.path, &self.clock))
    }

    async fn late_checks_left(&self) -> Result<u64> {
        self.read(Reader::late_checks_left).await
    }

    async fn accounts(&self) -> Result<Vec<AccountStatus>> {
        let clock = Arc::clone(&self.clock);
        self.read(move |reader| reader.accounts(&clock)).await
    }

    async fn batches(&self, before: Option<BatchNumber>, limit: usize) -> Result<Vec<BatchStatus>> {
        self.read(move |reader| reader.batches(before, limit)).await
    }

    async fn batch(&self, number: BatchNumber) -> Result<Option<BatchStatus>> {
        self.read(move |reader| reader.batch(number)).await
    }

    async fn number_holders(&self, numbers: &[PhoneNumber]) -> Result<Vec<Option<NumberHolder>>> {
        let numbers = numbers.to_vec();
        self.read(move |reader| reader.number_holders(&numbers))
            .await
    }

    async fn recipe(&self, digest: &str) -> Result<Option<String>> {
        let digest = digest.to_owned();
        self.read(move |reader| reader.recipe(&digest)).await
    }

    async fn password(&self, id: OnboardingId) -> Result<Option<SipPassword>> {
        let Some(sealed) = self.read(move |reader| reader.sealed_password(id)).await? else {
            return Ok(None);
        };
        let secret = self
            .key
            .open(&id.to_bytes(), &sealed)
            .map_err(|error| Error::Corrupt {
                place: format!("{}, {id}", self.place),
                message: error.to_string(),
            })?;
        Ok(Some(SipPassword::from_secret(secret)))
    }
}

#[async_trait]
impl Operate for SqliteStore {
    async fn retry(&self, id: OnboardingId, replace_credentials: bool) -> Result<Retried> {
        self.writer
            .call(move |tx| {
                tx.state.refuse_if_closed()?;
                tx.retry(id, replace_credentials)
            })
            .await
    }

    async fn cancel(&self, id: OnboardingId) -> Result<Cancelled> {
        self.writer
            .call(move |tx| {
                tx.state.refuse_if_closed()?;
                tx.cancel(id)
            })
            .await
    }

    async fn resume_account(&self, account: &AccountName) -> Result<Resumed> {
        let account = account.clone();
        self.writer
            .call(move |tx| {
                tx.state.refuse_if_closed()?;
                tx.resume(&account)
            })
            .await
    }

    async fn park_account(&self, account: &AccountName, reason: &str) -> Result<bool> {
        let (account, reason) = (account.clone(), reason.to_owned());
        self.writer
            .call(move |tx| {
                tx.state.refuse_if_closed()?;
                tx.park(&account, &reason)
            })
            .await
    }

    async fn mark_restored(&self) -> Result<u64> {
        self.take_place()?;
        let beside = self.counter_beside();
        self.writer
            .call(move |tx| {
                tx.state.refuse_if_closed()?;
                tx.take_over(beside)?;
                tx.distrust()
            })
            .await
    }
}
