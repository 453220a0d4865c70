//! What leaves: an answer that a rule injects or changes, and its headers.

use http::header::{CONNECTION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;

use crate::envelope::{self, Head, Refusal, Reply};
use crate::ids::Stamp;
use crate::payload::Payload;
use crate::rule::{Edit, Injected, InjectedBody};

/// The answer that a rule gives in the place of the API's.
pub(crate) fn inject(head: Head<'_>, injected: Injected) -> Reply {
    let Injected {
        status,
        inner,
        body,
        retry_after,
        ..
    } = injected;
    let mut reply = match body {
        InjectedBody::Html => envelope::gateway_page(status),
        InjectedBody::Empty => envelope::empty(status),
        InjectedBody::Json if (200..300).contains(&inner) => {
            let nothing = Value::Object(serde_json::Map::new());
            envelope::single(head, status, &envelope::Item::success(nothing))
        }
        InjectedBody::Json => Refusal::injected(status, inner).reply(head),
    };
    reply
        .headers
        .extend(retry_after.map(|value| (RETRY_AFTER, value)));
    reply
}

/// Changes the answer of a request that was processed.
pub(crate) fn edit(edits: &[Edit], reply: &mut Reply) {
    if edits.is_empty() {
        return;
    }
    // All that the API answers is JSON.
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else {
        return;
    };
    for edit in edits {
        match body.get_mut("response") {
            Some(Value::Array(items)) => {
                items.iter_mut().for_each(|item| change(edit, item));
                if let Some(item) = &edit.foreign {
                    items.insert(0, item.clone());
                }
            }
            Some(item) => change(edit, item),
            None => {}
        }
    }
    reply.body = body.to_string().into();
}

fn change(edit: &Edit, item: &mut Value) {
    let Some(Value::Object(data)) = item.get_mut("data") else {
        return;
    };
    for name in &edit.omit {
        data.remove(name);
    }
    data.extend(edit.echo.clone());
}

/// A time as a `Date` header has it.
pub(crate) fn http_date(stamp: Stamp) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(stamp.0.into()).ok()?;
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&time);
    HeaderValue::try_from(text.ok()?).ok()
}

pub(crate) fn response(reply: Reply, half: bool, date: Option<HeaderValue>) -> Response<Payload> {
    let too_large = reply.status == 413;
    let payload = if half {
        Payload::half(reply.body)
    } else {
        Payload::whole(reply.body)
    };
    let mut response = Response::new(payload);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    if let Some(kind) = reply.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.extend(date.map(|date| (DATE, date)));
    headers.extend(reply.headers);
    if too_large {
        // The rest of the body was not read.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
