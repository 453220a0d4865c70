//! The store on Redis keeps every promise of the suite, on a real server.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{sync::Arc, time::Duration};

use redis_fixture::Server;
use store::{
    SealingKey, Store, World,
    conformance::Fixture,
    redis::{RedisOptions, RedisPlace, RedisStore},
};

/// A store of its own on the server that the tests of this program share.
struct OneName {
    url: String,
    key: SealingKey,
    store: Option<Arc<RedisStore>>,
}

impl OneName {
    async fn new() -> Self {
        let server = Server::shared();
        let name: u64 = rand::random();
        let mut fixture = Self {
            url: format!("{}?name=t{name:016x}", server.url()),
            key: SealingKey::generate().0,
            store: None,
        };
        fixture.store = Some(fixture.open().await);
        fixture
    }

    async fn open(&self) -> Arc<RedisStore> {
        RedisStore::open(RedisOptions {
            place: RedisPlace::parse(&self.url).expect("a URL"),
            key: self.key.clone(),
            world: World::Live,
            keep_finished: Duration::from_secs(3600),
        })
        .await
        .expect("the store opens")
    }
}

#[async_trait::async_trait]
impl Fixture for OneName {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone().expect("the store is open")
    }

    async fn elsewhere(&self) -> Arc<dyn Store> {
        self.open().await
    }

    async fn restart(&mut self) -> Arc<dyn Store> {
        self.store = None;
        self.store = Some(self.open().await);
        self.store()
    }

    /// A server's clock cannot be moved: its time passes as everybody's does.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

store::conformance!(OneName::new());
store::fleet_conformance!(OneName::new());
store::telling_conformance!(OneName::new());
