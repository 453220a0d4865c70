//! How long requests take at an account's allowance.

use std::time::Duration;

use store::Limits;

/// When the last of `requests` is sent, counted from the first, for an idle account; the formula
/// is [`plan`](crate::plan)'s. Durations beyond 584 years are cut.
pub(crate) fn pace(requests: u64, limits: &Limits) -> Duration {
    let per_window = u64::from(limits.requests_per_window.max(1));
    let Some(before_last) = requests.checked_sub(1) else {
        return Duration::ZERO;
    };
    let windows = u128::from(before_last / per_window);
    let in_last = before_last % per_window + 1;
    let paced = u128::from(in_last.saturating_sub(u64::from(limits.burst)));
    let window = limits.window.as_nanos();
    let nanos = windows * window + paced * window / u128::from(per_window);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_allowance() {
        let limits = Limits::per_minute(200, 50);
        for (requests, millis) in [
            (0, 0),
            (1, 0),
            (20, 0),
            (21, 300),
            (200, 54_000),
            (201, 60_000),
            (221, 60_300),
            (20_000, 99 * 60_000 + 54_000),
        ] {
            assert_eq!(
                pace(requests, &limits),
                Duration::from_millis(millis),
                "{requests}"
            );
        }
        assert_eq!(pace(u64::MAX, &limits), Duration::from_nanos(u64::MAX));
    }
}
