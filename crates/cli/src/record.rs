//! The records of the contract.

use jiff::Timestamp;
use onboarding::{
    AccountName, Direction, Fault, Key, OnboardingId, PartnerName, PhoneNumber, State, StepKind,
    StepRecord, StepResult, StepState,
};
use serde::Serialize;
use store::Onboarding;

use crate::{
    parked::{self, Parked},
    progress::Counts,
};

/// One onboarding.
#[derive(Serialize)]
#[serde(tag = "type", rename = "onboarding")]
pub(crate) struct OnboardingRecord<'o> {
    id: OnboardingId,
    key: &'o Key,
    account: &'o AccountName,
    partner: &'o PartnerName,
    number: &'o PhoneNumber,
    direction: Direction,
    state: State,
    steps: Vec<StepLine<'o>>,
    error: Option<ErrorLine<'o>>,
    created_at: Time,
    updated_at: Time,
}

#[derive(Serialize)]
struct StepLine<'o> {
    name: StepKind,
    state: StepState,
    attempts: u32,
    result: Option<&'o StepResult>,
    error: Option<&'o Fault>,
}

/// What a person has to know; `step` is the name of the step it is of.
#[derive(Serialize)]
struct ErrorLine<'o> {
    code: &'o str,
    message: &'o str,
    step: Option<StepKind>,
}

impl<'o> ErrorLine<'o> {
    fn of(own: &'o Onboarding, parked: &'o Parked) -> Option<Self> {
        if let Some(message) = parked.why(own) {
            return Some(Self {
                code: parked::CODE,
                message,
                step: None,
            });
        }
        own.fault.as_ref().map(|(fault, _)| Self {
            code: &fault.code,
            message: &fault.message,
            step: faulty_step(own),
        })
    }
}

/// RFC 3339 in UTC with milliseconds, always of the same length.
pub(crate) struct Time(pub(crate) Timestamp);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        time(self.0).fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The time as records have it.
pub(crate) fn time(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
}

impl<'o> OnboardingRecord<'o> {
    /// The record of an onboarding; `parked` says why it is blocked, if it is.
    pub(crate) fn of(own: &'o Onboarding, parked: &'o Parked) -> Self {
        let nothing = const {
            &StepRecord {
                state: StepState::Pending,
                attempts: 0,
                result: None,
                adopted: false,
                error: None,
            }
        };
        let steps = own.plan.steps.iter().enumerate().map(|(at, step)| {
            let record = own.journal.record(at).unwrap_or(nothing);
            StepLine {
                name: step.kind(),
                state: record.state,
                attempts: record.attempts,
                result: record.result.as_ref(),
                error: record.error.as_ref(),
            }
        });
        Self {
            id: own.id,
            key: &own.key,
            account: &own.account,
            partner: &own.partner,
            number: &own.number,
            direction: own.direction,
            state: own.state,
            steps: steps.collect(),
            error: ErrorLine::of(own, parked),
            created_at: Time(own.created_at),
            updated_at: Time(own.updated_at),
        }
    }
}

/// The step that an onboarding's fault is of.
pub(crate) fn faulty_step(own: &Onboarding) -> Option<StepKind> {
    let (_, index) = own.fault.as_ref()?;
    Some(own.plan.steps.get((*index)?)?.kind())
}

/// A fault's message beside the name of its step, with which many begin.
pub(crate) fn beside_step(message: &str, step: StepKind) -> &str {
    let rest = message.strip_prefix(step.as_str());
    rest.and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(message)
}

/// How a run ended.
#[derive(Serialize)]
#[serde(tag = "type", rename = "summary")]
pub(crate) struct Summary {
    pub(crate) total: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) blocked: u64,
    pub(crate) cancelled: u64,
    pub(crate) requests: u64,
    pub(crate) elapsed_ms: u64,
}

impl Summary {
    /// The summary of a run that sent so many requests.
    pub(crate) fn new(counts: &Counts, requests: u64, elapsed_ms: u64) -> Self {
        Self {
            total: counts.total,
            succeeded: counts.succeeded,
            failed: counts.failed,
            blocked: counts.blocked,
            cancelled: counts.cancelled,
            requests,
            elapsed_ms,
        }
    }
}

/// What `enqueue` did.
#[derive(Serialize)]
#[serde(tag = "type", rename = "enqueued")]
pub(crate) struct Enqueued {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) total: u64,
}
