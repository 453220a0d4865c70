//! What happens around every request, whoever answers it.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};
use onboarding::TraceContext;
use telemetry::trace;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    App, Peer,
    problem::{Code, Problem},
};

/// Names a request in logs and answers.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most bytes of a request id that a client brings.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Names the request, follows its trace, answers where the code panics, counts, logs, and adds what
/// browsers are to keep to.
pub(crate) async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    // Empty where nothing is served: names that clients make up belong in no metric.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(String::new, |path| path.as_str().to_owned());
    let socket = request.extensions().get().copied().unwrap_or(Peer::UNKNOWN);
    let peer = socket.behind(app.trusted_proxies(), request.headers());
    request.extensions_mut().insert(peer);
    let span = span(&method, &route, &id, request.headers());
    let answered = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(parent: &span, "a request panicked");
        let detail = "the server made a mistake; its log says which, under this request's id";
        Problem::new(Code::Internal, detail).into_response()
    });
    let took = began.elapsed();
    let status = response.status();
    app.metrics()
        .http(&route, label(&method), status.as_u16(), took);
    span.record("status", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    log(&span, &route, peer, status, took);
    guard(response.headers_mut());
    response.headers_mut().insert(REQUEST_ID.clone(), id);
    response
}

fn span(method: &Method, route: &str, id: &HeaderValue, headers: &HeaderMap) -> Span {
    let id = id.to_str().unwrap_or_default();
    let method = label(method);
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = format_args!("{method} {route}"),
        request_id = id,
        method,
        route,
        status = Empty,
        token = Empty,
        otel.status_code = Empty,
    );
    if let Some(trace) = traceparent(headers) {
        trace::follow(&span, trace);
    }
    span
}

/// The trace that a request came with.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}

/// A method as logs and metrics have it: a client may make up any.
fn label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What programs ask every few seconds. That it was answered well is worth no line of every log.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

fn log(span: &Span, route: &str, peer: Peer, status: StatusCode, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (peer, code) = (peer.0, status.as_u16());
    if PROBES.contains(&route) && status.is_success() {
        tracing::debug!(parent: span, %peer, status = code, duration_ms, "answered");
    } else {
        tracing::info!(parent: span, %peer, status = code, duration_ms, "answered");
    }
}

/// The client's own name for the request, if it is one that logs can bear; else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let fits = |id: &&HeaderValue| {
        let id = id.as_bytes();
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
        !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.iter().all(known)
    };
    if let Some(given) = headers.get(&REQUEST_ID).filter(fits) {
        return given.clone();
    }
    let made = format!("{:032x}", rand::random::<u128>());
    HeaderValue::try_from(made).unwrap_or(HeaderValue::from_static("none"))
}

/// What browsers are to keep to, where the answer does not say it itself.
fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}
