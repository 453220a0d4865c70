//! A store in a folder of its own, with made-up onboardings, and loops that deliver.

use std::{sync::Arc, time::Duration};

use onboarding::OnboardingId;
use redis_fixture::Server;
use store::{
    Delivery, DeliveryFilter, DeliveryState, SealingKey, SqliteOptions, Store, Then, World,
    clock::{Clock, SystemClock},
    conformance::sample::{self, signup},
    redis::{RedisOptions, RedisPlace, RedisStore},
    sqlite::SqliteStore,
};
use tokio::{sync::oneshot, task::JoinHandle};
use webhook::{Endpoint, Observer, Outgoing, Pace, deliver};

use crate::log;

/// Quick to look and to try again, in no hurry otherwise.
pub(crate) const QUICK: Pace = Pace {
    timeout: Duration::from_secs(15),
    connect_timeout: Duration::from_secs(5),
    hold: Duration::from_secs(60),
    first_delay: Duration::from_millis(20),
    longest_delay: Duration::from_millis(100),
    keep_trying: Duration::from_secs(24 * 60 * 60),
    look: Duration::from_millis(20),
};

pub(crate) struct Place {
    pub(crate) store: Arc<dyn Store>,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_by(Arc::new(SystemClock::default())).await
    }

    /// By a clock of its own.
    pub(crate) async fn sqlite_by(clock: Arc<dyn Clock>) -> Self {
        log::begin();
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("store.db"),
            patience: store::sqlite::BUSY_TIMEOUT,
            key: SealingKey::generate().0,
            world: World::Live,
            clock,
        });
        Self::of(store.unwrap(), Some(folder)).await
    }

    /// Runs a statement on the file of the embedded store, beside it.
    pub(crate) fn spoil(&self, sql: &str) {
        let folder = self.folder.as_ref().unwrap();
        let file = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
        assert_eq!(file.execute(sql, []).unwrap(), 1, "{sql}");
    }

    /// Takes a table of the embedded store away, beside it: what needs it fails from then on.
    pub(crate) fn take_away(&self, table: &str) {
        let folder = self.folder.as_ref().unwrap();
        let file = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
        let sql = format!("ALTER TABLE {table} RENAME TO {table}_away");
        file.execute_batch(&sql).unwrap();
    }

    /// A store of its own on a server that the tests of this program share.
    pub(crate) async fn redis() -> Self {
        log::begin();
        let name: u64 = rand::random();
        let url = format!("{}?name=t{name:016x}", Server::shared().url());
        let store = RedisStore::open(RedisOptions {
            place: RedisPlace::parse(&url).unwrap(),
            key: SealingKey::generate().0,
            world: World::Live,
            keep_finished: Duration::from_secs(3600),
        });
        Self::of(store.await.unwrap(), None).await
    }

    async fn of(store: Arc<dyn Store>, folder: Option<tempfile::TempDir>) -> Self {
        sample::register(&store, "worker", &["acme", "birch"], sample::wide()).await;
        Self { store, folder }
    }

    /// The `n`th onboarding of acme ends.
    pub(crate) async fn end(&self, n: u64, then: Then) -> OnboardingId {
        self.end_of("acme", n, then).await
    }

    /// The `n`th onboarding of an account ends.
    pub(crate) async fn end_of(&self, account: &str, n: u64, then: Then) -> OnboardingId {
        let signup = signup(account, n);
        let id = signup.new.id;
        sample::accept(&self.store, vec![signup]).await;
        let claim = sample::claim_one(&self.store, "worker").await;
        assert_eq!(claim.lease.id, id);
        let advance = sample::only(&claim.permit, then);
        self.store.advance(&claim.lease, advance).await.unwrap();
        id
    }

    /// The loops have seen that there is something to begin with: what happens from now on counts.
    pub(crate) async fn begun(&self) {
        let begun = async || self.store.laid_out().await.unwrap().is_some();
        eventually("the mark is set", begun).await;
    }

    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let filter = DeliveryFilter::default();
        let page = self.store.deliveries(&filter, None, 200).await.unwrap();
        page.items
    }

    /// The only delivery, once it is in this state.
    pub(crate) async fn only(&self, state: DeliveryState) -> Delivery {
        let ended = async || {
            let all = self.deliveries().await;
            all.len() == 1 && all[0].state == state
        };
        eventually(&format!("the delivery is {}", state.as_str()), ended).await;
        self.deliveries().await.remove(0)
    }

    pub(crate) fn run(&self, endpoints: Vec<Endpoint>, pace: Pace) -> Running {
        self.run_observed(endpoints, pace, Arc::new(()))
    }

    pub(crate) fn run_observed(
        &self,
        endpoints: Vec<Endpoint>,
        pace: Pace,
        observer: Arc<dyn Observer>,
    ) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let outgoing = Outgoing::new(endpoints, pace).unwrap();
        let store = Arc::clone(&self.store);
        let task = tokio::spawn(deliver(outgoing, store, observer, async {
            let _ = stopped.await;
        }));
        Running { stop, task }
    }
}

/// A loop that delivers.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Asks it to stop.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }

    /// Cuts it, as a crash does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Waits for a condition, for a minute at most.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let met = tokio::time::timeout(Duration::from_secs(60), met).await;
    assert!(met.is_ok(), "not within a minute: {what}");
}
