//! Resources as they are printed: in the API's shapes, and in the shape of the state control.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::ids::{Id, PhoneNumber, Stamp, TrunkSid};
use crate::route::Leaf;
use crate::world::{
    Alias, Credential, Destination, Mode, NumberMapping, Trunk, WhitelistedIp, World,
};

/// The name of the only setting.
pub(super) const ALIAS: &str = "trunk_external_alias";

#[derive(Serialize)]
pub(super) struct TrunkView<'a> {
    trunk_name: &'a str,
    date_created: Stamp,
    date_updated: Stamp,
    trunk_sid: TrunkSid,
    status: &'static str,
    domain_name: &'a str,
    auth_type: &'static str,
    registration_enabled: &'static str,
    edge_preference: &'static str,
    nso_code: &'static str,
    secure_trunking: &'static str,
    destination_uris: SubPath<'a>,
    whitelisted_ips: SubPath<'a>,
    credentials: SubPath<'a>,
    phone_numbers: SubPath<'a>,
}

struct SubPath<'a>(&'a Trunk, Leaf);

impl fmt::Display for SubPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Trunk { account, sid, .. }, leaf) = self;
        write!(f, "/v2/accounts/{account}/trunks/{sid}/{}", leaf.name())
    }
}

impl Serialize for SubPath<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'a> TrunkView<'a> {
    pub(super) fn new(trunk: &'a Trunk) -> Self {
        Self {
            trunk_name: trunk.name.as_str(),
            date_created: trunk.dates.created,
            date_updated: trunk.dates.updated,
            trunk_sid: trunk.sid,
            status: "active",
            domain_name: &trunk.domain,
            auth_type: "IP-WHITELIST",
            registration_enabled: "disabled",
            edge_preference: "auto",
            nso_code: "ANY-ANY",
            secure_trunking: "disabled",
            destination_uris: SubPath(trunk, Leaf::DestinationUris),
            whitelisted_ips: SubPath(trunk, Leaf::WhitelistedIps),
            credentials: SubPath(trunk, Leaf::Credentials),
            phone_numbers: SubPath(trunk, Leaf::PhoneNumbers),
        }
    }
}

#[derive(Serialize)]
pub(super) struct NumberView {
    id: Id,
    phone_number: PhoneNumber,
    trunk_sid: TrunkSid,
    date_created: Stamp,
    date_updated: Stamp,
    mode: Option<&'static str>,
}

pub(super) fn mode_name(mode: Option<Mode>) -> Option<&'static str> {
    mode.map(|mode| match mode {
        Mode::Pstn => "pstn",
        Mode::Flow => "flow",
    })
}

impl NumberView {
    pub(super) fn new(trunk_sid: TrunkSid, mapping: &NumberMapping) -> Self {
        Self {
            id: mapping.id,
            phone_number: mapping.number,
            trunk_sid,
            date_created: mapping.dates.created,
            date_updated: mapping.dates.updated,
            mode: mode_name(mapping.mode),
        }
    }
}

#[derive(Serialize)]
pub(super) struct IpView<'a> {
    id: Id,
    mask: u8,
    trunk_sid: TrunkSid,
    ip: std::net::Ipv4Addr,
    friendly_name: Option<&'a str>,
    date_created: Stamp,
    date_updated: Stamp,
}

impl<'a> IpView<'a> {
    pub(super) fn new(trunk_sid: TrunkSid, entry: &'a WhitelistedIp) -> Self {
        Self {
            id: entry.id,
            mask: entry.mask,
            trunk_sid,
            ip: entry.ip,
            friendly_name: entry.friendly_name.as_deref(),
            date_created: entry.dates.created,
            date_updated: entry.dates.updated,
        }
    }
}

#[derive(Serialize)]
pub(super) struct CredentialView<'a> {
    id: Id,
    trunk_sid: TrunkSid,
    user_name: &'a str,
    /// Only the state control shows it, never the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    friendly_name: Option<&'a str>,
    date_created: Stamp,
    date_updated: Stamp,
}

impl<'a> CredentialView<'a> {
    pub(super) fn new(trunk_sid: TrunkSid, entry: &'a Credential) -> Self {
        Self {
            id: entry.id,
            trunk_sid,
            user_name: &entry.user_name,
            password: None,
            friendly_name: entry.friendly_name.as_deref(),
            date_created: entry.dates.created,
            date_updated: entry.dates.updated,
        }
    }

    fn with_password(trunk_sid: TrunkSid, entry: &'a Credential) -> Self {
        Self {
            password: Some(&entry.password),
            ..Self::new(trunk_sid, entry)
        }
    }
}

#[derive(Serialize)]
pub(super) struct DestinationView<'a> {
    id: Id,
    destination: std::borrow::Cow<'a, str>,
    date_created: Stamp,
    date_updated: Stamp,
    #[serde(rename = "type")]
    kind: &'static str,
    priority: u32,
    weight: u32,
    trunk_sid: TrunkSid,
}

impl<'a> DestinationView<'a> {
    pub(super) fn new(trunk_sid: TrunkSid, entry: &'a Destination) -> Self {
        Self {
            id: entry.id,
            destination: (&*entry.uri).into(),
            date_created: entry.dates.created,
            date_updated: entry.dates.updated,
            kind: "public",
            priority: entry.priority,
            weight: entry.weight,
            trunk_sid,
        }
    }

    /// For a batch, where the world changes again before the view is printed.
    pub(super) fn owned(trunk_sid: TrunkSid, entry: &Destination) -> DestinationView<'static> {
        let view = DestinationView::new(trunk_sid, entry);
        DestinationView {
            destination: entry.uri.to_string().into(),
            ..view
        }
    }
}

#[derive(Serialize)]
pub(super) struct SettingView {
    name: &'static str,
    value: PhoneNumber,
    trunk_sid: TrunkSid,
    date_created: Stamp,
    date_updated: Stamp,
}

impl SettingView {
    pub(super) fn new(trunk_sid: TrunkSid, alias: &Alias) -> Self {
        Self {
            name: ALIAS,
            value: alias.number,
            trunk_sid,
            date_created: alias.dates.created,
            date_updated: alias.dates.updated,
        }
    }
}

#[derive(Serialize)]
struct TrunkState<'a> {
    #[serde(flatten)]
    trunk: TrunkOnly<'a>,
    numbers: Vec<NumberView>,
    whitelisted_ips: Vec<IpView<'a>>,
    credentials: Vec<CredentialView<'a>>,
    destinations: Vec<DestinationView<'a>>,
    settings: Vec<SettingView>,
}

#[derive(Serialize)]
struct TrunkOnly<'a> {
    trunk_sid: TrunkSid,
    trunk_name: &'a str,
    domain_name: &'a str,
    status: &'static str,
    date_created: Stamp,
    date_updated: Stamp,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Counts {
    trunks: usize,
    numbers: usize,
    whitelisted_ips: usize,
    credentials: usize,
    destinations: usize,
    settings: usize,
    orphaned_credentials: usize,
}

#[derive(Serialize)]
struct AccountState<'a> {
    counts: Counts,
    trunks: Vec<TrunkState<'a>>,
    orphaned_credentials: Vec<CredentialView<'a>>,
}

#[derive(Serialize)]
pub(crate) struct State<'a> {
    counts: Counts,
    accounts: BTreeMap<&'a str, AccountState<'a>>,
}

/// Everything that exists, trunks in the order of their creation. `only` names one account.
pub(crate) fn state<'a>(world: &'a World, only: Option<&str>) -> State<'a> {
    let mut counts = Counts::default();
    let mut accounts = BTreeMap::new();
    for (name, account) in world
        .accounts()
        .filter(|(name, _)| only.is_none_or(|o| o == &***name))
    {
        let mut trunks: Vec<_> = world.trunks_of(name).map(trunk_state).collect();
        trunks.reverse();
        let orphaned_credentials: Vec<_> = account
            .orphans
            .iter()
            .map(|(sid, entry)| CredentialView::with_password(*sid, entry))
            .collect();
        let own = count(&trunks, orphaned_credentials.len());
        counts = add(counts, own);
        accounts.insert(
            &**name,
            AccountState {
                counts: own,
                trunks,
                orphaned_credentials,
            },
        );
    }
    State { counts, accounts }
}

fn trunk_state(trunk: &Trunk) -> TrunkState<'_> {
    let sid = trunk.sid;
    let only = TrunkOnly {
        trunk_sid: sid,
        trunk_name: trunk.name.as_str(),
        domain_name: &trunk.domain,
        status: "active",
        date_created: trunk.dates.created,
        date_updated: trunk.dates.updated,
    };
    TrunkState {
        trunk: only,
        numbers: trunk
            .numbers
            .iter()
            .map(|e| NumberView::new(sid, e))
            .collect(),
        whitelisted_ips: trunk.ips.iter().map(|e| IpView::new(sid, e)).collect(),
        credentials: trunk
            .credentials
            .iter()
            .map(|e| CredentialView::with_password(sid, e))
            .collect(),
        destinations: trunk
            .destinations
            .iter()
            .map(|e| DestinationView::new(sid, e))
            .collect(),
        settings: trunk
            .alias
            .iter()
            .map(|e| SettingView::new(sid, e))
            .collect(),
    }
}

fn count(trunks: &[TrunkState<'_>], orphaned_credentials: usize) -> Counts {
    Counts {
        trunks: trunks.len(),
        numbers: trunks.iter().map(|t| t.numbers.len()).sum(),
        whitelisted_ips: trunks.iter().map(|t| t.whitelisted_ips.len()).sum(),
        credentials: trunks.iter().map(|t| t.credentials.len()).sum(),
        destinations: trunks.iter().map(|t| t.destinations.len()).sum(),
        settings: trunks.iter().map(|t| t.settings.len()).sum(),
        orphaned_credentials,
    }
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        trunks: a.trunks + b.trunks,
        numbers: a.numbers + b.numbers,
        whitelisted_ips: a.whitelisted_ips + b.whitelisted_ips,
        credentials: a.credentials + b.credentials,
        destinations: a.destinations + b.destinations,
        settings: a.settings + b.settings,
        orphaned_credentials: a.orphaned_credentials + b.orphaned_credentials,
    }
}
