//! Listing: pages in the order of acceptance, or of what is in a state that few are in.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use onboarding::{AccountName, OnboardingId, State};
use redis::{Value, cmd};

use super::{
    RedisStore,
    inspect::{AT_ONCE, bytes},
};
use crate::{Cursor, Filter, Onboarding, Page, Result};

/// Ids of a segment of an order, and the bytes of one; see `lua/onboarding.lua`.
pub(super) const SEGMENT: u64 = 16;

/// Segments that are read at once.
const SEGMENTS: u64 = 16;
pub(super) const ID: usize = 16;

/// Most onboardings that are looked at for one page; a page that finds fewer has an end to go on
/// from. Some hundred milliseconds.
const LOOKS: usize = 20_000;

/// Up to so many that wait are gathered and sorted; of more, those of a page are looked for in
/// the order of acceptance.
const GATHERED: u64 = 2000;

/// The order that a page goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Of all onboardings.
    All,
    /// Of one account's.
    Lane,
}

impl Order {
    /// Where a page ended, and in which order.
    pub(super) fn of(cursor: &str) -> Option<(Self, u64)> {
        let order = match cursor.as_bytes().first()? {
            b'a' => Self::All,
            b'l' => Self::Lane,
            _ => return None,
        };
        Some((order, cursor.get(1..)?.parse().ok()?))
    }

    fn cursor(self, position: u64) -> Cursor {
        Cursor(match self {
            Self::All => format!("a{position}"),
            Self::Lane => format!("l{position}"),
        })
    }
}

/// A page on its way.
pub(super) struct Paging<'a> {
    filter: &'a Filter,
    parked: &'a HashSet<AccountName>,
    limit: usize,
    order: Order,
    /// The places in the order of all that are wanted.
    within: Range<u64>,
    /// Up to where the order was looked at.
    position: u64,
    items: Vec<(u64, Onboarding)>,
    looks: usize,
    /// Nothing comes behind what was looked at.
    ended: bool,
}

impl<'a> Paging<'a> {
    pub(super) fn new(
        filter: &'a Filter,
        parked: &'a HashSet<AccountName>,
        limit: usize,
        order: Order,
        position: u64,
    ) -> Self {
        Self {
            filter,
            parked,
            limit,
            order,
            within: 0..u64::MAX,
            position,
            items: Vec::new(),
            looks: 0,
            ended: false,
        }
    }

    fn is_full(&self) -> bool {
        self.items.len() > self.limit || self.looks >= LOOKS
    }

    fn offer(&mut self, at: u64, one: Onboarding) {
        self.looks += 1;
        let filter = self.filter;
        let fits = filter.state.is_none_or(|state| state == one.state)
            && filter
                .partner
                .as_ref()
                .is_none_or(|own| *own == one.partner)
            && filter
                .account
                .as_ref()
                .is_none_or(|own| *own == one.account);
        if fits && self.items.len() <= self.limit {
            self.items.push((at, one));
        }
    }

    /// Only what is in a batch, which goes by the order of all.
    fn keep_within(&mut self, batch: Range<u64>) {
        if self.order != Order::All {
            self.position = 0;
        }
        self.order = Order::All;
        self.position = self.position.max(batch.start);
        self.within = batch;
    }

    fn looked(&mut self, position: u64) {
        self.position = self.position.max(position);
    }
}

impl Paging<'_> {
    pub(super) fn into_page(mut self) -> Page {
        let more = self.items.len() > self.limit;
        self.items.truncate(self.limit);
        let next = if more {
            self.items.last().map(|(at, _)| *at + 1)
        } else if self.ended {
            None
        } else {
            Some(self.position)
        };
        Page {
            items: self.items.into_iter().map(|(_, one)| one).collect(),
            next: next.map(|at| self.order.cursor(at)),
        }
    }
}

impl RedisStore {
    pub(super) async fn fill(&self, filter: &Filter, page: &mut Paging<'_>) -> Result<()> {
        if let Some(number) = filter.batch {
            let Some(batch) = self.places_of(number).await? else {
                page.ended = true;
                return Ok(());
            };
            page.keep_within(batch);
        }
        match filter.state {
            Some(State::Running) => {
                let ids = self.running().await?;
                return self.page_of(ids, page).await;
            }
            Some(state @ (State::Failed | State::Cancelled)) => {
                let key = state.as_str();
                while !page.is_full() {
                    let from = page.position..page.within.end;
                    let ids = self.scored(key, from, AT_ONCE).await?;
                    if ids.is_empty() {
                        break;
                    }
                    for (seq, one) in self.read_all(&ids, page.parked).await? {
                        page.offer(seq, one);
                        page.looked(seq + 1);
                    }
                }
                page.ended = !page.is_full();
                return Ok(());
            }
            Some(State::Queued | State::Blocked)
                if page.order == Order::All && self.count("0").await? <= GATHERED =>
            {
                let ids = self.waiting().await?;
                return self.page_of(ids, page).await;
            }
            Some(State::Queued | State::Blocked | State::Succeeded) | None => {}
        }
        let from = page.position;
        match &filter.account {
            Some(account) if filter.batch.is_none() && (from == 0 || page.order == Order::Lane) => {
                page.order = Order::Lane;
                let Some((number, lane)) = self.lane_of(account).await? else {
                    page.ended = true;
                    return Ok(());
                };
                self.walk("lane_order", &number, from, lane.taken, page)
                    .await?;
                page.ended = page.position >= lane.taken;
            }
            Some(_) | None => {
                let end = page.within.end.min(self.count("seq").await? + 1);
                self.walk("order", &[], from, end, page).await?;
                page.ended = page.position >= end;
            }
        }
        Ok(())
    }

    /// Some ids of an order of acceptance from a place on, with their places, and the place behind
    /// the last that was looked at.
    async fn segment_ids(
        &self,
        key: &str,
        prefix: &[u8],
        from: u64,
        end: u64,
    ) -> Result<(Vec<(u64, OnboardingId)>, u64)> {
        let first = from / SEGMENT;
        let fields: Vec<Vec<u8>> = (first..(first + SEGMENTS).min(end.div_ceil(SEGMENT)))
            .map(|number| {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                [prefix, &number.to_be_bytes()].concat()
            })
            .collect();
        let segments = self.fields(key, &fields).await?;
        let last = ((first + fields.len() as u64) * SEGMENT).min(end);
        let mut ids = Vec::new();
        for at in from..last {
            let segment = usize::try_from(at / SEGMENT - first).unwrap_or(0);
            let segment = segments.get(segment).and_then(Option::as_deref);
            if let Some(id) = segment.and_then(|segment| id_in(segment, at)) {
                ids.push((at, OnboardingId::from_bytes(id)));
            }
        }
        Ok((ids, last))
    }

    /// Goes through an order of acceptance from a place on, until the page is full.
    async fn walk(
        &self,
        key: &str,
        prefix: &[u8],
        from: u64,
        end: u64,
        page: &mut Paging<'_>,
    ) -> Result<()> {
        let mut nth = from;
        while nth < end && !page.is_full() {
            let (ids, last) = self.segment_ids(key, prefix, nth, end).await?;
            let only: Vec<OnboardingId> = ids.iter().map(|(_, id)| *id).collect();
            let mut found: HashMap<OnboardingId, Onboarding> = HashMap::new();
            for (_, one) in self.read_all(&only, page.parked).await? {
                found.insert(one.id, one);
            }
            for (at, id) in ids {
                if let Some(one) = found.remove(&id) {
                    page.offer(at, one);
                }
            }
            page.looked(last);
            nth = last;
        }
        Ok(())
    }

    /// Ids of a sorted set with scores of a range, `ids` at most.
    async fn scored(&self, key: &str, scores: Range<u64>, ids: usize) -> Result<Vec<OnboardingId>> {
        let mut command = cmd("ZRANGEBYSCORE");
        command
            .arg(self.name(key))
            .arg(scores.start)
            .arg(format!("({}", scores.end))
            .arg("LIMIT")
            .arg(0)
            .arg(ids);
        Ok(self
            .values(&command)
            .await?
            .into_iter()
            .filter_map(id_of)
            .collect())
    }

    /// The ids of everything that a worker holds.
    pub(super) async fn running(&self) -> Result<Vec<OnboardingId>> {
        let mut all = Vec::new();
        loop {
            let mut command = cmd("ZRANGE");
            command
                .arg(self.name("leases"))
                .arg(all.len())
                .arg(all.len() + AT_ONCE - 1);
            let some = self.values(&command).await?;
            let done = some.len() < AT_ONCE;
            all.extend(some.into_iter().filter_map(id_of));
            if done {
                return Ok(all);
            }
        }
    }

    /// The ids of everything that waits, where that is little, and perhaps of some that do not.
    async fn waiting(&self) -> Result<Vec<OnboardingId>> {
        let mut all = Vec::new();
        for key in ["queue", "delayed"] {
            let mut command = cmd("ZRANGE");
            command.arg(self.name(key)).arg(0).arg(2 * GATHERED);
            let members = self.values(&command).await?.into_iter().filter_map(bytes);
            all.extend(members.filter_map(|member| {
                let id: [u8; ID] = member
                    .get(member.len().checked_sub(ID)?..)?
                    .try_into()
                    .ok()?;
                Some(OnboardingId::from_bytes(id))
            }));
        }
        for (number, lane) in self.lanes().await? {
            // Behind what claims have looked at, nothing was begun.
            let mut nth = lane.looked;
            while lane.waiting > 0 && nth < lane.taken && all.len() < LOOKS {
                let some = self.segment_ids("lane_order", &number, nth, lane.taken);
                let (ids, last) = some.await?;
                all.extend(ids.into_iter().map(|(_, id)| id));
                nth = last;
            }
        }
        Ok(all)
    }

    /// Few ids, gathered: those of the page.
    async fn page_of(&self, ids: Vec<OnboardingId>, page: &mut Paging<'_>) -> Result<()> {
        let mut found = self.read_all(&ids, page.parked).await?;
        found.sort_by_key(|(seq, _)| *seq);
        found.dedup_by_key(|(seq, _)| *seq);
        for (seq, one) in found {
            if seq >= page.position && page.within.contains(&seq) {
                page.offer(seq, one);
            }
        }
        page.ended = true;
        Ok(())
    }
}

/// The id at a place of an order, in the segment that has that place; `None` where it has left.
pub(super) fn id_in(segment: &[u8], nth: u64) -> Option<[u8; ID]> {
    let offset = usize::try_from(nth % SEGMENT).ok()? * ID;
    let id: [u8; ID] = segment.get(offset..offset + ID)?.try_into().ok()?;
    Some(id).filter(|id| *id != [0; ID])
}

fn id_of(value: Value) -> Option<OnboardingId> {
    let id: [u8; ID] = bytes(value)?.try_into().ok()?;
    Some(OnboardingId::from_bytes(id))
}
