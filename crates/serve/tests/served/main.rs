//! The API over real sockets, with real stores.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what is set up for a test has to be there"
)]

mod acting;
mod auth;
mod description;
mod events;
mod hostile;
mod idempotency;
mod intake;
mod paging;
mod problems;
mod server;
mod webhooks;
