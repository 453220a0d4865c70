//! Signatures of Standard Webhooks (version 1.0.0 of the specification): HMAC-SHA256 over
//! `id.timestamp.body`, with several secrets at once while one is replaced by another.
//!
//! ```
//! use onboarding::Secret;
//! use webhook::signature::{self, SigningKey};
//!
//! let key = SigningKey::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))?;
//! let signed = signature::sign(
//!     &[key],
//!     "msg_p5jXN8AQM9LWM0D4loKWxJek",
//!     jiff::Timestamp::from_second(1_614_265_330).unwrap(),
//!     br#"{"test": 2432232314}"#,
//! );
//! assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
//! # Ok::<(), webhook::Error>(())
//! ```

pub(crate) mod key;
#[cfg(test)]
mod tests;
pub(crate) mod verifier;

pub use key::{SigningKey, sign};
pub use verifier::{Signed, TOLERANCE, Verifier};

/// The header with the message's id, the same in every attempt.
pub const ID: &str = "webhook-id";

/// The header with the attempt's time, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The header with the signatures, separated by blanks.
pub const SIGNATURE: &str = "webhook-signature";

/// The same three headers as senders name them that are built on Svix. A message that has any of the
/// others is read by those.
const OF_SVIX: Names = Names {
    id: "svix-id",
    timestamp: "svix-timestamp",
    signature: "svix-signature",
};

/// The names of the three headers.
#[derive(Clone, Copy)]
struct Names {
    id: &'static str,
    timestamp: &'static str,
    signature: &'static str,
}

impl Names {
    /// Those that a message is read by: one kind, never some of each, so that what one proxy looked at
    /// is what is checked here.
    fn of(headers: &http::HeaderMap) -> Self {
        let has = |names: &Self| {
            [names.id, names.timestamp, names.signature]
                .into_iter()
                .any(|name| headers.contains_key(name))
        };
        let usual = Self {
            id: ID,
            timestamp: TIMESTAMP,
            signature: SIGNATURE,
        };
        if !has(&usual) && has(&OF_SVIX) {
            OF_SVIX
        } else {
            usual
        }
    }
}

/// The version of symmetric signatures; those of others are none of ours.
const VERSION: &str = "v1";

/// Most secrets that one side has at once: the one in use, the next one, and room for a mistake.
/// Each costs a pass over the body.
pub const KEYS_MAX: usize = 4;
