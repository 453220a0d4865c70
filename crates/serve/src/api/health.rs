//! Whether the server lives, and whether it can serve.

use axum::{Json, extract::State};
use serde::Serialize;

use crate::{App, Problem};

/// How it is.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: &'static str,
}

/// It lives.
pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// It can serve.
pub(super) async fn ready(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.readiness().check(app.store().as_ref()).await?;
    Ok(Json(Health { status: "ready" }))
}
