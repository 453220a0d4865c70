//! What is counted, as Prometheus reads it.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use telemetry::Form;

use super::params::Params;
use crate::{App, Problem};

/// All figures.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "operation",
    responses((status = 200, description = "The figures", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    ))),
)]
pub(super) async fn show(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = Form::asked(accept);
    let text = app.metrics().text(Some(app.store().as_ref())).await;
    let mut response = form.of(text).into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    Ok(response)
}
