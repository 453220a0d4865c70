//! The store fails now and then, and for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use onboarding::{AccountName, OnboardingId, SipPassword, State};
use store::{
    AccountStatus, Advance, Advanced, Batch, Claims, Cursor, Filter, Granted, Inspect, Intake,
    Lease, Limits, Onboarding, Operate, Page, Result, Retried, Settled, Store, Tally, Work,
    WorkerName, sqlite::SqliteStore,
};

use crate::world::{DEADLINE, World, full_signup, settings};

/// The real store behind a line that fails: every third call, or every call while it is down.
struct Flaky {
    store: Arc<SqliteStore>,
    calls: AtomicU32,
    down: AtomicBool,
    refused: AtomicU32,
}

impl Flaky {
    fn pass(&self) -> Result<()> {
        let third = self.calls.fetch_add(1, Ordering::SeqCst) % 3 == 2;
        if !third && !self.down.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err(store::Error::Unavailable {
            place: "made up".into(),
            message: "the line is down".into(),
            source: None,
        })
    }
}

#[async_trait]
impl Intake for Flaky {
    async fn begin(&self) -> Result<Box<dyn Batch>> {
        self.store.begin().await
    }
}

#[async_trait]
impl Work for Flaky {
    async fn register(&self, worker: &WorkerName, all: &[(AccountName, Limits)]) -> Result<()> {
        self.store.register(worker, all).await
    }
    async fn claim(
        &self,
        worker: &WorkerName,
        max: usize,
        lease: Duration,
        request_timeout: Duration,
    ) -> Result<Claims> {
        self.pass()?;
        self.store.claim(worker, max, lease, request_timeout).await
    }
    async fn changed(&self) {
        self.store.changed().await;
    }
    async fn advance(&self, lease: &Lease, advance: Advance) -> Result<Advanced> {
        self.pass()?;
        self.store.advance(lease, advance).await
    }
    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<Lease>> {
        self.pass()?;
        self.store.renew(leases, lease).await
    }
    async fn abandon(&self, worker: &WorkerName) -> Result<u64> {
        self.store.abandon(worker).await
    }
    async fn permit(&self, account: &AccountName, timeout: Duration) -> Result<Granted> {
        self.pass()?;
        self.store.permit(account, timeout).await
    }
    async fn settle(&self, settled: Vec<Settled>) -> Result<()> {
        self.store.settle(settled).await
    }
    async fn close_account(&self, account: &AccountName, delay: Duration) -> Result<()> {
        self.pass()?;
        self.store.close_account(account, delay).await
    }
    async fn park_account(&self, account: &AccountName, reason: &str) -> Result<()> {
        self.pass()?;
        self.store.park_account(account, reason).await
    }
}

#[async_trait]
impl Inspect for Flaky {
    async fn get(&self, id: OnboardingId) -> Result<Option<Onboarding>> {
        self.store.get(id).await
    }
    async fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.store.list(filter, after, limit).await
    }
    async fn tally(&self) -> Result<Tally> {
        self.pass()?;
        self.store.tally().await
    }
    async fn accounts(&self) -> Result<Vec<AccountStatus>> {
        self.store.accounts().await
    }
    async fn recipe(&self, digest: &str) -> Result<Option<String>> {
        self.store.recipe(digest).await
    }
    async fn password(&self, id: OnboardingId) -> Result<Option<SipPassword>> {
        self.store.password(id).await
    }
}

#[async_trait]
impl Operate for Flaky {
    async fn retry(&self, id: OnboardingId) -> Result<Retried> {
        self.store.retry(id).await
    }
    async fn cancel(&self, id: OnboardingId) -> Result<store::operate::Cancelled> {
        self.store.cancel(id).await
    }
    async fn resume_account(&self, account: &AccountName) -> Result<bool> {
        self.store.resume_account(account).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_neither_ends_the_worker_nor_repeats_a_request() {
    let world = World::new().await;
    let new = (0..12).map(|n| full_signup("acme", n));
    let ids = world.enqueue(new.collect()).await;
    let flaky = Arc::new(Flaky {
        store: Arc::clone(&world.store),
        calls: AtomicU32::new(0),
        down: AtomicBool::new(true),
        refused: AtomicU32::new(0),
    });
    let mut settings = settings("w");
    settings.drain = true;
    let running = worker::run(
        settings,
        Arc::clone(&flaky) as Arc<dyn Store>,
        vec![world.account("acme")],
        std::future::pending(),
    );
    let line = async {
        // Down until it was tried some times, then up with a fault at every third call.
        while flaky.refused.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        flaky.down.store(false, Ordering::SeqCst);
    };
    let both = async { tokio::join!(running, line).0 };
    let stats = tokio::time::timeout(DEADLINE, both).await.unwrap().unwrap();
    assert_eq!(
        (stats.succeeded, stats.requests, stats.lost),
        (12, 12 * 6, 0)
    );
    for id in ids {
        assert_eq!(world.state(id).await, State::Succeeded);
    }
}
