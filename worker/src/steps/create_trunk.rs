//! Creates the trunk.
//!
//! - **Effect**: `POST trunks`.
//! - **Repeat**: the name is unique in the account, so a repeat is a duplicate; its SID is then
//!   read from the list of trunks, the only way to find it.
//! - **Cost**: one request; reading back one per 50 trunks of the account, and one for the numbers
//!   of what it finds, which the next step's read-back uses too.

use exotel::{Answer, Client, Trunk};
use onboarding::{Fault, Step, StepResult, TrunkName, TrunkSid};

use super::{Found, Look, Resource, answer, map_number, same_number};
use crate::{
    fault::{Interrupt, fault},
    read::{self, Reader},
};

pub(super) async fn send(
    client: &Client,
    name: &TrunkName,
) -> Result<Answer<StepResult>, exotel::Error> {
    let created = client.create_trunk(name).await?;
    Ok(answer(created, |trunk| StepResult::Trunk {
        trunk_sid: trunk.trunk_sid,
    }))
}

/// A trunk of a derived name is ours, for the name follows from this onboarding's identity. One of
/// a chosen name is ours only where an attempt of ours, of unknown outcome, stood before it and it
/// is not older than that. Neither is where it has a number that is not of the plan: then somebody
/// uses it for something else.
pub(super) async fn look<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    name: &TrunkName,
    chosen: bool,
) -> Result<Found, Interrupt<R::Halt>> {
    let client = look.client;
    let found: Option<Trunk> = read::find(
        reader,
        "trunks",
        read::TRUNK_PAGES,
        name.as_str(),
        |at| Box::pin(client.trunks_page(at)),
        |trunk| (trunk.trunk_name == name.as_str()).then_some(trunk),
    )
    .await?;
    let Some(trunk) = found else {
        return Ok(Found::Absent);
    };
    let sid = trunk.trunk_sid;
    let own = look.is_of_ours(trunk.date_created.as_deref());
    if chosen && !(look.attempted && own) {
        let why = "this onboarding did not create";
        return Ok(Found::Wrong(taken(name, &sid, why)));
    }
    // Who made it is known by name and date; an entry that cannot be read changes nothing of that.
    let numbers = map_number::all(reader, client, &sid).await?.items;
    if let Some(foreign) = numbers
        .iter()
        .find(|it| !is_planned(look, &it.phone_number))
    {
        let why = format!(
            "has the number {}, which is not this onboarding's",
            foreign.phone_number
        );
        return Ok(Found::Wrong(taken(name, &sid, &why)));
    }
    Ok(Found::There(Resource {
        own,
        numbers: Some(numbers),
        ..StepResult::Trunk { trunk_sid: sid }.into()
    }))
}

fn is_planned(look: &Look<'_>, listed: &str) -> bool {
    look.plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::MapNumber { number, .. } if same_number(listed, number)))
}

fn taken(name: &TrunkName, trunk: &TrunkSid, why: &str) -> Fault {
    fault(
        "trunk_name_taken",
        format!(
            "create_trunk: the name {name} is taken by trunk {trunk}, which {why}. Cancel this onboarding and sign up again with another trunk_name and key, or delete trunk {trunk} if nobody needs it and run `trunkline retry`"
        ),
    )
}

/// Exotel calls the name a duplicate and does not list it.
pub(crate) fn unlisted(name: &TrunkName) -> Fault {
    fault(
        "trunk_name_taken",
        format!(
            "create_trunk: the name {name} is taken by a trunk that the API does not list. Look for it in Exotel's dashboard or ask Exotel's support to free the name, then run `trunkline retry`; or cancel this onboarding and sign up again with another trunk_name and key"
        ),
    )
}
