//! Creates digest credentials.
//!
//! - **Effect**: `POST trunks/{sid}/credentials`.
//! - **Repeat**: may be refused as a duplicate of the user name, or make a second entry. Exotel's
//!   lists never contain a password, so the label of ours ends with a fingerprint of it: entries of
//!   our user name with another label are in use with a password that this store does not have.
//! - **Cost**: one request; reading back one; three to replace what is not of this store.

use exotel::{Answer, Class, Client, Credentials, CredentialsChange, EntryId};
use onboarding::{
    CREDENTIALS_LIVE, Fault, Fingerprint, Label, SipPassword, StepResult, TrunkSid, UserName,
};

use super::{Found, Look, Resource, answer, entry};
use crate::{
    execute::{Halt, Run},
    fault::{Interrupt, fault},
    read::{self, Entries, Reader, Request},
};

pub(super) async fn send(
    client: &Client,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
    label: Option<&Label>,
) -> Result<Answer<StepResult>, exotel::Error> {
    let label = Fingerprint::of(password, client.account_sid(), user_name).label(label);
    let created = client
        .create_credentials(trunk, user_name, password, Some(&label))
        .await?;
    Ok(answer(created, |credentials| entry(&credentials.id)))
}

pub(super) async fn look<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
) -> Result<Found, Interrupt<R::Halt>> {
    let listed = listed(reader, look.client, trunk).await?;
    if !listed
        .items
        .iter()
        .any(|it| it.user_name == user_name.as_str())
    {
        listed.absent(user_name.as_str())?;
    }
    let listed = listed.items;
    let labelled = listed.iter().any(|it| label_of(it).is_some());
    let named = |it: &&Credentials| it.user_name == user_name.as_str();
    let fingerprint = Fingerprint::of(password, look.client.account_sid(), user_name);
    let is_ours = |it: &&Credentials| match label_of(it) {
        Some(label) => fingerprint.is_in(label),
        // Lists without any label: the journal decides.
        None => !labelled && look.made_the_trunk,
    };
    let same: Vec<&Credentials> = listed.iter().filter(named).collect();
    let mut ours = same.iter().copied().filter(is_ours);
    if let Some(first) = ours.next() {
        return Ok(Found::There(Resource {
            surplus: ours.next().is_some(),
            ..entry(&first.id).into()
        }));
    }
    if same.is_empty() {
        return Ok(Found::Absent);
    }
    Ok(Found::Live(
        same.into_iter().map(|it| it.id.clone()).collect(),
    ))
}

fn label_of(credentials: &Credentials) -> Option<&str> {
    credentials
        .friendly_name
        .as_deref()
        .filter(|label| !label.is_empty())
}

async fn listed<R: Reader>(
    reader: &mut R,
    client: &Client,
    trunk: &TrunkSid,
) -> Result<Entries<Credentials>, Interrupt<R::Halt>> {
    read::all(reader, "a trunk's credentials", |at| {
        Box::pin(client.credentials_page(trunk, at))
    })
    .await
}

pub(super) async fn surplus<R: Reader>(
    reader: &mut R,
    look: &Look<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
    kept: &str,
) -> Result<Vec<EntryId>, Interrupt<R::Halt>> {
    let fingerprint = Fingerprint::of(password, look.client.account_sid(), user_name);
    let listed = listed(reader, look.client, trunk).await?;
    // Where it is gone, what is left is no copy of it.
    if !listed.items.iter().any(|it| it.id.as_str() == kept) {
        return Ok(Vec::new());
    }
    let is_surplus = |it: &Credentials| {
        it.user_name == user_name.as_str()
            && it.id.as_str() != kept
            && label_of(it).is_some_and(|label| fingerprint.is_in(label))
            && look.is_of_ours(it.date_created.as_deref())
    };
    Ok(listed
        .items
        .into_iter()
        .filter(is_surplus)
        .map(|it| it.id)
        .collect())
}

/// The fault of credentials that are in use with a password that this store does not have.
pub(crate) fn live(trunk: &TrunkSid, user_name: &UserName, ids: &[EntryId]) -> Fault {
    fault(
        CREDENTIALS_LIVE,
        format!(
            "create_credentials: trunk {trunk} has credentials of user name {user_name} ({}) whose password is not in this store, so the partner may be using them; nothing was changed. If another store made them, take its handoff (`trunkline handoff` there). To replace them run `trunkline retry --replace-credentials`: the partner's calls fail from then on until it has the new handoff",
            list(ids)
        ),
    )
}

fn list(ids: &[EntryId]) -> String {
    let ids: Vec<&str> = ids.iter().map(EntryId::as_str).collect();
    format!("id {}", ids.join(", "))
}

/// Makes our password the one in force, as a person asked for: removes what is there, to be made
/// anew, or where Exotel does not remove it, changes its password.
pub(crate) async fn replace(
    run: &mut Run<'_>,
    trunk: &TrunkSid,
    user_name: &UserName,
    password: &SipPassword,
    label: Option<&Label>,
    listed_before: &[EntryId],
) -> Result<Found, Interrupt<Halt>> {
    tracing::warn!(
        onboarding = %run.held.lease.id,
        account = %run.account.name,
        "replacing credentials whose password is not in this store; the partner needs the new handoff"
    );
    let client = run.client;
    let mut not_deleted = None;
    for id in listed_before {
        // Deleting by id may be repeated: what is gone stays gone.
        let deleted = once(run, || Box::pin(client.delete_credentials(trunk, id))).await?;
        not_deleted = deleted.err().or(not_deleted);
    }
    let left = listed(run, client, trunk).await?;
    let left: Vec<&Credentials> = left
        .items
        .iter()
        .filter(|it| it.user_name == user_name.as_str())
        .collect();
    let Some(first) = left.first() else {
        return Ok(Found::Absent);
    };
    let ids: Vec<EntryId> = left.iter().map(|it| it.id.clone()).collect();
    let Some(not_deleted) = not_deleted else {
        let why = "Exotel says that they were deleted and lists them still";
        return Ok(Found::Wrong(not_replaced(trunk, user_name, &ids, why)));
    };
    if left.len() > 1 {
        let why = format!("there are several and they are not deleted ({not_deleted})");
        return Ok(Found::Wrong(not_replaced(trunk, user_name, &ids, &why)));
    }
    let label = Fingerprint::of(password, client.account_sid(), user_name).label(label);
    let change = CredentialsChange {
        password: Some(password),
        friendly_name: Some(&label),
        ..CredentialsChange::default()
    };
    // A set: a repeat is harmless.
    let changed = once(run, || {
        Box::pin(client.update_credentials(trunk, &first.id, change))
    })
    .await?;
    Ok(match changed {
        Ok(()) => Found::There(entry(&first.id).into()),
        Err(error) => {
            let why = format!(
                "Exotel neither deletes them ({not_deleted}) nor changes their password ({error})"
            );
            Found::Wrong(not_replaced(trunk, user_name, &ids, &why))
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

fn not_replaced(trunk: &TrunkSid, user_name: &UserName, ids: &[EntryId], why: &str) -> Fault {
    fault(
        CREDENTIALS_LIVE,
        format!(
            "create_credentials: trunk {trunk} has credentials of user name {user_name} ({}) whose password is not in this store, and they cannot be replaced: {why}. Delete them in Exotel's dashboard or through Exotel's support, then run `trunkline retry --replace-credentials`; or cancel this onboarding",
            list(ids)
        ),
    )
}
