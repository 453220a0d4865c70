//! The accounts that a worker serves.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use exotel::{Client, ClientConfig, ConfigError};
use jiff::Timestamp;
use onboarding::AccountName;
use store::{Limits, clock::millis};
use tokio::time::Instant;

use crate::{RetryPolicy, Settings};

/// An account that a worker serves.
///
/// Its client, with one connection pool, is made on first use: a worker may serve thousands of
/// accounts of which few have work.
pub struct Account {
    pub(crate) name: AccountName,
    pub(crate) limits: Limits,
    config: ClientConfig,
    client: OnceLock<Result<Client, ConfigError>>,
    /// It answered 429, and nothing else since.
    throttled: AtomicBool,
    /// Times in a row that the account was closed for 429s, and since when and until when it is.
    closed: Mutex<(u32, Option<(Instant, Instant)>)>,
    /// When it was stopped last, as this worker knows.
    stopped: Mutex<Option<Instant>>,
    /// It has answered a request as an account does that is in order, since it was stopped.
    proven: AtomicBool,
    /// Until it is proven, requests are sent one after the other: who has this may send.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The last read that was to show whether Exotel answers.
    pub(crate) checked: tokio::sync::Mutex<Option<Checked>>,
    /// Exotel's clock, by the last answer: its milliseconds, and when it came.
    exotel_clock: Mutex<Option<(i64, Instant)>>,
}

/// What a read showed that was sent because another request had failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    /// When it ended.
    pub(crate) ended: Instant,
    /// Whether it failed too.
    pub(crate) out: bool,
}

/// The right to send the one request of an account that is not proven yet.
pub(crate) type Turn = tokio::sync::OwnedMutexGuard<()>;

impl Account {
    /// An account by its name in the accounts file. The configuration's request timeout is
    /// replaced by the worker's.
    #[must_use]
    pub fn new(name: AccountName, config: ClientConfig, limits: Limits) -> Self {
        Self {
            name,
            limits,
            config,
            client: OnceLock::new(),
            throttled: AtomicBool::new(false),
            closed: Mutex::default(),
            stopped: Mutex::default(),
            proven: AtomicBool::new(false),
            turn: Arc::default(),
            checked: tokio::sync::Mutex::default(),
            exotel_clock: Mutex::default(),
        }
    }

    /// Notes the time of an answer.
    pub(crate) fn note_date(&self, date: Option<Timestamp>) {
        if let Some(date) = date {
            let clock = self.exotel_clock.lock();
            *clock.unwrap_or_else(PoisonError::into_inner) =
                Some((date.as_millisecond(), Instant::now()));
        }
    }

    /// Exotel's clock now, in milliseconds since 1970, moved by ours from its last answer. `None`:
    /// no answer had a time.
    pub(crate) fn exotel_ms(&self) -> Option<i64> {
        let clock = self.exotel_clock.lock();
        let (date, at) = (*clock.unwrap_or_else(PoisonError::into_inner))?;
        Some(date.saturating_add(millis(at.elapsed())))
    }

    pub(crate) fn client(&self, settings: &Settings) -> Result<&Client, &ConfigError> {
        self.client
            .get_or_init(|| {
                let request_timeout = settings.request_timeout;
                let mut config = self.config.clone();
                config.request_timeout = request_timeout;
                config.connect_timeout = config.connect_timeout.min(request_timeout * 3 / 4);
                config.max_idle_connections = settings.idle_connections(&self.limits);
                Client::new(&config)
            })
            .as_ref()
    }

    /// How long to close the account after a 429: what Exotel asks for, else a backoff by how
    /// often in a row. Those that were in flight together count once: of a request that was not yet
    /// `claimed` when the account was closed, it was open again. No jitter: the account is closed on
    /// every worker at once, so there is nobody to keep apart.
    pub(crate) fn close_for(
        &self,
        policy: &RetryPolicy,
        retry_after: Option<Duration>,
        claimed: Instant,
    ) -> Duration {
        self.throttled.store(true, Ordering::Relaxed);
        let now = Instant::now();
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let left = closed.1.filter(|(at, _)| claimed <= *at);
        let left = left.map_or(Duration::ZERO, |(_, until)| {
            until.saturating_duration_since(now)
        });
        if left.is_zero() {
            closed.0 = closed.0.saturating_add(1);
        }
        let delay = match retry_after.filter(|asked| !asked.is_zero()) {
            Some(asked) => asked.max(left),
            None if left.is_zero() => policy.bound(closed.0),
            None => left,
        };
        closed.1 = Some((now, now + delay));
        if delay > policy.cap {
            self.stop();
        }
        delay
    }

    /// Notes that it is stopped: what was claimed before sends nothing more.
    pub(crate) fn stop(&self) {
        self.proven.store(false, Ordering::Relaxed);
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        *stopped = Some(Instant::now());
    }

    /// Whether it was stopped after `claimed`.
    pub(crate) fn was_stopped_after(&self, claimed: Instant) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.is_some_and(|at| at >= claimed)
    }

    /// Whether several requests may be sent at once.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Waits for the turn to send the one request.
    pub(crate) async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// It answered as an account does that is in order and open.
    pub(crate) fn answered(&self) {
        // Looks first: a write on every answer would send the cache line between cores.
        if !self.is_proven() {
            self.proven.store(true, Ordering::Relaxed);
        }
        if self.throttled.load(Ordering::Relaxed) {
            self.throttled.store(false, Ordering::Relaxed);
            *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = (0, None);
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use onboarding::Secret;

    use super::*;

    fn account() -> Account {
        let config = ClientConfig::new(
            "http://127.0.0.1:9",
            "acme1",
            Secret::new("key"),
            Secret::new("token"),
        );
        Account::new("acme".parse().unwrap(), config, Limits::per_minute(200, 50))
    }

    #[tokio::test(start_paused = true)]
    async fn answers_of_429_to_requests_in_flight_together_close_the_account_once() {
        let (account, policy) = (account(), RetryPolicy::default());
        let close = || account.close_for(&policy, None, Instant::now());
        let claimed = Instant::now();
        for _ in 0..40 {
            assert!(account.close_for(&policy, None, claimed) <= Duration::from_secs(1));
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(close(), Duration::from_secs(2));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(close(), Duration::from_secs(4));
        account.answered();
        assert_eq!(close(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_exotel_asks_for_is_kept_to() {
        let (account, policy) = (account(), RetryPolicy::default());
        let asked = Duration::from_secs(30);
        let claimed = Instant::now();
        assert_eq!(account.close_for(&policy, Some(asked), claimed), asked);
        let none = account.close_for(&policy, Some(Duration::ZERO), claimed);
        assert_eq!(none, asked);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_was_opened_is_closed_for_what_is_asked_then_and_no_longer() {
        let (account, policy) = (account(), RetryPolicy::default());
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(account.close_for(&policy, Some(day), Instant::now()), day);
        // A person opened it.
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = Duration::from_secs(1);
        let again = account.close_for(&policy, Some(second), Instant::now());
        assert_eq!(again, second);
    }
}
