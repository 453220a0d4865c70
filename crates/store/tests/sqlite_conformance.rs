//! The embedded store keeps every promise of the suite.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{sync::Arc, time::Duration};

use store::{
    SealingKey, SqliteOptions, Store, World, clock::ManualClock, conformance::Fixture,
    sqlite::SqliteStore,
};

struct OneFile {
    folder: tempfile::TempDir,
    key: SealingKey,
    clock: ManualClock,
    store: Option<Arc<SqliteStore>>,
}

impl OneFile {
    async fn new() -> Self {
        let mut fixture = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            key: SealingKey::generate().0,
            clock: ManualClock::at(1_800_000_000_000),
            store: None,
        };
        fixture.store = Some(fixture.open());
        fixture
    }

    fn open(&self) -> Arc<SqliteStore> {
        SqliteStore::open(SqliteOptions {
            path: self.folder.path().join("store.db"),
            patience: store::sqlite::BUSY_TIMEOUT,
            key: self.key.clone(),
            world: World::Live,
            clock: Arc::new(self.clock.clone()),
        })
        .expect("the store opens")
    }
}

#[async_trait::async_trait]
impl Fixture for OneFile {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone().expect("the store is open")
    }

    async fn elsewhere(&self) -> Arc<dyn Store> {
        self.open()
    }

    async fn restart(&mut self) -> Arc<dyn Store> {
        self.store = None;
        self.store = Some(self.open());
        self.store()
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

store::conformance!(OneFile::new());
store::telling_conformance!(OneFile::new());
