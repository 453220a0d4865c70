//! One clock for the window, the log and the dates, so that they never contradict each other.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::ids::Stamp;

/// Microseconds since 1970 on a clock that never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn unix_ms(self) -> u64 {
        self.0 / 1000
    }

    pub(crate) fn stamp(self) -> Stamp {
        Stamp(u32::try_from(self.0 / 1_000_000).unwrap_or(u32::MAX))
    }
}

/// The wall clock as it was at the start, moved on by the monotonic one.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_us: u64,
    /// How far the dates that are shown are ahead of the wall clock, in milliseconds.
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            start_us: micros(wall),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// What the simulated side takes the time to be, for dates of resources and of answers.
    pub(crate) fn date(&self) -> Stamp {
        let ahead_us = self.ahead_ms().saturating_mul(1000);
        Moment(self.now().0.saturating_add_signed(ahead_us)).stamp()
    }

    pub(crate) fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Sets the dates ahead of the wall clock, or behind it. Limits and log go on as before.
    pub(crate) fn set_ahead_ms(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.start_us + micros(self.start.elapsed()))
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 2)
}
