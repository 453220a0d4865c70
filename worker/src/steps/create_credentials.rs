//! Creates digest credentials.
//!
//! - **Effect**: `POST trunks/{sid}/credentials`.
//! - **Repeat**: a duplicate of the user name. Exotel never tells a password. Ours was stored before
//!   the first attempt, so on a trunk that this journal made, what an attempt of ours left has it;
//!   on a trunk that was adopted an entry may be older, with a password that nobody knows, and is
//!   replaced whatever is known of the attempts.
//! - **Cost**: one request; reading back one; three to replace what is not of this journal.

use exotel::{Answer, Class, Client, CredentialsChange, EntryId};
use onboarding::{Fault, FriendlyName, SipPassword, StepResult, TrunkSid, UserName};

use super::{Found, Why, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
    read::{self, Request},
};

/// The code of the fault that says that a password is not known and cannot be made ours.
const PASSWORD_UNKNOWN: &str = "password_unknown";

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

pub(super) async fn probe(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
    why: Why,
) -> Result<Found, Interrupt<Halt>> {
    let listed = listed(run, trunk, user_name).await?;
    let Some(id) = listed.first() else {
        return Ok(Found::Absent);
    };
    let attempted = why == Why::Doubt || run.earlier;
    // A retry after that fault is in doubt too, yet no attempt of ours made what is there.
    let unknown = run
        .record()
        .error
        .as_ref()
        .is_some_and(|error| error.code == PASSWORD_UNKNOWN);
    if attempted && !unknown && !run.trunk_was_adopted() {
        return Ok(Found::There(entry(id)));
    }
    replace(run, trunk, user_name, password, &listed).await
}

/// The ids of the credentials with our user name.
async fn listed(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
) -> Result<Vec<EntryId>, Interrupt<Halt>> {
    let client = run.client;
    let what = "a trunk's credentials";
    let page = |at| -> Request<'_, _> { Box::pin(client.credentials_page(trunk, at)) };
    let (all, unreadable) = read::all(run, what, page).await?;
    let ours: Vec<EntryId> = all
        .into_iter()
        .filter(|listed| listed.user_name == user_name.as_str())
        .map(|listed| listed.id)
        .collect();
    if ours.is_empty() {
        read::absent(what, &unreadable, user_name.as_str())?;
    }
    Ok(ours)
}

/// Sees to it that our password is the one in force: removes what is there, to be made anew, or
/// where Exotel does not remove it, changes its password.
async fn replace(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
    listed_before: &[EntryId],
) -> Result<Found, Interrupt<Halt>> {
    tracing::info!(
        onboarding = %run.held.lease.id,
        "replacing credentials of ours whose password is not in this store"
    );
    let client = run.client;
    let mut not_deleted = None;
    for id in listed_before {
        // Deleting by id may be repeated: what is gone stays gone.
        let deleted = once(run, || Box::pin(client.delete_credentials(trunk, id))).await?;
        not_deleted = deleted.err().or(not_deleted);
    }
    let left = listed(run, trunk, user_name).await?;
    let Some(id) = left.first() else {
        return Ok(Found::Absent);
    };
    let Some(not_deleted) = not_deleted else {
        let why = "Exotel says that they were deleted and lists them still";
        return Ok(Found::Wrong(unknown(trunk, user_name, id, why)));
    };
    if left.len() > 1 {
        let why = format!("they are there more than once and are not deleted ({not_deleted})");
        return Ok(Found::Wrong(unknown(trunk, user_name, id, &why)));
    }
    let change = CredentialsChange {
        password: Some(password),
        ..CredentialsChange::default()
    };
    // A set: a repeat is harmless.
    let changed = once(run, || {
        Box::pin(client.update_credentials(trunk, id, change))
    })
    .await?;
    Ok(match changed {
        Ok(()) => Found::There(entry(id)),
        Err(error) => {
            let why = format!(
                "Exotel neither deletes them ({not_deleted}) nor changes their password ({error})"
            );
            Found::Wrong(unknown(trunk, user_name, id, &why))
        }
    })
}

/// Sends a harmless change once. The inner error: Exotel refuses it. Where the outcome is not
/// known the lease is given back, and the next look tells.
async fn once<'c>(
    run: &mut Run<'_>,
    call: impl Fn() -> Request<'c, ()> + Send + Sync,
) -> Result<Result<(), exotel::Error>, Interrupt<Halt>> {
    match run.read_once(call).await {
        Ok(()) => Ok(Ok(())),
        Err(Interrupt::Refused(error)) if is_refusal(&error) => Ok(Err(error)),
        Err(Interrupt::Refused(error)) => Err(run.read_failed(&error).await.into()),
        Err(interrupt) => Err(interrupt),
    }
}

/// Both calls are published outside of the API reference only, so that a gateway's page instead
/// of an answer says as well that there is no such call. Whether it did something all the same is
/// looked up.
fn is_refusal(error: &exotel::Error) -> bool {
    !matches!(error.class(), Class::Unknown | Class::NeverSent)
        || matches!(error.http_status(), Some(403..=405))
}

fn unknown(trunk: &TrunkSid, user_name: &UserName, id: &EntryId, why: &str) -> Fault {
    fault(
        PASSWORD_UNKNOWN,
        format!(
            "create_credentials: trunk {trunk} has credentials {id} of user name {user_name} that are not of this onboarding, so that nobody knows their password, and they cannot be replaced: {why}. Delete them in Exotel's dashboard or through Exotel's support, then run `trunkline retry`; or cancel this onboarding"
        ),
    )
}
