//! The record of an onboarding.

use jiff::Timestamp;
use onboarding::{
    AccountName, CREDENTIALS_LIVE, Direction, Fault, Key, OnboardingId, PartnerName, PhoneNumber,
    State, StepKind, StepRecord, StepResult, StepState,
};
use serde::Serialize;
use store::Onboarding;

use crate::{ACCOUNT_PARKED, Parked, Time};

/// One onboarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "onboarding")]
pub struct OnboardingRecord<'o> {
    /// Its id.
    pub id: OnboardingId,
    /// Its key.
    pub key: &'o Key,
    /// Its account.
    pub account: &'o AccountName,
    /// Its partner.
    pub partner: &'o PartnerName,
    /// Its number.
    pub number: &'o PhoneNumber,
    /// Its direction.
    pub direction: Direction,
    /// Where it stands.
    pub state: State,
    /// Its steps, in order.
    pub steps: Vec<StepLine<'o>>,
    /// What a person has to know, if anything.
    pub error: Option<ErrorLine<'o>>,
    /// When it was accepted.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepLine<'o> {
    /// What it makes.
    pub name: StepKind,
    /// What is known of it.
    pub state: StepState,
    /// How often it was tried.
    pub attempts: u32,
    /// What it left at Exotel.
    pub result: Option<&'o StepResult>,
    /// Its last error.
    pub error: Option<&'o Fault>,
    /// Its outcome is not known, and an earlier request may be processed until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settles_at: Option<Time>,
}

/// What a person has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorLine<'o> {
    /// Its code, which stays the same.
    pub code: &'o str,
    /// What happened and what to do.
    pub message: &'o str,
    /// The step that it is of.
    pub step: Option<StepKind>,
}

impl<'o> ErrorLine<'o> {
    fn of(own: &'o Onboarding, parked: &'o Parked) -> Option<Self> {
        if let Some(message) = parked.why(own) {
            return Some(Self {
                code: ACCOUNT_PARKED,
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

impl<'o> OnboardingRecord<'o> {
    /// The record of an onboarding; `parked` says why it is blocked, if it is.
    #[must_use]
    pub fn of(own: &'o Onboarding, parked: &'o Parked) -> Self {
        let nothing = &StepRecord::PENDING;
        let steps = own.plan.steps.iter().enumerate().map(|(at, step)| {
            let record = own.journal.record(at).unwrap_or(nothing);
            StepLine {
                name: step.kind(),
                state: record.state,
                attempts: record.attempts,
                result: record.result.as_ref(),
                error: record.error.as_ref(),
                settles_at: settles_at(own, record).map(Time),
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

/// Until when an earlier request of a step of `own` may still be processed, whose outcome is not known.
#[must_use]
pub fn settles_at(own: &Onboarding, record: &StepRecord) -> Option<Timestamp> {
    let doubt = record
        .doubt
        .filter(|_| record.state == StepState::Unknown)?;
    let at_ms = doubt.settles_ms.checked_sub(own.time_ahead_ms)?;
    Timestamp::from_millisecond(at_ms).ok()
}

/// Whether an onboarding failed because its credentials are in use with a password that this store
/// does not have.
#[must_use]
pub fn has_live_credentials(own: &Onboarding) -> bool {
    own.fault
        .as_ref()
        .is_some_and(|(fault, _)| fault.code == CREDENTIALS_LIVE)
}

/// The step that an onboarding's fault is of.
#[must_use]
pub fn faulty_step(own: &Onboarding) -> Option<StepKind> {
    let (_, index) = own.fault.as_ref()?;
    Some(own.plan.steps.get((*index)?)?.kind())
}

/// A fault's message beside the name of its step, with which many begin.
#[must_use]
pub fn beside_step(message: &str, step: StepKind) -> &str {
    let rest = message.strip_prefix(step.as_str());
    rest.and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(message)
}
