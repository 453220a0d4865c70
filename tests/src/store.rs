//! What a place keeps its store in.

use std::{
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use redis_fixture::Server;

/// The kinds of stores, of which all promises are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A database file, for one worker.
    Sqlite,
    /// A Redis, for any number.
    Redis,
}

/// The variable that has [`KEY`] in a place on Redis.
pub(crate) const KEY_VARIABLE: &str = "STORE_KEY";

/// What seals the secrets of every store on Redis of these tests: 32 made-up bytes in base 64.
pub const KEY: &str = "cGxhbnRlZCBrZXkgb2YgdGhlIHRlc3RzLCAzMmJ5dGU=";

/// A store in a Redis.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) url: String,
    pub(crate) name: String,
}

/// A name that no other store has.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("t{}-{n}", process::id())
}

impl Named {
    pub(crate) fn url(&self) -> String {
        let sign = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{sign}name={}", self.url, self.name)
    }

    /// Removes all of it from the shared server.
    pub(crate) fn lose(&self) {
        let server = Server::shared();
        assert_eq!(self.url, server.url(), "only in the shared server");
        let keys = server.ask(&["KEYS", &format!("{{{}}}:*", self.name)]);
        for key in keys.expect("the shared server answers").lines() {
            server.ask(&["DEL", key]).expect("a key can be removed");
        }
    }
}
