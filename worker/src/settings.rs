//! How a worker is set up.

use std::{fmt, sync::Arc, time::Duration};

use onboarding::TraceContext;
use store::{Limits, WorkerName};
use tracing::Span;

use crate::{Error, Observer, RetryPolicy};

/// A worker's settings. [`Settings::new`] fills in the defaults; [`crate::run()`] refuses what
/// contradicts itself.
#[derive(Clone)]
pub struct Settings {
    /// Names this worker, uniquely per start.
    pub worker_name: WorkerName,
    /// How many onboardings are run at once, 1 to 4096. Default 256. Each holds a lease.
    pub concurrency: usize,
    /// How long a lease lasts without being renewed. Default 15 s. It is renewed at a quarter of
    /// it. Longer: what a killed worker held starts again later. Shorter: refused below
    /// `request_timeout` and a renewal interval.
    pub lease: Duration,
    /// Longest time that one request may take. Default 10 s. Every account's client is built
    /// with it.
    pub request_timeout: Duration,
    /// Most workers that serve an account at once, 1 or more. Default 1. Exotel counts the
    /// account's open connections, idle ones too: see [`Limits::in_flight_of`]. So workers that
    /// share an account each keep only their part of what is not for requests in flight.
    pub workers: u32,
    /// How long an absence is not believed after a request of unknown outcome may last have been on
    /// its way: Exotel may still be processing it. For writes that a repeat would double. Default
    /// 30 s.
    pub settling: Duration,
    /// How long after its end an onboarding is checked once more that repeated such a write, or
    /// that ended while an outcome was not known; not before that request has settled. Default
    /// 5 minutes; zero: it is not.
    pub late_check: Duration,
    /// When what is tried again.
    pub retry: RetryPolicy,
    /// The longest pause after which a parked account is tried again by one request; pauses begin
    /// with a sixteenth of it. Zero: only a person resumes it. Default 10 min.
    pub account_probe: Duration,
    /// After an outage of so long an account is parked. Default 1 h.
    pub outage_max: Duration,
    /// Return once nothing is left to run: nothing is queued, running or waiting for a delay.
    /// Onboardings of parked accounts do not count. Default false.
    pub drain: bool,
    /// How long requests in flight may take to end after the shutdown signal, before they are cut
    /// and left in doubt. Default 12 s: a request's longest time and two seconds to record it.
    pub shutdown_timeout: Duration,
    /// Is told of what happens.
    pub observer: Option<Arc<dyn Observer>>,
    /// Makes an onboarding's span go on with the trace that its signup came with. Default: none
    /// does.
    pub follow: Option<Follow>,
}

/// Makes a span that was not entered yet a child within a trace that began elsewhere.
pub type Follow = fn(&Span, TraceContext);

impl Settings {
    /// Most onboardings that are run at once.
    pub const CONCURRENCY_MAX: usize = 4096;

    /// The defaults.
    #[must_use]
    pub fn new(worker_name: WorkerName) -> Self {
        Self {
            worker_name,
            concurrency: 256,
            lease: Duration::from_secs(15),
            request_timeout: Duration::from_secs(10),
            workers: 1,
            settling: Duration::from_secs(30),
            late_check: Duration::from_secs(5 * 60),
            retry: RetryPolicy::default(),
            account_probe: Duration::from_secs(10 * 60),
            outage_max: Duration::from_secs(60 * 60),
            drain: false,
            shutdown_timeout: Duration::from_secs(12),
            observer: None,
            follow: None,
        }
    }

    /// How long after it was sent the absence of what a request of unknown outcome makes is
    /// believed.
    pub(crate) fn settles_after(&self) -> Duration {
        self.request_timeout.saturating_add(self.settling)
    }

    pub(crate) fn checks_late(&self) -> bool {
        !self.late_check.is_zero()
    }

    /// How long after its end an onboarding is checked once more: not before an absence is believed.
    pub(crate) fn checks_late_after(&self) -> Duration {
        self.late_check.max(self.settles_after())
    }

    /// How often leases are renewed: a quarter of their length, so that two renewals may fail.
    pub(crate) fn renewal_interval(&self) -> Duration {
        self.lease / 4
    }

    /// How many idle connections to an account are kept for its next requests.
    pub(crate) fn idle_connections(&self, limits: &Limits) -> usize {
        if self.workers <= 1 {
            // Those that are idle are taken first, so that there are never more.
            return limits.in_flight as usize;
        }
        // A quarter of four fifths is the fifth that is left.
        (limits.in_flight / 4 / self.workers) as usize
    }

    /// For how long a permit's request may be under way, told to the store: the request itself,
    /// and the time from the permit to the sending.
    pub(crate) fn permit_time(&self) -> Duration {
        self.request_timeout + PERMIT_AGE_MAX
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::Settings(message));
        if !(1..=Self::CONCURRENCY_MAX).contains(&self.concurrency) {
            return refuse(format!(
                "concurrency is {}; choose 1 to {}",
                self.concurrency,
                Self::CONCURRENCY_MAX
            ));
        }
        if self.workers == 0 {
            return refuse(
                "the number of workers is zero; say how many serve an account at most".into(),
            );
        }
        if self.request_timeout.is_zero() {
            return refuse("the request timeout is zero; choose at least a second".into());
        }
        // A lease that was renewed an interval ago must still be long enough for a request.
        let least = self.request_timeout + self.renewal_interval();
        if self.lease < least {
            return refuse(format!(
                "a lease of {:?} is too short for requests that may take {:?}: between two renewals it would not allow sending; choose a lease of at least {:?} or a shorter request timeout",
                self.lease,
                self.request_timeout,
                self.request_timeout * 4 / 3 + Duration::from_millis(1)
            ));
        }
        if self.retry.base > self.retry.cap || self.retry.attempts == 0 {
            return refuse(format!(
                "retry: base {:?}, cap {:?}, {} attempts; the base is at most the cap, and there is at least one attempt",
                self.retry.base, self.retry.cap, self.retry.attempts
            ));
        }
        Ok(())
    }
}

/// An older permit is given back unused: a request sent with it might arrive so late that the
/// permit comes back, without an answer, before its minute at Exotel is over.
pub(crate) const PERMIT_AGE_MAX: Duration = Duration::from_secs(1);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("worker_name", &self.worker_name)
            .field("concurrency", &self.concurrency)
            .field("lease", &self.lease)
            .field("request_timeout", &self.request_timeout)
            .field("workers", &self.workers)
            .field("settling", &self.settling)
            .field("late_check", &self.late_check)
            .field("retry", &self.retry)
            .field("account_probe", &self.account_probe)
            .field("outage_max", &self.outage_max)
            .field("drain", &self.drain)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictory_settings_are_refused() {
        let good = Settings::new(WorkerName("w".into()));
        assert!(good.validate().is_ok());
        let change: [fn(&mut Settings); 7] = [
            |s| s.workers = 0,
            |s| s.concurrency = 0,
            |s| s.concurrency = 1_000_000,
            |s| s.lease = Duration::from_secs(13),
            |s| s.request_timeout = Duration::ZERO,
            |s| s.retry.base = Duration::from_secs(61),
            |s| s.retry.attempts = 0,
        ];
        for (row, change) in change.into_iter().enumerate() {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(
                matches!(bad.validate(), Err(Error::Settings(_))),
                "row {row}"
            );
        }
    }

    #[test]
    fn workers_that_share_an_account_keep_within_its_connections_together() {
        for connections in [1, 2, 5, 7, 50, 1000] {
            let limits = Limits::per_minute(200, connections);
            for workers in 2..=100 {
                let mut settings = Settings::new(WorkerName("w".into()));
                settings.workers = workers;
                let idle = settings.idle_connections(&limits) as u32 * workers;
                assert!(
                    limits.in_flight + idle <= connections,
                    "{connections} {workers}"
                );
            }
        }
    }

    #[test]
    fn the_lease_that_a_refusal_names_is_accepted() {
        for timeout_ms in [1, 3, 100, 10_000, 59_999] {
            let mut settings = Settings::new(WorkerName("w".into()));
            settings.request_timeout = Duration::from_millis(timeout_ms);
            settings.lease = settings.request_timeout * 4 / 3 + Duration::from_millis(1);
            assert!(settings.validate().is_ok(), "{timeout_ms}");
        }
    }
}
