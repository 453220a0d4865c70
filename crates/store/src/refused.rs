//! Authentic messages that were refused for their content, kept so that an operator can find the customers
//! whose signups are lost otherwise.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{Cursor, Result};

/// How long a refused message is kept after its last attempt: longer than senders try.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most refused messages kept per sender, so that one sender does not evict those of another.
pub const OF_A_SENDER_MAX: usize = 200;

/// The most refused messages kept in all.
pub const IN_ALL_MAX: usize = 1000;

/// Names a refused message: `ref_` and 32 hexadecimal digits, the same for every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefusedId(pub(crate) [u8; 16]);

impl RefusedId {
    /// The one of this sender's message with this id.
    #[must_use]
    pub fn of(sender: &str, message: &str) -> Self {
        let mut digest = Sha256::new();
        // Its length first, so that no two pairs run together.
        digest.update((sender.len() as u64).to_be_bytes());
        digest.update(sender);
        digest.update(message);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.finalize()[..16]);
        Self(id)
    }

    /// The one that `text` names; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("ref_").filter(|hex| hex.len() == 32)?;
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        hex.bytes().all(digit).then_some(())?;
        u128::from_str_radix(hex, 16)
            .ok()
            .map(|number| Self(number.to_be_bytes()))
    }

    /// As bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RefusedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ref_")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A message that is refused now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefused {
    /// Who sent it: the name in the settings.
    pub sender: String,
    /// Its id, the same for every attempt to deliver it.
    pub message: String,
    /// The status that it was answered with.
    pub status: u16,
    /// What is wrong with it, as JSON of at most [`PROBLEMS_BYTES_MAX`]; a store does not read it.
    pub problems: String,
}

/// Most bytes of [`NewRefused::problems`].
pub const PROBLEMS_BYTES_MAX: usize = 16 * 1024;

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub id: RefusedId,
    /// Who sent it.
    pub sender: String,
    /// Its id, as its sender has it.
    pub message: String,
    /// The status that the last attempt was answered with.
    pub status: u16,
    /// What was wrong with it then.
    pub problems: String,
    /// How often it came.
    pub attempts: u32,
    /// When it came first.
    pub first_at: Timestamp,
    /// When it came last.
    pub last_at: Timestamp,
}

/// Some refused messages, the newest first.
#[derive(Debug, Clone, Default)]
pub struct RefusedPage {
    /// At most as many as asked for; a page may be short and have a next one.
    pub items: Vec<Refused>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// The part of a store that keeps refused messages.
#[async_trait]
pub trait Refusals: Send + Sync + 'static {
    /// Records that a message was refused. The first time it is written to the feed too
    /// ([`crate::What::Refused`]), by the same operation; another attempt of the same message
    /// updates the record. Beyond the bounds the oldest records are removed. Durable once it
    /// returned.
    async fn refuse(&self, refused: NewRefused) -> Result<()>;

    /// Removes the record of a message whose signups were accepted by a later attempt.
    async fn accepted_after_all(&self, sender: &str, message: &str) -> Result<()>;

    /// The refused message with this id.
    async fn refused(&self, id: RefusedId) -> Result<Option<Refused>>;

    /// A page of at most `limit` (1 to 200) refused messages, of all senders or of one, those that
    /// came last for the first time first, after `after`.
    async fn refusals(
        &self,
        sender: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<RefusedPage>;
}
