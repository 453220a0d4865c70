//! Turns signups into accepted onboardings: files of them, or those that a request brought.
//!
//! [`enqueue`] reads [`Source`]s (CSV, JSON Lines, a JSON array), checks every signup against its
//! recipe and hands it to the store: all of them, or none and every problem with its place.
//! [`plan`] does the same without a store and tells steps, requests and time. [`accept`] is for the
//! few signups of a request, which are in memory already. What all of them check against, recipes
//! and accounts, is a [`Desk`].
//!
//! Reading is incremental: a file of a million signups is never in memory as a whole, and neither
//! is a record of more than [`RECORD_BYTES_MAX`].

mod about;
mod accounts;
mod candidate;
mod checked;
mod clash;
mod desk;
mod error;
mod forecast;
pub mod foreign;
mod intake;
mod items;
mod names;
mod pace;
mod problem;
mod read;
mod source;
mod walk;

pub use about::About;
pub use accounts::Accounts;
pub use desk::Desk;
pub use error::Error;
pub use forecast::{AccountPlan, PlanReport, Planned, plan};
pub use intake::{Report, enqueue};
pub use items::{Taken, accept};
pub use problem::Located;
pub use read::{RECORD_BYTES_MAX, read_json};
pub use source::{Format, Source};
