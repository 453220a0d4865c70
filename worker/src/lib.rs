//! Claims onboardings and runs their steps.
//!
//! ```text
//! store ──claim──▶ claimer ──channel──▶ apalis worker ──▶ execute ──▶ steps ──▶ exotel
//!   ▲                                        │               │
//!   └──────────── renew (lease) ◀────────────┴── advance ◀───┘
//! ```
//!
//! - [`run()`] is the way in: it registers with the store, claims, executes, and gives every lease
//!   back before it returns.
//! - `backend` and `claimer` make the store an apalis backend; nothing else touches apalis.
//! - `lease` renews what is held. Nothing is sent on a lease that has less time left than a
//!   request may take.
//! - `execute` runs one onboarding: one request and one store write per step when nothing goes
//!   wrong. `request` is permits and reads, `outcome` what a failed request leads to, `steps` one
//!   module per kind of step, `retry` the one policy.
//! - `account_trouble` stops an account whose trouble is not its onboardings', `probe` tries it again.
//! - [`verify_onboarding`] and [`check_account`] read without changing anything.
//! - `late_check` looks once more at what ended while an outcome was not known; [`make_late_checks`]
//!   makes those that are due and nothing else.

mod account;
mod account_trouble;
mod backend;
mod check;
mod claimer;
mod compare;
mod error;
mod execute;
mod fault;
mod flag;
mod late_check;
mod lease;
mod observe;
mod outcome;
mod probe;
mod read;
mod read_back;
mod request;
mod retry;
mod run;
mod served;
mod settings;
mod shared;
mod steps;
mod surplus;
mod trunk_removal;

pub use account::Account;
pub use check::{AccountCheck, check_account, verify_onboarding};
pub use compare::{Comparison, Extra, StepComparison, Verdict};
pub use error::Error;
pub use late_check::make_late_checks;
pub use observe::{Event, Observer, Release, Stats, StepOutcome};
pub use retry::RetryPolicy;
pub use run::run;
pub use served::Served;
pub use settings::{Follow, Settings};
