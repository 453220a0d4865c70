//! Secrets at rest.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, KeyInit, Payload},
};
use onboarding::Secret;
use zeroize::Zeroizing;

/// The key that a store's secrets are sealed with: XChaCha20-Poly1305, a random nonce of 24 bytes
/// each, bound to what the secret belongs to.
#[derive(Clone)]
pub struct SealingKey(XChaCha20Poly1305);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A key that is none, or a sealed text that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SealError(pub &'static str);

const NONCE_BYTES: usize = 24;

impl SealingKey {
    /// Reads a key: 32 bytes in base64, blanks around it allowed.
    ///
    /// # Errors
    /// Where the text is something else; the text itself is not repeated.
    pub fn from_base64(text: &Secret) -> Result<Self, SealError> {
        let wrong = SealError(
            "the store's secret key must be 32 bytes in base64; make one with `openssl rand -base64 32`",
        );
        let bytes = Zeroizing::new(
            STANDARD
                .decode(text.expose().trim())
                .map_err(|_| wrong.clone())?,
        );
        XChaCha20Poly1305::new_from_slice(&bytes)
            .map(Self)
            .map_err(|_| wrong)
    }

    /// Makes a new key and its base64 text.
    #[must_use]
    pub fn generate() -> (Self, Secret) {
        let key = Key::generate();
        let text = Secret::new(STANDARD.encode(key));
        (Self(XChaCha20Poly1305::new(&key)), text)
    }

    /// Seals `secret`, bound to `owner`: it opens for the same owner only.
    ///
    /// # Errors
    /// Where the cipher refuses, which a secret of sane length does not cause.
    pub fn seal(&self, owner: &[u8], secret: &Secret) -> Result<Vec<u8>, SealError> {
        let nonce = XNonce::generate();
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: owner,
        };
        let sealed = self
            .0
            .encrypt(&nonce, payload)
            .map_err(|_| SealError("the secret cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`SealingKey::seal`] made for `owner`.
    ///
    /// # Errors
    /// Where key or owner are others, or the bytes were changed.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Secret, SealError> {
        let wrong = SealError(
            "a sealed secret cannot be opened: the store was written with another secret key, or is damaged",
        );
        let (nonce, text) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or_else(|| wrong.clone())?;
        let nonce = XNonce::try_from(nonce).map_err(|_| wrong.clone())?;
        let payload = Payload {
            msg: text,
            aad: owner,
        };
        let bytes = self.0.decrypt(&nonce, payload).map_err(|_| wrong.clone())?;
        String::from_utf8(bytes).map(Secret::new).map_err(|_| wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_and_for_its_owner_only() {
        let (key, text) = SealingKey::generate();
        let sealed = key.seal(b"owner", &Secret::new("hunter2")).unwrap();
        let again = SealingKey::from_base64(&text).unwrap();
        assert_eq!(again.open(b"owner", &sealed).unwrap().expose(), "hunter2");
        assert!(again.open(b"other", &sealed).is_err());
        assert!(SealingKey::generate().0.open(b"owner", &sealed).is_err());
        assert!(key.open(b"owner", &sealed[..10]).is_err());
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
    }

    #[test]
    fn a_key_of_another_length_is_refused_without_repeating_it() {
        let error = SealingKey::from_base64(&Secret::new("c2hvcnQ=")).unwrap_err();
        assert!(!error.to_string().contains("c2hvcnQ"));
        assert!(SealingKey::from_base64(&Secret::new("not base64!")).is_err());
    }
}
