//! When requests were sent, for a store whose clock is moved and for one whose clock is a server's.

use std::time::{Duration, Instant};

/// A request that is being sent.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    tick: u32,
    begun: Instant,
}

/// A request that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    begun: Sending,
    ended: Instant,
}

impl Sending {
    /// Begins to send, in this tick of the test.
    #[must_use]
    pub fn begin(tick: u32) -> Self {
        Self {
            tick,
            begun: Instant::now(),
        }
    }

    /// Has sent.
    #[must_use]
    pub fn end(self) -> Sent {
        Sent {
            begun: self,
            ended: Instant::now(),
        }
    }
}

/// The most requests that certainly lie in one window of so many ticks. Where the ticks take real
/// time they may take more than they should: then what counts is that less than `window` passed
/// from before the first to after the last.
#[must_use]
pub fn most_in_a_window(sent: &[Sent], ticks: u32, window: Duration) -> usize {
    let in_window = |at: usize| {
        let first = sent[at].begun;
        sent[at..]
            .iter()
            .filter(|one| one.begun.tick < first.tick + ticks && one.ended - first.begun < window)
            .count()
    };
    (0..sent.len()).map(in_window).max().unwrap_or(0)
}
