//! What commands came to.

use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "summary")]
pub struct Summary {
    /// The onboardings that it was about.
    pub total: u64,
    /// Those that have everything.
    pub succeeded: u64,
    /// Those that a person decides about.
    pub failed: u64,
    /// Of these, those whose credentials are in use with a password that this store does not have.
    #[serde(skip_serializing_if = "is_zero")]
    pub credentials_live: u64,
    /// Those whose account is parked.
    pub blocked: u64,
    /// Those that a person called off.
    pub cancelled: u64,
    /// Requests that it sent.
    pub requests: u64,
    /// How long it took.
    pub elapsed_ms: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "enqueued")]
pub struct Enqueued {
    /// New onboardings.
    pub accepted: u64,
    /// Signups that were there before.
    pub duplicates: u64,
    /// Both together.
    pub total: u64,
}
