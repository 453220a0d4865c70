//! Compares what the plan made with what Exotel has. Reads only; see [`crate::Comparison`].

use onboarding::{Fault, StepResult};

use crate::{compare::Comparison, fault::fault};

/// The step's result where everything is in place, else what is not.
pub(crate) fn verified(comparison: &Comparison) -> Result<StepResult, Fault> {
    let differences = comparison.differences();
    if differences.is_empty() {
        let verified = u32::try_from(comparison.confirmed()).unwrap_or(u32::MAX);
        return Ok(StepResult::Verified { verified });
    }
    Err(fault(
        "verify_differs",
        format!(
            "verify: what Exotel has is not what was planned: {}. Correct it in Exotel's dashboard, then run `trunkline retry`",
            differences.join("; ")
        ),
    ))
}
