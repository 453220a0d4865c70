//! Everything that exists on the simulated side, and the indexes that find it.
//!
//! A benchmark keeps 100,000 trunks here, so the records are small (numbers instead of text where
//! the text follows from them) and every look-up is by hash, whatever the number of trunks.

mod replay;

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{Id, PhoneNumber, Stamp, TrunkName, TrunkSid};
use crate::journal::record::Part;

#[derive(Debug)]
pub(crate) struct World {
    accounts: BTreeMap<Arc<str>, Account>,
    trunks: HashMap<TrunkSid, Box<Trunk>>,
    /// A number sits on one trunk only, whoever's it is.
    numbers: HashMap<PhoneNumber, TrunkSid>,
    counters: Counters,
    /// Makes the SIDs of one run differ from those of the run before, unless a journal joins them.
    salt: u64,
    /// What the call at hand has touched, for the journal. `None`: there is no journal.
    touched: Option<Vec<(TrunkSid, Part)>>,
    /// How often everything was forgotten.
    pub(crate) forgotten: u64,
    /// Second credentials of the same user name are taken, not refused as a duplicate.
    pub(crate) credentials_append: bool,
}

/// The last numbers that were given.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Counters {
    trunks: u32,
    phone_numbers: u32,
    whitelisted_ips: u32,
    credentials: u32,
    destinations: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    names: HashMap<TrunkName, TrunkSid>,
    /// The domain of the newest trunk, to share: it is the same for nearly all of an account.
    domain: Option<Arc<str>>,
    /// In the order of creation, by the trunk's sequence number.
    order: Vec<(u32, TrunkSid)>,
    /// Credentials whose trunk was deleted before them.
    pub(crate) orphans: Vec<(TrunkSid, Credential)>,
}

#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) sid: TrunkSid,
    sequence: u32,
    pub(crate) account: Arc<str>,
    pub(crate) name: TrunkName,
    pub(crate) domain: Arc<str>,
    pub(crate) dates: Dates,
    pub(crate) numbers: Vec<NumberMapping>,
    pub(crate) ips: Vec<WhitelistedIp>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) alias: Option<Alias>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Dates {
    #[serde(with = "crate::ids::stamp_as_seconds")]
    pub(crate) created: Stamp,
    #[serde(with = "crate::ids::stamp_as_seconds")]
    pub(crate) updated: Stamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Pstn,
    Flow,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NumberMapping {
    pub(crate) id: Id,
    pub(crate) number: PhoneNumber,
    pub(crate) mode: Option<Mode>,
    pub(crate) dates: Dates,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WhitelistedIp {
    pub(crate) id: Id,
    pub(crate) ip: Ipv4Addr,
    pub(crate) mask: u8,
    pub(crate) friendly_name: Option<Box<str>>,
    pub(crate) dates: Dates,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) id: Id,
    pub(crate) user_name: Box<str>,
    /// Kept in clear: it is what a test asks for, and never a real one.
    pub(crate) password: Box<str>,
    pub(crate) friendly_name: Option<Box<str>>,
    pub(crate) dates: Dates,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Destination {
    pub(crate) id: Id,
    /// With its `sip:` prefix.
    pub(crate) uri: Box<str>,
    pub(crate) priority: u32,
    pub(crate) weight: u32,
    pub(crate) dates: Dates,
}

/// The one setting that is documented: the caller id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) number: PhoneNumber,
    pub(crate) dates: Dates,
}

impl WhitelistedIp {
    /// Whether the entry's network holds the address.
    pub(crate) fn covers(&self, address: Ipv4Addr) -> bool {
        let bits = u32::MAX.checked_shl(32 - u32::from(self.mask)).unwrap_or(0);
        u32::from(self.ip) & bits == u32::from(address) & bits
    }
}

impl World {
    /// The passwords of an account, to be repeated.
    pub(crate) fn passwords(&self, account: &str) -> String {
        let trunks = self.accounts.get(account).map(|own| &own.order);
        let trunks = trunks.into_iter().flatten();
        let each = trunks.filter_map(|(_, sid)| self.trunks.get(sid));
        let passwords = each.flat_map(|trunk| &trunk.credentials);
        let passwords: Vec<&str> = passwords.map(|own| &*own.password).collect();
        passwords.join(" ")
    }

    pub(crate) fn new(salt: u64) -> Self {
        Self {
            accounts: BTreeMap::new(),
            trunks: HashMap::new(),
            numbers: HashMap::new(),
            // The first numbers are in the range of those that Exotel's reference shows.
            counters: Counters {
                trunks: 0,
                phone_numbers: 41_500,
                whitelisted_ips: 1_150,
                credentials: 900,
                destinations: 2_540,
            },
            salt,
            touched: None,
            forgotten: 0,
            credentials_append: false,
        }
    }

    /// Forgets every resource. The counters go on, so that no SID and no id comes twice.
    pub(crate) fn clear(&mut self) {
        self.accounts.clear();
        self.trunks = HashMap::new();
        self.numbers = HashMap::new();
        self.forgotten += 1;
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Arc<str>, &Account)> {
        self.accounts.iter()
    }

    pub(crate) fn trunk(&self, sid: TrunkSid) -> Option<&Trunk> {
        self.trunks.get(&sid).map(Box::as_ref)
    }

    pub(crate) fn trunk_mut(&mut self, sid: TrunkSid) -> Option<&mut Trunk> {
        self.trunks.get_mut(&sid).map(Box::as_mut)
    }

    pub(crate) fn trunk_named(&self, account: &str, name: TrunkName) -> Option<TrunkSid> {
        self.accounts.get(account)?.names.get(&name).copied()
    }

    pub(crate) fn trunk_of_number(&self, number: PhoneNumber) -> Option<&Trunk> {
        self.trunk(*self.numbers.get(&number)?)
    }

    /// An account's trunks, the newest first.
    pub(crate) fn trunks_of(&self, account: &str) -> impl ExactSizeIterator<Item = &Trunk> {
        let order = self
            .accounts
            .get(account)
            .map_or(&[][..], |account| &account.order);
        order.iter().rev().map(|(_, sid)| self.trunks[sid].as_ref())
    }

    /// The name must be free.
    pub(crate) fn add_trunk(
        &mut self,
        account: &str,
        name: TrunkName,
        domain: &str,
        now: Stamp,
    ) -> &Trunk {
        self.counters.trunks += 1;
        let sequence = self.counters.trunks;
        let sid = TrunkSid::new(u64::from(sequence), self.salt);
        self.touch(sid, Part::Trunk);
        let (created, updated) = (now, now);
        self.insert_trunk(
            account,
            sid,
            sequence,
            name,
            domain,
            Dates { created, updated },
        )
    }

    fn insert_trunk(
        &mut self,
        account: &str,
        sid: TrunkSid,
        sequence: u32,
        name: TrunkName,
        domain: &str,
        dates: Dates,
    ) -> &Trunk {
        let shared: Arc<str> = match self.accounts.get_key_value(account) {
            Some((shared, _)) => Arc::clone(shared),
            None => account.into(),
        };
        let owner = self.accounts.entry(Arc::clone(&shared)).or_default();
        owner.names.insert(name, sid);
        let domain = match owner.domain.take() {
            Some(last) if &*last == domain => last,
            _ => domain.into(),
        };
        owner.domain = Some(Arc::clone(&domain));
        owner.order.push((sequence, sid));
        let trunk = Trunk {
            sid,
            sequence,
            account: shared,
            name,
            domain,
            dates,
            numbers: Vec::new(),
            ips: Vec::new(),
            credentials: Vec::new(),
            destinations: Vec::new(),
            alias: None,
        };
        self.trunks.entry(sid).or_insert(Box::new(trunk))
    }

    /// The new name must be free.
    pub(crate) fn rename_trunk(&mut self, sid: TrunkSid, name: TrunkName) {
        let Some(trunk) = self.trunks.get_mut(&sid) else {
            return;
        };
        if let Some(owner) = self.accounts.get_mut(&trunk.account) {
            owner.names.remove(&trunk.name);
            owner.names.insert(name, sid);
        }
        trunk.name = name;
    }

    /// Removes a trunk with its numbers, addresses and destinations. Its credentials stay behind
    /// as orphans, since Exotel's reference does not list them among what goes with a trunk.
    pub(crate) fn remove_trunk(&mut self, sid: TrunkSid) -> Option<Box<Trunk>> {
        let mut trunk = self.trunks.remove(&sid)?;
        for mapping in &trunk.numbers {
            self.numbers.remove(&mapping.number);
        }
        if let Some(owner) = self.accounts.get_mut(&trunk.account) {
            owner.names.remove(&trunk.name);
            if let Ok(at) = owner
                .order
                .binary_search_by_key(&trunk.sequence, |(n, _)| *n)
            {
                owner.order.remove(at);
            }
            owner.orphans.extend(
                trunk
                    .credentials
                    .drain(..)
                    .map(|credential| (sid, credential)),
            );
        }
        Some(trunk)
    }

    /// The number must be free and the trunk there.
    pub(crate) fn map_number(&mut self, sid: TrunkSid, number: PhoneNumber) {
        self.numbers.insert(number, sid);
    }

    pub(crate) fn unmap_number(&mut self, number: PhoneNumber) {
        self.numbers.remove(&number);
    }

    pub(crate) fn next_number_id(&mut self) -> Id {
        next(&mut self.counters.phone_numbers)
    }

    pub(crate) fn next_ip_id(&mut self) -> Id {
        next(&mut self.counters.whitelisted_ips)
    }

    pub(crate) fn next_credential_id(&mut self) -> Id {
        next(&mut self.counters.credentials)
    }

    pub(crate) fn next_destination_id(&mut self) -> Id {
        next(&mut self.counters.destinations)
    }
}

fn next(counter: &mut u32) -> Id {
    *counter = counter.wrapping_add(1);
    Id(*counter)
}

/// Appends without room to spare: most trunks never get a second entry of a kind.
pub(crate) fn push<T>(list: &mut Vec<T>, entry: T) {
    if list.len() == list.capacity() && list.len() < 4 {
        list.reserve_exact(1);
    }
    list.push(entry);
}
