//! The id of one entry of a trunk.

use std::{fmt, str::FromStr};

use onboarding::problem::Invalid;
use serde::{Deserialize, Deserializer, de};

/// What Exotel calls an entry of a trunk: a number mapping, an ACL entry, a credential, a
/// destination.
///
/// Exotel sends a JSON string of digits. To us it is an opaque word that is safe in a URL: 1 to 64
/// letters, digits, `_` or `-`. A JSON number is taken as its digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryId(String);

impl EntryId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntryId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if is_word(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid(format!(
            "\"{}\" is not an id of Exotel's (1 to 64 letters, digits, _ or -)",
            text.escape_debug()
        )))
    }
}

/// Whether `text` needs no encoding in a URL's path or query.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl de::Visitor<'_> for IdVisitor {
    type Value = EntryId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, as text of digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EntryId, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<EntryId, E> {
        Ok(EntryId(number.to_string()))
    }
}
