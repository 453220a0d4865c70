//! Whether requests can be served.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use store::Store;
use tokio::sync::Mutex;

use crate::problem::{Code, Problem, chain};

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long an answer is believed: anybody may ask, and must not load the store by it.
const BELIEVED: Duration = Duration::from_secs(1);

/// Whether requests can be served.
#[derive(Debug, Default)]
pub struct Readiness {
    closing: AtomicBool,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// From now on they cannot.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Asks the store, at most once in a second.
    ///
    /// # Errors
    /// A 503 problem that says why not.
    pub async fn check(&self, store: &dyn Store) -> Result<(), Problem> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(Problem::new(Code::ShuttingDown, "the server is stopping"));
        }
        let mut last = self.last.lock().await;
        let known = last.filter(|(at, _)| at.elapsed() < BELIEVED);
        let answers = match known {
            Some((_, answers)) => answers,
            None => answers(store).await,
        };
        if known.is_none() {
            *last = Some((Instant::now(), answers));
        }
        if answers {
            return Ok(());
        }
        Err(Problem::new(
            Code::StoreUnavailable,
            "the store did not answer within a second",
        ))
    }
}

async fn answers(store: &dyn Store) -> bool {
    match tokio::time::timeout(PATIENCE, store.latest()).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "not ready: the store does not answer");
            false
        }
        Err(_) => {
            tracing::warn!("not ready: the store takes more than a second to answer");
            false
        }
    }
}
