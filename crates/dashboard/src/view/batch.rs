//! Batches: how far they are, how fast, and when they will be done.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;
use store::BatchStatus;

use crate::view::{
    figures::{grouped, lasting},
    parts::{Bar, When},
};

/// How fast a batch moves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pace {
    /// How many end in a minute, if it is known.
    pub(crate) per_minute: Option<f64>,
    /// How long it will take at that rate.
    pub(crate) left: Option<Duration>,
}

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
    pub(crate) fn of(own: &BatchStatus, pace: Pace, now: Timestamp) -> Self {
        let done = own.accepted.saturating_sub(own.open());
        Self {
            number: own.number.to_string(),
            source: own.source.clone(),
            rate: rate(own.open(), pace),
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
fn rate(open: u64, pace: Pace) -> String {
    if open == 0 {
        return "finished".to_owned();
    }
    match pace.per_minute {
        Some(per_minute) if per_minute > 0.0 => {
            let mut text = format!("{per_minute:.0}/min");
            if per_minute < 10.0 {
                text = format!("{per_minute:.1}/min");
            }
            if let Some(left) = pace.left {
                text.push_str(", ");
                text.push_str(&lasting(left));
                text.push_str(" left");
            }
            text
        }
        Some(_) | None => format!("{} to go", grouped(open)),
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
        let pace = Pace {
            per_minute: Some(120.0),
            left: Some(Duration::from_secs(49)),
        };
        let html = BatchView::of(&batch(), pace, Timestamp::UNIX_EPOCH).to_string();
        assert!(html.contains("120/min, 49 s left"), "{html}");
        assert!(html.contains("aria-valuenow=\"102\""), "{html}");
        assert!(!html.contains("<b>signups"), "{html}");
    }

    #[test]
    fn a_rate_that_is_not_known_or_over_is_not_made_up() {
        assert_eq!(rate(98, Pace::default()), "98 to go");
        assert_eq!(rate(0, Pace::default()), "finished");
        let slow = Pace {
            per_minute: Some(1.5),
            left: None,
        };
        assert_eq!(rate(98, slow), "1.5/min");
    }
}
