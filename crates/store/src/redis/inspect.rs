//! Reading. Nothing here is a script of the server's: who looks delays who works by single
//! commands of bounded size at most.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the protocol has many kinds of values; all that are not expected mean the same"
)]

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use onboarding::{AccountName, Journal, OnboardingId, PhoneNumber, SipPassword, State};
use redis::{Cmd, Value, cmd};

use super::{
    RedisStore,
    lane::{self, LaneNumber},
    listing::{Order, Paging},
    progress::Progress,
    record::{self, Entry, Record},
};
use crate::{
    AccountStatus, BatchNumber, BatchStatus, Cursor, Error, Filter, Inspect, NumberHolder,
    Onboarding, Page, Result, Stopped, Tally, WorkerStatus,
};

/// Where [`RedisStore::scan`] begins.
pub(super) const FIRST_PAGE: &str = "0";

/// Most values that one command reads.
pub(super) const AT_ONCE: usize = 256;

impl RedisStore {
    pub(super) async fn values(&self, command: &Cmd) -> Result<Vec<Value>> {
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

    /// Those of `ids` that are there, by id and key.
    pub(super) async fn holders(&self, ids: &[OnboardingId]) -> Result<Vec<Option<NumberHolder>>> {
        let keys: Vec<[u8; 16]> = ids.iter().map(|id| id.to_bytes()).collect();
        let records = self.fields("onboarding", &keys).await?;
        let holder = |(id, packed): (&OnboardingId, Option<Vec<u8>>)| {
            let Some(packed) = packed else {
                return Ok(None);
            };
            let record = record::unpack(*id, &packed, &self.key, self.place())?;
            let key = record.key;
            Ok(Some(NumberHolder { id: *id, key }))
        };
        ids.iter().zip(records).map(holder).collect()
    }

    /// The accounts that are parked, with why and since when.
    pub(super) async fn parked(&self) -> Result<HashMap<LaneNumber, Stopped>> {
        self.stopped("parked").await
    }

    /// The accounts that are `parked`, or of `outages`, with why and since when.
    pub(super) async fn stopped(&self, key: &str) -> Result<HashMap<LaneNumber, Stopped>> {
        let values = self.values(cmd("HGETALL").arg(self.name(key))).await?;
        lane::stopped(values.into_iter().map(bytes), self.place())
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
    pub(super) async fn read_all(
        &self,
        ids: &[OnboardingId],
        parked: &HashSet<AccountName>,
    ) -> Result<Vec<(u64, Onboarding)>> {
        let keys: Vec<[u8; 16]> = ids.iter().map(|id| id.to_bytes()).collect();
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
            // A Redis has one clock.
            time_ahead_ms: 0,
        })
    }

    /// Every account's lane.
    pub(super) async fn lanes(&self) -> Result<Vec<(LaneNumber, lane::Lane)>> {
        let mut all = Vec::new();
        let mut cursor = Some(FIRST_PAGE.to_owned());
        while let Some(at) = cursor {
            let (fields, next) = self.scan("lane", &at).await?;
            for (number, packed) in fields {
                if let Ok(number) = LaneNumber::try_from(number) {
                    all.push((number, lane::Lane::unpack(&packed, self.place())?));
                }
            }
            cursor = next;
        }
        Ok(all)
    }

    /// Some fields of a hash with their values, and where the next ones begin. A field that is there
    /// all the while is met at least once.
    pub(super) async fn scan(
        &self,
        key: &str,
        cursor: &str,
    ) -> Result<(Vec<(Vec<u8>, Vec<u8>)>, Option<String>)> {
        let mut command = cmd("HSCAN");
        command.arg(self.name(key)).arg(cursor);
        command.arg("COUNT").arg(AT_ONCE);
        let mut answer = self.values(&command).await?.into_iter();
        let next = answer.next().and_then(bytes);
        let next = next.and_then(|next| String::from_utf8(next).ok());
        let mut fields = Vec::new();
        if let Some(Value::Array(pairs)) = answer.next() {
            let mut pairs = pairs.into_iter().filter_map(bytes);
            while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
                fields.push((field, value));
            }
        }
        Ok((fields, next.filter(|next| next != FIRST_PAGE)))
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

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
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
        let mut page = Paging::new(filter, &parked, limit.clamp(1, 1000), order, position);
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

    async fn workers(&self) -> Result<Vec<WorkerStatus>> {
        self.heard_of().await
    }

    async fn late_checks_left(&self) -> Result<u64> {
        let mut command = cmd("ZCARD");
        command.arg(self.name("late"));
        match self.link.query(&command).await? {
            Value::Int(left) => Ok(u64::try_from(left).unwrap_or(0)),
            _ => Ok(0),
        }
    }

    async fn batches(&self, before: Option<BatchNumber>, limit: usize) -> Result<Vec<BatchStatus>> {
        self.batches_before(before, limit.clamp(1, 200)).await
    }

    async fn batch(&self, number: BatchNumber) -> Result<Option<BatchStatus>> {
        self.batch_of(number).await
    }

    async fn accounts(&self) -> Result<Vec<AccountStatus>> {
        self.account_statuses().await
    }

    async fn number_holders(&self, numbers: &[PhoneNumber]) -> Result<Vec<Option<NumberHolder>>> {
        let fields: Vec<[u8; 7]> = numbers.iter().map(record::number_field).collect();
        let found = self.fields("numbers", &fields).await?;
        let ids: Vec<Option<OnboardingId>> = found
            .into_iter()
            .map(|id| Some(OnboardingId::from_bytes(id?.try_into().ok()?)))
            .collect();
        let known: Vec<OnboardingId> = ids.iter().copied().flatten().collect();
        let mut holders = self.holders(&known).await?.into_iter();
        let holder = |id: Option<OnboardingId>| id.and_then(|_| holders.next().flatten());
        Ok(ids.into_iter().map(holder).collect())
    }

    async fn recipe(&self, digest: &str) -> Result<Option<String>> {
        let found = self.fields("recipes", &[digest]).await?.pop().flatten();
        Ok(found.and_then(|json| String::from_utf8(json).ok()))
    }

    async fn password(&self, id: OnboardingId) -> Result<Option<SipPassword>> {
        Ok(self.record_of(id).await?.and_then(|record| record.password))
    }
}
