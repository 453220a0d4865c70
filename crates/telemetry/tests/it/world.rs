//! A simulator, a store, and signups that come with a trace.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has nothing to show"
)]

use std::{sync::Arc, time::Duration};

use exotel::ClientConfig;
use onboarding::{OnboardingId, RecipeBook, Secret, TraceContext};
use producer::{About, Accounts, Desk};
use sandbox::Sandbox;
use serde_json::{Value, json};
use store::{
    Limits, SealingKey, SqliteOptions, Store, WorkerName, clock::SystemClock, sqlite::SqliteStore,
};
use telemetry::trace;
use tokio::net::TcpListener;
use worker::{RetryPolicy, Stats};

/// Longer than any test takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// An account's key and token, made up: what must not be told.
pub(crate) const KEY: &str = "planted-api-key";
pub(crate) const TOKEN: &str = "planted-api-token";

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    sandbox: sandbox::Running,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sandbox = Sandbox::new(sandbox::Options::default());
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("trunkline.db"),
            patience: store::sqlite::BUSY_TIMEOUT,
            key: SealingKey::generate().0,
            world: store::World::Sandbox,
            clock: Arc::new(SystemClock::default()),
        });
        Self {
            store: store.unwrap(),
            sandbox: sandbox.start(listener).unwrap(),
            _folder: folder,
        }
    }

    pub(crate) async fn fault(&self, rule: Value) {
        let url = format!("{}/_sandbox/faults", self.sandbox.base_url());
        let client = http_client();
        let answer = client.put(url).json(&json!([rule])).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// Accepts signups of the account `acme`, as an intake does.
    pub(crate) async fn accept(
        &self,
        count: u32,
        trace: Option<TraceContext>,
    ) -> Vec<OnboardingId> {
        let desk = Desk::new(RecipeBook::builtin(), Accounts::Any);
        let item = |n: u32| json!({"account": "acme", "partner": "livekit", "number": format!("+9180{n:08}")});
        let items: Vec<Value> = (0..count).map(item).collect();
        let about = About {
            source: None,
            trace,
        };
        let taken = producer::accept(&items, "test", about, &desk, &*self.store).await;
        let ids = taken.unwrap().ids;
        ids.into_iter().map(|(id, _)| id).collect()
    }

    /// Works until nothing is left to run.
    pub(crate) async fn drain(&self) -> Stats {
        let mut settings = worker::Settings::new(WorkerName("w".to_owned()));
        settings.drain = true;
        settings.request_timeout = Duration::from_secs(1);
        settings.settling = Duration::from_millis(50);
        settings.follow = Some(trace::follow);
        settings.retry = RetryPolicy {
            base: Duration::from_millis(5),
            cap: Duration::from_millis(50),
            attempts: 8,
            never_sent_attempts: 10,
        };
        let config = ClientConfig::new(
            self.sandbox.base_url(),
            "acme1", // made up
            Secret::new(KEY),
            Secret::new(TOKEN),
        );
        let limits = Limits {
            requests_per_window: 200,
            window: Duration::from_secs(60),
            in_flight: 40,
            burst: 200,
        };
        let account = worker::Account::new("acme".parse().unwrap(), config, limits);
        let store = Arc::clone(&self.store);
        let running = worker::run(settings, store, vec![account], std::future::pending());
        let ended = tokio::time::timeout(DEADLINE, running).await;
        ended.unwrap().unwrap()
    }
}

fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
