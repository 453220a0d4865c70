//! What endpoints are sent.

use jiff::Timestamp;
use records::Time;
use serde::Serialize;
use store::DeliveryId;

use super::event::Event;

/// A message, as Standard Webhooks recommends it.
#[derive(Serialize)]
struct Message<'m, D> {
    r#type: &'static str,
    /// As in the header: some receivers see no headers.
    id: &'m str,
    /// When it happened.
    timestamp: Time,
    /// What it is about, when the message was made; it holds no secrets.
    data: D,
}

/// The body of the message `id` that tells of `event`.
pub(super) fn payload(
    id: &DeliveryId,
    event: Event,
    at: Timestamp,
    data: &impl Serialize,
) -> Result<String, store::Error> {
    let message = Message {
        r#type: event.message_type(),
        id: id.as_str(),
        timestamp: Time(at),
        data,
    };
    serde_json::to_string(&message).map_err(|error| store::Error::Corrupt {
        place: format!("the message {id}"),
        message: format!("it cannot be written as JSON: {error}"),
    })
}
