//! All lanes, in the order in which they are to be served.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use onboarding::AccountName;

use super::{
    lane::{Asker, Denied, Lane},
    steady_clock::SteadyClock,
};
use crate::Permit;

/// The lanes of a store.
pub(super) struct Lanes {
    lanes: HashMap<i64, Lane>,
    by_account: HashMap<AccountName, i64>,
    /// When each can be served, then whose turn it is; a served lane goes behind the others that
    /// are ready at the same time.
    ready: BTreeSet<(i64, u64, i64)>,
    places: HashMap<i64, (i64, u64)>,
    unsaved: HashSet<i64>,
    turn: u64,
    serial: u64,
    pub(super) clock: Arc<SteadyClock>,
}

impl Lanes {
    pub(super) fn new(clock: Arc<SteadyClock>) -> Self {
        Self {
            lanes: HashMap::new(),
            by_account: HashMap::new(),
            ready: BTreeSet::new(),
            places: HashMap::new(),
            unsaved: HashSet::new(),
            turn: 0,
            // A process's serials start at random, so that those of another process do not match.
            serial: rand::random::<u64>() >> 1,
            clock,
        }
    }

    pub(super) fn insert(&mut self, lane: Lane) {
        let id = lane.id;
        self.by_account.insert(lane.account.clone(), id);
        self.lanes.insert(id, lane);
        self.touch(id);
    }

    pub(super) fn remove(&mut self, id: i64) {
        if let Some(lane) = self.lanes.remove(&id) {
            self.by_account.remove(&lane.account);
        }
        self.unsaved.remove(&id);
        self.touch(id);
    }

    pub(super) fn get(&self, id: i64) -> Option<&Lane> {
        self.lanes.get(&id)
    }

    pub(super) fn id_of(&self, account: &AccountName) -> Option<i64> {
        self.by_account.get(account).copied()
    }

    pub(super) fn ids(&self) -> Vec<i64> {
        self.lanes.keys().copied().collect()
    }

    /// Changes a lane and finds its new place in the order.
    pub(super) fn change<T>(&mut self, id: i64, f: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        let result = f(self.lanes.get_mut(&id)?);
        self.touch(id);
        Some(result)
    }

    fn touch(&mut self, id: i64) {
        if let Some((at, turn)) = self.places.remove(&id) {
            self.ready.remove(&(at, turn, id));
        }
        if let Some(at) = self.lanes.get(&id).and_then(Lane::ready_at) {
            // Never in the past: what was ready long ago does not go before what is ready now.
            let at = at.max(self.clock.now_ms());
            self.turn += 1;
            self.ready.insert((at, self.turn, id));
            self.places.insert(id, (at, self.turn));
        }
    }

    /// The lane whose turn it is, if one is ready.
    pub(super) fn next_ready(&self, now: i64) -> Option<i64> {
        self.ready
            .first()
            .filter(|(at, ..)| *at <= now)
            .map(|(.., id)| *id)
    }

    /// When the next lane is ready (ms).
    pub(super) fn next_at(&self) -> Option<i64> {
        self.ready.first().map(|(at, ..)| *at)
    }

    pub(super) fn take(
        &mut self,
        id: i64,
        timeout: Duration,
        asker: Asker,
    ) -> Option<Result<Permit, Denied>> {
        let now = self.clock.now_ms();
        self.serial += 1;
        let serial = self.serial;
        let taken = self.change(id, |lane| lane.take(now, timeout, serial, asker))?;
        if taken.is_ok() {
            self.unsaved.insert(id);
        }
        Some(taken)
    }

    /// A permit's request ended. Returns whether it was in flight until now.
    pub(super) fn settle(&mut self, permit: &Permit, answered: bool) -> bool {
        let now = self.clock.now_ms();
        let Some(id) = self.id_of(&permit.account) else {
            return false;
        };
        self.unsaved.insert(id);
        self.change(id, |lane| lane.settle(now, permit, answered))
            .unwrap_or(false)
    }

    /// The changes of permits that the file does not have yet: lane, time, change.
    pub(super) fn take_unsaved(&mut self) -> Vec<(i64, i64, i64)> {
        let ids = std::mem::take(&mut self.unsaved);
        let mut changes = Vec::new();
        for id in ids {
            if let Some(lane) = self.lanes.get_mut(&id) {
                let unsaved = lane.take_unsaved();
                changes.extend(unsaved.into_iter().map(|(at, change)| (id, at, change)));
            }
        }
        changes
    }
}
