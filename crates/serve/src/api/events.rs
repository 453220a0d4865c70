//! What is going on, as server-sent events.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header::CONTENT_TYPE};
use store::Position;

use super::{onboardings, params::Params};
use crate::{App, Problem, live::Subject};

/// Most bytes of a place in the feed.
const POSITION_BYTES_MAX: usize = 40;

/// Tells what moves, as it moves: events `onboarding`, `account`, `batch` and `tally`, each with a
/// record as its data. A comment comes every 15 seconds. A client that does not keep up is let go; it
/// comes back with the `Last-Event-ID` that it has, and is told what it missed.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "watch_events", tag = "events",
    params(
        ("onboarding" = Option<String>, Query, description = "Only this onboarding (its id or its key), step by step", min_length = 1, max_length = 200),
        ("after" = Option<String>, Query, description = "The id of an event: what came after it is told first", pattern = "^[!-~]{1,40}$"),
        ("Last-Event-ID" = Option<String>, Header, description = "As `after`, which it comes before"),
    ),
    responses((status = 200, description = "Events, for as long as the client stays", body = String, content_type = "text/event-stream")),
)]
pub(super) async fn watch(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut params = Params::read(&uri, &["onboarding", "after"]);
    let one = params.text("onboarding").map(onboardings::id_of);
    if one == Some(None) {
        params.wrong("onboarding", "write the id or the key of an onboarding");
    }
    let after = params.text("after").map(position);
    if after == Some(None) {
        params.wrong("after", "write the id of an event");
    }
    params.done()?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|last| position(last.to_str().ok()?));
    let subject = match one.flatten() {
        Some(id) => Subject::One(id),
        None => Subject::All {
            after: last.or(after.flatten()),
        },
    };
    let watching = app.live().watch(subject)?;
    let mut response = Body::from_stream(watching.chunks()).into_response();
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        // Proxies pass it on as it comes.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// A place in the feed, as a client names it.
fn position(text: &str) -> Option<Position> {
    let fits = (1..=POSITION_BYTES_MAX).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Position(text.to_owned()))
}
