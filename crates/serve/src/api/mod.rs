//! The API: one file per resource.

mod health;

use axum::{Router, middleware, routing::get};

use crate::{
    App, layers,
    problem::{Code, Problem},
};

/// The API and `pages`, which are whatever else is to be served: all of it named, traced, logged,
/// counted and guarded alike. What nobody serves is answered with a problem.
pub fn router(app: App, pages: Router) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(app.clone())
        .merge(pages)
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(app, layers::around))
}

async fn nothing() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is nothing at this path; /openapi.json says what there is",
    )
}

async fn other_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "this path does not know the method; the header Allow says which it knows",
    )
}
