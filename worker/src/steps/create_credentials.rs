//! Creates digest credentials.
//!
//! - **Effect**: `POST trunks/{sid}/credentials`.
//! - **Repeat**: a duplicate of the user name. Exotel never tells a password, but ours was stored
//!   before the first attempt, so what an earlier attempt of ours made has it.
//! - **Cost**: one request; reading back one; two to replace what is not of this journal.

use exotel::{Answer, Class, Client};
use onboarding::{FriendlyName, SipPassword, StepResult, TrunkSid, UserName};

use super::{Found, Why, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::Interrupt,
    read::{self, Reader},
};

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
    friendly_name: Option<&FriendlyName>,
) -> Result<Answer<StepResult>, exotel::Error> {
    let created = client
        .create_credentials(trunk, user_name, password, friendly_name)
        .await?;
    Ok(answer(created, |credentials| entry(&credentials.id)))
}

/// Credentials that are there although this journal knows of no attempt were made before it, such
/// as by a store that was lost, and with a password that is lost too. They are removed, to be
/// made anew with the password of the handoff.
pub(super) async fn probe(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
    why: Why,
) -> Result<Found, Interrupt<Halt>> {
    let client = run.client;
    let found = read::find(
        run,
        "a trunk's credentials",
        read::ENTRY_PAGES,
        |at| Box::pin(client.credentials_page(trunk, at)),
        |listed| (listed.user_name == user_name.as_str()).then_some(listed.id),
    )
    .await?;
    let Some(id) = found else {
        return Ok(Found::Absent);
    };
    if why == Why::Doubt || run.earlier {
        return Ok(Found::There(entry(&id)));
    }
    tracing::info!(
        onboarding = %run.held.lease.id,
        "replacing credentials of ours whose password is not in this store"
    );
    // Deleting by id may be repeated: what is gone stays gone.
    match run
        .read(|| Box::pin(client.delete_credentials(trunk, &id)))
        .await
    {
        Ok(()) => Ok(Found::Absent),
        Err(Interrupt::Refused(error)) if error.class() == Class::NotThere => Ok(Found::Absent),
        Err(interrupt) => Err(interrupt),
    }
}
