//! The world as records of a journal: written after a change, and read at the start.

use std::borrow::Cow;

use super::{Trunk, World};
use crate::ids::{Id, TrunkName, TrunkSid};
use crate::journal::record::{Part, Record};

impl World {
    /// A world that notes what changes.
    pub(crate) fn journaled(salt: u64) -> Self {
        Self {
            touched: Some(Vec::new()),
            ..Self::new(salt)
        }
    }

    pub(crate) fn salt(&self) -> u64 {
        self.salt
    }

    /// Notes that a part was made, changed or removed, for the journal if there is one.
    pub(crate) fn touch(&mut self, sid: TrunkSid, part: Part) {
        if let Some(touched) = &mut self.touched {
            touched.push((sid, part));
        }
    }

    /// What became of all parts that were touched since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Record<'_>> {
        let touched = self.touched.as_mut().map(std::mem::take);
        let touched = touched.unwrap_or_default();
        let record = |(sid, part)| self.record(sid, part);
        touched.into_iter().map(record).collect()
    }

    fn record(&self, sid: TrunkSid, part: Part) -> Record<'_> {
        let there = self.trunk(sid).and_then(|trunk| match part {
            Part::Trunk => Some(trunk.record()),
            Part::Number(id) => find(&trunk.numbers, |e| e.id, id, Record::Number, sid),
            Part::Ip(id) => find(&trunk.ips, |e| e.id, id, Record::Ip, sid),
            Part::Credential(id) => find(&trunk.credentials, |e| e.id, id, Record::Credential, sid),
            Part::Destination(id) => {
                find(&trunk.destinations, |e| e.id, id, Record::Destination, sid)
            }
            Part::CallerId => Some(Record::CallerId(sid, trunk.alias?)),
        });
        there.unwrap_or(Record::Gone(sid, part))
    }

    /// Gives the whole world as records, one trunk at a time, in an order in which they can be
    /// applied.
    pub(crate) fn snapshot(&self, write: &mut dyn FnMut(&[Record<'_>])) {
        write(&[Record::Counters(self.counters)]);
        for (name, account) in &self.accounts {
            for trunk in account.order.iter().filter_map(|(_, sid)| self.trunk(*sid)) {
                write(&trunk.records());
            }
            for (sid, orphan) in &account.orphans {
                write(&[Record::Orphan(
                    (&**name).into(),
                    *sid,
                    Cow::Borrowed(orphan),
                )]);
            }
        }
    }

    /// Makes a record come true again. Applying one twice is the same as once.
    pub(crate) fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        let mut counters = self.counters;
        match record {
            Record::Start { salt, .. } => self.salt = salt,
            Record::Arrival { .. } => {}
            Record::Counters(given) => counters = given,
            record @ Record::Trunk { sequence, .. } => {
                self.apply_trunk(record)?;
                counters.trunks = counters.trunks.max(sequence);
            }
            Record::Number(sid, entry) => {
                raise(&mut counters.phone_numbers, entry.id);
                self.map_number(sid, entry.number);
                put(&mut self.there(sid)?.numbers, entry, |e| e.id);
            }
            Record::Ip(sid, entry) => {
                raise(&mut counters.whitelisted_ips, entry.id);
                put(&mut self.there(sid)?.ips, entry, |e| e.id);
            }
            Record::Credential(sid, entry) => {
                raise(&mut counters.credentials, entry.id);
                put(&mut self.there(sid)?.credentials, entry, |e| e.id);
            }
            Record::Destination(sid, entry) => {
                raise(&mut counters.destinations, entry.id);
                put(&mut self.there(sid)?.destinations, entry, |e| e.id);
            }
            Record::CallerId(sid, alias) => self.there(sid)?.alias = Some(alias),
            Record::Orphan(account, sid, entry) => {
                raise(&mut counters.credentials, entry.id);
                let account = self.accounts.entry((&*account).into()).or_default();
                account.orphans.push((sid, entry.into_owned()));
            }
            Record::Gone(sid, part) => self.remove(sid, part)?,
        }
        self.counters = counters;
        Ok(())
    }

    /// Takes a record of a trunk.
    fn apply_trunk(&mut self, record: Record<'_>) -> Result<(), String> {
        let Record::Trunk {
            account,
            sid,
            sequence,
            name,
            domain,
            dates,
        } = record
        else {
            return Ok(());
        };
        let name = TrunkName::new(&name).ok_or("the trunk's name is too long")?;
        if self.trunk(sid).is_some() {
            self.rename_trunk(sid, name);
            self.there(sid)?.dates = dates;
            return Ok(());
        }
        let last = self.accounts.get(&*account).and_then(|a| a.order.last());
        if last.is_some_and(|(last, _)| *last >= sequence) {
            return Err("the trunk's sequence number is not above the last one's".into());
        }
        self.insert_trunk(&account, sid, sequence, name, &domain, dates);
        Ok(())
    }

    fn remove(&mut self, sid: TrunkSid, part: Part) -> Result<(), String> {
        if part == Part::Trunk {
            self.remove_trunk(sid);
            return Ok(());
        }
        let trunk = self.there(sid)?;
        match part {
            Part::Trunk => {}
            Part::Number(id) => {
                let gone = trunk.numbers.iter().position(|entry| entry.id == id);
                if let Some(mapping) = gone.map(|at| trunk.numbers.remove(at)) {
                    self.unmap_number(mapping.number);
                }
            }
            Part::Ip(id) => trunk.ips.retain(|entry| entry.id != id),
            Part::Credential(id) => trunk.credentials.retain(|entry| entry.id != id),
            Part::Destination(id) => trunk.destinations.retain(|entry| entry.id != id),
            Part::CallerId => trunk.alias = None,
        }
        Ok(())
    }

    fn there(&mut self, sid: TrunkSid) -> Result<&mut Trunk, String> {
        self.trunk_mut(sid)
            .ok_or_else(|| format!("there is no trunk {sid}"))
    }
}

impl Trunk {
    fn record(&self) -> Record<'_> {
        Record::Trunk {
            account: (&*self.account).into(),
            sid: self.sid,
            sequence: self.sequence,
            name: self.name.as_str().into(),
            domain: (&*self.domain).into(),
            dates: self.dates,
        }
    }

    /// The trunk and all that is on it.
    fn records(&self) -> Vec<Record<'_>> {
        let sid = self.sid;
        let mut records = vec![self.record()];
        let numbers = self.numbers.iter().map(Cow::Borrowed);
        records.extend(numbers.map(|entry| Record::Number(sid, entry)));
        let ips = self.ips.iter().map(Cow::Borrowed);
        records.extend(ips.map(|entry| Record::Ip(sid, entry)));
        let credentials = self.credentials.iter().map(Cow::Borrowed);
        records.extend(credentials.map(|entry| Record::Credential(sid, entry)));
        let destinations = self.destinations.iter().map(Cow::Borrowed);
        records.extend(destinations.map(|entry| Record::Destination(sid, entry)));
        records.extend(self.alias.map(|alias| Record::CallerId(sid, alias)));
        records
    }
}

/// The record of one entry. From the newest on: what was just touched is nearly always the last.
fn find<'a, T: Clone>(
    list: &'a [T],
    of: impl Fn(&T) -> Id,
    id: Id,
    record: impl Fn(TrunkSid, Cow<'a, T>) -> Record<'a>,
    sid: TrunkSid,
) -> Option<Record<'a>> {
    let entry = list.iter().rev().find(|entry| of(entry) == id)?;
    Some(record(sid, Cow::Borrowed(entry)))
}

/// Replaces the entry of the same id, or appends a new one.
fn put<T: Clone>(list: &mut Vec<T>, new: Cow<'_, T>, of: impl Fn(&T) -> Id) {
    match list.iter_mut().rev().find(|entry| of(entry) == of(&new)) {
        Some(old) => *old = new.into_owned(),
        None => super::push(list, new.into_owned()),
    }
}

fn raise(counter: &mut u32, id: Id) {
    *counter = (*counter).max(id.0);
}
