//! Destinations of a trunk: where it sends calls that come in.

use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::Value;

use super::{Answer, Call, position, trunk};
use crate::api::views::DestinationView;
use crate::envelope::{self, Item, Refusal};
use crate::ids::{Id, TrunkSid};
use crate::journal::record::Part;
use crate::world::{self, Destination, Trunk, World};

/// How a batch went.
#[derive(Serialize)]
pub(super) struct Batch {
    total: usize,
    success: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<usize>,
}

impl Batch {
    /// `always_failed`: whether `failed` is printed when it is zero.
    pub(super) fn of<T>(items: &[Item<T>], always_failed: bool) -> Self {
        let success = items.iter().filter(|item| item.code == 200).count();
        let failed = items.len() - success;
        let shown = always_failed || failed > 0;
        Self {
            total: items.len(),
            success,
            failed: shown.then_some(failed),
        }
    }

    /// Whether it changed anything.
    pub(super) fn changed(&self) -> bool {
        self.success > 0
    }

    pub(super) fn status(&self) -> u16 {
        if self.success == self.total { 200 } else { 207 }
    }
}

/// Appends every entry that is right; it never replaces and never compares with what is there.
pub(super) fn create(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let fields = call.fields()?;
    let mut items = Vec::new();
    for wanted in fields.list("destinations")? {
        items.push(match check(trunk(world, sid)?, wanted) {
            Err(refusal) => Item::failure(refusal),
            Ok(uri) => {
                let id = world.next_destination_id();
                let dates = call.new_dates();
                let entry = Destination {
                    id,
                    uri,
                    priority: 0,
                    weight: 1,
                    dates,
                };
                let item = Item::success(DestinationView::owned(sid, &entry));
                world::push(&mut trunk(world, sid)?.destinations, entry);
                world.touch(sid, Part::Destination(id));
                item
            }
        });
    }
    let batch = Batch::of(&items, true);
    Ok(envelope::many(call.head, batch.status(), &batch, &items))
}

/// The URI as it is kept, if it may be on the trunk.
fn check(trunk: &Trunk, wanted: &Value) -> Result<Box<str>, Refusal> {
    let text = match wanted.get("destination") {
        None | Some(Value::Null) => return Err(Refusal::missing("destination")),
        Some(value) => value.as_str().ok_or_else(not_valid)?,
    };
    let bare = match text.split_at_checked(4) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip:") => rest,
        _ => text,
    };
    match parse_host(bare).ok_or_else(not_valid)? {
        Host::Ip(ip) if !trunk.ips.iter().any(|entry| entry.covers(ip)) => {
            Err(Refusal::invalid("Destination not whitelisted"))
        }
        Host::Ip(_) | Host::Name => Ok(format!("sip:{bare}").into()),
    }
}

fn not_valid() -> Refusal {
    Refusal::invalid("Destination is not a valid Ip or Fqdn")
}

enum Host {
    Ip(Ipv4Addr),
    Name,
}

/// Reads `host:port` with an optional `;transport=tls` or `tcp`. A destination without a transport
/// was taken by a live account, by a field report.
fn parse_host(text: &str) -> Option<Host> {
    let (address, parameters) = match text.split_once(';') {
        Some((address, parameters)) => (address, Some(parameters)),
        None => (text, None),
    };
    let transport = parameters.map(|p| p.to_ascii_lowercase());
    if !matches!(
        transport.as_deref(),
        None | Some("transport=tls" | "transport=tcp")
    ) {
        return None;
    }
    let (host, port) = address.split_once(':')?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse::<u16>()
        .ok()
        .filter(|&port| digits && port > 0)?;
    if host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return host.parse().ok().filter(|ip| is_public(*ip)).map(Host::Ip);
    }
    is_fqdn(host).then_some(Host::Name)
}

fn is_public(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarking = a == 198 && (b == 18 || b == 19);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || shared
        || benchmarking
        || a == 0
        || a >= 224)
}

fn is_fqdn(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.contains('.') && host.split('.').all(label)
}

pub(super) fn list(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let entries = &trunk(world, sid)?.destinations;
    call.page(entries.iter().rev(), |entry| {
        DestinationView::new(sid, entry)
    })
}

pub(super) fn update(call: &Call<'_>, world: &mut World, sid: TrunkSid, id: Id) -> Answer {
    let entries = &mut trunk(world, sid)?.destinations;
    let at = position(entries, id, |entry| entry.id)?;
    let fields = call.fields()?;
    let priority = fields.optional_number("priority")?;
    let weight = fields.optional_number("weight")?;
    let entry = &mut entries[at];
    entry.priority = priority.unwrap_or(entry.priority);
    entry.weight = weight.unwrap_or(entry.weight);
    entry.dates.updated = call.now;
    let reply = envelope::success(call.head, DestinationView::new(sid, entry));
    world.touch(sid, Part::Destination(id));
    Ok(reply)
}

pub(super) fn delete(call: &Call<'_>, world: &mut World, sid: TrunkSid) -> Answer {
    let id = call.id()?;
    let entries = &mut trunk(world, sid)?.destinations;
    let removed = entries.remove(position(entries, id, |entry| entry.id)?);
    world.touch(sid, Part::Destination(id));
    Ok(envelope::success(
        call.head,
        DestinationView::new(sid, &removed),
    ))
}
