//! Secrets, and what they sign.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use onboarding::{Problem, Secret};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{KEYS_MAX, VERSION};
use crate::Error;

/// The specification's bounds of a secret, in bytes. The upper one is SHA-256's block, too.
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// Secrets are copied by hand, and their padding is lost easily.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that messages are signed with. Its memory is wiped when it is dropped.
///
/// It is kept as HMAC uses it: with zeros behind it, up to a block.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; BYTES_MAX]>);

impl SigningKey {
    /// Reads `whsec_` and base64 of 24 to 64 bytes; the prefix may be missing, as it is in some
    /// systems' forms.
    ///
    /// # Errors
    /// [`Error::Settings`], without the text.
    pub fn parse(secret: &Secret) -> Result<Self, Error> {
        let wrong = |what: &str| {
            let message = format!(
                "{what}; make one with `echo \"whsec_$(openssl rand -base64 32)\"` and give it to both sides"
            );
            Error::Settings(vec![Problem::new("secrets", message)])
        };
        let text = secret.expose().trim();
        if text.starts_with("whsk_") || text.starts_with("whpk_") {
            return Err(wrong(
                "this is a key for asymmetric signatures, which are not supported",
            ));
        }
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = LENIENT
            .decode(text)
            .map(Zeroizing::new)
            .map_err(|_| wrong("this secret is not whsec_ and base64"))?;
        if !(BYTES_MIN..=BYTES_MAX).contains(&bytes.len()) {
            return Err(wrong(&format!(
                "this secret has {} bytes, and one has {BYTES_MIN} to {BYTES_MAX}",
                bytes.len()
            )));
        }
        let mut block = Zeroizing::new([0; BYTES_MAX]);
        for (to, from) in block.iter_mut().zip(bytes.iter()) {
            *to = *from;
        }
        Ok(Self(block))
    }

    /// How a secret without `whsec_` in front is read, which may be another way than its sender's. `None`
    /// with the prefix. Says nothing of the secret but its length.
    #[must_use]
    pub fn reading(secret: &Secret) -> Option<String> {
        let text = secret.expose().trim();
        if text.starts_with(PREFIX) {
            return None;
        }
        let bytes = LENIENT.decode(text).map(Zeroizing::new).ok()?.len();
        let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let looks = if hexadecimal {
            " (it looks like hexadecimal)"
        } else {
            ""
        };
        Some(format!(
            "the secret has no {PREFIX} in front; it is read as base64 of {bytes} bytes{looks}. Where the other side signs with the text as it is, no signature matches: write {PREFIX} and the base64 of the text then, else {PREFIX} in front of it"
        ))
    }

    /// The signature's code over a message, to be finished or compared.
    pub(super) fn code(&self, id: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
        let block: &[u8; BYTES_MAX] = &self.0;
        let mut code = Hmac::<Sha256>::new(block.into());
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            code.update(part);
        }
        code
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

/// The value of [`SIGNATURE`](super::SIGNATURE): one signature of each key, so that the receiver
/// may have any of them.
#[must_use]
pub fn sign(keys: &[SigningKey], id: &str, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second().to_string();
    let signatures: Vec<String> = keys
        .iter()
        .map(|key| {
            let code = key.code(id, &seconds, body).finalize().into_bytes();
            format!("{VERSION},{}", BASE64_STANDARD.encode(code))
        })
        .collect();
    signatures.join(" ")
}

/// Refuses no keys and too many.
pub(crate) fn check_count(keys: &[SigningKey]) -> Result<(), Problem> {
    if (1..=KEYS_MAX).contains(&keys.len()) {
        return Ok(());
    }
    Err(Problem::new(
        "secrets",
        format!(
            "there are {} secrets; name 1 to {KEYS_MAX}, the newest first",
            keys.len()
        ),
    ))
}
