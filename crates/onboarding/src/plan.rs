//! The plan: ordered steps, fixed when the signup is accepted.

use serde::{Deserialize, Serialize};

use crate::{direction::Mode, step::Step};

/// The ordered steps of one onboarding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In the order in which they run.
    pub steps: Vec<Step>,
    /// What a person should know before it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Plan {
    /// How many requests it sends when nothing goes wrong: one a step; [`Step::Verify`] reads one
    /// list per kind of resource.
    #[must_use]
    pub fn requests(&self) -> u32 {
        let writes = self
            .steps
            .iter()
            .filter(|step| **step != Step::Verify)
            .count();
        let reads = if self.steps.contains(&Step::Verify) {
            self.lists()
        } else {
            0
        };
        u32::try_from(writes + reads).unwrap_or(u32::MAX)
    }

    fn lists(&self) -> usize {
        let kinds: std::collections::BTreeSet<_> = self.steps.iter().map(Step::kind).collect();
        kinds.len() - 1
    }

    /// Whether it needs a SIP password.
    #[must_use]
    pub fn needs_password(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::CreateCredentials { .. }))
    }

    /// The mode that it gives the number.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.steps.iter().find_map(|step| match step {
            Step::MapNumber { mode, .. } => *mode,
            Step::CreateTrunk { .. }
            | Step::WhitelistIp { .. }
            | Step::CreateCredentials { .. }
            | Step::MapDestination { .. }
            | Step::SetCallerId { .. }
            | Step::Verify => None,
        })
    }
}
