//! Adds the destination of inbound calls.
//!
//! - **Effect**: `POST trunks/{sid}/destination-uris`.
//! - **Repeat**: it appends (a field report): a blind repeat leaves two, so the list is read
//!   before every repeat.
//! - **Cost**: one request; reading back one.

use exotel::{Answer, Client, DestinationEntry, EntryId};
use onboarding::{Destination, StepResult, TrunkSid};

use super::{Found, Look, Resource, answer, entry};
use crate::{
    fault::Interrupt,
    read::{self, Reader},
};

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    destination: &Destination,
) -> Result<Answer<StepResult>, exotel::Error> {
    let added = client.map_destination(trunk, destination).await?;
    Ok(answer(added, |added| entry(&added.id)))
}

async fn same<R: Reader>(
    reader: &mut R,
    client: &Client,
    trunk: &TrunkSid,
    destination: &Destination,
) -> Result<Vec<DestinationEntry>, Interrupt<R::Halt>> {
    let mut listed = read::all(reader, "a trunk's destinations", |at| {
        Box::pin(client.destinations_page(trunk, at))
    })
    .await?;
    listed
        .items
        .retain(|listed| destination.matches(&listed.destination));
    if listed.items.is_empty() {
        listed.absent(&destination.to_string())?;
    }
    Ok(listed.items)
}

pub(super) async fn look<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    trunk: &TrunkSid,
    destination: &Destination,
) -> Result<Found, Interrupt<R::Halt>> {
    let same = same(reader, look.client, trunk, destination).await?;
    Ok(same.first().map_or(Found::Absent, |first| {
        Found::There(Resource {
            surplus: same.len() > 1,
            ..entry(&first.id).into()
        })
    }))
}

/// Priority 0 and weight 1 are Exotel's defaults: others were set by somebody for a reason.
fn is_untouched(entry: &DestinationEntry) -> bool {
    entry.priority.unwrap_or(0) == 0 && entry.weight.unwrap_or(1) == 1
}

pub(super) async fn surplus<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    trunk: &TrunkSid,
    destination: &Destination,
    kept: &str,
) -> Result<Vec<EntryId>, Interrupt<R::Halt>> {
    let same = same(reader, look.client, trunk, destination).await?;
    // Where it is gone, what is left is no copy of it.
    if !same.iter().any(|it| it.id.as_str() == kept) {
        return Ok(Vec::new());
    }
    let is_surplus = |it: &DestinationEntry| {
        it.id.as_str() != kept && is_untouched(it) && look.is_of_ours(it.date_created.as_deref())
    };
    Ok(same
        .into_iter()
        .filter(is_surplus)
        .map(|it| it.id)
        .collect())
}
