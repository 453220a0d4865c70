//! Adds the destination of inbound calls.
//!
//! - **Effect**: `POST trunks/{sid}/destination-uris`.
//! - **Repeat**: it appends (a field report): a blind repeat leaves two, so the list is read
//!   before every repeat.
//! - **Cost**: one request; reading back one.

use exotel::{Answer, Client};
use onboarding::{Destination, StepResult, TrunkSid};

use super::{Found, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::Interrupt,
    read,
};

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    destination: &Destination,
) -> Result<Answer<StepResult>, exotel::Error> {
    let added = client.map_destination(trunk, destination).await?;
    Ok(answer(added, |added| entry(&added.id)))
}

pub(super) async fn probe(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    destination: &Destination,
) -> Result<Found, Interrupt<Halt>> {
    let client = run.client;
    let found = read::find(
        run,
        "a trunk's destinations",
        read::ENTRY_PAGES,
        |at| Box::pin(client.destinations_page(trunk, at)),
        Some(&destination.to_string()),
        |listed| {
            destination
                .matches(&listed.destination)
                .then_some(listed.id)
        },
    )
    .await?;
    Ok(found.map_or(Found::Absent, |id| Found::There(entry(&id))))
}
