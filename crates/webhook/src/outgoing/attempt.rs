//! One attempt to deliver.

use std::{
    error::Error as StdError,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use reqwest::{Client, Response};
use store::{Attempt, Delivery};

use super::endpoint::Endpoint;
use crate::signature::{self, sign};

/// Most bytes of an answer's body that are read, so that its connection can be used again; nobody looks at
/// them.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// How long reading them may take, beside the attempt.
const BODY_WAIT: Duration = Duration::from_millis(500);

/// Most characters of an error.
const ERROR_CHARS_MAX: usize = 300;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) attempt: Attempt,
    pub(super) verdict: Verdict,
}

/// What it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver took it.
    Taken,
    /// It is tried again, not before the time that the receiver asked for.
    Failed {
        asked: Option<Duration>,
        /// The receiver has too much to do, and other messages would fare no better.
        busy: bool,
    },
    /// The receiver wants no more of it.
    Gone,
}

/// Sends the message once. Takes no longer than the client's timeout and half a second.
pub(super) async fn attempt(client: &Client, endpoint: &Endpoint, delivery: &Delivery) -> Made {
    let started = Instant::now();
    let now = Timestamp::now();
    let body = delivery.payload.clone();
    let id = delivery.id.as_str();
    let signatures = sign(endpoint.keys(), id, now, body.as_bytes());
    let request = client
        .post(endpoint.url())
        .header(header::CONTENT_TYPE, "application/json")
        .header(signature::ID, id)
        .header(signature::TIMESTAMP, now.as_second())
        .header(signature::SIGNATURE, signatures)
        .body(body);
    let answered = request.send().await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answered {
        Ok(response) => {
            let redirects = endpoint.accepts_redirects();
            let (error, verdict) = judge(response.status(), response.headers(), redirects);
            let status = Some(response.status().as_u16());
            drain(response).await;
            Made {
                attempt: Attempt {
                    status,
                    error,
                    duration_ms,
                },
                verdict,
            }
        }
        Err(error) => Made {
            attempt: Attempt {
                status: None,
                error: Some(told(&error)),
                duration_ms,
            },
            verdict: Verdict::Failed {
                asked: None,
                busy: false,
            },
        },
    }
}

/// What an answer means. `redirects`: "see there" means that the message was taken. The other redirects
/// ask for it at another place, and so nobody has it.
fn judge(status: StatusCode, headers: &HeaderMap, redirects: bool) -> (Option<String>, Verdict) {
    let see_there = matches!(status, StatusCode::FOUND | StatusCode::SEE_OTHER);
    if status.is_success() || (redirects && see_there) {
        return (None, Verdict::Taken);
    }
    let error = match status {
        StatusCode::GONE => "answered 410: it wants no more messages; remove the endpoint",
        _ if see_there => {
            "answered with a redirect, which is not followed; correct the endpoint's url, or where it means that the message was taken, set accept_redirects = true"
        }
        _ if status.is_redirection() => {
            "answered with a redirect, which is not followed; correct the endpoint's url"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "refused the message; check that both sides have the same secret"
        }
        _ => "",
    };
    let error = if error.is_empty() {
        format!("answered {}", status.as_u16())
    } else {
        error.to_owned()
    };
    let verdict = match status {
        StatusCode::GONE => Verdict::Gone,
        _ => Verdict::Failed {
            asked: retry_after(headers, SystemTime::now()),
            busy: matches!(status.as_u16(), 429 | 502..=504),
        },
    };
    (Some(error), verdict)
}

/// `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time, too.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// Reads what may be read. The receiver's verdict stands, whatever becomes of this.
async fn drain(mut response: Response) {
    let reading = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > BODY_BYTES_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(BODY_WAIT, reading).await;
}

/// An error for people: what failed and its first cause, without the URL.
fn told(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_builder() {
        "the request cannot be made"
    } else {
        "the connection was lost"
    };
    let mut cause: &(dyn StdError + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // The outermost text has the URL in it.
    let is_outermost = std::ptr::addr_eq(cause, error);
    let text = if is_outermost || error.is_timeout() {
        what.to_owned()
    } else {
        format!("{what}: {cause}")
    };
    let text = text.replace(onboarding::visible::acts, " ");
    text.chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_status() {
        let again = |asked: Option<u64>| Verdict::Failed {
            asked: asked.map(Duration::from_secs),
            busy: false,
        };
        let later = |asked: Option<u64>| Verdict::Failed {
            asked: asked.map(Duration::from_secs),
            busy: true,
        };
        let cases: &[(u16, Option<&'static str>, Verdict)] = &[
            (200, None, Verdict::Taken),
            (202, Some("60"), Verdict::Taken),
            (204, None, Verdict::Taken),
            (299, None, Verdict::Taken),
            (301, None, again(None)),
            (307, None, again(None)),
            (400, None, again(None)),
            (401, None, again(None)),
            (404, None, again(None)),
            (410, None, Verdict::Gone),
            (429, Some("17"), later(Some(17))),
            (429, Some("99999999999999999999999"), later(Some(u64::MAX))),
            (503, Some(" 5 "), later(Some(5))),
            (503, Some("soon"), later(None)),
            (503, Some("-1"), later(None)),
            (503, Some("Sun, 06 Nov 1994 08:49:37 GMT"), later(Some(0))),
            (500, None, again(None)),
            (502, None, later(None)),
            (504, None, later(None)),
        ];
        for (status, asked, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(asked) = asked {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(asked));
            }
            let status = StatusCode::from_u16(*status).unwrap();
            for redirects in [false, true] {
                let (error, verdict) = judge(status, &headers, redirects);
                assert_eq!(verdict, *expected, "{status}");
                assert_eq!(error.is_none(), *expected == Verdict::Taken, "{status}");
            }
        }
        for status in [StatusCode::FOUND, StatusCode::SEE_OTHER] {
            let (error, verdict) = judge(status, &HeaderMap::new(), false);
            assert_eq!(verdict, again(None));
            assert!(error.unwrap().contains("accept_redirects"));
            let taken = judge(status, &HeaderMap::new(), true);
            assert_eq!(taken, (None, Verdict::Taken));
        }
    }

    #[test]
    fn a_date_to_come_back_at_is_a_pause() {
        let now = httpdate::parse_http_date("Sun, 01 Mar 2026 12:00:00 GMT").unwrap();
        let mut headers = HeaderMap::new();
        let date = HeaderValue::from_static("Sun, 01 Mar 2026 12:00:30 GMT");
        headers.insert(header::RETRY_AFTER, date);
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(30)));
    }
}
