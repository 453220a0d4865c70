//! A store that does not answer: waited for, and told of once.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses between tries of a store that is away, without end: 100 ms to 5 s.
pub(super) fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build()
}

/// Whether the store answered last.
pub(super) struct Outage {
    /// What waits meanwhile, as in `sending webhooks`.
    what: &'static str,
    delays: Option<ExponentialBackoff>,
}

impl Outage {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, delays: None }
    }

    /// Passes an answer on; of a failure, how long to wait before the store is asked again.
    pub(super) fn told<T>(&mut self, answer: store::Result<T>) -> Result<T, Duration> {
        match answer {
            Ok(answer) => {
                if self.delays.take().is_some() {
                    tracing::info!("{} goes on: the store answers again", self.what);
                }
                Ok(answer)
            }
            Err(error) => {
                if self.delays.is_none() {
                    tracing::warn!(%error, "{} waits for the store", self.what);
                }
                let delays = self.delays.get_or_insert_with(delays);
                Err(delays.next().unwrap_or(Duration::from_secs(5)))
            }
        }
    }
}
