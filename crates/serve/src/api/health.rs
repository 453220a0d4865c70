//! Whether the server lives, and whether it can serve.

use axum::{extract::State, response::Response};
use http::Uri;
use serde::Serialize;

use super::{answer, params::Params, schema};
use crate::{App, Problem};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// It lives.
#[utoipa::path(
    get, path = "/healthz", operation_id = "is_alive", tag = "operation", security(()),
    responses((status = 200, description = "The process lives", body = schema::Health)),
)]
pub(super) async fn alive(uri: Uri) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    Ok(answer::ok(&Health { status: "ok" }))
}

/// It can serve: the store answers, and it is not stopping.
#[utoipa::path(
    get, path = "/readyz", operation_id = "is_ready", tag = "operation", security(()),
    responses((status = 200, description = "Requests can be served", body = schema::Health)),
)]
pub(super) async fn ready(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    app.readiness().check(app.store().as_ref()).await?;
    Ok(answer::ok(&Health { status: "ready" }))
}
