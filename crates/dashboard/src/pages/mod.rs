//! One file per page.

mod accounts;
mod actions;
mod batches;
mod deliveries;
mod login;
mod onboarding;
mod onboardings;
mod overview;
mod recipes;
mod upload;
mod upload_check;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

pub(crate) use upload_check::Planned;

use crate::{assets, headers, site::Site, uploads};

/// Most bytes of a form that has no file: a token, an account's name, a page's own token.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// What a form with a file has besides the file: its frame, and a page's own token.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// All pages.
pub(crate) fn router(site: Site) -> Router {
    let upload_bytes_max = usize::try_from(uploads::BYTES_MAX).unwrap_or(usize::MAX);
    let upload = Router::new()
        .route("/upload", get(upload::form).post(upload::receive))
        .layer(DefaultBodyLimit::max(upload_bytes_max + FRAME_BYTES_MAX));
    Router::new()
        .route("/", get(overview::page))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/onboardings", get(onboardings::page))
        .route("/onboardings/{id}", get(onboarding::page))
        .route(
            "/onboardings/{id}/password",
            get(onboarding::back).post(onboarding::with_password),
        )
        .route(
            "/onboardings/{id}/retry",
            get(actions::ask_retry).post(actions::retry),
        )
        .route(
            "/onboardings/{id}/replace-credentials",
            get(actions::ask_replace).post(actions::replace),
        )
        .route(
            "/onboardings/{id}/cancel",
            get(actions::ask_cancel).post(actions::cancel),
        )
        .route("/batches", get(batches::page))
        .route("/batches/{number}", get(batches::one))
        .route("/accounts", get(accounts::page))
        .route(
            "/accounts/resume",
            get(actions::ask_resume).post(actions::resume),
        )
        .route("/deliveries", get(deliveries::page))
        .route(
            "/deliveries/{id}/resend",
            get(actions::ask_resend).post(actions::resend),
        )
        .route("/recipes", get(recipes::page))
        .route("/recipes/{partner}", get(recipes::one))
        .route("/upload/{id}", get(upload::plan).post(upload::enqueue))
        .route("/assets/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .merge(upload)
        .layer(middleware::from_fn(headers::around))
        .with_state(site)
}
