//! Steps, as a timeline.

use jiff::Timestamp;
use onboarding::{Journal, Plan, Step, StepKind, StepRecord, StepResult, StepState};
use records::{beside_step, settles_at};
use store::Onboarding;

use crate::view::parts::{Prose, Value, When};

/// One step of an onboarding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StepView {
    pub(crate) class: &'static str,
    pub(crate) title: &'static str,
    pub(crate) state: &'static str,
    pub(crate) detail: String,
    pub(crate) attempts: u32,
    pub(crate) adopted: bool,
    /// Until when an earlier request may still be processed.
    pub(crate) settles: Option<When>,
    pub(crate) result: Option<Value>,
    pub(crate) error: Option<StepError>,
}

/// The last error of a step that is not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StepError {
    pub(crate) code: String,
    pub(crate) message: Prose,
}

/// The steps of an onboarding, and what is known of them.
pub(crate) fn timeline(own: &Onboarding, now: Timestamp) -> Vec<StepView> {
    let mut steps = steps_of(&own.plan, &own.journal);
    for (step, record) in steps.iter_mut().zip(own.journal.records()) {
        let settles = settles_at(own, record).filter(|at| *at > now);
        step.settles = settles.map(|at| When { at, now });
    }
    steps
}

fn steps_of(plan: &Plan, journal: &Journal) -> Vec<StepView> {
    let steps = plan.steps.iter().enumerate();
    steps
        .map(|(at, step)| view(step, journal.record(at).cloned().unwrap_or_default()))
        .collect()
}

fn view(step: &Step, record: StepRecord) -> StepView {
    let kind = step.kind();
    let (class, state) = match record.state {
        StepState::Pending => ("pending", "to do"),
        StepState::Unknown => ("unknown", "sent, outcome not known"),
        StepState::Done => ("done", "done"),
        StepState::Failed => ("failed", "failed"),
    };
    let error = record.error.filter(|_| record.state != StepState::Done);
    StepView {
        class,
        title: title(kind),
        state,
        detail: detail(step),
        attempts: record.attempts,
        adopted: record.adopted,
        settles: None,
        result: record.result.as_ref().and_then(|own| result(kind, own)),
        error: error.map(|error| StepError {
            message: Prose(beside_step(&error.message, kind).to_owned()),
            code: error.code,
        }),
    }
}

/// A step's name for people.
pub(crate) fn title(kind: StepKind) -> &'static str {
    match kind {
        StepKind::CreateTrunk => "Create the trunk",
        StepKind::MapNumber => "Map the number",
        StepKind::WhitelistIp => "Allow an address",
        StepKind::CreateCredentials => "Create credentials",
        StepKind::MapDestination => "Map the destination",
        StepKind::SetCallerId => "Set the caller id",
        StepKind::Verify => "Compare with Exotel",
    }
}

fn detail(step: &Step) -> String {
    match step {
        Step::CreateTrunk { name, .. } => name.to_string(),
        Step::MapNumber { number, mode } => match mode {
            Some(mode) => format!("{number}, mode {mode}"),
            None => number.to_string(),
        },
        Step::WhitelistIp { ip } => format!("{ip}/32"),
        Step::CreateCredentials { user_name, .. } => format!("for the user {user_name}"),
        Step::MapDestination { destination } => destination.to_string(),
        Step::SetCallerId { caller_id } => caller_id.to_string(),
        Step::Verify => "Reads back all of the above".to_owned(),
    }
}

fn result(kind: StepKind, result: &StepResult) -> Option<Value> {
    match result {
        StepResult::Trunk { trunk_sid } => Some(Value::copy("the trunk's SID", trunk_sid)),
        StepResult::Entry { id } => Some(Value::copy(entry(kind), id)),
        StepResult::Verified { verified } => {
            Some(Value::Text(format!("{verified} found in place")))
        }
        StepResult::Setting { .. } => None,
    }
}

fn entry(kind: StepKind) -> &'static str {
    match kind {
        StepKind::MapNumber => "the id of the number's mapping",
        StepKind::WhitelistIp => "the id of the address",
        StepKind::CreateCredentials => "the id of the credentials",
        StepKind::MapDestination => "the id of the destination",
        StepKind::CreateTrunk | StepKind::SetCallerId | StepKind::Verify => "the id",
    }
}

#[cfg(test)]
mod tests {
    use onboarding::Fault;

    use super::*;

    fn plan() -> Plan {
        Plan {
            steps: vec![
                Step::MapNumber {
                    number: "+918000000001".parse().unwrap(),
                    mode: None,
                },
                Step::Verify,
            ],
            warnings: vec![],
        }
    }

    #[test]
    fn a_step_shows_its_error_until_it_is_done() {
        let plan = plan();
        let mut journal = Journal::new(&plan);
        let error = Some(Fault {
            code: "exotel_1008".into(),
            message: "map_number: the number is taken; free it".into(),
        });
        let record = StepRecord {
            state: StepState::Failed,
            attempts: 3,
            error,
            ..StepRecord::default()
        };
        journal.set(0, record.clone());
        let view = steps_of(&plan, &journal);
        assert_eq!(view[0].class, "failed");
        assert_eq!(view[0].attempts, 3);
        let shown = view[0].error.as_ref().unwrap();
        assert_eq!(shown.message.0, "the number is taken; free it");
        assert_eq!(view[1].class, "pending");

        journal.set(
            0,
            StepRecord {
                state: StepState::Done,
                result: Some(StepResult::Entry { id: "77".into() }),
                ..record
            },
        );
        let view = steps_of(&plan, &journal);
        assert_eq!(view[0].error, None);
        assert!(view[0].result.as_ref().unwrap().to_string().contains("77"));
    }

    #[test]
    fn a_journal_that_is_shorter_than_its_plan_is_shown_all_the_same() {
        assert_eq!(steps_of(&plan(), &Journal::default()).len(), 2);
    }
}
