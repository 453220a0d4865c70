//! A batch as the API and the pages show it.

use jiff::Timestamp;
use records::Time;
use serde::Serialize;
use store::BatchStatus;

/// How far a batch is, how fast, and how long it will take.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename = "batch")]
pub struct BatchView<'a> {
    /// Its number.
    pub number: u64,
    /// Where it came from.
    pub source: &'a str,
    /// When it was accepted.
    pub created_at: Time,
    /// Onboardings that it brought.
    pub accepted: u64,
    /// Signups in it that were there before.
    pub duplicates: u64,
    /// How many of them have everything.
    pub succeeded: u64,
    /// How many a person has to decide about.
    pub failed: u64,
    /// How many a person called off.
    pub cancelled: u64,
    /// How many are still to end.
    pub open: u64,
    /// How many ended in the last minute, or in a minute on average since it was accepted.
    pub per_minute: f64,
    /// How long it takes at that pace; `None` where it does not move, or has ended.
    pub left_seconds: Option<u64>,
}

/// How many of a batch have ended.
pub(crate) fn ended(status: &BatchStatus) -> u64 {
    status.accepted.saturating_sub(status.open())
}

impl<'a> BatchView<'a> {
    /// Of a batch at `now`; `per_minute` where it was measured, else its average.
    #[must_use]
    pub fn of(status: &'a BatchStatus, per_minute: Option<f64>, now: Timestamp) -> Self {
        let open = status.open();
        let per_minute = per_minute.unwrap_or_else(|| average(status, now));
        // One digit behind the point: more would only flicker.
        let per_minute = (per_minute * 10.0).round() / 10.0;
        Self {
            number: status.number.0,
            source: &status.source,
            created_at: Time(status.created_at),
            accepted: status.accepted,
            duplicates: status.duplicates,
            succeeded: status.succeeded,
            failed: status.failed,
            cancelled: status.cancelled,
            open,
            per_minute,
            left_seconds: left(open, per_minute),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^52 are not reached"
)]
fn average(status: &BatchStatus, now: Timestamp) -> f64 {
    if status.open() == 0 {
        return 0.0;
    }
    // At least a second, so that a batch which has just begun has a pace that can be told.
    let seconds = now.duration_since(status.created_at).as_secs_f64().max(1.0);
    ended(status) as f64 * 60.0 / seconds
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; it is positive, and `as` cuts what is too large"
)]
fn left(open: u64, per_minute: f64) -> Option<u64> {
    (open > 0 && per_minute > 0.0).then(|| (open as f64 * 60.0 / per_minute).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::BatchNumber;

    use super::*;

    fn batch(accepted: u64, succeeded: u64) -> BatchStatus {
        BatchStatus {
            number: BatchNumber(7),
            source: "signups.csv (made up)".into(),
            created_at: Timestamp::UNIX_EPOCH,
            accepted,
            duplicates: 0,
            succeeded,
            failed: 0,
            cancelled: 0,
        }
    }

    #[test]
    fn the_time_left_follows_from_the_pace() {
        let now = Timestamp::UNIX_EPOCH + Duration::from_secs(120);
        let status = batch(300, 100);
        let view = BatchView::of(&status, None, now);
        assert!((view.per_minute - 50.0).abs() < 0.01);
        assert_eq!(view.left_seconds, Some(240));
        let measured = BatchView::of(&status, Some(200.0), now);
        assert_eq!(measured.left_seconds, Some(60));
        assert_eq!(BatchView::of(&status, Some(0.0), now).left_seconds, None);
        let done = batch(300, 300);
        assert_eq!(BatchView::of(&done, None, now).left_seconds, None);
    }
}
