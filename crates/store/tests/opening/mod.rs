//! How these tests open a store on a real server.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::{future::Future, sync::Arc, time::Duration};

use redis_fixture::Server;
use store::{
    Error, SealingKey, Store, World,
    redis::{RedisOptions, RedisPlace, RedisStore},
};

/// Long enough for anything that comes at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How a test opens its store.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) url: String,
    pub(crate) key: SealingKey,
    pub(crate) world: World,
    pub(crate) keep_finished: Duration,
}

impl Opening {
    pub(crate) fn of(server: &Server, name: &str) -> Self {
        Self::at(format!("{}?name={name}", server.url()))
    }

    pub(crate) fn at(url: String) -> Self {
        Self {
            url,
            key: SealingKey::generate().0,
            world: World::Live,
            keep_finished: Duration::from_secs(3600),
        }
    }

    pub(crate) fn keeping(self, keep_finished: Duration) -> Self {
        Self {
            keep_finished,
            ..self
        }
    }

    pub(crate) fn place(&self) -> RedisPlace {
        RedisPlace::parse(&self.url).expect("a URL")
    }

    pub(crate) async fn try_open(&self) -> store::Result<Arc<RedisStore>> {
        RedisStore::open(RedisOptions {
            place: self.place(),
            key: self.key.clone(),
            world: self.world,
            keep_finished: self.keep_finished,
        })
        .await
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.expect("the store opens")
    }

    /// What is said where it must not be opened.
    pub(crate) async fn refusal(&self) -> Error {
        match self.try_open().await {
            Ok(_) => panic!("the store must be refused"),
            Err(error) => error,
        }
    }
}

/// Makes a call again until it is answered, as callers do while a server is away.
pub(crate) async fn at_last<T, F: Future<Output = store::Result<T>>>(
    mut call: impl FnMut() -> F,
) -> T {
    let answered = async {
        loop {
            match call().await {
                Ok(value) => break value,
                Err(Error::Unavailable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered)
        .await
        .expect("the server comes back")
}
