//! Reading. Nothing here is a script of the server's: who looks delays who works by single
//! commands of bounded size at most.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the protocol has many kinds of values; all that are not expected mean the same"
)]

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use onboarding::{AccountName, Journal, OnboardingId, SipPassword, State};
use redis::{Cmd, Value, cmd};

use super::{
    RedisStore,
    lane::{self, LaneNumber},
    progress::Progress,
    record::{self, Entry, Record},
};
use crate::{AccountStatus, Cursor, Error, Filter, Inspect, Onboarding, Page, Result, Tally};

/// Most values that one command reads.
const AT_ONCE: usize = 256;

/// Ids of a segment of an order, and the bytes of one; see `lua/onboarding.lua`.
const SEGMENT: u64 = 16;

/// Segments that are read at once.
const SEGMENTS: u64 = 16;
const ID: usize = 16;

/// Most onboardings that are looked at for one page; a page that finds fewer has an end to go on
/// from. Some hundred milliseconds.
const LOOKS: usize = 20_000;

/// Up to so many that wait are gathered and sorted; of more, those of a page are looked for in
/// the order of acceptance.
const GATHERED: u64 = 2000;

impl RedisStore {
    async fn values(&self, command: &Cmd) -> Result<Vec<Value>> {
        match self.link.query(command).await? {
            Value::Array(values) | Value::Set(values) => Ok(values),
            Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// Fields of a hash.
    pub(super) async fn fields(
        &self,
        key: &str,
        fields: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let mut all = Vec::with_capacity(fields.len());
        for chunk in fields.chunks(AT_ONCE) {
            let mut command = cmd("HMGET");
            command.arg(self.name(key));
            for field in chunk {
                command.arg(field.as_ref());
            }
            all.extend(self.values(&command).await?.into_iter().map(bytes));
        }
        Ok(all)
    }

    /// What was accepted.
    pub(super) async fn record_of(&self, id: OnboardingId) -> Result<Option<Record>> {
        let entry = self
            .fields("entry", &[id.to_bytes()])
            .await?
            .pop()
            .flatten();
        if entry.and_then(|entry| Entry::unpack(&entry)).is_none() {
            return Ok(None);
        }
        let packed = self
            .fields("onboarding", &[id.to_bytes()])
            .await?
            .pop()
            .flatten();
        packed
            .map(|packed| record::unpack(id, &packed, &self.key, self.place()))
            .transpose()
    }

    /// The accounts that are parked, with why and since when.
    pub(super) async fn parked(&self) -> Result<HashMap<LaneNumber, crate::Parked>> {
        let values = self.values(cmd("HGETALL").arg(self.name("parked"))).await?;
        lane::parked(values.into_iter().map(bytes), self.place())
    }

    async fn parked_accounts(&self) -> Result<HashSet<AccountName>> {
        let parked = self.parked().await?;
        if parked.is_empty() {
            return Ok(HashSet::new());
        }
        let numbers: Vec<LaneNumber> = parked.into_keys().collect();
        let lanes = self.fields("lane", &numbers).await?;
        let mut names = HashSet::new();
        for lane in lanes.into_iter().flatten() {
            names.insert(lane::Lane::unpack(&lane, self.place())?.account(self.place())?);
        }
        Ok(names)
    }

    /// Those of `ids` that are accepted, whole, in their order.
    async fn read_all(
        &self,
        ids: &[OnboardingId],
        parked: &HashSet<AccountName>,
    ) -> Result<Vec<(u64, Onboarding)>> {
        let keys: Vec<[u8; ID]> = ids.iter().map(|id| id.to_bytes()).collect();
        let entries = self.fields("entry", &keys).await?;
        let records = self.fields("onboarding", &keys).await?;
        let progress = self.fields("progress", &keys).await?;
        let mut found = Vec::with_capacity(ids.len());
        for (((id, entry), packed), progress) in ids.iter().zip(entries).zip(records).zip(progress)
        {
            let entry = entry.and_then(|entry| Entry::unpack(&entry));
            let (Some(entry), Some(packed)) = (entry, packed) else {
                continue;
            };
            let record = record::unpack(*id, &packed, &self.key, self.place())?;
            let one = self.whole(*id, entry, record, progress.as_deref(), parked)?;
            found.push((entry.seq, one));
        }
        Ok(found)
    }

    fn whole(
        &self,
        id: OnboardingId,
        entry: Entry,
        record: Record,
        progress: Option<&[u8]>,
        parked: &HashSet<AccountName>,
    ) -> Result<Onboarding> {
        let place = format!("{}, {id}", self.place());
        let is_parked = parked.contains(&record.account);
        let progress = progress
            .map(|packed| Progress::unpack(&place, packed))
            .transpose()?;
        let (state, journal, fault, epoch, updated_ms) = match &progress {
            None => (
                super::progress::state_of(0, is_parked),
                Journal::new(&record.plan),
                None,
                0,
                entry.created_ms,
            ),
            Some(progress) => (
                progress.state(is_parked),
                progress.journal(&place, &record.plan)?,
                progress.fault(&place)?,
                progress.epoch,
                progress.updated_ms,
            ),
        };
        Ok(Onboarding {
            id,
            key: record.key,
            account: record.account,
            partner: record.partner,
            number: record.number,
            direction: record.direction,
            state,
            signup: record.signup,
            recipe: record.recipe,
            plan: record.plan,
            journal,
            fault,
            epoch,
            created_at: lane::time(entry.created_ms),
            updated_at: lane::time(updated_ms),
        })
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
            let offset = usize::try_from(at % SEGMENT).unwrap_or(0) * ID;
            let id = segment.and_then(|segment| segment.get(offset..offset + ID));
            let id: Option<[u8; ID]> = id.and_then(|id| id.try_into().ok());
            if let Some(id) = id.filter(|id| *id != [0; ID]) {
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

    /// Ids of a sorted set, `ids` at most, from a score on.
    async fn scored(&self, key: &str, from: u64, ids: usize) -> Result<Vec<OnboardingId>> {
        let mut command = cmd("ZRANGEBYSCORE");
        command
            .arg(self.name(key))
            .arg(from)
            .arg("+inf")
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
    async fn running(&self) -> Result<Vec<OnboardingId>> {
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

    /// Every account's lane.
    async fn lanes(&self) -> Result<Vec<(LaneNumber, lane::Lane)>> {
        let mut all = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = cmd("HSCAN");
            command
                .arg(self.name("lane"))
                .arg(&cursor)
                .arg("COUNT")
                .arg(AT_ONCE);
            let mut answer = self.values(&command).await?.into_iter();
            let next = answer.next().and_then(bytes);
            let next = next.and_then(|next| String::from_utf8(next).ok());
            let Some(Value::Array(pairs)) = answer.next() else {
                return Ok(all);
            };
            let mut pairs = pairs.into_iter().filter_map(bytes);
            while let (Some(number), Some(packed)) = (pairs.next(), pairs.next()) {
                if let Ok(number) = LaneNumber::try_from(number) {
                    all.push((number, lane::Lane::unpack(&packed, self.place())?));
                }
            }
            match next {
                Some(next) if next != "0" => cursor = next,
                Some(_) | None => return Ok(all),
            }
        }
    }

    /// Few ids, gathered: those of the page.
    async fn page_of(&self, ids: Vec<OnboardingId>, page: &mut Paging<'_>) -> Result<()> {
        let mut found = self.read_all(&ids, page.parked).await?;
        found.sort_by_key(|(seq, _)| *seq);
        found.dedup_by_key(|(seq, _)| *seq);
        for (seq, one) in found {
            if seq >= page.position {
                page.offer(seq, one);
            }
        }
        page.ended = true;
        Ok(())
    }

    pub(super) async fn count(&self, field: &str) -> Result<u64> {
        let found = self.fields("count", &[field]).await?.pop().flatten();
        Ok(found.and_then(|digits| number(&digits)).unwrap_or(0))
    }

    /// The batches that are being laid down or entered.
    pub(super) async fn open_batches(&self) -> Result<Vec<super::laying::BatchId>> {
        let mut committed = cmd("LRANGE");
        committed.arg(self.name("committed")).arg(0).arg(AT_ONCE);
        let mut laid_down = cmd("ZRANGE");
        laid_down.arg(self.name("batches")).arg(0).arg(AT_ONCE);
        let mut batches = self.values(&committed).await?;
        batches.extend(self.values(&laid_down).await?);
        let batches = batches.into_iter().filter_map(bytes);
        Ok(batches.filter_map(|batch| batch.try_into().ok()).collect())
    }

    async fn fill(&self, filter: &Filter, page: &mut Paging<'_>) -> Result<()> {
        match filter.state {
            Some(State::Running) => {
                let ids = self.running().await?;
                return self.page_of(ids, page).await;
            }
            Some(state @ (State::Failed | State::Cancelled)) => {
                let key = state.as_str();
                while !page.is_full() {
                    let ids = self.scored(key, page.position, AT_ONCE).await?;
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
            Some(account) if from == 0 || page.order == Order::Lane => {
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
                let end = self.count("seq").await? + 1;
                self.walk("order", &[], from, end, page).await?;
                page.ended = page.position >= end;
            }
        }
        Ok(())
    }

    pub(super) async fn lane_of(
        &self,
        account: &AccountName,
    ) -> Result<Option<(LaneNumber, lane::Lane)>> {
        let found = self.fields("account", &[account.as_str()]).await?;
        let Some(number) = found.into_iter().next().flatten() else {
            return Ok(None);
        };
        let Ok(number) = LaneNumber::try_from(number) else {
            return Ok(None);
        };
        let lane = self.fields("lane", &[number]).await?.pop().flatten();
        let lane = lane.map(|lane| lane::Lane::unpack(&lane, self.place()));
        Ok(lane.transpose()?.map(|lane| (number, lane)))
    }

    /// Now, on the server's clock (ms).
    pub(super) async fn now(&self) -> Result<i64> {
        let time = self.values(&cmd("TIME")).await?;
        let parts: Vec<i64> = time
            .into_iter()
            .filter_map(bytes)
            .filter_map(|digits| std::str::from_utf8(&digits).ok()?.parse().ok())
            .collect();
        match parts[..] {
            [seconds, micros] => Ok(seconds * 1000 + micros / 1000),
            _ => Err(Error::Corrupt {
                place: self.place().to_owned(),
                message: "the server does not tell the time".to_owned(),
            }),
        }
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

fn id_of(value: Value) -> Option<OnboardingId> {
    let id: [u8; ID] = bytes(value)?.try_into().ok()?;
    Some(OnboardingId::from_bytes(id))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The order that a page goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Of all onboardings.
    All,
    /// Of one account's.
    Lane,
}

impl Order {
    /// Where a page ended, and in which order.
    fn of(cursor: &str) -> Option<(Self, u64)> {
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
struct Paging<'a> {
    filter: &'a Filter,
    parked: &'a HashSet<AccountName>,
    limit: usize,
    order: Order,
    /// Up to where the order was looked at.
    position: u64,
    items: Vec<(u64, Onboarding)>,
    looks: usize,
    /// Nothing comes behind what was looked at.
    ended: bool,
}

impl Paging<'_> {
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

    fn looked(&mut self, position: u64) {
        self.position = self.position.max(position);
    }
}

#[async_trait]
impl Inspect for RedisStore {
    async fn get(&self, id: OnboardingId) -> Result<Option<Onboarding>> {
        Ok(self.get_many(&[id]).await?.pop())
    }

    async fn get_many(&self, ids: &[OnboardingId]) -> Result<Vec<Onboarding>> {
        let parked = self.parked_accounts().await?;
        let found = self.read_all(ids, &parked).await?;
        Ok(found.into_iter().map(|(_, one)| one).collect())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        let (order, position) = match after {
            None => (Order::All, 0),
            Some(Cursor(text)) => Order::of(text).ok_or_else(|| Error::Unusable {
                place: self.place().to_owned(),
                message: format!("\"{}\" is not where a page ended", text.escape_debug()),
            })?,
        };
        let parked = self.parked_accounts().await?;
        let mut page = Paging {
            filter,
            parked: &parked,
            limit: limit.clamp(1, 1000),
            order,
            position,
            items: Vec::new(),
            looks: 0,
            ended: false,
        };
        self.fill(filter, &mut page).await?;
        Ok(page.into_page())
    }

    async fn tally(&self) -> Result<Tally> {
        let fields = self.fields("count", &["0", "1", "2", "3", "5"]).await?;
        let counts: Vec<u64> = fields
            .into_iter()
            .map(|count| count.and_then(|digits| number(&digits)).unwrap_or(0))
            .collect();
        let parked: Vec<LaneNumber> = self.parked().await?.into_keys().collect();
        let mut blocked = 0;
        for lane in self.fields("lane", &parked).await?.into_iter().flatten() {
            blocked += lane::Lane::unpack(&lane, self.place())?.waiting;
        }
        let [queued, running, succeeded, failed, cancelled] = counts[..] else {
            return Ok(Tally::default());
        };
        Ok(Tally(BTreeMap::from([
            (State::Queued, queued.saturating_sub(blocked)),
            (State::Running, running),
            (State::Succeeded, succeeded),
            (State::Failed, failed),
            (State::Blocked, blocked),
            (State::Cancelled, cancelled),
        ])))
    }

    async fn accounts(&self) -> Result<Vec<AccountStatus>> {
        let now = self.now().await?;
        let parked = self.parked().await?;
        let lanes = self.lanes().await?;
        let mut fields = Vec::new();
        for (number, lane) in &lanes {
            for segment in lane.segments() {
                let segment = u32::try_from(segment).unwrap_or(u32::MAX);
                fields.push([*number, segment.to_be_bytes()].concat());
            }
        }
        let mut outs = self.fields("out", &fields).await?.into_iter();
        let mut all = BTreeMap::new();
        for (number, lane) in lanes {
            let out: Vec<(u64, Vec<u8>)> = lane
                .segments()
                .zip(outs.by_ref())
                .filter_map(|(segment, counts)| Some((segment, counts?)))
                .collect();
            let status = lane.status(parked.get(&number), &out, now, self.place())?;
            all.insert(status.name.clone(), status);
        }
        Ok(all.into_values().collect())
    }

    async fn recipe(&self, digest: &str) -> Result<Option<String>> {
        let found = self.fields("recipes", &[digest]).await?.pop().flatten();
        Ok(found.and_then(|json| String::from_utf8(json).ok()))
    }

    async fn password(&self, id: OnboardingId) -> Result<Option<SipPassword>> {
        Ok(self.record_of(id).await?.and_then(|record| record.password))
    }
}

impl Paging<'_> {
    fn into_page(mut self) -> Page {
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
