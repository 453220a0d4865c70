//! The accounts that a worker serves.

use std::{
    fmt,
    sync::{
        Mutex, OnceLock, PoisonError,
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
    /// Something went wrong that only counts while it lasts: see `throttled` and `parked`.
    troubled: AtomicBool,
    /// Times in a row that the account was closed for 429s, and until when it is.
    closed: Mutex<(u32, Option<Instant>)>,
    /// It was parked, and nothing but 401 was answered since.
    parked: AtomicBool,
    /// It was told that requests cannot be sent, and none was answered since.
    unreachable: AtomicBool,
    /// When that was told last.
    told_unreachable: Mutex<Option<Instant>>,
    /// Exotel's clock, by the last answer: its milliseconds, and when it came.
    exotel_clock: Mutex<Option<(i64, Instant)>>,
}

/// Where some connections fail and others do not, their failing is told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

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
            troubled: AtomicBool::new(false),
            closed: Mutex::default(),
            parked: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
            told_unreachable: Mutex::default(),
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
    /// often in a row. Those that were in flight together count once. No jitter: the account is
    /// closed on every worker at once, so there is nobody to keep apart.
    pub(crate) fn close_for(
        &self,
        policy: &RetryPolicy,
        retry_after: Option<Duration>,
    ) -> Duration {
        self.troubled.store(true, Ordering::Relaxed);
        let now = Instant::now();
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let left = closed.1.map(|until| until.saturating_duration_since(now));
        let left = left.unwrap_or_default();
        if left.is_zero() {
            closed.0 = closed.0.saturating_add(1);
        }
        let delay = match retry_after.filter(|asked| !asked.is_zero()) {
            Some(asked) => asked.max(left),
            None if left.is_zero() => policy.bound(closed.0),
            None => left,
        };
        closed.1 = Some(now + delay);
        delay
    }

    /// Notes that it is parked; `true` if that is news.
    pub(crate) fn park(&self) -> bool {
        self.troubled.store(true, Ordering::Relaxed);
        !self.parked.swap(true, Ordering::Relaxed)
    }

    /// Notes that a request could not be sent; `true` if that is news.
    pub(crate) fn not_reached(&self) -> bool {
        if self.unreachable.load(Ordering::Relaxed) {
            return false;
        }
        let told = self.told_unreachable.lock();
        let mut told = told.unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return false;
        }
        // Under the lock: of those that failed together one tells.
        *told = Some(Instant::now());
        self.unreachable.store(true, Ordering::Relaxed);
        true
    }

    /// Notes that a request was answered, whatever the answer; `true` if that is news.
    pub(crate) fn reached(&self) -> bool {
        self.unreachable.load(Ordering::Relaxed) && self.unreachable.swap(false, Ordering::Relaxed)
    }

    /// The account answered neither 429 nor 401.
    pub(crate) fn answered(&self) {
        // Looks first: a write on every answer would send the cache line between cores.
        if self.troubled.load(Ordering::Relaxed) {
            self.troubled.store(false, Ordering::Relaxed);
            self.parked.store(false, Ordering::Relaxed);
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
        for _ in 0..40 {
            assert!(account.close_for(&policy, None) <= Duration::from_secs(1));
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(account.close_for(&policy, None), Duration::from_secs(2));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(account.close_for(&policy, None), Duration::from_secs(4));
        account.answered();
        assert_eq!(account.close_for(&policy, None), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_exotel_asks_for_is_kept_to() {
        let (account, policy) = (account(), RetryPolicy::default());
        let asked = Duration::from_secs(30);
        assert_eq!(account.close_for(&policy, Some(asked)), asked);
        assert_eq!(account.close_for(&policy, Some(Duration::ZERO)), asked);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_cannot_be_reached_is_news_once_until_it_answers_again() {
        let account = account();
        assert!(!account.reached());
        let told = (0..40).filter(|_| account.not_reached()).count();
        assert_eq!(told, 1);
        tokio::time::advance(2 * TELL_EVERY).await;
        assert!(!account.not_reached());
        assert!(account.reached());
        assert!(!account.reached());
        assert!(account.not_reached());
        assert!(account.reached());
        // Now and then only: some connections fail, others do not.
        assert!(!account.not_reached());
        assert!(!account.reached());
        tokio::time::advance(TELL_EVERY).await;
        assert!(account.not_reached());
    }
}
