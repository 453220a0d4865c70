//! The pages as a browser gets them: over a real socket, with the embedded store.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod acting;
mod browser;
mod data;
mod hostile;
mod login;
mod looking;
mod markup;
mod place;
mod uploading;
