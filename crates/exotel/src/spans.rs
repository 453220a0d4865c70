//! A span per request, for traces.
//!
//! At the lowest level, so that the log does not change and a process without traces pays for the
//! look at one flag. Its fields are OpenTelemetry's for an HTTP client. The URL is not among them:
//! it holds the account's SID, and of some calls a number.

use tracing::{Span, field::Empty};

use crate::{call::Call, envelope::Good, error::Error};

/// The span of a request that is about to be sent.
pub(crate) fn of(call: &Call, host: &str) -> Span {
    tracing::trace_span!(
        "request",
        otel.name = call.name,
        otel.kind = "client",
        otel.status_code = Empty,
        call = call.name,
        http.request.method = call.method.as_str(),
        url.template = call.template,
        server.address = host,
        http.response.status_code = Empty,
        error.type = Empty,
        inner_code = Empty,
        request_id = Empty,
    )
}

/// Notes what came of it.
pub(crate) fn end<T>(span: &Span, result: &Result<(u16, Good<T>), Error>) {
    if span.is_disabled() {
        return;
    }
    let (status, inner_code, request_id) = match result {
        Ok((status, good)) => (
            Some(*status),
            Some(good.inner_code),
            good.request_id.as_deref(),
        ),
        Err(error) => {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", error.code());
            (error.http_status(), error.inner_code(), error.request_id())
        }
    };
    span.record("http.response.status_code", status);
    span.record("inner_code", inner_code);
    span.record("request_id", request_id);
}
