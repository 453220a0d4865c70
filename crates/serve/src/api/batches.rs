//! Batches: what came in together, and how far it is.

use axum::{extract::State, response::Response};
use http::Uri;
use jiff::Timestamp;
use store::BatchNumber;

use super::{
    answer::{self, Listed},
    cursor,
    params::Params,
    schema,
};
use crate::{App, BatchView, Problem};

/// Batches of a page, unless the client says otherwise.
const PAGE: usize = 50;

/// Most batches of a page.
const PAGE_MAX: usize = 200;

const LIST: &str = "batches";

/// Lists batches, the newest first: files, uploads and requests of several signups.
#[utoipa::path(
    get, path = "/v1/batches", operation_id = "list_batches", tag = "batches",
    params(
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 where it is left out", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page", body = schema::BatchPage)),
)]
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::read(&uri, &["cursor", "limit"]);
    let before = cursor::open(&app, LIST, &mut params);
    let limit = params.number("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    params.done()?;
    let before = before.and_then(|cursor| cursor.0.parse().ok());
    let found = app.store().batches(before.map(BatchNumber), limit).await?;
    let last = found.last().filter(|_| found.len() == limit);
    let next = last.map(|last| cursor::seal(&app, LIST, &last.number.to_string()));
    let now = Timestamp::now();
    let items = found.iter().map(|one| BatchView::of(one, None, now));
    Ok(answer::ok(&Listed {
        items: items.collect(),
        next,
    }))
}
