//! The calls of the API. Each takes the world and answers; none knows of HTTP, limits or faults.

mod credentials;
mod destinations;
mod lookups;
mod numbers;
mod settings;
mod trunks;
mod views;
mod whitelist;

use serde::Serialize;

use crate::envelope::{self, Head, Item, Refusal, Reply};
use crate::fields::{Fields, Page};
use crate::ids::{Id, Stamp, TrunkSid};
use crate::options::Profile;
use crate::route::{Leaf, Query, Route};
use crate::world::{Dates, Trunk, World};

pub(crate) use views::state;

/// One request, as the calls see it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) account: &'a str,
    pub(crate) route: Route<'a>,
    /// As it was sent, for the paging links.
    pub(crate) path: &'a str,
    pub(crate) query: Query<'a>,
    pub(crate) json: bool,
    pub(crate) body: &'a [u8],
    pub(crate) now: Stamp,
    pub(crate) profile: Profile,
    /// The numbers that the account was given by `PUT /_sandbox/accounts`, if it was.
    pub(crate) owned_numbers: Option<&'a [crate::ids::PhoneNumber]>,
}

type Answer = Result<Reply, Refusal>;

/// Answers a request. Whatever comes in, something goes out.
pub(crate) fn answer(call: &Call<'_>, world: &mut World) -> Reply {
    dispatch(call, world).unwrap_or_else(|refusal| refusal.reply(call.head))
}

fn dispatch(call: &Call<'_>, world: &mut World) -> Answer {
    let method = call.head.method;
    if matches!(method, "POST" | "PUT") && !call.json {
        return Err(Refusal::content_type());
    }
    match (method, call.route) {
        ("POST", Route::Trunks) => trunks::create(call, world),
        ("GET", Route::Trunks) => trunks::list(call, world),
        ("DELETE", Route::Trunks) => trunks::delete(call, world),
        ("GET", Route::Trunk(sid)) => trunks::show(call, world, call.trunk_sid(world, sid)?),
        ("PUT", Route::Trunk(sid)) => trunks::update(call, world, call.trunk_sid(world, sid)?),
        (_, Route::Leaf(sid, leaf)) => on_list(call, world, leaf, call.trunk_sid(world, sid)?),
        ("PUT", Route::LeafItem(sid, leaf, id)) => {
            let sid = call.trunk_sid(world, sid)?;
            on_entry(call, world, leaf, sid, parse_id(id)?)
        }
        ("GET", Route::TrunkMaps) => lookups::trunk_maps(call, world),
        ("GET", Route::IncomingNumbers) => lookups::incoming_numbers(call, world),
        (_, Route::Unknown) => Err(Refusal::not_found()),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn on_list(call: &Call<'_>, world: &mut World, leaf: Leaf, sid: TrunkSid) -> Answer {
    match (call.head.method, leaf) {
        ("POST", Leaf::PhoneNumbers) => numbers::create(call, world, sid),
        ("GET", Leaf::PhoneNumbers) => numbers::list(call, world, sid),
        ("DELETE", Leaf::PhoneNumbers) => numbers::delete(call, world, sid),
        ("POST", Leaf::WhitelistedIps) => whitelist::create(call, world, sid),
        ("GET", Leaf::WhitelistedIps) => whitelist::list(call, world, sid),
        ("DELETE", Leaf::WhitelistedIps) => whitelist::delete(call, world, sid),
        ("POST", Leaf::Credentials) => credentials::create(call, world, sid),
        ("GET", Leaf::Credentials) => credentials::list(call, world, sid),
        ("DELETE", Leaf::Credentials) => credentials::delete(call, world, sid),
        ("POST", Leaf::DestinationUris) => destinations::create(call, world, sid),
        ("GET", Leaf::DestinationUris) => destinations::list(call, world, sid),
        ("DELETE", Leaf::DestinationUris) => destinations::delete(call, world, sid),
        ("POST", Leaf::Settings) => settings::set(call, world, sid),
        ("GET", Leaf::Settings) => settings::list(call, world, sid),
        ("DELETE", Leaf::Settings) => settings::delete(call, world, sid),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn on_entry(call: &Call<'_>, world: &mut World, leaf: Leaf, sid: TrunkSid, id: Id) -> Answer {
    match leaf {
        Leaf::PhoneNumbers => numbers::update(call, world, sid, id),
        Leaf::WhitelistedIps => whitelist::update(call, world, sid, id),
        Leaf::Credentials => credentials::update(call, world, sid, id),
        Leaf::DestinationUris => destinations::update(call, world, sid, id),
        Leaf::Settings => Err(Refusal::not_found()),
    }
}

impl Call<'_> {
    fn fields(&self) -> Result<Fields, Refusal> {
        Fields::parse(self.body)
    }

    /// A SID that the account may use. To the API a foreign trunk is the same as none.
    fn trunk_sid(&self, world: &World, text: &str) -> Result<TrunkSid, Refusal> {
        let sid = TrunkSid::parse(text).filter(|&sid| {
            world
                .trunk(sid)
                .is_some_and(|trunk| &*trunk.account == self.account)
        });
        sid.ok_or_else(|| match self.profile {
            Profile::Field => Refusal::not_authorised(),
            Profile::Documented => Refusal::not_found(),
        })
    }

    /// The `id` of the query.
    fn id(&self) -> Result<Id, Refusal> {
        parse_id(&self.query.get("id").ok_or_else(|| Refusal::missing("id"))?)
    }

    fn new_dates(&self) -> Dates {
        Dates {
            created: self.now,
            updated: self.now,
        }
    }

    /// One page of a list, the newest entry first, as Exotel's own example of destinations has it.
    fn page<T, V: Serialize>(
        &self,
        entries: impl ExactSizeIterator<Item = T>,
        view: impl Fn(T) -> V,
    ) -> Answer {
        let page = Page::parse(self.query)?;
        let total = entries.len();
        let items: Vec<Item<V>> = entries
            .skip(page.offset)
            .take(page.size)
            .map(|entry| Item::success(view(entry)))
            .collect();
        let uri = |offset: usize| format!("{}?offset={offset}&page_size={}", self.path, page.size);
        let next = page.offset.saturating_add(page.size);
        let metadata = Paging {
            page_size: page.size,
            first_page_uri: uri(0),
            prev_page_uri: (page.offset > 0).then(|| uri(page.offset.saturating_sub(page.size))),
            next_page_uri: (next < total).then(|| uri(next)),
        };
        Ok(envelope::many(self.head, 200, &metadata, &items))
    }
}

#[derive(Serialize)]
struct Paging {
    page_size: usize,
    first_page_uri: String,
    prev_page_uri: Option<String>,
    next_page_uri: Option<String>,
}

/// An id that is no number names nothing.
fn parse_id(text: &str) -> Result<Id, Refusal> {
    Id::parse(text).ok_or_else(Refusal::not_found)
}

/// The trunk of a SID that was looked up before in the same call.
fn trunk(world: &mut World, sid: TrunkSid) -> Result<&mut Trunk, Refusal> {
    world.trunk_mut(sid).ok_or_else(Refusal::not_found)
}

/// Where an entry is in its list.
fn position<T>(list: &[T], id: Id, of: impl Fn(&T) -> Id) -> Result<usize, Refusal> {
    list.iter()
        .position(|entry| of(entry) == id)
        .ok_or_else(Refusal::not_found)
}

/// An optional friendly name, 32 characters at most.
fn friendly_name(fields: &Fields) -> Result<Option<Box<str>>, Refusal> {
    Ok(fields.optional_word("friendly_name", 32)?.map(Into::into))
}
