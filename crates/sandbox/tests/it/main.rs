//! The simulator over a real socket, as any HTTP client sees it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::too_many_lines,
    reason = "the tables of what is refused are long"
)]

mod controls;
mod edits;
mod faults;
mod harness;
mod holds;
mod journal;
mod late;
mod limits;
mod lists;
mod resources;
mod rules;
