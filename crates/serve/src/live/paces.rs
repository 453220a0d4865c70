//! How fast batches move: what ended in the last minute.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use store::{BatchNumber, BatchStatus};

use crate::batch_view::ended;

/// What a pace is measured over.
const WINDOW: Duration = Duration::from_secs(60);

/// The least that a pace is measured over: before, the average since the batch began says more.
const LEAST: Duration = Duration::from_secs(5);

/// How many had ended when, over the last minute, by batch.
#[derive(Debug, Default)]
pub(crate) struct Paces(HashMap<BatchNumber, VecDeque<(Instant, u64)>>);

impl Paces {
    /// Notes how far a batch is, and tells how many of it ended in a minute, once that is known.
    pub(crate) fn note(&mut self, status: &BatchStatus, now: Instant) -> Option<f64> {
        let samples = self.0.entry(status.number).or_default();
        samples.push_back((now, ended(status)));
        while samples.len() > 1
            && samples
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            samples.pop_front();
        }
        let (since, before) = samples.front()?;
        let passed = now.duration_since(*since);
        // A retry lets the count of ended ones fall.
        let moved = u32::try_from(ended(status).saturating_sub(*before)).unwrap_or(u32::MAX);
        (passed >= LEAST).then(|| f64::from(moved) * 60.0 / passed.as_secs_f64())
    }

    /// Forgets all others than these.
    pub(crate) fn keep(&mut self, numbers: &[BatchNumber]) {
        self.0.retain(|number, _| numbers.contains(number));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_pace_is_that_of_the_last_minute() {
        let mut paces = Paces::default();
        let start = Instant::now();
        let mut status = BatchStatus {
            number: BatchNumber(1),
            source: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            accepted: 100_000,
            duplicates: 0,
            succeeded: 0,
            failed: 0,
            cancelled: 0,
        };
        assert_eq!(paces.note(&status, start), None);
        for second in 1..=200 {
            // Ten a second for a while, then one.
            status.succeeded += if second <= 100 { 10 } else { 1 };
            let pace = paces.note(&status, start + Duration::from_secs(second));
            match second {
                ..5 => assert_eq!(pace, None),
                5..=100 => assert!((pace.unwrap() - 600.0).abs() < 0.1, "{second}"),
                165.. => assert!((pace.unwrap() - 60.0).abs() < 1.1, "{second}: {pace:?}"),
                _ => {}
            }
        }
        paces.keep(&[]);
        assert!(paces.0.is_empty());
    }
}
