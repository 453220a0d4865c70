//! Reads across an account's trunks.

use serde::Serialize;

use super::{Answer, Call};
use crate::api::views::mode_name;
use crate::envelope;
use crate::fields::{Page, e164};
use crate::ids::{Id, PhoneNumber, TrunkSid};
use crate::world::{NumberMapping, Trunk, World};

#[derive(Serialize)]
struct TrunkMap {
    exophone: PhoneNumber,
    trunk_sid: TrunkSid,
    phone_number_id: Id,
    mode: Option<&'static str>,
}

impl TrunkMap {
    fn new((trunk, mapping): (&Trunk, &NumberMapping)) -> Self {
        Self {
            exophone: mapping.number,
            trunk_sid: trunk.sid,
            phone_number_id: mapping.id,
            mode: mode_name(mapping.mode),
        }
    }
}

fn mappings<'a>(world: &'a World, account: &str) -> Vec<(&'a Trunk, &'a NumberMapping)> {
    let of = |trunk: &'a Trunk| {
        trunk
            .numbers
            .iter()
            .rev()
            .map(move |mapping| (trunk, mapping))
    };
    world.trunks_of(account).flat_map(of).collect()
}

/// Which trunk of the account has a number; all of its numbers when none is asked for. Nothing
/// found is an empty list: Exotel does not publish what it answers then.
pub(super) fn trunk_maps(call: &Call<'_>, world: &World) -> Answer {
    let Some(text) = call.query.get("exophone") else {
        return call.page(mappings(world, call.account).into_iter(), TrunkMap::new);
    };
    let number = e164("exophone", &text)?;
    let trunk = world
        .trunk_of_number(number)
        .filter(|trunk| &*trunk.account == call.account);
    let found: Vec<_> = trunk
        .into_iter()
        .flat_map(|trunk| trunk.numbers.iter().map(move |mapping| (trunk, mapping)))
        .filter(|(_, mapping)| mapping.number == number)
        .collect();
    call.page(found.into_iter(), TrunkMap::new)
}

#[derive(Serialize)]
struct Numbers {
    page: usize,
    page_size: usize,
    uri: String,
    first_page_uri: String,
    next_page_uri: Option<String>,
    previous_page_uri: Option<String>,
    incoming_phone_numbers: Vec<OwnedNumber>,
}

#[derive(Serialize)]
struct OwnedNumber {
    sid: PhoneNumber,
    phone_number: PhoneNumber,
    friendly_name: PhoneNumber,
}

/// The account's numbers, without the envelope: this call belongs to Exotel's older API, whose
/// pages count from 0. An account that was given no numbers owns those that it has mapped.
pub(super) fn incoming_numbers(call: &Call<'_>, world: &World) -> Answer {
    let size = Page::parse(call.query)?.size;
    let number = |name| {
        call.query
            .get(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let size = number("PageSize")
        .filter(|&size| size > 0)
        .unwrap_or(size)
        .min(100);
    let page = number("Page").unwrap_or(0);
    let all: Vec<PhoneNumber> = match call.owned_numbers {
        Some(numbers) => numbers.to_vec(),
        None => mappings(world, call.account)
            .iter()
            .map(|(_, mapping)| mapping.number)
            .collect(),
    };
    let uri = |page: usize| format!("{}?Page={page}&PageSize={size}", call.path);
    let from = page.saturating_mul(size);
    let entry = |&number| OwnedNumber {
        sid: number,
        phone_number: number,
        friendly_name: number,
    };
    let body = Numbers {
        page,
        page_size: size,
        uri: uri(page),
        first_page_uri: uri(0),
        next_page_uri: (from.saturating_add(size) < all.len()).then(|| uri(page + 1)),
        previous_page_uri: (page > 0).then(|| uri(page - 1)),
        incoming_phone_numbers: all.iter().skip(from).take(size).map(entry).collect(),
    };
    Ok(envelope::json(200, None, &body))
}
