//! Onboardings: as rows of a table, and one whole.

use jiff::Timestamp;
use onboarding::{Signup, State, StepState};
use records::{Parked, has_live_credentials};
use serde_json::Value as Json;
use store::Onboarding;

use crate::{
    link,
    view::{
        error::{ErrorView, told},
        parts::{Badge, Fact, Prose, When},
        steps::{StepView, timeline},
    },
};

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) badge: Badge,
    pub(crate) key: String,
    pub(crate) account: String,
    pub(crate) by_account: String,
    pub(crate) partner: String,
    pub(crate) by_partner: String,
    pub(crate) number: String,
    pub(crate) direction: String,
    pub(crate) done: usize,
    pub(crate) steps: usize,
    pub(crate) changed: When,
    pub(crate) error: Option<Prose>,
}

impl Row {
    /// Of an onboarding.
    pub(crate) fn of(own: &Onboarding, parked: &Parked, now: Timestamp) -> Self {
        let records = own.journal.records().iter();
        let error = match own.state {
            State::Failed => told(own).map(|(message, ..)| Prose(message)),
            State::Blocked => parked.why(own).map(|why| Prose(why.to_owned())),
            State::Queued | State::Running | State::Succeeded | State::Cancelled => None,
        };
        Self {
            id: own.id.to_string(),
            href: link::onboarding(own.id),
            badge: Badge::of(own.state),
            key: own.key.to_string(),
            account: own.account.to_string(),
            by_account: link::onboardings("account", &own.account),
            partner: own.partner.to_string(),
            by_partner: link::onboardings("partner", &own.partner),
            number: own.number.to_string(),
            direction: own.direction.to_string(),
            done: records.filter(|r| r.state == StepState::Done).count(),
            steps: own.plan.steps.len(),
            changed: When {
                at: own.updated_at,
                now,
            },
            error,
        }
    }
}

/// One onboarding, whole.
#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) key: String,
    pub(crate) badge: Badge,
    pub(crate) can_retry: bool,
    pub(crate) can_replace: bool,
    pub(crate) can_cancel: bool,
    pub(crate) error: Option<ErrorView>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) warnings: Vec<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) accepted: When,
    pub(crate) changed: When,
}

/// Whether a person may have it tried again.
pub(crate) fn can_retry(state: State) -> bool {
    matches!(state, State::Failed | State::Cancelled)
}

/// Whether a person may have its credentials replaced.
pub(crate) fn can_replace(own: &Onboarding) -> bool {
    can_retry(own.state) && has_live_credentials(own)
}

/// Whether a person may call it off.
pub(crate) fn can_cancel(state: State) -> bool {
    match state {
        State::Queued | State::Running | State::Failed | State::Blocked => true,
        State::Succeeded | State::Cancelled => false,
    }
}

impl Detail {
    /// Of an onboarding.
    pub(crate) fn of(own: &Onboarding, parked: &Parked, now: Timestamp) -> Self {
        let when = |at| When { at, now };
        Self {
            id: own.id.to_string(),
            href: link::onboarding(own.id),
            key: own.key.to_string(),
            badge: Badge::of(own.state),
            can_retry: can_retry(own.state),
            can_replace: can_replace(own),
            can_cancel: can_cancel(own.state),
            error: ErrorView::of(own, parked),
            steps: timeline(own, now),
            warnings: own.plan.warnings.clone(),
            facts: facts(own),
            accepted: when(own.created_at),
            changed: when(own.updated_at),
        }
    }
}

fn facts(own: &Onboarding) -> Vec<Fact> {
    let mut facts = vec![
        Fact::copy("Id", own.id),
        Fact::link(
            "Account",
            &own.account,
            link::onboardings("account", &own.account),
        ),
        Fact::link("Partner", &own.partner, format!("/recipes/{}", own.partner)),
        Fact::copy("Number", &own.number),
        Fact::text("Direction", own.direction),
    ];
    // What an older version stored may lack something; then there is less to show.
    let Ok(signup) = serde_json::from_str::<Signup>(&own.signup) else {
        return facts;
    };
    let chosen = serde_json::to_value(&signup).unwrap_or_default();
    for (name, field) in [
        ("Mode", "mode"),
        ("Trunk name", "trunk_name"),
        ("User name", "user_name"),
        ("Caller id", "caller_id"),
    ] {
        if let Some(text) = chosen.get(field).and_then(Json::as_str) {
            facts.push(Fact::text(name, text));
        }
    }
    for (name, value) in &signup.inputs {
        facts.push(Fact::text(name, value));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_may_do_is_what_the_state_allows() {
        use onboarding::Event;
        for state in State::ALL {
            assert_eq!(
                can_retry(state),
                state.after(Event::Retried).is_ok(),
                "{state}"
            );
            assert_eq!(
                can_cancel(state),
                state.after(Event::Cancelled).is_ok(),
                "{state}"
            );
        }
    }
}
