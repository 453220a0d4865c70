//! The kinds of step: what each sends, and how each is read back.
//!
//! One module per kind with two functions: `send` is the write, one request; `look` reads back after
//! a duplicate or an unknown outcome. What each look decides follows Exotel's API reference and
//! field reports about its duplicates: the code 1008 says that something of that value is there,
//! not whose it is or where.

pub(crate) mod create_credentials;
pub(crate) mod create_trunk;
mod map_destination;
pub(crate) mod map_number;
mod set_caller_id;
mod verify;
mod whitelist_ip;

use std::pin::Pin;

use exotel::{Answer, Client, EntryId, NumberMapping};
use onboarding::{
    Destination, Fault, Journal, Label, Mode, PhoneNumber, Plan, PublicIpv4, SipPassword, Step,
    StepRecord, StepResult, StepState, TrunkName, TrunkSid, UserName,
};

use store::clock::millis;
use tokio::time::Instant;

use crate::{
    Account,
    fault::{Interrupt, fault},
    read::Reader,
};

pub(crate) use map_number::same_number;
pub(crate) use verify::verified;
pub(crate) use whitelist_ip::SINGLE;

/// What reading back found.
#[derive(Debug)]
pub(crate) enum Found {
    /// What the step would have made, and it is this onboarding's.
    There(Resource),
    /// Nothing of it.
    Absent,
    /// Credentials of our user name with a password that this store does not have.
    Live(Vec<EntryId>),
    /// Something that stands in the way; a person decides.
    Wrong(Fault),
}

/// What a step would have made, as it was found.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) result: StepResult,
    /// By its date an attempt of this onboarding made it. Told of trunks only.
    pub(crate) own: bool,
    /// It is there more than once.
    pub(crate) surplus: bool,
    /// The mode that it is to have and has not.
    pub(crate) mode: Option<Mode>,
    /// The numbers of a trunk that was found, so that they need not be read again.
    pub(crate) numbers: Option<Vec<NumberMapping>>,
}

impl From<StepResult> for Resource {
    fn from(result: StepResult) -> Self {
        Self {
            result,
            own: false,
            surplus: false,
            mode: None,
            numbers: None,
        }
    }
}

/// What a look needs to know besides the write.
pub(crate) struct Look<'l> {
    pub(crate) client: &'l Client,
    pub(crate) plan: &'l Plan,
    /// Whose clock of Exotel's answers is used.
    pub(crate) account: &'l Account,
    /// When this onboarding first may have sent the write: so many milliseconds before then.
    pub(crate) first_attempt: Option<(Instant, i64)>,
    /// An attempt of ours whose outcome is not known came before what is looked for.
    pub(crate) attempted: bool,
    /// This onboarding made the trunk.
    pub(crate) made_the_trunk: bool,
    /// The trunk's numbers, where they were read a moment ago.
    pub(crate) numbers: Option<Vec<NumberMapping>>,
}

/// Exotel's dates are whole seconds, and so is the clock of its answers.
const DATES_DIFFER_MS: i64 = 2_000;

impl Look<'_> {
    /// Whether something with this date may be of an attempt of this onboarding: it is not older
    /// than the first one. `false` where that cannot be told.
    pub(crate) fn is_of_ours(&self, date_created: Option<&str>) -> bool {
        let made = date_created.and_then(exotel::time);
        let (Some((at, ago)), Some(made), Some(now_ms)) =
            (self.first_attempt, made, self.account.exotel_ms())
        else {
            return false;
        };
        let first = now_ms - millis(at.elapsed()) - ago;
        made.as_millisecond() > first.saturating_sub(DATES_DIFFER_MS)
    }
}

/// A look under way. Boxed: it is off the happy path, whose future it would only make larger.
type Looking<'r, H> = Pin<Box<dyn Future<Output = Result<Found, Interrupt<H>>> + Send + 'r>>;

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
        label: Option<&'p Label>,
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

/// When a write may have been sent that is not on record, in the store's milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MayBeSent {
    /// Not before then.
    pub(crate) first_ms: i64,
    /// From then on its absence is believed.
    pub(crate) settles_ms: i64,
}

/// Marks a step's record as unknown, where the step's last owner may have sent it, perhaps not for
/// the first time. `false`: it cannot be in doubt, or it is on record so already.
pub(crate) fn doubt(step: &Step, record: &mut StepRecord, sent: MayBeSent) -> bool {
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
    let before = (record.state, record.doubt);
    if sent_unrecorded || record.state == StepState::Unknown {
        record.state = StepState::Unknown;
        record.note_doubt(sent.first_ms, sent.settles_ms);
    }
    before != (record.state, record.doubt)
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
                label: friendly_name.as_ref(),
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
                label,
            } => create_credentials::send(client, trunk, user_name, password, *label).await,
            Self::MapDestination { trunk, destination } => {
                map_destination::send(client, trunk, destination).await
            }
            Self::SetCallerId { trunk, caller_id } => {
                set_caller_id::send(client, trunk, caller_id).await
            }
        }
    }

    /// Reads back.
    pub(crate) fn look<'r, R: Reader>(
        &'r self,
        reader: &'r mut R,
        look: &'r Look<'r>,
    ) -> Looking<'r, R::Halt> {
        Box::pin(self.look_unboxed(reader, look))
    }

    async fn look_unboxed<R: Reader>(
        &self,
        reader: &mut R,
        look: &Look<'_>,
    ) -> Result<Found, Interrupt<R::Halt>> {
        match self {
            Self::CreateTrunk { name, chosen } => {
                create_trunk::look(reader, look, name, *chosen).await
            }
            Self::MapNumber {
                trunk,
                number,
                mode,
            } => map_number::look(reader, look, trunk, number, *mode).await,
            Self::WhitelistIp { trunk, ip } => whitelist_ip::look(reader, look, trunk, *ip).await,
            Self::CreateCredentials {
                trunk,
                user_name,
                password,
                ..
            } => create_credentials::look(reader, look, trunk, user_name, password).await,
            Self::MapDestination { trunk, destination } => {
                map_destination::look(reader, look, trunk, destination).await
            }
            // A set: there is nothing to find.
            Self::SetCallerId { .. } => Ok(Found::Absent),
        }
    }

    /// The entries besides `kept` that are exactly what this write makes: same values, not older
    /// than our first attempt, and not changed since.
    pub(crate) async fn surplus<R: Reader>(
        &self,
        reader: &mut R,
        look: &Look<'_>,
        kept: &str,
    ) -> Result<Vec<EntryId>, Interrupt<R::Halt>> {
        match self {
            Self::CreateCredentials {
                trunk,
                user_name,
                password,
                ..
            } => create_credentials::surplus(reader, look, trunk, user_name, password, kept).await,
            Self::MapDestination { trunk, destination } => {
                map_destination::surplus(reader, look, trunk, destination, kept).await
            }
            Self::CreateTrunk { .. }
            | Self::MapNumber { .. }
            | Self::WhitelistIp { .. }
            | Self::SetCallerId { .. } => Ok(Vec::new()),
        }
    }

    /// Removes an entry that this write made. What is gone already is removed.
    pub(crate) async fn remove<R: Reader>(
        &self,
        reader: &mut R,
        client: &Client,
        id: &EntryId,
    ) -> Result<(), Interrupt<R::Halt>> {
        let removed = match self {
            Self::CreateCredentials { trunk, .. } => {
                reader
                    .read(|| Box::pin(client.delete_credentials(trunk, id)))
                    .await
            }
            Self::MapDestination { trunk, .. } => {
                reader
                    .read(|| Box::pin(client.delete_destination(trunk, id)))
                    .await
            }
            Self::CreateTrunk { .. }
            | Self::MapNumber { .. }
            | Self::WhitelistIp { .. }
            | Self::SetCallerId { .. } => Ok(()),
        };
        match removed {
            Err(Interrupt::Refused(error)) if error.http_status() == Some(404) => Ok(()),
            removed => removed,
        }
    }

    /// Whether a repeat makes a second one: Exotel would not refuse it as a duplicate.
    pub(crate) fn appends(&self) -> bool {
        matches!(
            self,
            Self::CreateCredentials { .. } | Self::MapDestination { .. }
        )
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
