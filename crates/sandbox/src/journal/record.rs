//! The records of a journal: what became of one thing, with the ids that it was given.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ids::{Id, TrunkSid};
use crate::world::{Alias, Counters, Credential, Dates, Destination, NumberMapping, WhitelistedIp};

/// One record. Those of things carry the whole thing, as it was after the change, behind the SID
/// of its trunk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record<'a> {
    /// The first record of a journal.
    Start {
        version: u32,
        salt: u64,
    },
    /// The last ids that were given. They are also taken from the things themselves; this is for
    /// things that are gone.
    Counters(Counters),
    /// A request that the limits let in.
    Arrival {
        account: Cow<'a, str>,
        at_us: u64,
    },
    Trunk {
        account: Cow<'a, str>,
        sid: TrunkSid,
        sequence: u32,
        name: Cow<'a, str>,
        domain: Cow<'a, str>,
        dates: Dates,
    },
    Number(TrunkSid, Cow<'a, NumberMapping>),
    Ip(TrunkSid, Cow<'a, WhitelistedIp>),
    Credential(TrunkSid, Cow<'a, Credential>),
    Destination(TrunkSid, Cow<'a, Destination>),
    CallerId(TrunkSid, Alias),
    /// A credential whose trunk is gone, behind its account and the SID of that trunk.
    Orphan(Cow<'a, str>, TrunkSid, Cow<'a, Credential>),
    /// Something was removed.
    Gone(TrunkSid, Part),
}

/// A trunk, or one thing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Trunk,
    Number(Id),
    Ip(Id),
    Credential(Id),
    Destination(Id),
    CallerId,
}
