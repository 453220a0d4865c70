//! What a person is told.

use onboarding::{Fault, Journal, NUMBER_IN_USE, Plan, Step, StepKind};
use store::NumberHolder;

/// What a read ends with, other than what it read.
pub(crate) enum Interrupt<H> {
    /// Nothing more can be done under this lease, or at all.
    Halt(H),
    /// Exotel answered, and it was a refusal: the reader's caller knows what it means.
    Refused(exotel::Error),
    /// The list is longer than is read.
    TooLong { what: &'static str, most: u32 },
    /// An entry of the list cannot be read and may be the one that is looked for.
    Unreadable { what: &'static str },
}

impl<H> From<H> for Interrupt<H> {
    fn from(halt: H) -> Self {
        Self::Halt(halt)
    }
}

/// A fault by its code and what happened.
pub(crate) fn fault(code: &str, message: impl Into<String>) -> Fault {
    Fault {
        code: code.into(),
        message: message.into(),
    }
}

/// What the client says of a failed request, as a fault.
pub(crate) fn of(error: &exotel::Error) -> Fault {
    fault(error.code(), error.to_string())
}

/// The trunk that a later step needs is gone.
pub(crate) fn trunk_gone(step: &Step, error: &exotel::Error, journal: &Journal) -> Fault {
    let trunk = journal
        .trunk_sid()
        .map_or_else(|| "the trunk".into(), |sid| format!("trunk {sid}"));
    fault(
        "trunk_gone",
        format!(
            "{}: Exotel says that {trunk} is not there for this account ({error}). It was created by this onboarding, so somebody deleted it, or the account's SID was changed since. Restore it through Exotel's support, or cancel this onboarding and sign up again with another key",
            step.kind()
        ),
    )
}

/// Another onboarding has the number, so that a trunk would be created for nothing.
/// Nothing is sent for it, unless an earlier attempt is `in_doubt`.
pub(crate) fn number_in_use(plan: &Plan, holder: &NumberHolder, in_doubt: bool) -> Fault {
    let number = plan.steps.iter().find_map(|step| {
        if let Step::MapNumber { number, .. } = step {
            Some(number.as_str())
        } else {
            None
        }
    });
    let NumberHolder { id, key } = holder;
    fault(
        NUMBER_IN_USE,
        format!(
            "create_trunk: {} is the number of the onboarding \"{key}\" ({id}), and Exotel maps a number to one trunk; {}. Once that one is cancelled, `trunkline retry` goes on with this one; else cancel this one",
            number.unwrap_or("its number"),
            if in_doubt {
                "an earlier attempt may have created a trunk"
            } else {
                "nothing was sent"
            }
        ),
    )
}

/// Attempts are used up.
pub(crate) fn exhausted(kind: StepKind, attempts: u32, last: Option<&Fault>) -> Fault {
    let last = last.map_or_else(String::new, |fault| {
        format!("; the last one: {}", fault.message)
    });
    fault(
        "attempts_exhausted",
        format!(
            "{kind}: given up after {attempts} attempts without a clear answer{last}. Whether it took effect is not known. When Exotel answers again, run `trunkline retry`: it reads back before it sends anything"
        ),
    )
}

const LEFT: &str = ". Left on Exotel's side: ";

/// Adds to a final fault what is on Exotel's side, or says it anew.
pub(crate) fn with_left_behind(mut fault: Fault, journal: &Journal, plan: &Plan) -> Fault {
    if let Some((before, _)) = fault.message.split_once(LEFT) {
        fault.message.truncate(before.len());
    }
    let left = journal.left_behind(plan);
    if left.is_empty() {
        fault
            .message
            .push_str(". Nothing was left on Exotel's side");
    } else {
        fault.message.push_str(LEFT);
        fault.message.push_str(&left.join(", "));
    }
    fault
}

/// Why a list with an entry that cannot be read ends in a fault.
pub(crate) fn unreadable(kind: StepKind, what: &str) -> Fault {
    fault(
        "list_unreadable",
        format!(
            "{kind}: an entry in the list of {what} cannot be read and may be this onboarding's, so nothing was sent again. Look at it in Exotel's dashboard and correct or remove it, then run `trunkline retry`"
        ),
    )
}

/// Why a list that is too long ends in a fault.
pub(crate) fn too_long(kind: StepKind, what: &str, most: u32) -> Fault {
    fault(
        "list_too_long",
        format!(
            "{kind}: the list of {what} has more than {most} pages, so what is in doubt cannot be looked up. Look for it in Exotel's dashboard, remove it if it is there, then run `trunkline retry`"
        ),
    )
}
