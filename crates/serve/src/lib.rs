//! The HTTP side: intake, webhooks, questions and actions.
//!
//! ```text
//! run ──▶ layers ──▶ authenticate ──▶ api ──▶ store
//! limits  id, trace, token or         one file per
//! time    log, panic  session         resource
//! ```
//!
//! An [`App`] is what everything here works with; [`router`] serves the API and whatever pages it is
//! given, and [`run()`] is the loop that accepts connections, with a bound on everything a client may
//! take. Errors are [`Problem`]s.

mod account_view;
mod actions;
mod api;
mod app;
pub mod auth;
mod batch_view;
mod error;
mod layers;
pub mod live;
mod login;
mod peer;
pub mod problem;
mod readiness;
mod run;
mod seldom;
pub mod session;
mod socket;

pub use account_view::{AccountView, Accounts};
pub use api::router;
pub use app::{App, Directory, Setup};
pub use batch_view::BatchView;
pub use error::Error;
pub use live::Live;
pub use peer::Peer;
pub use problem::Problem;
pub use readiness::Readiness;
pub use run::{ConnectionLimits, run};
pub use session::{Session, SessionKey, Sessions};
