//! Standard Webhooks as their specification has them, apart from the code that is tested.

use std::time::SystemTime;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The value of `webhook-signature` for one secret (`whsec_` and base64).
///
/// # Panics
/// The secret is none.
#[must_use]
pub fn sign(secret: &str, id: &str, seconds: &str, body: &str) -> String {
    let text = secret.strip_prefix("whsec_").expect("a secret");
    let key = BASE64_STANDARD.decode(text).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let code = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    format!("v1,{code}")
}

/// The headers of a message that is signed now.
#[must_use]
pub fn signed_headers(secret: &str, id: &str, body: &str) -> Vec<(&'static str, String)> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs().to_string();
    let signature = sign(secret, id, &seconds, body);
    vec![
        ("content-type", "application/json".into()),
        ("webhook-id", id.into()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signature),
    ]
}
