//! What an answer that is not a plain success means.
//!
//! The envelope's inner code, status and error code decide. HTTP's status decides only where the
//! body is no envelope, and then only what it can: 429 and 401 mean that nothing was done,
//! everything else leaves it open. A 429 beside an envelope of success leaves it open too.

use std::time::SystemTime;

use http::HeaderMap;
use serde_json::Value;

use crate::{
    call::Call,
    date,
    envelope::{Envelope, code, is_good, text},
    error::{Class, Details, Error},
    redact, retry_after,
};

/// An answer as it came, without the secrets of its request.
pub(crate) struct Reply {
    pub(crate) http: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
}

/// What an envelope that does not tell of success says.
#[derive(Default)]
struct Told {
    request_id: Option<String>,
    inner_code: Option<u16>,
    error_code: Option<u32>,
    /// Whether it says "success" although something else does not.
    claims_success: bool,
    description: Option<String>,
}

impl Told {
    /// Whether it tells of success and of nothing else: beside HTTP's refusal one of them is wrong.
    fn is_success_alone(&self) -> bool {
        let code = matches!(self.inner_code, None | Some(200..300));
        let word = self.claims_success || self.inner_code.is_some();
        code && word && self.error_code.is_none()
    }
}

/// Class and stable word.
type Verdict = (Class, &'static str);

/// Judges an answer that is not a success with the expected data.
pub(crate) fn judge(call: &Call, reply: &Reply) -> Error {
    let told = read(&reply.body);
    let throttled = || Class::Throttled {
        retry_after: retry_after::read(&reply.headers, SystemTime::now()),
    };
    let (class, code) = match &told {
        Some(told) if reply.http == 429 && told.is_success_alone() => {
            (Class::Unknown, "contradiction")
        }
        _ if reply.http == 429 => (throttled(), "throttled"),
        Some(told) if told.inner_code == Some(429) || told.error_code == Some(1030) => {
            (throttled(), "throttled")
        }
        Some(told) => of_envelope(call, told),
        None => of_foreign(call, reply),
    };
    let told = told.unwrap_or_default();
    let clean = |text: Option<String>, most| {
        text.map(|text| redact::clean(&text, most))
            .filter(|text| !text.is_empty())
    };
    Error::new(Details {
        call: call.name,
        class,
        code,
        http_status: Some(reply.http),
        inner_code: told.inner_code,
        error_code: told.error_code,
        date: date::of(&reply.headers),
        request_id: clean(told.request_id, redact::REQUEST_ID),
        description: clean(told.description, redact::DESCRIPTION),
    })
}

/// A success about something else than was asked: whatever was done, it is not known of ours.
pub(crate) fn differs(
    call: &Call,
    reply: &Reply,
    how: &str,
    inner_code: u16,
    request_id: Option<&str>,
) -> Error {
    Error::new(Details {
        call: call.name,
        class: Class::Unknown,
        code: "answer_differs",
        http_status: Some(reply.http),
        inner_code: Some(inner_code),
        error_code: None,
        date: date::of(&reply.headers),
        request_id: request_id.map(|id| redact::clean(id, redact::REQUEST_ID)),
        description: Some(redact::clean(how, redact::DESCRIPTION)),
    })
}

fn of_envelope(call: &Call, told: &Told) -> Verdict {
    // 408 is the gateway's own timeout: it does not say how far the request came.
    if told
        .inner_code
        .is_some_and(|code| code >= 500 || code == 408)
    {
        return (Class::Unknown, "server_error");
    }
    if told.claims_success {
        let word = match told.inner_code {
            Some(200..300) => "unexpected_data",
            _ => "contradiction",
        };
        return (Class::Unknown, word);
    }
    match told.error_code {
        Some(1000 | 1003) => (Class::NotThere, "not_there"),
        Some(1001) => (Class::Refused, "missing_parameter"),
        Some(1002) => (Class::Refused, "invalid_parameter"),
        Some(1007) => (Class::Refused, "invalid_body"),
        Some(1008) => (Class::Duplicate, "duplicate"),
        Some(1010) => (Class::Unauthorized, "unauthorized"),
        Some(1011) => (Class::Refused, "content_type"),
        Some(_) | None => of_inner_code(call, told.inner_code),
    }
}

/// An envelope without an error code that is known.
fn of_inner_code(call: &Call, inner_code: Option<u16>) -> Verdict {
    match inner_code {
        Some(401) => (Class::Unauthorized, "unauthorized"),
        Some(404 | 405) if call.undocumented => (Class::Unsupported, "unsupported_call"),
        Some(403 | 404) => (Class::NotThere, "not_there"),
        Some(409) => (Class::Duplicate, "duplicate"),
        Some(400..500) => (Class::Refused, "refused"),
        _ => (Class::Unknown, "contradiction"),
    }
}

/// A body that is not the envelope: a gateway's page, a cut-off or empty body.
fn of_foreign(call: &Call, reply: &Reply) -> Verdict {
    match reply.http {
        401 => (Class::Unauthorized, "unauthorized"),
        404 | 405 if call.undocumented => (Class::Unsupported, "unsupported_call"),
        502..=504 => (Class::Unknown, "bad_gateway"),
        500.. => (Class::Unknown, "server_error"),
        _ if reply.body.is_empty() => (Class::Unknown, "empty_body"),
        _ => (Class::Unknown, "not_an_envelope"),
    }
}

/// Reads the envelope's failing item; of several, the first. `None`: it is not an envelope.
fn read(body: &[u8]) -> Option<Told> {
    let mut envelope = Envelope::parse(body)?;
    let request_id = envelope.request_id;
    let items = &mut envelope.items;
    let failing = items.iter().position(|item| !is_good(item));
    let mixed = failing.is_some() && items.iter().any(is_good);
    let item = items.get_mut(failing.unwrap_or(0)).map(Value::take);
    let Some(item) = item else {
        // An empty list where one was not expected.
        return Some(Told {
            request_id,
            inner_code: envelope.http_code,
            claims_success: true,
            ..Told::default()
        });
    };
    let inner_code = code(&item["code"]);
    let error = &item["error_data"];
    let error_code = code(&error["code"]).map(u32::from);
    let description = text(&error["description"]).or_else(|| text(&error["message"]));
    if mixed {
        // Of one thing, success and failure.
        return Some(Told {
            request_id,
            claims_success: true,
            description,
            ..Told::default()
        });
    }
    if inner_code.is_none() && error_code.is_none() {
        return None;
    }
    Some(Told {
        request_id,
        inner_code,
        error_code,
        claims_success: text(&item["status"])
            .is_some_and(|status| status.eq_ignore_ascii_case("success")),
        description,
    })
}
