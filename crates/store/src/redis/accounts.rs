//! Looking at accounts: their lanes, their permits, and the heads of their lines.

use std::collections::{BTreeMap, HashMap};

use redis::cmd;

use super::{
    RedisStore,
    inspect::{AT_ONCE, bytes},
    lane::{Lane, LaneNumber, Seen},
    listing::{ID, SEGMENT, id_in},
    record::Entry,
};
use crate::{AccountStatus, Result};

/// Most of a line's onboardings that are looked at for its first one. Those that were cancelled
/// before they began are passed over; a claim forgets them.
const LOOKS: u64 = 5_000;

type Lanes = [(LaneNumber, Lane)];

impl RedisStore {
    pub(super) async fn account_statuses(&self) -> Result<Vec<AccountStatus>> {
        let now_ms = self.now().await?;
        let mut stopped = self.parked().await?;
        stopped.extend(self.stopped("outages").await?);
        let lanes = self.lanes().await?;
        let mut outs = self.permits_of(&lanes).await?.into_iter();
        let mut times_out = self.time_outs(&lanes).await?;
        let mut oldest = self.heads(&lanes).await?;
        let mut all = BTreeMap::new();
        for (number, lane) in &lanes {
            let seen = Seen {
                stopped: stopped.get(number),
                out: outs.next().unwrap_or_default(),
                times_out_ms: times_out.remove(number),
                oldest_ms: oldest.remove(number),
                now_ms,
            };
            let status = lane.status(&seen, self.place())?;
            all.insert(status.name.clone(), status);
        }
        Ok(all.into_values().collect())
    }

    /// The permits that are out of each lane, by segment.
    async fn permits_of(&self, lanes: &Lanes) -> Result<Vec<Vec<(u64, Vec<u8>)>>> {
        let mut fields = Vec::new();
        for (number, lane) in lanes {
            for segment in lane.segments() {
                let segment = u32::try_from(segment).unwrap_or(u32::MAX);
                fields.push([*number, segment.to_be_bytes()].concat());
            }
        }
        let mut outs = self.fields("out", &fields).await?.into_iter();
        let of_lane = |(_, lane): &(LaneNumber, Lane)| {
            lane.segments()
                .zip(outs.by_ref())
                .filter_map(|(segment, counts)| Some((segment, counts?)))
                .collect()
        };
        Ok(lanes.iter().map(of_lane).collect())
    }

    /// The first member of each of these lanes in a sorted set of them, without the lane's number.
    async fn firsts(
        &self,
        key: &str,
        lanes: Vec<LaneNumber>,
    ) -> Result<Vec<(LaneNumber, Vec<u8>)>> {
        let mut found = Vec::new();
        for some in lanes.chunks(AT_ONCE) {
            let first = |number: &LaneNumber| {
                let mut command = cmd("ZRANGEBYLEX");
                command
                    .arg(self.name(key))
                    .arg([b"[", &number[..]].concat());
                command.arg("+").arg("LIMIT").arg(0).arg(1);
                command
            };
            let commands: Vec<_> = some.iter().map(first).collect();
            let answers = self.link.query_together(&commands).await?;
            for (number, answer) in some.iter().zip(answers) {
                let redis::Value::Array(mut members) = answer else {
                    continue;
                };
                let member = members.pop().and_then(bytes).unwrap_or_default();
                if let Some(rest) = member.strip_prefix(number) {
                    found.push((*number, rest.to_vec()));
                }
            }
        }
        Ok(found)
    }

    /// Of the lanes with as many requests in flight as may be, when the permit of the first comes
    /// back if it is never answered.
    async fn time_outs(&self, lanes: &Lanes) -> Result<HashMap<LaneNumber, i64>> {
        let full = lanes.iter().filter(|(_, lane)| lane.is_full());
        let full = full.map(|(number, _)| *number).collect();
        let first = self.firsts("flying", full).await?;
        Ok(first
            .into_iter()
            .filter_map(|(number, member)| {
                let time = member.get(..6)?;
                let time = time.iter().fold(0, |n, digit| n << 8 | i64::from(*digit));
                Some((number, time))
            })
            .collect())
    }

    /// When the first in the line of each lane was accepted. What was begun lies apart from what
    /// was not, so that a line has two heads.
    async fn heads(&self, lanes: &Lanes) -> Result<HashMap<LaneNumber, i64>> {
        let due = lanes.iter().filter(|(_, lane)| lane.due > 0);
        let due = due.map(|(number, _)| *number).collect();
        let mut heads = Vec::new();
        for (number, member) in self.firsts("queue", due).await? {
            let id = member.get(6..).and_then(|id| id.try_into().ok());
            heads.extend(id.map(|id| (number, id)));
        }
        heads.extend(self.not_begun(lanes).await?);
        let ids: Vec<[u8; 16]> = heads.iter().map(|(_, id)| *id).collect();
        let entries = self.fields("entry", &ids).await?;
        let mut oldest = HashMap::new();
        for ((number, _), entry) in heads.into_iter().zip(entries) {
            if let Some(entry) = entry.and_then(|entry| Entry::unpack(&entry)) {
                let first = oldest.entry(number).or_insert(entry.created_ms);
                *first = entry.created_ms.min(*first);
            }
        }
        Ok(oldest)
    }

    /// The first of each lane's order that was not begun and waits.
    async fn not_begun(&self, lanes: &Lanes) -> Result<Vec<(LaneNumber, [u8; ID])>> {
        let waits = |(_, lane): &&(LaneNumber, Lane)| lane.waiting > 0 && lane.looked < lane.taken;
        let mut lines: Vec<Line> = lanes.iter().filter(waits).map(Line::of).collect();
        let mut found = Vec::new();
        // Mostly the first one is it; where it is not, more are looked at.
        let mut width = 1;
        while !lines.is_empty() {
            let fields: Vec<Vec<u8>> = lines.iter().map(Line::segment).collect();
            let segments = self.fields("lane_order", &fields).await?;
            let mut candidates = Vec::new();
            for (line, segment) in lines.iter_mut().zip(segments) {
                candidates.push(line.next(&segment.unwrap_or_default(), width));
            }
            let progress = self.fields("progress", &candidates.concat()).await?;
            let mut begun = progress.into_iter().map(|progress| progress.is_some());
            let mut left = Vec::new();
            for (line, ids) in lines.into_iter().zip(candidates) {
                let begun: Vec<bool> = begun.by_ref().take(ids.len()).collect();
                match ids.into_iter().zip(begun).find(|(_, begun)| !begun) {
                    Some((first, _)) => found.push((line.lane, first)),
                    None if line.nth < line.end => left.push(line),
                    None => {}
                }
            }
            lines = left;
            width = usize::MAX;
        }
        Ok(found)
    }
}

/// A lane's order of acceptance on its way to the first that waits.
struct Line {
    lane: LaneNumber,
    /// The next to be looked at.
    nth: u64,
    end: u64,
}

impl Line {
    fn of((lane, state): &(LaneNumber, Lane)) -> Self {
        Self {
            lane: *lane,
            nth: state.looked,
            end: state.taken.min(state.looked.saturating_add(LOOKS)),
        }
    }

    /// The field of the segment that has the next one.
    fn segment(&self) -> Vec<u8> {
        let number = u32::try_from(self.nth / SEGMENT).unwrap_or(u32::MAX);
        [self.lane, number.to_be_bytes()].concat()
    }

    /// The next ids of its segment, `width` at most.
    fn next(&mut self, segment: &[u8], width: usize) -> Vec<[u8; ID]> {
        let mut ids = Vec::new();
        let end = self.end.min((self.nth / SEGMENT + 1) * SEGMENT);
        while self.nth < end && ids.len() < width {
            ids.extend(id_in(segment, self.nth));
            self.nth += 1;
        }
        ids
    }
}
