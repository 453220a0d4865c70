//! Deliveries: what other systems are told.

use jiff::Timestamp;
use store::{Delivery, DeliveryState};

use crate::{
    link,
    view::{
        figures::told,
        parts::{Badge, When},
    },
};

/// One delivery.
#[derive(Debug)]
pub(crate) struct DeliveryView {
    pub(crate) badge: Badge,
    pub(crate) event: String,
    /// The page of what it is about, and its name; none on that page itself.
    pub(crate) about: Option<(String, String)>,
    pub(crate) endpoint: String,
    pub(crate) attempts: u32,
    pub(crate) created: When,
    /// When it is tried next, while it waits.
    pub(crate) next: Option<String>,
    pub(crate) last: String,
    pub(crate) resend: String,
}

impl DeliveryView {
    /// Of a delivery; `linked` where the page is not the onboarding's own.
    pub(crate) fn of(own: &Delivery, linked: bool, now: Timestamp) -> Self {
        let when = |at| When { at, now };
        Self {
            badge: Badge::of_delivery(own.state),
            event: own.event.clone(),
            about: own
                .onboarding
                .filter(|_| linked)
                .map(|id| (link::onboarding(id), id.to_string())),
            endpoint: own.endpoint.clone(),
            attempts: own.attempts,
            created: when(own.created_at),
            next: own
                .next_at
                .filter(|_| own.state == DeliveryState::Waiting)
                .map(|at| {
                    if at > now {
                        told(at, now)
                    } else {
                        "now".to_owned()
                    }
                }),
            last: last(own),
            resend: format!("/deliveries/{}/resend", own.id),
        }
    }
}

fn last(own: &Delivery) -> String {
    let Some((attempt, _)) = &own.last else {
        return "none yet".to_owned();
    };
    let answer = match attempt.status {
        Some(status) => format!("{status} in {} ms", attempt.duration_ms),
        None => format!("no answer in {} ms", attempt.duration_ms),
    };
    match &attempt.error {
        Some(error) => format!("{answer}: {error}"),
        None => answer,
    }
}
