//! Whether requests can be served.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use store::{Error, Health, Store};
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
    last: Mutex<Option<(Instant, Result<(), Problem>)>>,
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
        if let Some((at, known)) = &*last
            && at.elapsed() < BELIEVED
        {
            return known.clone();
        }
        let known = ask(store).await;
        *last = Some((Instant::now(), known.clone()));
        known
    }
}

/// What is said names no place: anybody may ask. The log says more.
async fn ask(store: &dyn Store) -> Result<(), Problem> {
    let unavailable = |words: String| Err(Problem::new(Code::StoreUnavailable, words));
    match tokio::time::timeout(PATIENCE, store.health()).await {
        Ok(Ok(Health::Well)) => Ok(()),
        Ok(Ok(Health::Stuck(waited))) => {
            let waited = waited.as_secs();
            tracing::warn!(waited_s = waited, "not ready: writes wait for the store");
            unavailable(format!(
                "a write has waited for {waited} s: another process keeps the store locked, or its disk does not answer"
            ))
        }
        Ok(Ok(Health::Failing(error))) => {
            tracing::warn!(error = %chain(&error), "not ready: writes fail");
            unavailable(
                "the store takes no writes, as where its disk is full; the log says why".into(),
            )
        }
        Ok(Err(error @ Error::Replaced { .. })) => Err(error.into()),
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "not ready: the store does not answer");
            let unfit = error.unfit().map(ToString::to_string);
            unavailable(
                unfit.unwrap_or_else(|| "the store does not answer; the log says why".into()),
            )
        }
        Err(_) => {
            tracing::warn!("not ready: the store takes more than a second to answer");
            unavailable("the store did not answer within a second".into())
        }
    }
}
