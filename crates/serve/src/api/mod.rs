//! The API: one file per resource.

mod accounts;
mod answer;
mod authenticate;
mod batches;
mod cursor;
mod deliveries;
mod describe;
mod events;
mod health;
mod idempotency;
mod intake;
mod metrics;
mod onboardings;
mod params;
mod payload;
mod recipes;
mod refused;
mod schema;
mod webhooks;

use axum::{Router, middleware};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App, layers,
    problem::{Code, Problem},
};

pub(crate) use payload::Turns;

/// The API and `pages`, which are whatever else is to be served: all of it named, traced, logged,
/// counted and guarded alike. What nobody serves is answered with a problem.
pub fn router(app: App, pages: Router) -> Router {
    let (guarded, open) = routes();
    let guard = middleware::from_fn_with_state(app.clone(), authenticate::authenticate);
    let (guarded, _) = guarded.split_for_parts();
    let (open, _) = open.split_for_parts();
    guarded
        .route_layer(guard)
        .merge(open)
        .with_state(app.clone())
        .merge(pages)
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(app, layers::around))
}

/// What needs a token, and what does not.
fn routes() -> (OpenApiRouter<App>, OpenApiRouter<App>) {
    let guarded = OpenApiRouter::new()
        .routes(routes!(onboardings::list, intake::enqueue))
        .routes(routes!(onboardings::show))
        .routes(routes!(onboardings::handoff))
        .routes(routes!(onboardings::retry))
        .routes(routes!(onboardings::cancel))
        .routes(routes!(batches::list))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::resume))
        .routes(routes!(recipes::list))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::resend))
        .routes(routes!(refused::list))
        .routes(routes!(events::watch))
        .routes(routes!(metrics::show))
        .routes(routes!(describe::show));
    let open = OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(webhooks::receive))
        .routes(routes!(webhooks::receive_of));
    (guarded, open)
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
