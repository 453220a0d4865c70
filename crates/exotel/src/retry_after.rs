//! How long a 429 asks to wait.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use crate::date;

/// The longest wait that is believed: one day. A header beyond it is a mistake.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `Retry-After`: seconds, or an HTTP date. A date is compared with the answer's own `Date`
/// where it has one, so that a clock that is wrong on this side does not matter. `None`: no header,
/// or one that says nothing.
pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than u64 holds is a long wait too.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let there = date::of(headers).map_or(now, SystemTime::from);
        until.duration_since(there).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now = httpdate::parse_http_date("Sun, 01 Mar 2026 12:00:00 GMT").unwrap();
        let date = "Sun, 01 Mar 2026 11:00:00 GMT";
        let cases: &[(Option<&str>, Option<&str>, Option<u64>)] = &[
            (None, None, None),
            (Some("30"), None, Some(30)),
            (Some(" 0 "), None, Some(0)),
            (Some("99999999999999999999999"), None, Some(86_400)),
            (Some("Sun, 01 Mar 2026 12:00:20 GMT"), None, Some(20)),
            (Some("Sun, 01 Mar 2026 11:00:07 GMT"), Some(date), Some(7)),
            (Some("Sun, 01 Mar 2026 11:59:00 GMT"), None, Some(0)),
            (Some("soon"), None, None),
            (Some("-5"), None, None),
            (Some("1.5"), None, None),
            (Some(""), None, None),
        ];
        for (value, date, seconds) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            }
            if let Some(date) = date {
                headers.insert(header::DATE, HeaderValue::from_static(date));
            }
            assert_eq!(
                read(&headers, now),
                seconds.map(Duration::from_secs),
                "{value:?}"
            );
        }
    }
}
