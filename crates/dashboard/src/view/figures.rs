//! Numbers and times for people.

use std::time::Duration;

use jiff::Timestamp;

/// Digits in groups of three: `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 onboarding`, `2,000 onboardings`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// How long, in at most two units: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn lasting(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", grouped(days), hours % 24),
    }
}

/// How far a time is from now, in one unit: `just now`, `3 min ago`, `in 20 s`. The script says the
/// same of the same times.
pub(crate) fn told(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let away = seconds.unsigned_abs();
    let amount = match away {
        0..5 => return "just now".to_owned(),
        5..60 => format!("{away} s"),
        60..3600 => format!("{} min", away / 60),
        3600..86_400 => format!("{} h", away / 3600),
        _ => format!("{} d", away / 86_400),
    };
    if seconds >= 0 {
        format!("{amount} ago")
    } else {
        format!("in {amount}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "signup"), "1 signup");
        assert_eq!(counted(2000, "signup"), "2,000 signups");
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (200, "3 min 20 s"),
            (7500, "2 h 5 min"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(lasting(Duration::from_secs(seconds)), text);
        }
        assert_eq!(lasting(Duration::from_millis(200)), "1 s");
    }

    #[test]
    fn times_are_told_from_now_in_both_directions() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (seconds, text) in [
            (0, "just now"),
            (-4, "just now"),
            (4, "just now"),
            (-5, "5 s ago"),
            (20, "in 20 s"),
            (-61, "1 min ago"),
            (-7300, "2 h ago"),
            (-200_000, "2 d ago"),
        ] {
            let at = Timestamp::from_second(now.as_second() + seconds).unwrap();
            assert_eq!(told(at, now), text);
        }
    }
}
