//! Which workers run, as they say themselves.

use std::time::Duration;

use onboarding::AccountName;
use serde::{Deserialize, Serialize};

use crate::WorkerName;

/// How often a worker says that it runs.
pub const HEARD_EVERY: Duration = Duration::from_secs(5);

/// A worker that was not heard of for so long does not run any more.
pub const GONE_AFTER: Duration = Duration::from_secs(20);

/// Most accounts that a worker names as unusable.
pub const UNUSABLE_MAX: usize = 1000;

/// An account that a worker cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusable {
    /// Which.
    pub account: AccountName,
    /// Why, and what to do.
    pub reason: String,
}

/// A worker, as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its name, unique per start.
    pub name: WorkerName,
    /// How long ago it was last heard of.
    pub heard_ago: Duration,
    /// The accounts of its file that it cannot serve.
    pub unusable: Vec<Unusable>,
}

impl WorkerStatus {
    /// Whether it runs, as far as can be known.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.heard_ago < GONE_AFTER
    }
}

/// What a worker says of itself, as the stores keep it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    unusable: Vec<Unusable>,
}

impl Said {
    pub(crate) fn new(unusable: &[Unusable]) -> Self {
        let kept = unusable.len().min(UNUSABLE_MAX);
        Self {
            unusable: unusable[..kept].to_vec(),
        }
    }

    pub(crate) fn heard(self, name: String, heard_ago: Duration) -> WorkerStatus {
        WorkerStatus {
            name: WorkerName(name),
            heard_ago,
            unusable: self.unusable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_misses_three_words_does_not_run() {
        let heard = |heard_ago| Said::new(&[]).heard("one".to_owned(), heard_ago);
        assert!(heard(Duration::ZERO).runs());
        assert!(heard(HEARD_EVERY * 3).runs());
        assert!(!heard(GONE_AFTER).runs());
    }
}
