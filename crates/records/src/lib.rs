//! The records that programs read, made of what a store knows.
//!
//! One line of JSON each, whether a command prints it or a server answers it: an
//! [`OnboardingRecord`], an [`AccountRecord`], a [`RefusedRecord`], what a run came to ([`Summary`]) or took in
//! ([`Enqueued`]), and the handoff that [`Handoffs`] renders.

mod account_record;
mod accounts;
mod error;
mod handoffs;
mod onboarding_record;
mod parked;
mod refused_record;
mod run;
mod time;
mod undamaged;
mod workers;

pub use account_record::{AccountRecord, LimitsLine, StoppedLine};
pub use accounts::{AccountBook, AccountFacts};
pub use error::Error;
pub use handoffs::Handoffs;
pub use onboarding_record::{
    ErrorLine, OnboardingRecord, StepLine, beside_step, faulty_step, has_live_credentials,
    settles_at,
};
pub use parked::{ACCOUNT_PARKED, Parked, with_remedy};
pub use refused_record::{RefusedProblem, RefusedRecord};
pub use run::{Enqueued, Summary};
pub use time::{Time, time};
pub use undamaged::undamaged;
pub use workers::Workers;
