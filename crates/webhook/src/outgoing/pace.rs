//! How long things take, and when a delivery is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use onboarding::Problem;

use crate::Error;

/// Each delay is so many times the one before: 5 s, 25 s, 2 min, 10 min, 52 min, then 4 h each.
const FACTOR: f32 = 5.0;

/// A receiver that asks for a longer pause than this is tried again after it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Up to this share is added to a delay, so that those that failed together do not come back
/// together.
const JITTER: f64 = 0.25;

/// The times of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest time from the start of a request to the head of its answer. Default 15 s, the least
    /// that Standard Webhooks recommends.
    pub timeout: Duration,
    /// The longest time for name lookup, TCP and TLS, a part of the former. Default 5 s.
    pub connect_timeout: Duration,
    /// How long a delivery that was taken is kept from others: after a crash it is tried again when
    /// this has passed. Default 60 s. More than three times `timeout`, because a delivery may wait for
    /// two others of its endpoint.
    pub hold: Duration,
    /// The pause after the first failure. Default 5 s.
    pub first_delay: Duration,
    /// The longest pause. Default 4 h.
    pub longest_delay: Duration,
    /// For how long a delivery is tried. Default 24 h.
    pub keep_trying: Duration,
    /// How often the store is asked for news. Default 1 s. Without endpoints, deliveries that those
    /// which were removed have left are looked at a sixtieth as often.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            hold: Duration::from_secs(60),
            first_delay: Duration::from_secs(5),
            longest_delay: Duration::from_secs(4 * 60 * 60),
            keep_trying: Duration::from_secs(24 * 60 * 60),
            look: Duration::from_secs(1),
        }
    }
}

impl Pace {
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        if self.hold <= self.timeout * 3 {
            problems.push(Problem::new(
                "hold",
                format!(
                    "{:?} is not longer than three times the timeout of {:?}: a delivery could be sent twice at once",
                    self.hold, self.timeout
                ),
            ));
        }
        if self.connect_timeout > self.timeout {
            problems.push(Problem::new(
                "connect_timeout",
                format!(
                    "{:?} is longer than the timeout of {:?}, which it is a part of",
                    self.connect_timeout, self.timeout
                ),
            ));
        }
        let zero = [
            self.timeout,
            self.connect_timeout,
            self.first_delay,
            self.look,
        ];
        if zero.iter().any(Duration::is_zero) || self.first_delay > self.longest_delay {
            problems.push(Problem::new(
                "first_delay",
                "times are longer than nothing, and the first pause no longer than the longest",
            ));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::Settings(problems))
        }
    }

    /// The pause before a delivery that failed is tried again; `None`: it is given up.
    ///
    /// It follows from for how long it has been tried and not from how often: a delivery that was
    /// taken by a process that crashed has not failed.
    pub(super) fn delay(&self, tried_for: Duration, asked: Option<Duration>) -> Option<Duration> {
        let left = self.keep_trying.checked_sub(tried_for)?;
        if left.is_zero() {
            return None;
        }
        let bound = self.bound(tried_for);
        let jittered = bound + bound.mul_f64(JITTER * rand::random::<f64>());
        let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
        // The last attempt comes when the time is over, not before.
        Some(jittered.max(asked).min(left))
    }

    /// The first of the growing delays that ends after `tried_for`.
    fn bound(&self, tried_for: Duration) -> Duration {
        let delays = ExponentialBuilder::new()
            .with_factor(FACTOR)
            .with_min_delay(self.first_delay)
            .with_max_delay(self.longest_delay)
            .without_max_times()
            .build();
        let mut end = Duration::ZERO;
        for delay in delays {
            end = end.saturating_add(delay);
            if end > tried_for || delay >= self.longest_delay {
                return delay;
            }
        }
        self.longest_delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_seconds_to_hours_and_end_after_a_day() {
        let pace = Pace::default();
        let bounds = [
            (0, 5),
            (4, 5),
            (5, 25),
            (29, 25),
            (30, 125),
            (155, 625),
            (780, 3125),
            (3905, 14_400),
            (80_000, 14_400),
        ];
        for (tried_for, bound) in bounds {
            let tried_for = Duration::from_secs(tried_for);
            assert_eq!(pace.bound(tried_for).as_secs(), bound, "{tried_for:?}");
            for _ in 0..100 {
                let delay = pace.delay(tried_for, None).unwrap();
                let left = pace.keep_trying - tried_for;
                let bound = Duration::from_secs(bound);
                assert!(
                    delay >= bound.min(left) && delay <= bound.mul_f64(1.25),
                    "{delay:?}"
                );
            }
        }
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(pace.delay(day, None), None);
        assert_eq!(pace.delay(day * 2, Some(day)), None);
        assert_eq!(
            pace.delay(day - Duration::from_secs(1), None)
                .unwrap()
                .as_secs(),
            1
        );
    }

    #[test]
    fn a_day_of_failures_is_about_a_dozen_attempts_the_last_one_at_its_end() {
        let pace = Pace::default();
        for _ in 0..100 {
            let (mut tried_for, mut attempts) = (Duration::ZERO, 1);
            while let Some(delay) = pace.delay(tried_for, None) {
                tried_for += delay;
                attempts += 1;
            }
            assert_eq!(tried_for, pace.keep_trying);
            assert!((10..=14).contains(&attempts), "{attempts}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_up_to_an_hour() {
        let pace = Pace::default();
        for (asked, least, most) in [(0, 5, 7), (3, 5, 7), (120, 120, 120), (86_400, 3600, 3600)] {
            let asked = Some(Duration::from_secs(asked));
            let delay = pace.delay(Duration::ZERO, asked).unwrap();
            assert!(
                (least..=most).contains(&delay.as_secs()),
                "{asked:?}: {delay:?}"
            );
        }
    }

    #[test]
    fn times_that_contradict_each_other_are_refused() {
        let second = Duration::from_secs(1);
        let pace = Pace::default();
        assert!(pace.check().is_ok());
        for bad in [
            Pace {
                hold: pace.timeout * 3,
                ..pace
            },
            Pace {
                connect_timeout: pace.timeout + second,
                ..pace
            },
            Pace {
                longest_delay: second,
                ..pace
            },
            Pace {
                look: Duration::ZERO,
                ..pace
            },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
