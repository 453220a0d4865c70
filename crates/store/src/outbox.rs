//! Deliveries to systems that want to be told, until they were told.
//!
//! ```text
//! feed ──lay_out──▶ waiting ──take_due──▶ (held) ──attempted──▶ delivered
//!                     ▲ ▲                            │    └────▶ given up
//!                     │ └────── again, later ────────┘               │
//!                     └───────────────── resend ─────────────────────┘
//! ```

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use onboarding::OnboardingId;
use sha2::{Digest, Sha256};

use crate::{Cursor, Position, Result};

/// How long deliveries that ended are kept, to be looked at and sent again.
pub const ENDED_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Names a delivery: `msg_` and 32 hexadecimal digits. The receiver sees it as the message's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// The delivery to `endpoint` at `position` about the onboarding or the refused message with the
    /// id `about`: always the same one, so that laying it out twice makes one.
    #[must_use]
    pub fn of(endpoint: &str, position: &Position, about: &[u8; 16]) -> Self {
        let mut digest = Sha256::new();
        // Lengths first, so that no two triples run together.
        digest.update((endpoint.len() as u64).to_be_bytes());
        digest.update(endpoint);
        digest.update((position.0.len() as u64).to_be_bytes());
        digest.update(&position.0);
        digest.update(about);
        let digest = digest.finalize();
        let hex: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("msg_{hex}"))
    }

    /// The one that `text` names; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("msg_")?;
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (hex.len() == 32 && hex.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A delivery that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Which.
    pub id: DeliveryId,
    /// The name of the endpoint, as configured.
    pub endpoint: String,
    /// What it tells, as in `onboarding.succeeded`.
    pub event: String,
    /// The onboarding that it is about, if it is about one.
    pub onboarding: Option<OnboardingId>,
    /// What is sent, JSON without secrets. Fixed now, so that every attempt sends the same.
    pub payload: String,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeliveryState {
    /// It is to be tried, now or later.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was tried for as long as it was to be.
    GivenUp,
}

impl DeliveryState {
    /// Its name in records: `waiting`, `delivered`, `given_up`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::GivenUp]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong, in a line, without secrets; `None` where nothing did.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// A delivery, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub id: DeliveryId,
    /// The name of the endpoint.
    pub endpoint: String,
    /// What it tells.
    pub event: String,
    /// The onboarding that it is about, if it is about one.
    pub onboarding: Option<OnboardingId>,
    /// What is sent.
    pub payload: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was taken to be tried.
    pub attempts: u32,
    /// How many of those were made before it was last sent again by a person.
    pub attempts_before: u32,
    /// When it was laid out.
    pub created_at: Timestamp,
    /// Since when it is tried: when it was laid out, or last sent again by a person.
    pub since: Timestamp,
    /// When it is due next, while it waits.
    pub next_at: Option<Timestamp>,
    /// What came of the last attempt that ended, and when.
    pub last: Option<(Attempt, Timestamp)>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only to this endpoint.
    pub endpoint: Option<String>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only about this onboarding.
    pub onboarding: Option<OnboardingId>,
}

/// Some deliveries, the newest first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryPage {
    /// At most as many as asked for; a page may be short and have a next one.
    pub items: Vec<Delivery>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// Deliveries that are due.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// At most as many as asked for. Nobody else is given them while they are held.
    pub deliveries: Vec<Delivery>,
    /// In how long there may be more, if none is laid out meanwhile. `None`: not before one is.
    pub next: Option<Duration>,
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAttempt {
    /// The receiver took it.
    Delivered,
    /// It is tried again after the delay.
    Again {
        /// How long to wait.
        delay: Duration,
    },
    /// It is not tried any more, unless a person sends it again.
    GiveUp,
}

/// The side of a store that tells others.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Up to where the feed was laid out, as [`Outbox::lay_out`] was last told; `None` before the
    /// first time.
    async fn laid_out(&self) -> Result<Option<String>>;

    /// Lays deliveries out and moves the mark from `before` to `after` (at most 200 bytes), as one
    /// atomic operation. `false`, and nothing is done, where the mark is another: somebody else was
    /// here. A delivery whose id is there already is left as it is. At most 500 at once.
    async fn lay_out(
        &self,
        before: Option<&str>,
        after: &str,
        deliveries: Vec<NewDelivery>,
    ) -> Result<bool>;

    /// Takes up to `max` (1 to 64) deliveries that are due, those that have been so for longest
    /// first, and counts an attempt of each. One that is not told of again is due again after
    /// `hold`, so that a crash loses none.
    async fn take_due(&self, max: usize, hold: Duration) -> Result<Due>;

    /// Records what came of the attempt with this number ([`Delivery::attempts`] as it was taken).
    /// `false`, and nothing is recorded, where the delivery was taken or sent again since.
    async fn attempted(
        &self,
        id: &DeliveryId,
        attempt: u32,
        made: Attempt,
        then: AfterAttempt,
    ) -> Result<bool>;

    /// Makes a delivery due now, whatever became of it. `false`: there is none with this id.
    async fn resend(&self, id: &DeliveryId) -> Result<bool>;

    /// The delivery with this id.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>>;

    /// A page of at most `limit` (1 to 200) deliveries, the newest first, after `after`.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<DeliveryPage>;

    /// How many deliveries wait, without reading them all.
    async fn deliveries_waiting(&self) -> Result<u64>;
}
