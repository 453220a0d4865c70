//! What a trunk is made of: names, numbers, digest credentials.

use std::fmt;

use rand::{Rng, RngExt, distr::Alphanumeric};
use serde::{Deserialize, Serialize};

use crate::{
    problem::{Invalid, text_newtype},
    secret::Secret,
};

/// Letters, digits and underscores, the alphabet Exotel accepts in names and credentials.
/// A hyphen is refused with error 1002 (a field report; the reference says so for trunk names).
fn in_alphabet(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn refuse(what: &str, text: &str, max: usize) -> Invalid {
    Invalid(format!(
        "\"{}\" is not a {what}; use 1 to {max} letters, digits or underscores",
        text.escape_debug()
    ))
}

/// The name of a trunk: 1 to 16 of `A-Z a-z 0-9 _`, unique in its account (Exotel's API reference).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrunkName(String);
text_newtype!(TrunkName);

impl TrunkName {
    /// Most characters of a trunk name.
    pub const MAX: usize = 16;

    pub(crate) fn derived(text: String) -> Self {
        debug_assert!(in_alphabet(&text, Self::MAX), "derived names are valid");
        Self(text)
    }

    fn validate(text: &str) -> Result<(), Invalid> {
        if in_alphabet(text, Self::MAX) {
            Ok(())
        } else {
            Err(refuse("trunk name", text, Self::MAX))
        }
    }
}

/// The user name of digest credentials: 1 to 32 of `A-Z a-z 0-9 _`.
///
/// Exotel publishes the alphabet only through its error 1002; 32 is the limit it documents for
/// the friendly name beside it, taken here for the user name too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);
text_newtype!(UserName);

impl UserName {
    /// Most characters of a user name.
    pub const MAX: usize = 32;

    pub(crate) fn derived(text: String) -> Self {
        debug_assert!(in_alphabet(&text, Self::MAX), "derived names are valid");
        Self(text)
    }

    fn validate(text: &str) -> Result<(), Invalid> {
        if in_alphabet(text, Self::MAX) {
            Ok(())
        } else {
            Err(refuse("SIP user name", text, Self::MAX))
        }
    }
}

/// A recipe's label for its credentials: 1 to 23 of `A-Z a-z 0-9 _`. What Exotel shows is a
/// [`FriendlyName`]: the label, `_` and the password's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);
text_newtype!(Label);

impl Label {
    /// Most characters of a label.
    pub const MAX: usize = FriendlyName::MAX - 9;

    /// Of credentials whose recipe has none.
    pub(crate) const DEFAULT: &str = "trunkline";

    fn validate(text: &str) -> Result<(), Invalid> {
        if in_alphabet(text, Self::MAX) {
            Ok(())
        } else {
            Err(refuse("friendly name", text, Self::MAX))
        }
    }
}

/// What Exotel shows beside credentials: 1 to 32 of `A-Z a-z 0-9 _`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FriendlyName(String);
text_newtype!(FriendlyName);

impl FriendlyName {
    /// Most characters of a friendly name.
    pub const MAX: usize = 32;

    /// A label and the fingerprint behind it.
    pub(crate) fn with_fingerprint(label: &str, fingerprint: &str) -> Self {
        let text = format!("{label}_{fingerprint}");
        debug_assert!(in_alphabet(&text, Self::MAX), "both are short enough");
        Self(text)
    }

    fn validate(text: &str) -> Result<(), Invalid> {
        if in_alphabet(text, Self::MAX) {
            Ok(())
        } else {
            Err(refuse("friendly name", text, Self::MAX))
        }
    }
}

/// A telephone number in E.164: `+`, then 7 to 15 digits, the first not 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);
text_newtype!(PhoneNumber);

impl PhoneNumber {
    fn validate(text: &str) -> Result<(), Invalid> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let right = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if right {
            return Ok(());
        }
        Err(Invalid(format!(
            "\"{}\" is not an E.164 number; write + and 7 to 15 digits, country code first, such as +918000000001",
            text.escape_debug()
        )))
    }
}

/// What Exotel calls a trunk: `trmum1` and more. An opaque word to us, safe in a URL's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrunkSid(String);
text_newtype!(TrunkSid);

impl TrunkSid {
    fn validate(text: &str) -> Result<(), Invalid> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if text.is_empty() || text.len() > 64 || !text.chars().all(known) {
            return Err(Invalid(format!(
                "\"{}\" is not a trunk SID (1 to 64 letters, digits, _ or -)",
                text.escape_debug()
            )));
        }
        Ok(())
    }
}

/// A generated SIP password: 24 of `A-Z a-z 0-9`, 142 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct SipPassword(Secret);

impl SipPassword {
    /// Its length. The alphabet leaves out everything a field report saw refused.
    pub const LENGTH: usize = 24;

    /// Chooses a new one.
    pub fn generate(random: &mut impl Rng) -> Self {
        let text: String = random
            .sample_iter(Alphanumeric)
            .take(Self::LENGTH)
            .map(char::from)
            .collect();
        Self(Secret::new(text))
    }

    /// Takes one that a store kept.
    #[must_use]
    pub fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// The secret in it.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for SipPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_exotels_alphabet_or_length_are_refused() {
        for good in ["a", "my_trunk", "ABCDEFGHIJKLMNOP"] {
            assert!(good.parse::<TrunkName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "with-hyphen",
            "with blank",
            "seventeen_letters",
            "\u{e4}",
        ] {
            assert!(bad.parse::<TrunkName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_e164_numbers_are_taken() {
        for good in ["+918000000001", "+6560000001", "+1234567"] {
            assert!(good.parse::<PhoneNumber>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "+",
            "918000000001",
            "+0123456789",
            "+12345",
            "+1234567890123456",
            "+91 80",
        ] {
            assert!(bad.parse::<PhoneNumber>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_generated_password_has_24_letters_and_digits_and_never_prints() {
        let password = SipPassword::generate(&mut rand::rng());
        assert_eq!(password.secret().expose().len(), 24);
        assert!(
            password
                .secret()
                .expose()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric())
        );
        assert_eq!(format!("{password:?}"), "***");
        assert_ne!(password, SipPassword::generate(&mut rand::rng()));
    }
}
