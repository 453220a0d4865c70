//! Batches: how far they are, how fast, and when they will be done.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;
use store::BatchStatus;

use crate::view::{
    figures::{grouped, lasting},
    parts::{Bar, When},
};

/// How far a batch is.
#[derive(Debug, Template)]
#[template(path = "batch_progress.html")]
pub(crate) struct BatchView {
    number: String,
    source: String,
    rate: String,
    bar: Bar,
    done: String,
    accepted: String,
    failed: String,
    cancelled: String,
    duplicates: String,
    created: When,
}

impl askama::filters::HtmlSafe for BatchView {}

impl BatchView {
    /// Of a batch.
    pub(crate) fn of(own: &BatchStatus, now: Timestamp) -> Self {
        let pace = serve::BatchView::of(own, None, now);
        let done = own.accepted.saturating_sub(own.open());
        Self {
            number: own.number.to_string(),
            source: own.source.clone(),
            rate: rate(pace.open, pace.per_minute, pace.left_seconds),
            bar: Bar {
                role: "progressbar",
                label: format!("Progress of {}", own.source),
                whole: own.accepted,
                reached: done,
                text: format!("{done} of {} done", own.accepted),
                parts: vec![
                    ("succeeded", own.succeeded),
                    ("failed", own.failed),
                    ("cancelled", own.cancelled),
                ],
            },
            done: grouped(done),
            accepted: grouped(own.accepted),
            failed: grouped(own.failed),
            cancelled: grouped(own.cancelled),
            duplicates: grouped(own.duplicates),
            created: When {
                at: own.created_at,
                now,
            },
        }
    }
}

/// Rate and time left in words. The script says the same.
fn rate(open: u64, per_minute: f64, left: Option<u64>) -> String {
    if open == 0 {
        return "finished".to_owned();
    }
    match left {
        None => format!("{} to go", grouped(open)),
        Some(left) => {
            let left = lasting(Duration::from_secs(left));
            let digits = usize::from(per_minute < 10.0);
            format!("{per_minute:.digits$}/min, {left} left")
        }
    }
}

#[cfg(test)]
mod tests {
    use store::BatchNumber;

    use super::*;

    fn batch() -> BatchStatus {
        BatchStatus {
            number: BatchNumber(7),
            source: "<b>signups.csv</b>".into(),
            created_at: Timestamp::UNIX_EPOCH,
            accepted: 200,
            duplicates: 0,
            succeeded: 100,
            failed: 2,
            cancelled: 0,
        }
    }

    #[test]
    fn a_batch_shows_how_far_how_fast_and_how_long() {
        let now = Timestamp::UNIX_EPOCH + Duration::from_secs(51);
        let html = BatchView::of(&batch(), now).to_string();
        assert!(html.contains("120/min, 49 s left"), "{html}");
        assert!(html.contains("aria-valuenow=\"102\""), "{html}");
        assert!(!html.contains("<b>signups"), "{html}");
    }

    #[test]
    fn a_rate_that_is_not_known_or_over_is_not_made_up() {
        assert_eq!(rate(98, 0.0, None), "98 to go");
        assert_eq!(rate(0, 0.0, None), "finished");
        assert_eq!(rate(98, 1.5, Some(3920)), "1.5/min, 1 h 5 min left");
    }
}
