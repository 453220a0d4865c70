//! Accepting signups: all of a batch, or nothing.

use async_trait::async_trait;
use onboarding::{
    AccountName, Direction, Key, OnboardingId, PartnerName, PhoneNumber, Plan, SipPassword,
    TraceContext,
};

use crate::{BatchNumber, Result};

/// An onboarding that is to be accepted.
#[derive(Debug, Clone)]
pub struct NewOnboarding {
    /// The digest of `key`.
    pub id: OnboardingId,
    /// What makes it the same as another.
    pub key: Key,
    /// Whose trunk it will be.
    pub account: AccountName,
    /// On which platform.
    pub partner: PartnerName,
    /// With which number.
    pub number: PhoneNumber,
    /// Which way.
    pub direction: Direction,
    /// The signup as it was given, in canonical JSON: equal content gives equal text.
    pub signup: String,
    /// The steps.
    pub plan: Plan,
    /// Digest of the recipe that the plan was made from; see [`Batch::add_recipe`].
    pub recipe: String,
    /// Chosen now, so that it is stored before any attempt to use it.
    pub password: Option<SipPassword>,
    /// The trace that it came with, for whoever works on it.
    pub trace: Option<TraceContext>,
}

/// Where a signup stood in its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Origin {
    /// Index of the file among those of the batch.
    pub file: u32,
    /// Line, from 1.
    pub line: u64,
}

/// A signup of a batch.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where it stood.
    pub origin: Origin,
    /// What it asks for.
    pub new: NewOnboarding,
}

/// A signup that cannot be accepted because of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Where the refused signup stood.
    pub origin: Origin,
    /// Its id.
    pub id: OnboardingId,
    /// What clashes.
    pub kind: ClashKind,
}

/// What two signups clash in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClashKind {
    /// The same key with other content.
    Content {
        /// The refused signup's canonical JSON.
        refused: String,
        /// The canonical JSON of the one that has the key.
        existing: String,
        /// Where that one stood, if in the same batch.
        existing_origin: Option<Origin>,
    },
    /// A trunk name that a person chose is taken in the same account.
    TrunkName {
        /// The name.
        name: String,
        /// The onboarding that has it.
        taken_by: OnboardingId,
        /// Where that one stood, if in the same batch.
        taken_origin: Option<Origin>,
    },
}

/// The onboarding that has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberHolder {
    /// Its id.
    pub id: OnboardingId,
    /// Its key.
    pub key: Key,
}

/// An accepted signup whose number another onboarding has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberInUse {
    /// Where it stood.
    pub origin: Origin,
    /// The number.
    pub number: PhoneNumber,
    /// The other one: accepted before, whatever its account, and not cancelled.
    pub holder: NumberHolder,
}

/// A number's digits, as one number.
pub(crate) fn digits_of(number: &PhoneNumber) -> u64 {
    // At most 15 digits.
    number.as_str().trim_start_matches('+').parse().unwrap_or(0)
}

/// As much of where a batch comes from as is kept of it.
pub(crate) fn kept_source(source: &str) -> &str {
    &source[..source.floor_char_boundary(<dyn Batch>::SOURCE_MAX)]
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// All of it is durable.
    Accepted {
        /// How many are new.
        accepted: u64,
        /// How many were there before, with the same content, in the store or in the batch.
        duplicates: u64,
        /// The batch, where it said where it came from and something of it is new.
        batch: Option<BatchNumber>,
        /// Those whose number another onboarding has, at most a thousand. They will fail before
        /// anything is sent, unless that one is cancelled first.
        numbers_in_use: Vec<NumberInUse>,
    },
    /// Nothing of it was taken.
    Refused {
        /// Why; at most a thousand.
        clashes: Vec<Clash>,
    },
}

/// The producer's side of a store.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Begins a batch. Nothing of it is seen by anyone before it is committed; dropping it leaves
    /// nothing behind. Its memory does not grow with its length.
    async fn begin(&self) -> Result<Box<dyn Batch>>;
}

/// Signups on their way in.
#[async_trait]
pub trait Batch: Send {
    /// Keeps a recipe (canonical JSON) under its digest, once, so that handoffs are rendered from
    /// the recipe the plan was made from.
    async fn add_recipe(&mut self, digest: &str, recipe: &str) -> Result<()>;

    /// Says where the batch comes from, for people; more than 200 bytes are cut. Then the store
    /// keeps count of it: see [`crate::Inspect::batches`].
    fn describe(&mut self, source: &str);

    /// Adds some hundred to some thousand signups; more at once only costs memory.
    async fn add(&mut self, chunk: Vec<Candidate>) -> Result<()>;

    /// Accepts all of it or nothing. Once it returned [`Committed::Accepted`], all is durable and
    /// idle workers, in other processes too, have been woken.
    async fn commit(self: Box<Self>) -> Result<Committed>;
}

impl dyn Batch {
    /// Most clashes that a refused batch lists, and most numbers in use of an accepted one.
    pub const CLASHES_MAX: usize = 1000;
    /// Most bytes that are kept of where a batch comes from: a line.
    pub const SOURCE_MAX: usize = 200;
}
