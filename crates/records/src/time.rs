//! Times as records have them.

use jiff::Timestamp;
use serde::Serialize;

/// RFC 3339 in UTC with milliseconds, always of the same length: as text, and as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        time(self.0).fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The time as records have it; see [`Time`].
pub fn time(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_utc_with_milliseconds_and_always_of_the_same_length() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_763_733_852_007, "2025-11-21T14:04:12.007Z"),
            (1_763_733_852_500, "2025-11-21T14:04:12.500Z"),
        ] {
            let at = Time(Timestamp::from_millisecond(millis).unwrap());
            assert_eq!(at.to_string(), text);
            assert_eq!(serde_json::to_value(at).unwrap(), text);
        }
    }
}
