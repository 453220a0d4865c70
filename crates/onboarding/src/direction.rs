//! Which way calls go, and how a mapped number is routed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{nearest, problem::Invalid};

/// Which way calls go over the trunk.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The partner calls out: partner, Exotel, telephone network.
    Outbound,
    /// The partner is called: telephone network, Exotel, partner.
    Inbound,
    /// Both ways.
    Both,
}

impl Direction {
    /// Whether calls go from the partner to the telephone network.
    #[must_use]
    pub fn is_outbound(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }

    /// Whether calls come from the telephone network to the partner.
    #[must_use]
    pub fn is_inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }

    /// Its name in files and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Both => "both",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Direction {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "outbound" => Ok(Self::Outbound),
            "inbound" => Ok(Self::Inbound),
            "both" => Ok(Self::Both),
            other => Err(Invalid(format!(
                "\"{other}\" is not a direction{}; write outbound, inbound or both",
                nearest::hint(other, ["outbound", "inbound", "both"])
            ))),
        }
    }
}

/// How Exotel routes a mapped number. Without one, Exotel behaves as with [`Mode::Pstn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// To the telephone network and the trunk's destination.
    Pstn,
    /// To a `StreamKit` flow.
    Flow,
}

impl Mode {
    /// Its name on the wire and in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pstn => "pstn",
            Self::Flow => "flow",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "pstn" => Ok(Self::Pstn),
            "flow" => Ok(Self::Flow),
            other => Err(Invalid(format!(
                "\"{other}\" is not a mode{}; write pstn or flow",
                nearest::hint(other, ["pstn", "flow"])
            ))),
        }
    }
}
