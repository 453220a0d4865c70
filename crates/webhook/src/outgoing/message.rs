//! What endpoints are sent.

use jiff::Timestamp;
use records::{OnboardingRecord, Parked, Time};
use serde::Serialize;
use store::Onboarding;

use super::event::Event;

/// A message, as Standard Webhooks recommends it.
#[derive(Serialize)]
struct Message<'m> {
    r#type: &'static str,
    /// When it happened.
    timestamp: Time,
    /// The onboarding when the message was made; it holds no secrets.
    data: OnboardingRecord<'m>,
}

/// The body of the message that tells of `event`.
pub(super) fn payload(
    event: Event,
    at: Timestamp,
    own: &Onboarding,
    parked: &Parked,
) -> Result<String, store::Error> {
    let message = Message {
        r#type: event.message_type(),
        timestamp: Time(at),
        data: OnboardingRecord::of(own, parked),
    };
    serde_json::to_string(&message).map_err(|error| store::Error::Corrupt {
        place: format!("the onboarding {}", own.id),
        message: format!("it cannot be written as JSON: {error}"),
    })
}
