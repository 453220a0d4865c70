//! Signups that another one stands in the way of, told to people.

use onboarding::{OnboardingId, PhoneNumber, Problem, Signup};
use store::{Clash, ClashKind, NumberHolder};

use crate::names::Names;

/// What a clash means for the signup that is refused.
pub(crate) fn problem(clash: &Clash, names: Names<'_>) -> Problem {
    match &clash.kind {
        ClashKind::Content {
            refused,
            existing,
            existing_origin,
        } => {
            let other = match existing_origin {
                Some(other) => names.place(*other, clash.origin),
                None => before(clash.id),
            };
            content(&other, refused, existing)
        }
        ClashKind::TrunkName {
            name,
            taken_by,
            taken_origin,
        } => {
            let other = match taken_origin {
                Some(other) => names.place(*other, clash.origin),
                None => taken_by.to_string(),
            };
            Problem::new("trunk_name", taken(name, &other))
        }
    }
}

/// The onboarding of an earlier input.
pub(crate) fn before(id: OnboardingId) -> String {
    format!("{id}, accepted before")
}

/// That a signup has the key of `other` and other content; both contents are canonical JSON.
pub(crate) fn content(other: &str, refused: &str, existing: &str) -> Problem {
    let refused = serde_json::from_str::<Signup>(refused).ok();
    let existing = serde_json::from_str::<Signup>(existing).ok();
    let field = refused
        .zip(existing)
        .and_then(|(refused, existing)| refused.first_difference(&existing))
        .unwrap_or_else(|| "key".to_owned());
    let message = differs(other, &field);
    Problem::new(field, message)
}

/// That a signup has the key of `other` and differs in `field`.
pub(crate) fn differs(other: &str, field: &str) -> String {
    format!(
        "it has the same key as {other} and differs in {field}; make them equal, or give this one a key of its own (without one it is account/partner/number)"
    )
}

/// That a number is another onboarding's.
pub(crate) fn number_in_use(number: &PhoneNumber, holder: &NumberHolder) -> Problem {
    let NumberHolder { id, key } = holder;
    Problem::new(
        "number",
        format!(
            "{number} is the number of the onboarding \"{key}\" ({id}), and Exotel maps a number to one trunk; while that one is not cancelled, this one fails before anything is sent"
        ),
    )
}

/// That a chosen trunk name belongs to `other`.
pub(crate) fn taken(name: &str, other: &str) -> String {
    format!(
        "\"{name}\" is the trunk name of {other} in the same account; choose another, or leave it out and it is derived"
    )
}
