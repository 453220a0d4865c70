//! Turns files of signups into accepted onboardings.
//!
//! [`enqueue`] reads [`Source`]s (CSV, JSON Lines, a JSON array), checks every signup against its
//! recipe and hands it to the store: all of them, or none and every problem with its place.
//! [`plan`] does the same without a store and tells steps, requests and time.
//!
//! Reading is incremental: a file of a million signups is never in memory as a whole, and neither
//! is a record of more than [`RECORD_BYTES_MAX`].

mod accounts;
mod checked;
mod clash;
mod error;
mod forecast;
mod intake;
mod pace;
mod problem;
mod read;
mod source;
mod walk;

pub use accounts::Accounts;
pub use error::Error;
pub use forecast::{AccountPlan, PlanReport, Planned, plan};
pub use intake::{Report, enqueue};
pub use problem::Located;
pub use read::RECORD_BYTES_MAX;
pub use source::{Format, Source};
