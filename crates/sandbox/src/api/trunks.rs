//! Trunks themselves.

use super::{Answer, Call, trunk};
use crate::api::views::TrunkView;
use crate::envelope::{self, Refusal};
use crate::fields::Fields;
use crate::ids::{TrunkName, TrunkSid};
use crate::journal::record::Part;
use crate::options::Profile;
use crate::world::{Trunk, World};

const DOMAIN_SUFFIX: &str = ".pstn.exotel.com";

pub(super) fn create(call: &Call<'_>, world: &mut World) -> Answer {
    let fields = call.fields()?;
    let name = optional_name(&fields)?.ok_or_else(|| Refusal::missing("trunk_name"))?;
    check_nso_code(fields.text("nso_code")?)?;
    let domain = fields.text("domain_name")?;
    check_domain(domain)?;
    if world.trunk_named(call.account, name).is_some() {
        return Err(taken(call, name));
    }
    let trunk = world.add_trunk(call.account, name, domain, call.now);
    Ok(envelope::success(call.head, TrunkView::new(trunk)))
}

fn optional_name(fields: &Fields) -> Result<Option<TrunkName>, Refusal> {
    Ok(fields
        .optional_word("trunk_name", TrunkName::LONGEST)?
        .and_then(TrunkName::new))
}

/// A blank instead of the hyphen is refused as well, by a field report.
fn check_nso_code(text: &str) -> Result<(), Refusal> {
    if text == "ANY-ANY" {
        Ok(())
    } else {
        Err(Refusal::invalid("Nso code is invalid"))
    }
}

fn check_domain(text: &str) -> Result<(), Refusal> {
    let label = text.strip_suffix(DOMAIN_SUFFIX).unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "domain_name must be <account_sid>.pstn.exotel.com",
    ))
}

fn taken(call: &Call<'_>, name: TrunkName) -> Refusal {
    let text = format!("Trunk with name '{}' already exists", name.as_str());
    match call.profile {
        Profile::Field => Refusal::duplicate(text),
        Profile::Documented => Refusal::conflict(text),
    }
}

pub(super) fn list(call: &Call<'_>, world: &World) -> Answer {
    let Some(sid) = call.query.get("trunk_sid") else {
        return call.page(world.trunks_of(call.account), TrunkView::new);
    };
    let wanted = TrunkSid::parse(&sid).and_then(|sid| world.trunk(sid));
    let own: Vec<&Trunk> = wanted
        .filter(|trunk| &*trunk.account == call.account)
        .into_iter()
        .collect();
    call.page(own.into_iter(), TrunkView::new)
}

pub(super) fn show(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    Ok(envelope::success(
        call.head,
        TrunkView::new(trunk(world, sid)?),
    ))
}

pub(super) fn update(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let fields = call.fields()?;
    let name = optional_name(&fields)?;
    if let Some(code) = fields.optional_text("nso_code")? {
        check_nso_code(code)?;
    }
    if fields
        .optional_text("auth_type")?
        .is_some_and(|kind| kind != "IP-WHITELIST")
    {
        return Err(Refusal::invalid("auth_type must be IP-WHITELIST"));
    }
    if let Some(name) = name {
        if world
            .trunk_named(call.account, name)
            .is_some_and(|other| other != sid)
        {
            return Err(taken(call, name));
        }
        world.rename_trunk(sid, name);
    }
    world.touch(sid, Part::Trunk);
    let trunk = trunk(world, sid)?;
    trunk.dates.updated = call.now;
    Ok(envelope::success(call.head, TrunkView::new(trunk)))
}

pub(super) fn delete(call: &Call<'_>, world: &mut World) -> Answer {
    let text = call
        .query
        .get("trunk_sid")
        .ok_or_else(|| Refusal::missing("trunk_sid"))?;
    let sid = call.trunk_sid(world, &text)?;
    let removed = world.remove_trunk(sid).ok_or_else(Refusal::not_found)?;
    world.touch(sid, Part::Trunk);
    Ok(envelope::success(call.head, TrunkView::new(&removed)))
}
