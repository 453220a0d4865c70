//! Answers in JSON.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

/// A list, and where it goes on.
#[derive(Serialize)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// All there are.
#[derive(Serialize)]
pub(super) struct All<T> {
    pub(super) items: Vec<T>,
}

/// `value` as JSON, with 200.
pub(super) fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, to_bytes(value))
}

/// JSON that is written already.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Plain data with text keys: there is nothing in it that could fail.
pub(super) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
