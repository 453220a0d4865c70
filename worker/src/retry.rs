//! The one retry policy: exponential, full jitter, capped.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How often and after what delays a request is tried again.
///
/// What is tried again, by class of error: a request that never left, and one whose outcome is
/// unknown (after reading back). A 429 and a 401 are the account's affair and use up nothing; a
/// refusal is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first delay's upper bound; each next one is twice the one before. Default 1 s.
    pub base: Duration,
    /// The longest delay. Default 60 s: Exotel's minute, after which every limit has passed.
    pub cap: Duration,
    /// How often a step's write is sent, or one of its reads fails, before a person decides.
    /// Default 8, one or two minutes with the other defaults.
    pub attempts: u32,
    /// How often a request may fail to leave this machine before a person decides. More than
    /// [`RetryPolicy::attempts`], because it risks nothing and outages of a network last longer:
    /// default 40, some 20 minutes. Counted in memory only: a restart begins anew.
    pub never_sent_attempts: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            attempts: 8,
            never_sent_attempts: 40,
        }
    }
}

/// After so many failures the delay has long reached any cap.
const MOST_DOUBLINGS: u32 = 32;

impl RetryPolicy {
    /// The delay after the `failures`th failure in a row: evenly between zero and the capped
    /// exponential. backon's own jitter only adds to the delay, so that all who failed together
    /// would keep away for at least as long together; full jitter spreads them from zero on.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        full_jitter(self.bound(failures))
    }

    /// The longest delay after the `failures`th failure in a row.
    pub(crate) fn bound(&self, failures: u32) -> Duration {
        let step = failures.saturating_sub(1).min(MOST_DOUBLINGS) as usize;
        self.exponential().nth(step).unwrap_or(self.cap)
    }

    fn exponential(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.base)
            .with_max_delay(self.cap)
            .without_max_times()
            .build()
    }
}

fn full_jitter(bound: Duration) -> Duration {
    bound.mul_f64(rand::random::<f64>())
}

/// Delays between tries of a store call during an outage, without end: 50 ms to 2 s. Short,
/// because leases run on meanwhile.
pub(crate) fn of_store() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .build()
        .map(|bound| bound / 2 + full_jitter(bound / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_jitter_stays_below_them() {
        let policy = RetryPolicy::default();
        let bounds = [1, 1, 2, 4, 8, 16, 32, 60, 60, 60];
        for (failures, seconds) in (0..).zip(bounds) {
            assert_eq!(policy.bound(failures).as_secs(), seconds, "{failures}");
            for _ in 0..50 {
                assert!(
                    policy.delay(failures) <= policy.bound(failures),
                    "{failures}"
                );
            }
        }
        assert_eq!(policy.bound(u32::MAX), policy.cap);
    }

    #[test]
    fn full_jitter_reaches_the_lower_half() {
        let policy = RetryPolicy::default();
        let below = (0..200)
            .filter(|_| policy.delay(8) < policy.cap / 2)
            .count();
        assert!((50..150).contains(&below), "{below} of 200");
    }

    #[test]
    fn waiting_for_the_store_never_ends_and_never_takes_more_than_two_seconds() {
        assert!(
            of_store()
                .take(1000)
                .all(|delay| delay <= Duration::from_secs(2))
        );
        assert_eq!(of_store().take(1000).count(), 1000);
    }
}
