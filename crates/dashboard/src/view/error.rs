//! What a person has to know of an onboarding, and what to do next.

use onboarding::State;
use records::{ACCOUNT_PARKED, Parked, beside_step, faulty_step, has_live_credentials};
use store::Onboarding;

use crate::{
    link,
    view::{parts::Prose, steps},
};

/// What a person has to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ErrorView {
    pub(crate) class: &'static str,
    pub(crate) headline: &'static str,
    pub(crate) message: Prose,
    pub(crate) code: String,
    pub(crate) step: Option<&'static str>,
    /// What it left at Exotel, if anything.
    pub(crate) left: String,
    pub(crate) next: &'static str,
    /// The account's place, where that is what to look at.
    pub(crate) account: Option<String>,
}

impl ErrorView {
    /// Of an onboarding that has one.
    pub(crate) fn of(own: &Onboarding, parked: &Parked) -> Option<Self> {
        let (class, headline, next) = match own.state {
            State::Failed if has_live_credentials(own) => (
                "failed",
                "Its credentials are in use, with a password that is not known here",
                "If another store made them, its handoff has the password: cancel this onboarding. Otherwise replace the credentials, and give the partner the new handoff.",
            ),
            State::Failed => (
                "failed",
                "It failed, and waits for you",
                "Once the cause is mended, Retry goes on where it stopped and reads back first what is not known. Cancel gives it up.",
            ),
            State::Blocked => (
                "blocked",
                "Its account is parked",
                "It goes on by itself once the account is resumed.",
            ),
            State::Cancelled => (
                "cancelled",
                "It was called off",
                "Retry takes it up again where it stopped.",
            ),
            State::Queued | State::Running => (
                "blocked",
                "The last attempt had trouble",
                "It is tried again by itself.",
            ),
            State::Succeeded => return None,
        };
        let left = match own.state {
            State::Failed | State::Cancelled => own.journal.left_behind(&own.plan).join(", "),
            State::Queued | State::Running | State::Blocked | State::Succeeded => String::new(),
        };
        if let Some(reason) = parked.why(own) {
            return Some(Self {
                class,
                headline,
                message: Prose(reason.to_owned()),
                code: ACCOUNT_PARKED.to_owned(),
                step: None,
                left,
                next,
                account: Some(link::account(&own.account)),
            });
        }
        let (message, code, step) = told(own)?;
        // Most messages end with what is left.
        let told_already = message.contains("Exotel's side");
        let left = if told_already { String::new() } else { left };
        Some(Self {
            class,
            headline,
            message: Prose(message),
            code,
            step,
            left,
            next,
            account: None,
        })
    }
}

/// The message beside its step, the code, the step.
pub(crate) fn told(own: &Onboarding) -> Option<(String, String, Option<&'static str>)> {
    let (fault, _) = own.fault.as_ref()?;
    let step = faulty_step(own);
    let message = match step {
        Some(step) => beside_step(&fault.message, step),
        None => &fault.message,
    };
    Some((
        message.to_owned(),
        fault.code.clone(),
        step.map(steps::title),
    ))
}
