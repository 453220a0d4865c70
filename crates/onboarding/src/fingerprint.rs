//! The mark of a SIP password in the label of its credentials.
//!
//! Exotel's lists never contain a password. So that a read-back can tell whether credentials have
//! the password of this store, their label ends with a fingerprint of it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{FriendlyName, Label, SipPassword, UserName};

/// Separates this use of the password from every other.
const CONTEXT: &[u8] = b"trunkline credential fingerprint 1";

/// Characters of a fingerprint: 40 bits.
const LENGTH: usize = 8;

/// RFC 4648 in lower case, so that every character is in `[A-Za-z0-9_]`.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The fingerprint of a SIP password for one user name of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of `password` for `user_name` of the account with `account_sid`.
    #[must_use]
    pub fn of(password: &SipPassword, account_sid: &str, user_name: &UserName) -> Self {
        let key = password.secret().expose().as_bytes();
        // HMAC takes keys of any length, so there is no other outcome.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return Self("a".repeat(LENGTH));
        };
        for part in [
            CONTEXT,
            account_sid.as_bytes(),
            user_name.as_str().as_bytes(),
        ] {
            mac.update(part);
            mac.update(b"\n");
        }
        let digest = mac.finalize().into_bytes();
        let bits = digest
            .iter()
            .take(5)
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let character = |at: usize| {
            let index = bits >> (5 * (LENGTH - 1 - at)) & 31;
            char::from(BASE32.get(index as usize).copied().unwrap_or(b'a'))
        };
        Self((0..LENGTH).map(character).collect())
    }

    /// The label with this fingerprint behind it: what the credentials are created with.
    #[must_use]
    pub fn label(&self, label: Option<&Label>) -> FriendlyName {
        let label = label.map_or(Label::DEFAULT, Label::as_str);
        FriendlyName::with_fingerprint(label, &self.0)
    }

    /// Whether a listed label ends with this fingerprint.
    #[must_use]
    pub fn is_in(&self, listed: &str) -> bool {
        listed
            .trim()
            .rsplit_once('_')
            .is_some_and(|(_, end)| end == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn of(password: &str, account_sid: &str, user_name: &str) -> Fingerprint {
        let password = SipPassword::from_secret(Secret::new(password));
        Fingerprint::of(&password, account_sid, &user_name.parse().unwrap())
    }

    #[test]
    fn a_fingerprint_depends_on_password_account_and_user_name() {
        let ours = of("madeup01", "acme_sid", "tl_1");
        assert_eq!(ours, of("madeup01", "acme_sid", "tl_1"));
        for other in [
            of("madeup02", "acme_sid", "tl_1"),
            of("madeup01", "globex_sid", "tl_1"),
            of("madeup01", "acme_sid", "tl_2"),
        ] {
            assert_ne!(ours, other);
        }
    }

    #[test]
    fn a_label_with_its_fingerprint_is_a_friendly_name_and_is_recognised() {
        let ours = of("madeup01", "acme_sid", "tl_1");
        let longest: Label = "a".repeat(Label::MAX).parse().unwrap();
        for label in [None, Some(&longest)] {
            let text = ours.label(label).to_string();
            assert!(text.parse::<FriendlyName>().is_ok(), "{text}");
            assert!(ours.is_in(&text), "{text}");
            assert!(!of("other", "acme_sid", "tl_1").is_in(&text), "{text}");
        }
        for foreign in ["", "_", "trunkline", "Retell_aaaaaaaa"] {
            assert!(!ours.is_in(foreign), "{foreign}");
        }
    }
}
