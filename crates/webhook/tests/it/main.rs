//! News that go out, from a real store to real receivers.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up is a failed test"
)]

mod blocked;
mod crash;
mod delivering;
mod log;
mod place;
mod receiver;
mod schedule;
