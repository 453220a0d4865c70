//! Times that Exotel tells: the `Date` of an answer, and the dates of its resources.

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822};

/// The answer's own time, by its `Date` header. `None`: it has none, or none that can be read.
pub(crate) fn of(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    Timestamp::try_from(httpdate::parse_http_date(text.trim()).ok()?).ok()
}

/// Reads a resource's date, such as [`Trunk::date_created`](crate::Trunk::date_created).
///
/// Exotel's reference writes ISO 8601 in UTC. Also read are an offset, fractions of a second, a
/// blank in the place of the `T`, and the form of RFC 2822, which other APIs of Exotel's print.
/// `None`: it is none of these, or it names no offset, since other APIs of Exotel's print India's
/// time without one.
///
/// ```
/// let expected = "2026-03-01T12:00:00Z".parse().ok();
/// assert_eq!(exotel::time("2026-03-01 17:30:00+05:30"), expected);
/// assert_eq!(exotel::time("Sun, 01 Mar 2026 17:30:00 +0530"), expected);
/// assert_eq!(exotel::time("2026-03-01 12:00:00"), None);
/// ```
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
}
