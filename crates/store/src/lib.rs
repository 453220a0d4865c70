//! The one durable truth of Trunkline: onboardings, journals, lanes, leases and permits.
//!
//! The journal is the queue: claiming, recording and finishing are each one atomic operation, and
//! there is no second record elsewhere that could drift. A [`Store`] is small traits, one per
//! role: [`Intake`] accepts signups, [`Work`] hands them out under a lease with the permits to
//! send requests, [`Inspect`] tells what is there, [`Operate`] is what a person may do, [`Transfer`]
//! moves everything to another store, [`Feed`] tells what happened, [`Outbox`] keeps what others are
//! to be told, [`Answers`] what they were answered, [`Refusals`] what was refused.
//!
//! Rules that every implementation keeps, and that the module `conformance` (a feature of the same name) checks:
//!
//! - What a method returned is durable, unless it says otherwise.
//! - The clock is the store's. Callers pass durations, never times.
//! - Every write of a worker carries its lease's epoch. A stale one changes nothing and answers
//!   [`Error::LeaseLost`].
//! - Nothing assumes one process: any number of producers, and, where the store allows it, workers.
//! - Secrets are sealed before they are written.

pub mod account;
pub mod answers;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod feed;
pub mod inspect;
pub mod intake;
pub mod operate;
pub mod outbox;
pub mod redis;
pub mod refused;
pub mod seal;
mod spool;
pub mod sqlite;
pub mod transfer;
pub mod work;
pub mod workers;
mod world;

pub use account::{
    AccountStatus, CLOSED_AT_MOST, Limits, Probe, ProbeKind, Probed, Resumed, Stop, StopKind,
    Stopped,
};
pub use answers::{Answers, Remembered};
pub use error::{Error, Unfit, Untouched};
pub use feed::{Feed, Happening, Position, What};
pub use inspect::{
    BatchNumber, BatchStatus, Cursor, Filter, Health, Inspect, Onboarding, Page, Tally,
};
pub use intake::{
    Batch, Candidate, Clash, ClashKind, Committed, Intake, NewOnboarding, NumberHolder,
    NumberInUse, Origin,
};
pub use operate::{Cancelled, Operate, Retried};
pub use outbox::{
    AfterAttempt, Attempt, Delivery, DeliveryFilter, DeliveryId, DeliveryPage, DeliveryState, Due,
    NewDelivery, Outbox,
};
pub use refused::{NewRefused, Refusals, Refused, RefusedId, RefusedPage};
pub use seal::SealingKey;
pub use sqlite::SqliteOptions;
pub use transfer::{Carried, CarriedAccount, CarriedIn, Departure, MoveId, Outgoing, Transfer};
pub use work::{
    Advance, Advanced, Claim, Claims, Granted, LateCheck, LateChecked, LateChecks, Lease, Permit,
    ReadProbe, Settled, Then, Work, WorkerName, WriteId,
};

pub use workers::{Unusable, WorkerStatus};
pub use world::World;

/// A whole store: all roles.
pub trait Store:
    Intake + Work + Inspect + Operate + Transfer + Feed + Outbox + Answers + Refusals
{
}

impl<T> Store for T where
    T: Intake + Work + Inspect + Operate + Transfer + Feed + Outbox + Answers + Refusals
{
}

/// What a store's methods return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
