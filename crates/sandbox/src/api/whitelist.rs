//! Whitelisted addresses of a trunk.

use std::net::Ipv4Addr;

use super::{Answer, Call, friendly_name, position, trunk};
use crate::api::views::IpView;
use crate::envelope::{self, Refusal};
use crate::fields::Fields;
use crate::ids::{Id, TrunkSid};
use crate::journal::record::Part;
use crate::world::{self, WhitelistedIp, World};

/// One single address.
const DEFAULT_MASK: u8 = 32;

fn mask(fields: &Fields) -> Result<Option<u8>, Refusal> {
    let Some(number) = fields.optional_number("mask")? else {
        return Ok(None);
    };
    let mask = u8::try_from(number)
        .ok()
        .filter(|mask| (16..=32).contains(mask));
    mask.map(Some)
        .ok_or_else(|| Refusal::invalid("mask must be between 16 and 32"))
}

fn address(text: &str) -> Result<Ipv4Addr, Refusal> {
    text.parse()
        .map_err(|_| Refusal::invalid("ip must be a valid IPv4 address"))
}

pub(super) fn create(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let fields = call.fields()?;
    let ip = address(fields.text("ip")?)?;
    let mask = mask(&fields)?.unwrap_or(DEFAULT_MASK);
    let friendly_name = friendly_name(&fields)?;
    refuse_second(&trunk(world, sid)?.ips, ip, None)?;
    let id = world.next_ip_id();
    let entry = WhitelistedIp {
        id,
        ip,
        mask,
        friendly_name,
        dates: call.new_dates(),
    };
    let reply = envelope::success(call.head, IpView::new(sid, &entry));
    world.touch(sid, Part::Ip(entry.id));
    world::push(&mut trunk(world, sid)?.ips, entry);
    Ok(reply)
}

/// An address can be on a trunk once, whatever its mask.
fn refuse_second(entries: &[WhitelistedIp], ip: Ipv4Addr, but: Option<Id>) -> Result<(), Refusal> {
    if entries
        .iter()
        .any(|entry| entry.ip == ip && Some(entry.id) != but)
    {
        return Err(Refusal::duplicate(format!(
            "Unable to Whitelist-ip with ip {ip}"
        )));
    }
    Ok(())
}

pub(super) fn list(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let entries = &trunk(world, sid)?.ips;
    call.page(entries.iter().rev(), |entry| IpView::new(sid, entry))
}

pub(super) fn update(call: &Call<'_>, world: &mut World, sid: TrunkSid, id: Id) -> Answer {
    let entries = &mut trunk(world, sid)?.ips;
    let at = position(entries, id, |entry| entry.id)?;
    let fields = call.fields()?;
    let ip = fields.optional_text("ip")?.map(address).transpose()?;
    let mask = mask(&fields)?;
    let friendly_name = friendly_name(&fields)?;
    if let Some(ip) = ip {
        refuse_second(entries, ip, Some(id))?;
    }
    let entry = &mut entries[at];
    entry.ip = ip.unwrap_or(entry.ip);
    entry.mask = mask.unwrap_or(entry.mask);
    entry.friendly_name = friendly_name.or(entry.friendly_name.take());
    entry.dates.updated = call.now;
    let reply = envelope::success(call.head, IpView::new(sid, entry));
    world.touch(sid, Part::Ip(id));
    Ok(reply)
}

pub(super) fn delete(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let id = call.id()?;
    let entries = &mut trunk(world, sid)?.ips;
    let removed = entries.remove(position(entries, id, |entry| entry.id)?);
    world.touch(sid, Part::Ip(id));
    Ok(envelope::success(call.head, IpView::new(sid, &removed)))
}
