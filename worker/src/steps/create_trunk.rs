//! Creates the trunk.
//!
//! - **Effect**: `POST trunks`.
//! - **Repeat**: the name is unique in the account, so a repeat is a duplicate; its SID is then
//!   read from the list of trunks, the only way to find it.
//! - **Cost**: one request; reading back one per 50 trunks of the account, and one for the numbers
//!   of what it finds.

use exotel::{Answer, Client};
use onboarding::{Fault, Step, StepResult, TrunkName, TrunkSid};

use super::{Found, Why, answer, same_number};
use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
    read,
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
/// a chosen name is ours only where an earlier attempt of ours is on record. Neither is where it
/// carries a number that is not of the plan: then somebody uses it for something else.
pub(super) async fn probe(
    run: &mut Run<'_>,
    name: &TrunkName,
    chosen: bool,
    why: Why,
) -> Result<Found, Interrupt<Halt>> {
    let client = run.client;
    let found = read::find(
        run,
        "trunks",
        read::TRUNK_PAGES,
        |at| Box::pin(client.trunks_page(at)),
        Some(name.as_str()),
        |trunk| (trunk.trunk_name == name.as_str()).then_some(trunk.trunk_sid),
    )
    .await?;
    let Some(trunk_sid) = found else {
        return Ok(match why {
            Why::Doubt => Found::Absent,
            Why::Duplicate => Found::Wrong(unlisted(name)),
        });
    };
    if chosen && !run.earlier {
        return Ok(Found::Wrong(taken(
            name,
            &trunk_sid,
            "this onboarding did not create",
        )));
    }
    if let Some(number) = foreign_number(run, &trunk_sid).await? {
        // So no attempt of ours made it, and none can any more: nothing is in doubt.
        run.earlier = false;
        let why = format!("carries the number {number}, none of this onboarding");
        return Ok(Found::Wrong(taken(name, &trunk_sid, &why)));
    }
    Ok(Found::There(StepResult::Trunk { trunk_sid }))
}

/// A number of the trunk that the plan does not map.
async fn foreign_number(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
) -> Result<Option<String>, Interrupt<Halt>> {
    let (client, plan) = (run.client, run.plan);
    let is_ours = |listed: &str| {
        plan.steps.iter().any(
            |step| matches!(step, Step::MapNumber { number, .. } if same_number(listed, number)),
        )
    };
    read::find(
        run,
        "a trunk's numbers",
        read::ENTRY_PAGES,
        |at| Box::pin(client.numbers_page(trunk, at)),
        // One that cannot be read is not known to be another's.
        None,
        |mapping| (!is_ours(&mapping.phone_number)).then_some(mapping.phone_number),
    )
    .await
}

fn taken(name: &TrunkName, trunk: &TrunkSid, why: &str) -> Fault {
    fault(
        "trunk_name_taken",
        format!(
            "create_trunk: the name {name} is taken by trunk {trunk}, which {why}. Cancel this onboarding and sign up again with another trunk_name and key, or delete trunk {trunk} if nobody needs it and run `trunkline retry`"
        ),
    )
}

fn unlisted(name: &TrunkName) -> Fault {
    fault(
        "trunk_name_taken",
        format!(
            "create_trunk: the name {name} is taken by a trunk that the API does not list. Look for it in Exotel's dashboard or ask Exotel's support to free the name, then run `trunkline retry`; or cancel this onboarding and sign up again with another trunk_name and key"
        ),
    )
}
