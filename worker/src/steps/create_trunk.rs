//! Creates the trunk.
//!
//! - **Effect**: `POST trunks`.
//! - **Repeat**: the name is unique in the account, so a repeat is a duplicate; its SID is then
//!   read from the list of trunks, the only way to find it.
//! - **Cost**: one request; reading back one per 50 trunks of the account.

use exotel::{Answer, Client};
use onboarding::{StepResult, TrunkName};

use super::{Found, Why, answer};
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
/// a chosen name is ours only where an earlier attempt of ours is on record.
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
        |trunk| (trunk.trunk_name == name.as_str()).then_some(trunk.trunk_sid),
    )
    .await?;
    Ok(match found {
        Some(trunk_sid) if !chosen || run.earlier => Found::There(StepResult::Trunk { trunk_sid }),
        Some(trunk_sid) => Found::Wrong(fault(
            "trunk_name_taken",
            format!(
                "create_trunk: the name {name} is taken by trunk {trunk_sid}, which this onboarding did not create. Cancel it and sign up again with another trunk_name and key, or delete trunk {trunk_sid} if nobody needs it and run `trunkline retry`"
            ),
        )),
        None if why == Why::Duplicate => Found::Wrong(fault(
            "trunk_name_taken",
            format!(
                "create_trunk: the name {name} is taken by a trunk that the API does not list. Look for it in Exotel's dashboard or ask Exotel's support to free the name, then run `trunkline retry`; or cancel this onboarding and sign up again with another trunk_name and key"
            ),
        )),
        None => Found::Absent,
    })
}
