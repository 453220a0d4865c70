//! Digest credentials of a trunk. The password is never printed here.

use super::{Answer, Call, friendly_name, position, trunk};
use crate::api::views::CredentialView;
use crate::envelope::{self, Refusal};
use crate::ids::{Id, TrunkSid};
use crate::journal::record::Part;
use crate::world::{self, Credential, World};

/// Longest user name and password; Exotel publishes no bound, this one only keeps records small.
const LONGEST: usize = 128;

pub(super) fn create(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let fields = call.fields()?;
    let user_name = fields.word("user_name", LONGEST)?;
    let password = fields.word("password", LONGEST)?;
    let friendly_name = friendly_name(&fields)?;
    if !world.credentials_append {
        refuse_second(&trunk(world, sid)?.credentials, user_name, None)?;
    }
    let entry = Credential {
        id: world.next_credential_id(),
        user_name: user_name.into(),
        password: password.into(),
        friendly_name,
        dates: call.new_dates(),
    };
    let reply = envelope::success(call.head, CredentialView::new(sid, &entry));
    world.touch(sid, Part::Credential(entry.id));
    world::push(&mut trunk(world, sid)?.credentials, entry);
    Ok(reply)
}

fn refuse_second(entries: &[Credential], user_name: &str, but: Option<Id>) -> Result<(), Refusal> {
    if entries
        .iter()
        .any(|entry| &*entry.user_name == user_name && Some(entry.id) != but)
    {
        return Err(Refusal::duplicate(format!(
            "Unable to create Credential with user_name {user_name}"
        )));
    }
    Ok(())
}

pub(super) fn list(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let entries = &trunk(world, sid)?.credentials;
    call.page(entries.iter().rev(), |entry| {
        CredentialView::new(sid, entry)
    })
}

pub(super) fn update(call: &Call<'_>, world: &mut World, sid: TrunkSid, id: Id) -> Answer {
    let entries = &mut trunk(world, sid)?.credentials;
    let at = position(entries, id, |entry| entry.id)?;
    let fields = call.fields()?;
    let user_name = fields.optional_word("user_name", LONGEST)?;
    let password = fields.optional_word("password", LONGEST)?;
    let friendly_name = friendly_name(&fields)?;
    if let Some(user_name) = user_name {
        refuse_second(entries, user_name, Some(id))?;
    }
    let entry = &mut entries[at];
    if let Some(user_name) = user_name {
        entry.user_name = user_name.into();
    }
    if let Some(password) = password {
        entry.password = password.into();
    }
    entry.friendly_name = friendly_name.or(entry.friendly_name.take());
    entry.dates.updated = call.now;
    let reply = envelope::success(call.head, CredentialView::new(sid, entry));
    world.touch(sid, Part::Credential(id));
    Ok(reply)
}

pub(super) fn delete(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let id = call.id()?;
    let entries = &mut trunk(world, sid)?.credentials;
    let removed = entries.remove(position(entries, id, |entry| entry.id)?);
    world.touch(sid, Part::Credential(id));
    Ok(envelope::success(
        call.head,
        CredentialView::new(sid, &removed),
    ))
}
