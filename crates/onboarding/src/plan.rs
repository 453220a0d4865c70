//! The plan: ordered steps, fixed when the signup is accepted.

use serde::{Deserialize, Serialize};

use crate::{
    address::{Destination, PublicIpv4},
    direction::Mode,
    step::Step,
    trunk::{TrunkName, UserName},
};

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
        self.steps.iter().find_map(|step| {
            if let Step::MapNumber { mode, .. } = step {
                *mode
            } else {
                None
            }
        })
    }

    /// The name that it gives the trunk.
    #[must_use]
    pub fn trunk_name(&self) -> Option<&TrunkName> {
        self.steps.iter().find_map(|step| {
            if let Step::CreateTrunk { name, .. } = step {
                Some(name)
            } else {
                None
            }
        })
    }

    /// The SIP user name that it creates.
    #[must_use]
    pub fn user_name(&self) -> Option<&UserName> {
        self.steps.iter().find_map(|step| {
            if let Step::CreateCredentials { user_name, .. } = step {
                Some(user_name)
            } else {
                None
            }
        })
    }

    /// Where it sends inbound calls.
    #[must_use]
    pub fn destination(&self) -> Option<&Destination> {
        self.steps.iter().find_map(|step| {
            if let Step::MapDestination { destination } = step {
                Some(destination)
            } else {
                None
            }
        })
    }

    /// The addresses that it puts on the trunk's ACL.
    pub fn whitelisted_ips(&self) -> impl Iterator<Item = PublicIpv4> {
        self.steps.iter().filter_map(|step| {
            if let Step::WhitelistIp { ip } = step {
                Some(*ip)
            } else {
                None
            }
        })
    }
}
