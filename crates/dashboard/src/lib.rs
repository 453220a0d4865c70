//! The pages: what people watch and do.
//!
//! ```text
//! request ──▶ Visitor ──▶ pages/ ──▶ serve::App ──▶ store
//!             session,    one file     actions,
//!             theme       per page     handoffs
//!                           │
//!                           └──▶ view/ (pure) ──▶ templates/ ──▶ HTML
//! ```
//!
//! Every page is whole without JavaScript, also what changes something: a link leads to a question,
//! a form answers it. The two scripts only add: `live.js` brings news in, `page.js` copies, asks in
//! a dialog and switches colours. Nothing is loaded from anywhere else, and the
//! Content-Security-Policy says so.

mod assets;
mod failure;
mod headers;
mod link;
mod note;
mod pages;
mod shell;
mod site;
mod uploads;
mod view;
mod visitor;

use axum::Router;
use serve::App;

/// The pages of this app, to be served beside its API.
pub fn router(app: App) -> Router {
    pages::router(site::Site::of(app))
}
