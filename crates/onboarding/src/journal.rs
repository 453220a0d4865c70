//! The journal: what is known to have happened, step by step.

use serde::{Deserialize, Serialize};

use crate::{plan::Plan, step::Step, trunk::TrunkSid};

/// The code of the fault that says that credentials of our user name are there with a password
/// that this store does not have.
pub const CREDENTIALS_LIVE: &str = "credentials_live";

/// The code of a fault before anything is sent: another onboarding has the number.
pub const NUMBER_IN_USE: &str = "number_in_use";

/// How far one step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Nothing of it is on Exotel's side, as far as is known: it was never sent, or it was refused.
    #[default]
    Pending,
    /// It was sent, or is about to be, and its outcome is not known: look before sending again.
    Unknown,
    /// It is done and its result is on record.
    Done,
    /// It cannot be done; a person decides.
    Failed,
}

/// What a done step left on Exotel's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StepResult {
    /// The trunk.
    Trunk {
        /// Its SID.
        trunk_sid: TrunkSid,
    },
    /// An entry of the trunk: number mapping, ACL entry, credential, destination.
    Entry {
        /// Exotel's id of it, digits.
        id: String,
    },
    /// A setting, which has no id.
    Setting {
        /// Its value.
        value: String,
    },
    /// The comparison found everything in place.
    Verified {
        /// How many resources were compared.
        verified: u32,
    },
}

/// A failure, told to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A stable word for programs: `duplicate_number`, `invalid_parameter`, `timeout`.
    pub code: String,
    /// What happened, where, and what to do next.
    pub message: String,
}

/// What is known of one step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepRecord {
    /// How far it has come.
    #[serde(default)]
    pub state: StepState,
    /// How often its write was sent. Waiting for a permit is not an attempt, nor is a 429.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// What it left, once done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<StepResult>,
    /// What it left was found there and adopted: no success of a write that is on record here
    /// says that it was made by this journal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopted: bool,
    /// It was adopted, and its date says that an attempt of this onboarding made it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub own: bool,
    /// What is known of attempts whose outcome is not, once there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// Surplus copies of what it made that were removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub removed: u32,
    /// A person allowed to replace credentials whose password this store does not have.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replace: bool,
    /// The trunk that it made serves nothing and is being removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub removing: bool,
    /// The last thing that went wrong, even if a later attempt did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// Attempts whose outcome is not known, in the store's milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// No such attempt was sent before then.
    pub first_ms: i64,
    /// If what they make is absent then or later, it stays absent.
    pub settles_ms: i64,
    /// The write was sent again after such an attempt, so that there may be two copies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
}

impl StepRecord {
    /// Nothing has happened.
    pub const PENDING: Self = Self {
        state: StepState::Pending,
        attempts: 0,
        result: None,
        adopted: false,
        own: false,
        doubt: None,
        removed: 0,
        replace: false,
        removing: false,
        error: None,
    };

    /// Notes an attempt that may have been sent from `first_ms` on and whose absence is believed
    /// from `settles_ms` on. Earlier attempts stay on record.
    pub fn note_doubt(&mut self, first_ms: i64, settles_ms: i64) {
        let doubt = self.doubt.get_or_insert(Doubt {
            first_ms,
            settles_ms,
            repeated: false,
        });
        doubt.settles_ms = doubt.settles_ms.max(settles_ms);
    }

    /// Whether its write was sent again after an attempt whose outcome is not known.
    #[must_use]
    pub fn was_repeated(&self) -> bool {
        self.doubt.is_some_and(|doubt| doubt.repeated)
    }
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The records of a plan's steps, in the plan's order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Journal(Vec<StepRecord>);

impl Journal {
    /// The journal of a plan of which nothing has happened.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self(vec![StepRecord::default(); plan.steps.len()])
    }

    /// All records, in the plan's order.
    #[must_use]
    pub fn records(&self) -> &[StepRecord] {
        &self.0
    }

    /// The record of the step at `index` of the plan.
    #[must_use]
    pub fn record(&self, index: usize) -> Option<&StepRecord> {
        self.0.get(index)
    }

    /// Replaces the record at `index`. An index outside of the plan changes nothing.
    pub fn set(&mut self, index: usize, record: StepRecord) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = record;
        }
    }

    /// The index of the first step that is not done.
    #[must_use]
    pub fn first_unfinished(&self) -> Option<usize> {
        self.0
            .iter()
            .position(|record| record.state != StepState::Done)
    }

    /// The trunk's SID, once there is a trunk.
    #[must_use]
    pub fn trunk_sid(&self) -> Option<&TrunkSid> {
        self.0.iter().find_map(|record| match &record.result {
            Some(StepResult::Trunk { trunk_sid }) => Some(trunk_sid),
            Some(
                StepResult::Entry { .. } | StepResult::Setting { .. } | StepResult::Verified { .. },
            )
            | None => None,
        })
    }

    /// Whether the trunk was made by this onboarding: the answer that created it was read, or the
    /// trunk's date says so. `false` as well while there is none.
    #[must_use]
    pub fn made_the_trunk(&self) -> bool {
        self.trunk_record()
            .is_some_and(|record| !record.adopted || record.own)
    }

    /// The record of the step that left the trunk.
    #[must_use]
    pub fn trunk_record(&self) -> Option<&StepRecord> {
        self.0
            .iter()
            .find(|record| matches!(record.result, Some(StepResult::Trunk { .. })))
    }

    /// Whether something may appear on Exotel's side that this journal does not know of: an
    /// attempt's outcome is not known, or a write was repeated after such an attempt.
    #[must_use]
    pub fn needs_late_check(&self) -> bool {
        self.0
            .iter()
            .any(|record| record.state == StepState::Unknown || record.was_repeated())
    }

    /// Makes the failed steps pending again, for a person's retry. Attempts start anew; what was
    /// unknown stays unknown. With `replace_credentials`, credentials that it failed for because
    /// their password is not known ([`CREDENTIALS_LIVE`]) are replaced. Returns whether the step that
    /// comes next may have been sent.
    #[must_use]
    pub fn reopen(&mut self, replace_credentials: bool) -> bool {
        let next = self.first_unfinished().and_then(|at| self.record(at));
        let unsent = next.is_some_and(|record| {
            let code = record.error.as_ref().map(|error| error.code.as_str());
            record.state == StepState::Failed && code == Some(NUMBER_IN_USE)
        });
        for record in &mut self.0 {
            let live = record
                .error
                .as_ref()
                .is_some_and(|error| error.code == CREDENTIALS_LIVE);
            record.replace = replace_credentials && (live || record.replace);
            if record.state == StepState::Failed {
                record.state = StepState::Pending;
            }
            if record.state != StepState::Done {
                record.attempts = 0;
            }
        }
        !unsent
    }

    /// Moves the times of all doubts to another clock, which is so far ahead of the one that wrote
    /// them.
    pub fn move_doubts(&mut self, ahead_ms: i64) {
        for doubt in self.0.iter_mut().filter_map(|record| record.doubt.as_mut()) {
            doubt.first_ms = doubt.first_ms.saturating_add(ahead_ms);
            doubt.settles_ms = doubt.settles_ms.saturating_add(ahead_ms);
        }
    }

    /// What the done steps of `plan` left on Exotel's side, for people: `trunk trmum1..., number
    /// mapping 41512`. Empty where nothing was left.
    #[must_use]
    pub fn left_behind(&self, plan: &Plan) -> Vec<String> {
        plan.steps
            .iter()
            .zip(&self.0)
            .filter_map(|(step, record)| match (&record.result, record.state) {
                (Some(result), StepState::Done) => describe(step, result),
                (None, StepState::Unknown) => Some(format!("perhaps {}", one(step))),
                _ => None,
            })
            .collect()
    }
}

fn describe(step: &Step, result: &StepResult) -> Option<String> {
    match result {
        StepResult::Trunk { trunk_sid } => Some(format!("trunk {trunk_sid}")),
        StepResult::Entry { id } => Some(format!("{} {id}", noun(step))),
        StepResult::Setting { value } => Some(format!("{} {value}", noun(step))),
        StepResult::Verified { .. } => None,
    }
}

fn one(step: &Step) -> String {
    let noun = noun(step);
    let article = if noun.starts_with('A') { "an" } else { "a" };
    format!("{article} {noun}")
}

fn noun(step: &Step) -> &'static str {
    match step {
        Step::CreateTrunk { .. } => "trunk",
        Step::MapNumber { .. } => "number mapping",
        Step::WhitelistIp { .. } => "ACL entry",
        Step::CreateCredentials { .. } => "credential",
        Step::MapDestination { .. } => "destination",
        Step::SetCallerId { .. } => "caller id",
        Step::Verify => "comparison",
    }
}
