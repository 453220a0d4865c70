//! The kinds of step: what each sends, and how each is read back.
//!
//! One module per kind with two functions: `send` is the write, one request; `probe` reads back
//! after a duplicate or an unknown outcome and decides. What each probe decides follows Exotel's
//! API reference and field reports about its duplicates: the code 1008 says that something of
//! that value is there, not whose it is or where.

mod create_credentials;
mod create_trunk;
mod map_destination;
mod map_number;
mod set_caller_id;
mod verify;
mod whitelist_ip;

use std::pin::Pin;

use exotel::{Answer, Client, EntryId};
use onboarding::{
    Destination, Fault, FriendlyName, Journal, Mode, PhoneNumber, PublicIpv4, SipPassword, Step,
    StepRecord, StepResult, StepState, TrunkName, TrunkSid, UserName,
};

use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
};

pub(crate) use map_number::same_number;
pub(crate) use verify::verified;
pub(crate) use whitelist_ip::SINGLE;

/// Why a step is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An attempt's outcome is not known.
    Doubt,
    /// Exotel answered 1008: it is there already.
    Duplicate,
}

/// What reading back found.
#[derive(Debug)]
pub(crate) enum Found {
    /// What the step would have made, and it is this onboarding's.
    There(StepResult),
    /// Nothing of it: send.
    Absent,
    /// Something that stands in the way; a person decides.
    Wrong(Fault),
}

/// A probe under way. Boxed: it is off the happy path, whose future it would only make larger.
type Probe<'r> = Pin<Box<dyn Future<Output = Result<Found, Interrupt<Halt>>> + Send + 'r>>;

/// A write with everything it needs.
pub(crate) enum Write<'p> {
    CreateTrunk {
        name: &'p TrunkName,
        chosen: bool,
    },
    MapNumber {
        trunk: TrunkSid,
        number: &'p PhoneNumber,
        mode: Option<Mode>,
    },
    WhitelistIp {
        trunk: TrunkSid,
        ip: PublicIpv4,
    },
    CreateCredentials {
        trunk: TrunkSid,
        user_name: &'p UserName,
        password: &'p SipPassword,
        friendly_name: Option<&'p FriendlyName>,
    },
    MapDestination {
        trunk: TrunkSid,
        destination: &'p Destination,
    },
    SetCallerId {
        trunk: TrunkSid,
        caller_id: &'p PhoneNumber,
    },
}

/// Marks a step's record as unknown, where the step's last holder may have sent it. `false`: it
/// cannot be in doubt, or it is on record so already.
pub(crate) fn doubt(step: &Step, record: &mut StepRecord) -> bool {
    let sent_unrecorded = match step {
        // Its intent is on record before it is sent.
        Step::CreateTrunk { chosen, .. } => !chosen,
        Step::MapNumber { .. }
        | Step::WhitelistIp { .. }
        | Step::CreateCredentials { .. }
        | Step::MapDestination { .. } => true,
        // A repeat is harmless.
        Step::SetCallerId { .. } | Step::Verify => false,
    };
    let news = sent_unrecorded && record.state != StepState::Unknown;
    if news {
        record.state = StepState::Unknown;
    }
    news
}

impl<'p> Write<'p> {
    /// Gathers what `step` needs. A fault: the onboarding lacks it, which no attempt mends.
    pub(crate) fn prepare(
        step: &'p Step,
        journal: &Journal,
        password: Option<&'p SipPassword>,
    ) -> Result<Self, Fault> {
        let trunk = || {
            journal.trunk_sid().cloned().ok_or_else(|| {
                fault(
                    "plan_damaged",
                    format!("{}: there is no trunk to do it on; the plan has no create_trunk before it. Cancel this onboarding, correct the recipe and sign up again with another key", step.kind()),
                )
            })
        };
        Ok(match step {
            Step::CreateTrunk { name, chosen } => Self::CreateTrunk {
                name,
                chosen: *chosen,
            },
            Step::MapNumber { number, mode } => Self::MapNumber {
                trunk: trunk()?,
                number,
                mode: *mode,
            },
            Step::WhitelistIp { ip } => Self::WhitelistIp {
                trunk: trunk()?,
                ip: *ip,
            },
            Step::CreateCredentials {
                user_name,
                friendly_name,
            } => Self::CreateCredentials {
                trunk: trunk()?,
                user_name,
                password: password.ok_or_else(|| {
                    fault("plan_damaged", "create_credentials: the store holds no password for it. Cancel this onboarding and sign up again with another key")
                })?,
                friendly_name: friendly_name.as_ref(),
            },
            Step::MapDestination { destination } => Self::MapDestination {
                trunk: trunk()?,
                destination,
            },
            Step::SetCallerId { caller_id } => Self::SetCallerId {
                trunk: trunk()?,
                caller_id,
            },
            Step::Verify => return Err(fault("plan_damaged", "verify: it writes nothing")),
        })
    }

    /// Sends it, once.
    pub(crate) async fn send(&self, client: &Client) -> Result<Answer<StepResult>, exotel::Error> {
        match self {
            Self::CreateTrunk { name, .. } => create_trunk::send(client, name).await,
            Self::MapNumber {
                trunk,
                number,
                mode,
            } => map_number::send(client, trunk, number, *mode).await,
            Self::WhitelistIp { trunk, ip } => whitelist_ip::send(client, trunk, *ip).await,
            Self::CreateCredentials {
                trunk,
                user_name,
                password,
                friendly_name,
            } => create_credentials::send(client, trunk, user_name, password, *friendly_name).await,
            Self::MapDestination { trunk, destination } => {
                map_destination::send(client, trunk, destination).await
            }
            Self::SetCallerId { trunk, caller_id } => {
                set_caller_id::send(client, trunk, caller_id).await
            }
        }
    }

    /// Reads back and decides.
    pub(crate) fn probe<'r>(&'r self, run: &'r mut Run<'_>, why: Why) -> Probe<'r> {
        Box::pin(self.probe_unboxed(run, why))
    }

    async fn probe_unboxed(&self, run: &mut Run<'_>, why: Why) -> Result<Found, Interrupt<Halt>> {
        match self {
            Self::CreateTrunk { name, chosen } => {
                create_trunk::probe(run, name, *chosen, why).await
            }
            Self::MapNumber {
                trunk,
                number,
                mode,
            } => map_number::probe(run, trunk, number, *mode, why).await,
            Self::WhitelistIp { trunk, ip } => whitelist_ip::probe(run, trunk, *ip).await,
            Self::CreateCredentials {
                trunk,
                user_name,
                password,
                ..
            } => create_credentials::probe(run, trunk, user_name, password, why).await,
            Self::MapDestination { trunk, destination } => {
                map_destination::probe(run, trunk, destination).await
            }
            // A set: there is nothing to find.
            Self::SetCallerId { .. } => Ok(Found::Absent),
        }
    }

    /// Whether looking tells more than repeating.
    pub(crate) fn can_be_read_back(&self) -> bool {
        !matches!(self, Self::SetCallerId { .. })
    }

    /// Whether the first attempt has to be on record before it is sent: what it makes bears a
    /// name that somebody else may have used, so later it could not be told whose it is.
    pub(crate) fn needs_intent(&self) -> bool {
        matches!(self, Self::CreateTrunk { chosen: true, .. })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::CreateTrunk { .. } => "create_trunk",
            Self::MapNumber { .. } => "map_number",
            Self::WhitelistIp { .. } => "whitelist_ip",
            Self::CreateCredentials { .. } => "create_credentials",
            Self::MapDestination { .. } => "map_destination",
            Self::SetCallerId { .. } => "set_caller_id",
        }
    }
}

/// Twice a duplicate, and twice not in the list.
pub(crate) fn duplicate_unlisted(write: &Write<'_>, error: &exotel::Error) -> Fault {
    fault(
        "duplicate_unlisted",
        format!(
            "{}: Exotel says that it is there already, yet does not list it on the trunk ({error}). Look for it in Exotel's dashboard or ask Exotel's support, then run `trunkline retry`",
            write.name()
        ),
    )
}

fn answer<T>(answer: Answer<T>, result: impl FnOnce(T) -> StepResult) -> Answer<StepResult> {
    answer.map(result)
}

fn entry(id: &EntryId) -> StepResult {
    StepResult::Entry {
        id: id.as_str().to_owned(),
    }
}
