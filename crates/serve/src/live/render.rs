//! Events as they go over the wire (server-sent events, HTML standard 9.2).

use std::fmt::Write;

use onboarding::State;
use records::{OnboardingRecord, Parked};
use serde::Serialize;
use store::{Onboarding, Position, Tally};

/// The tally as an event.
#[derive(Serialize)]
#[serde(tag = "type", rename = "tally")]
struct TallyLine {
    queued: u64,
    running: u64,
    blocked: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    total: u64,
}

/// The data of a tally.
pub(crate) fn tally(tally: &Tally) -> String {
    json(&TallyLine {
        queued: tally.of(State::Queued),
        running: tally.of(State::Running),
        blocked: tally.of(State::Blocked),
        succeeded: tally.of(State::Succeeded),
        failed: tally.of(State::Failed),
        cancelled: tally.of(State::Cancelled),
        total: tally.total(),
    })
}

/// The data of an onboarding.
pub(crate) fn onboarding(own: &Onboarding, parked: &Parked) -> String {
    json(&OnboardingRecord::of(own, parked))
}

/// Plain data with text keys: there is nothing in it that could fail.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Adds an event. JSON on one line has no line breaks, which would end it.
pub(crate) fn event(out: &mut String, name: &str, id: Option<&Position>, data: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "event: {name}");
    if let Some(id) = id {
        let _ = writeln!(out, "id: {id}");
    }
    let _ = write!(out, "data: {data}\n\n");
}

/// Adds a mark that the client sends back after a break, without an event.
pub(crate) fn mark(out: &mut String, id: &Position) {
    let _ = write!(out, "id: {id}\n\n");
}
