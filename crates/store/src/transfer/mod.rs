//! Moving everything from one store to another, of the same kind or not.
//!
//! ```text
//! FROM   begin_departure ── carry_out, page by page ──▶ end_departure
//!              │ the move's id       │                       │
//! TO     begin_arrival ──── carry_accounts, carry_in ────────┴──▶ end_arrival
//! ```
//!
//! Two stores that run the same onboardings would make everything twice, and a signup that the
//! second accepts while the first still has it would be run anew. So a store is closed from the
//! moment it begins to leave, and another one until all has arrived: nobody accepts, claims,
//! retries, cancels or takes permits there. Looking stays possible. FROM is given up before TO is
//! opened; so while FROM still says that it is leaving, TO was never opened, and leaving for
//! another place, or to the same place again, is safe.
//!
//! Every step may be repeated, by another process too: a move that was cut goes on where it was.

mod mark;

pub(crate) use self::mark::Mark;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use onboarding::{AccountName, Journal, SipPassword, State};
use serde::{Deserialize, Serialize};

use crate::{Cursor, Error, Limits, Onboarding, ProbeKind, Result, Stopped};

/// Which move it is: drawn when a store begins to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MoveId(String);

impl MoveId {
    /// Another one than any other: 32 hexadecimal digits.
    #[must_use]
    pub fn draw() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }
}

impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An onboarding on its way.
#[derive(Debug, Clone)]
pub struct Carried {
    /// As [`crate::Inspect`] shows it. What is blocked, or was running, is queued when it arrives.
    pub onboarding: Onboarding,
    /// Opened with the key of the store that it leaves, to be sealed with the other's.
    pub password: Option<SipPassword>,
    /// The first unfinished step has to be read back before it is repeated. So is that of an
    /// onboarding which was running, whatever this says.
    pub in_doubt: bool,
    /// It is the one that has its number.
    pub has_number: bool,
}

impl Carried {
    /// Whether the next claim has to read back first.
    #[must_use]
    pub fn arrives_in_doubt(&self) -> bool {
        self.in_doubt || self.onboarding.state == State::Running
    }

    /// The state that it arrives in: of the waiting ones always `Queued`.
    #[must_use]
    pub fn arrives_as(&self) -> State {
        match self.onboarding.state {
            State::Queued | State::Running | State::Blocked => State::Queued,
            finished @ (State::Succeeded | State::Failed | State::Cancelled) => finished,
        }
    }

    /// Its journal for a store whose time is so far ahead of the time of day.
    #[must_use]
    pub(crate) fn journal(&self, time_ahead_ms: i64) -> Journal {
        let mut journal = self.onboarding.journal.clone();
        journal.move_doubts(time_ahead_ms.saturating_sub(self.onboarding.time_ahead_ms));
        journal
    }

    /// Whether `there` is this very onboarding, arrived earlier: accepted at the same time with the
    /// same content, and not behind. It may be ahead, for it may have been run there since.
    #[must_use]
    pub fn is_there(&self, there: &Onboarding) -> bool {
        let own = &self.onboarding;
        own.id == there.id
            && own.signup == there.signup
            && own.recipe == there.recipe
            && own.plan == there.plan
            && own.created_at == there.created_at
            && own.epoch <= there.epoch
    }

    /// Says that the store at `place` has another onboarding with this one's key.
    #[must_use]
    pub fn differs(&self, place: &str) -> Error {
        Error::Unusable {
            place: place.to_owned(),
            message: format!(
                "it has an onboarding with the key \"{}\" that is not the one to be copied, so it holds more than an unfinished copy; copy to an empty store",
                self.onboarding.key.as_str().escape_debug()
            ),
        }
    }
}

/// Some of a store's onboardings on their way, in the order in which they were accepted.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// At most as many as asked for.
    pub items: Vec<Carried>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// An account on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedAccount {
    /// Which.
    pub name: AccountName,
    /// Its limits, if any were registered.
    pub limits: Option<Limits>,
    /// Why and since when it is parked, if it is.
    pub parked: Option<Stopped>,
    /// Why and since when Exotel does not answer, if it does not.
    pub outage: Option<Stopped>,
    /// How it is tried again, where one of the two is said; it is due when it arrives.
    pub probe: Option<ProbeKind>,
    /// For how long nothing may be sent, an hour at most: permits do not travel, so that it stays
    /// closed until those that are out at the other store have come back. Zero: not closed.
    pub closed_for: Duration,
}

/// What came of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CarriedIn {
    /// How many were new.
    pub new: u64,
    /// How many had arrived earlier.
    pub there_before: u64,
}

/// How far a departure is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// Which move it is.
    pub id: MoveId,
    /// Everything was carried out earlier, by this move.
    pub ended: bool,
}

/// A store's side of a move.
#[async_trait]
pub trait Transfer: Send + Sync + 'static {
    /// Closes this store for good, in favour of the one at `to` (for people; without a secret).
    /// What a worker held when it vanished is queued in doubt. A departure that has not ended is
    /// taken up again, with its id if it was to the same place and with another one if not.
    ///
    /// # Errors
    /// [`Error::WorkerRunning`] where somebody holds a lease, or the one worker's place.
    /// [`Error::Unusable`] where it has left for another place already, or is not whole itself.
    async fn begin_departure(&self, to: &str) -> Result<Departure>;

    /// A page of at most `limit` (1 to 1000) onboardings after `after`, each with all there is.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where one cannot be read: nothing is left behind silently.
    async fn carry_out(&self, after: Option<&Cursor>, limit: usize) -> Result<Outgoing>;

    /// Records that everything has arrived. From then on it cannot leave for another place.
    ///
    /// # Errors
    /// [`Error::Unusable`] where another move has taken this one's place.
    async fn end_departure(&self, id: &MoveId) -> Result<()>;

    /// Closes this store until everything of the move has arrived. `from` is for people, without a
    /// secret. Returns whether it is still to come; `false`: it had arrived earlier.
    ///
    /// # Errors
    /// [`Error::Unusable`] where there is anything in it that this move did not bring.
    async fn begin_arrival(&self, id: &MoveId, from: &str) -> Result<bool>;

    /// Takes accounts in: limits where none are registered here, parked if it is there, closed for
    /// at least as long as asked for.
    async fn carry_accounts(&self, accounts: &[CarriedAccount]) -> Result<()>;

    /// Takes onboardings in, behind those that came before, with the recipes (digest and canonical
    /// JSON) that they were made from: all of the page or nothing. What arrived earlier is left as
    /// it is. Times and epochs are kept; retention counts from the arrival.
    ///
    /// # Errors
    /// [`Carried::differs`] where one is here with other content.
    async fn carry_in(
        &self,
        recipes: &[(String, String)],
        onboardings: Vec<Carried>,
    ) -> Result<CarriedIn>;

    /// Opens this store: everything has arrived.
    ///
    /// # Errors
    /// [`Error::Unusable`] where it is not this move that arrives.
    async fn end_arrival(&self, id: &MoveId) -> Result<()>;
}
