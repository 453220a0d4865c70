//! Steps: one write to Exotel each, that leaves one resource.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    address::{Destination, PublicIpv4},
    direction::Mode,
    trunk::{Label, PhoneNumber, TrunkName, UserName},
};

/// One step of a plan with the values it sends. Passwords are not in it: the store keeps them
/// sealed beside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Creates the trunk.
    CreateTrunk {
        /// Its name, unique in the account.
        name: TrunkName,
        /// Whether a person chose the name. A derived name can only be ours; a chosen one may be
        /// somebody else's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        chosen: bool,
    },
    /// Maps the number to the trunk.
    MapNumber {
        /// The number.
        number: PhoneNumber,
        /// How Exotel routes it; without one as [`Mode::Pstn`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<Mode>,
    },
    /// Allows one source address (/32).
    WhitelistIp {
        /// The address.
        ip: PublicIpv4,
    },
    /// Creates digest credentials.
    CreateCredentials {
        /// The SIP user name.
        user_name: UserName,
        /// The label that Exotel shows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        friendly_name: Option<Label>,
    },
    /// Adds the destination of inbound calls.
    MapDestination {
        /// Where to.
        destination: Destination,
    },
    /// Sets the number that called people see.
    SetCallerId {
        /// The number.
        caller_id: PhoneNumber,
    },
    /// Compares all of the above with what Exotel has. Reads only.
    Verify,
}

/// The kinds of [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// [`Step::CreateTrunk`].
    CreateTrunk,
    /// [`Step::MapNumber`].
    MapNumber,
    /// [`Step::WhitelistIp`].
    WhitelistIp,
    /// [`Step::CreateCredentials`].
    CreateCredentials,
    /// [`Step::MapDestination`].
    MapDestination,
    /// [`Step::SetCallerId`].
    SetCallerId,
    /// [`Step::Verify`].
    Verify,
}

impl StepKind {
    /// Every kind, in the order in which a plan has them.
    pub const ALL: [Self; 7] = [
        Self::CreateTrunk,
        Self::MapNumber,
        Self::WhitelistIp,
        Self::CreateCredentials,
        Self::MapDestination,
        Self::SetCallerId,
        Self::Verify,
    ];

    /// Its name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateTrunk => "create_trunk",
            Self::MapNumber => "map_number",
            Self::WhitelistIp => "whitelist_ip",
            Self::CreateCredentials => "create_credentials",
            Self::MapDestination => "map_destination",
            Self::SetCallerId => "set_caller_id",
            Self::Verify => "verify",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Step {
    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        match self {
            Self::CreateTrunk { .. } => StepKind::CreateTrunk,
            Self::MapNumber { .. } => StepKind::MapNumber,
            Self::WhitelistIp { .. } => StepKind::WhitelistIp,
            Self::CreateCredentials { .. } => StepKind::CreateCredentials,
            Self::MapDestination { .. } => StepKind::MapDestination,
            Self::SetCallerId { .. } => StepKind::SetCallerId,
            Self::Verify => StepKind::Verify,
        }
    }
}
