//! Identity: what makes two signups the same, and the names that follow from it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    problem::{Invalid, text_newtype},
    trunk::{PhoneNumber, TrunkName, UserName},
    visible,
};

/// Crockford's base 32 in lower case: no letter that is taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What an id begins with, so that an id and a key are never confused.
const ID_PREFIX: &str = "onb_";

/// The idempotency key: two signups with the same key are one onboarding.
///
/// A signup without a key of its own gets `account/partner/number`. 1 to 200 bytes in
/// Unicode's form NFC, without blanks and characters that cannot be seen (control, format, ignored by
/// default, private use, unassigned), and not in the form of an id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);
text_newtype!(Key);

impl Key {
    /// Most bytes of a key; it is an index entry in every store.
    pub const MAX_BYTES: usize = 200;

    /// The key of a signup that names none.
    #[must_use]
    pub fn derived(account: &AccountName, partner: &PartnerName, number: &PhoneNumber) -> Self {
        Self(format!("{account}/{partner}/{number}"))
    }

    fn validate(text: &str) -> Result<(), Invalid> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(Invalid(format!(
                "a key has 1 to {} bytes, this one has {}; shorten it",
                Self::MAX_BYTES,
                text.len()
            )));
        }
        if let Some(fault) = visible::fault_in(text) {
            return Err(Invalid(format!(
                "a key has no blanks and no characters that cannot be seen, and is written in Unicode's form NFC; this one {fault}"
            )));
        }
        if text.parse::<OnboardingId>().is_ok() {
            return Err(Invalid(format!(
                "\"{text}\" has the form of an onboarding's id; choose a key that does not begin with {ID_PREFIX}"
            )));
        }
        Ok(())
    }
}

/// Names an onboarding. It is a digest of the [`Key`], so the same signup has the same id in every
/// store, for ever, and the names sent to Exotel can be derived from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OnboardingId(u128);

impl OnboardingId {
    /// The id that belongs to `key`.
    #[must_use]
    pub fn of(key: &Key) -> Self {
        Self(first_bytes(
            &["trunkline onboarding 1\n", key.as_str()].concat(),
        ))
    }

    /// The 16 bytes, for a store.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id with these 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// What the names of a trunk derive from: the key, and what the trunk is for.
    ///
    /// The same signup gives the same names from any machine. Another one with the same key, from
    /// another store that shares the account, does not, and so never takes over this one's trunk.
    #[must_use]
    pub fn names(
        key: &Key,
        account: &AccountName,
        partner: &PartnerName,
        number: &PhoneNumber,
    ) -> Names {
        let text = format!("trunkline names 1\n{account}\n{partner}\n{number}\n{key}");
        Names(first_bytes(&text))
    }
}

/// The names that a signup's trunk and digest credentials get where the signup gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names(u128);

impl Names {
    /// The trunk name: `prefix`, `_`, 13 characters (65 bits).
    ///
    /// With a prefix of 2 characters that is Exotel's limit of 16. Of two onboardings in the same
    /// account the chance to collide is 2^-65.
    #[must_use]
    pub fn trunk_name(self, prefix: &NamePrefix) -> TrunkName {
        TrunkName::derived(format!("{prefix}_{}", self.tail()))
    }

    /// The SIP user name; the same text as the trunk name.
    #[must_use]
    pub fn user_name(self, prefix: &NamePrefix) -> UserName {
        UserName::derived(format!("{prefix}_{}", self.tail()))
    }

    fn tail(self) -> String {
        encode(self.0, 13)
    }
}

/// The first 16 bytes of the text's SHA-256.
fn first_bytes(text: &str) -> u128 {
    let mut first = [0_u8; 16];
    first.copy_from_slice(&Sha256::digest(text)[..16]);
    u128::from_be_bytes(first)
}

/// The `digits` lowest groups of five bits, highest first.
fn encode(value: u128, digits: u32) -> String {
    (0..digits)
        .rev()
        .map(|at| char::from(ALPHABET[((value >> (at * 5)) & 31) as usize]))
        .collect()
}

impl fmt::Display for OnboardingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ID_PREFIX}{}", encode(self.0, 26))
    }
}

impl fmt::Debug for OnboardingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OnboardingId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid(format!(
                "\"{text}\" is not an onboarding's id (onb_ and 26 characters)"
            ))
        };
        let digits = text.strip_prefix(ID_PREFIX).ok_or_else(wrong)?;
        if digits.len() != 26 || digits.as_bytes()[0] > b'7' {
            return Err(wrong());
        }
        digits
            .bytes()
            .try_fold(0_u128, |value, byte| {
                let digit = ALPHABET.iter().position(|known| *known == byte)? as u128;
                Some((value << 5) | digit)
            })
            .map(Self)
            .ok_or_else(wrong)
    }
}

impl TryFrom<String> for OnboardingId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<OnboardingId> for String {
    fn from(id: OnboardingId) -> String {
        id.to_string()
    }
}

/// The name of an account in the accounts file: 1 to 64 of `A-Z a-z 0-9 _ . -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);
text_newtype!(AccountName);

impl AccountName {
    fn validate(text: &str) -> Result<(), Invalid> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > 64 || !text.chars().all(known) {
            return Err(Invalid(format!(
                "\"{}\" is not an account name; use 1 to 64 letters, digits, _, . or -",
                text.escape_debug()
            )));
        }
        Ok(())
    }
}

/// The name of a partner's recipe: 1 to 32 of `a-z 0-9 _ -`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartnerName(String);
text_newtype!(PartnerName);

impl PartnerName {
    fn validate(text: &str) -> Result<(), Invalid> {
        let known =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let letter_first = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !letter_first || text.len() > 32 || !text.chars().all(known) {
            return Err(Invalid(format!(
                "\"{}\" is not a partner's name; use 1 to 32 small letters, digits, _ or -, a letter first",
                text.escape_debug()
            )));
        }
        Ok(())
    }
}

/// The two characters that derived names of a recipe begin with: `[a-z][a-z0-9]`.
///
/// Two, because Exotel allows a trunk name 16 characters and the rest carries the identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePrefix(String);
text_newtype!(NamePrefix);

impl NamePrefix {
    fn validate(text: &str) -> Result<(), Invalid> {
        match text.as_bytes() {
            [first, second]
                if first.is_ascii_lowercase()
                    && (second.is_ascii_lowercase() || second.is_ascii_digit()) =>
            {
                Ok(())
            }
            _ => Err(Invalid(format!(
                "\"{}\" is not a name prefix; use a small letter and a small letter or digit, such as lk",
                text.escape_debug()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_has_the_same_id_and_its_text_reads_back() {
        let key: Key = "crm-4711".parse().unwrap();
        let id = OnboardingId::of(&key);
        assert_eq!(id, OnboardingId::of(&key));
        assert_eq!(id.to_string().parse::<OnboardingId>().unwrap(), id);
        assert_eq!(OnboardingId::from_bytes(id.to_bytes()), id);
        assert_ne!(id, OnboardingId::of(&"crm-4712".parse().unwrap()));
    }

    #[test]
    fn derived_names_fit_exotels_alphabet_and_length() {
        let prefix: NamePrefix = "lk".parse().unwrap();
        for n in 0..1000 {
            let key = format!("key-{n}").parse().unwrap();
            let number = format!("+9180{n:08}").parse().unwrap();
            let id = OnboardingId::names(
                &key,
                &"acme".parse().unwrap(),
                &"livekit".parse().unwrap(),
                &number,
            );
            let name = id.trunk_name(&prefix);
            assert_eq!(name.as_str().len(), 16);
            assert!(name.as_str().parse::<TrunkName>().is_ok(), "{name}");
            assert!(id.user_name(&prefix).as_str().parse::<UserName>().is_ok());
        }
    }

    #[test]
    fn the_same_key_for_another_number_has_other_names() {
        let names = |key: &str, number: &str| {
            let (key, number) = (key.parse().unwrap(), number.parse().unwrap());
            let (account, partner) = ("acme".parse().unwrap(), "livekit".parse().unwrap());
            OnboardingId::names(&key, &account, &partner, &number)
        };
        let one = names("order-1", "+918000000001");
        assert_eq!(one, names("order-1", "+918000000001"));
        assert_ne!(one, names("order-1", "+918000000777"));
        assert_ne!(one, names("order-2", "+918000000001"));
    }

    #[test]
    fn a_key_in_the_form_of_an_id_is_refused() {
        let id = OnboardingId::of(&"a".parse().unwrap()).to_string();
        assert!(id.parse::<Key>().is_err());
        for bad in ["", "with blank", "line\nbreak", &"x".repeat(201)] {
            assert!(bad.parse::<Key>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn text_that_is_no_id_is_refused_and_never_panics() {
        for bad in [
            "",
            "onb_",
            "onb_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "onb_\u{e9}zzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert!(bad.parse::<OnboardingId>().is_err(), "{bad:?}");
        }
    }
}
