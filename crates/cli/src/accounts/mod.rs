//! The Exotel accounts: what the accounts file says of each, and those that the sandbox makes up.

mod file;

use std::collections::{BTreeMap, BTreeSet};

use exotel::{Client, ClientConfig, Region};
use onboarding::{AccountName, Edge, PublicIpv4, Secret, Transport};
use records::{AccountBook, AccountFacts};
use store::Unusable;

use crate::{
    error::{Result, refuse_if_any},
    output::note,
    problem::Problem,
    secret_source::Placed,
    settings::{Settings, read_text},
    unreadable::cannot_be_read,
};

/// Where an account's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    /// One of Exotel's regions.
    Region(Region),
    /// Anything else: a proxy, a simulator. In the one form that all its spellings have.
    Url(String),
}

impl Base {
    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Region(region) => region.base_url(),
            Self::Url(url) => url,
        }
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its SID at Exotel.
    pub(crate) account_sid: String,
    /// Where its API is.
    pub(crate) base: Base,
    /// Where its key and token are kept; none where it is made up.
    pub(crate) secrets: Option<(Placed, Placed)>,
    /// Where the partner's side sends its SIP, if it is known.
    pub(crate) edge: Option<Edge>,
    /// Requests that no window of 60 s may exceed.
    pub(crate) requests_per_minute: u32,
    /// Connections open at once.
    pub(crate) connections: u32,
    /// Where Exotel's INVITEs come from, if it is known.
    pub(crate) signalling_ips: Vec<PublicIpv4>,
}

/// Exotel's API reference: 200 requests a minute, 50 connections.
const REQUESTS_PER_MINUTE: u32 = 200;
const CONNECTIONS: u32 = 50;

impl Account {
    /// An account that exists in the simulator only. Everything in it is made up.
    fn made_up(name: &AccountName) -> Self {
        Self {
            account_sid: made_up_sid(name),
            base: Base::Region(Region::In),
            secrets: None,
            edge: Some(Edge {
                host: "edge.sandbox.invalid".into(),
                port: 443,
                transport: Transport::Tls,
            }),
            requests_per_minute: REQUESTS_PER_MINUTE,
            connections: CONNECTIONS,
            signalling_ips: Vec::new(),
        }
    }

    /// The store's limits for it.
    pub(crate) fn limits(&self) -> store::Limits {
        store::Limits::per_minute(self.requests_per_minute, self.connections)
    }
}

/// A SID's alphabet has no point, and two names must not meet in one SID.
fn made_up_sid(name: &AccountName) -> String {
    let plain: String = name.as_str().replace('.', "_").chars().take(48).collect();
    if plain == name.as_str() {
        return plain;
    }
    // FNV-1a: short, the same on every machine, and nobody attacks the sandbox.
    let hash = name
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{plain}_{hash:012x}").chars().take(64).collect()
}

/// The accounts at hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    file: String,
    named: BTreeMap<AccountName, Account>,
    sandbox: bool,
}

impl Accounts {
    /// Reads the accounts file. With `sandbox` it may be missing, unless a person named it.
    ///
    /// # Errors
    /// Every problem of the file at once.
    pub(crate) fn load(settings: &Settings, sandbox: bool) -> Result<Self> {
        let path = &settings.accounts;
        let name = path.display().to_string();
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                if sandbox && missing && !settings.accounts_named {
                    return Ok(Self {
                        file: name,
                        named: BTreeMap::new(),
                        sandbox,
                    });
                }
                let otherwise =
                    "write one, name it with --accounts, or try --sandbox, which needs none";
                let message = format!(
                    "the accounts file {}",
                    cannot_be_read(path, &error, otherwise)
                );
                return refuse_if_any(vec![Problem::at(name, None, "", message)])
                    .map(|()| Self::default());
            }
        };
        let base = path
            .parent()
            .map(std::path::Path::to_path_buf)
            .unwrap_or_default();
        let (named, problems) = file::read(&name, &text, &base, sandbox);
        refuse_if_any(problems)?;
        Ok(Self {
            file: name,
            named,
            sandbox,
        })
    }

    /// As [`Accounts::load`] for a store of `world`; none where there is no file, for commands
    /// that only tell more with one.
    ///
    /// # Errors
    /// Every problem of the file at once.
    pub(crate) fn load_if_there(settings: &Settings, world: store::World) -> Result<Self> {
        if !settings.accounts_named && !settings.accounts.exists() {
            return Ok(Self {
                sandbox: world == store::World::Sandbox,
                ..Self::default()
            });
        }
        Self::load(settings, world == store::World::Sandbox)
    }

    /// The account called `name`: from the file, or made up.
    pub(crate) fn find(&self, name: &AccountName) -> Option<Account> {
        match self.named.get(name) {
            Some(account) => Some(account.clone()),
            None if self.sandbox => Some(Account::made_up(name)),
            None => None,
        }
    }

    /// What a signup of an account that is not there is told.
    pub(crate) fn unknown(&self, name: &AccountName) -> String {
        let known: Vec<&str> = self.named.keys().map(AccountName::as_str).collect();
        let there = if known.is_empty() {
            "it names none".to_owned()
        } else {
            format!("it names {}", known.join(", "))
        };
        format!(
            "there is no account \"{name}\" in {}; {there}. Correct the name, or add [accounts.{name}]",
            self.file
        )
    }

    /// The most that any of them may do.
    pub(crate) fn greatest_limits(&self) -> (u32, u32) {
        let each = self.named.values();
        each.fold((REQUESTS_PER_MINUTE, CONNECTIONS), |most, own| {
            (
                most.0.max(own.requests_per_minute),
                most.1.max(own.connections),
            )
        })
    }

    /// The names that the file has.
    pub(crate) fn names(&self) -> impl Iterator<Item = &AccountName> {
        self.named.keys()
    }

    /// The same without all but these.
    pub(crate) fn only(&self, names: &BTreeSet<AccountName>) -> Self {
        let known = names
            .iter()
            .filter_map(|name| self.named.get_key_value(name));
        Self {
            file: self.file.clone(),
            named: known
                .map(|(name, own)| (name.clone(), own.clone()))
                .collect(),
            sandbox: self.sandbox,
        }
    }

    /// Key and token of every account that the file names. In the sandbox none is read: the
    /// simulator takes any, and real ones have no business there. An account whose secrets cannot be
    /// read, or of which no client can be made, is unusable, and no other for it.
    pub(crate) fn unlock(&self, settings: &Settings) -> Unlocked {
        let mut unlocked = Unlocked::default();
        for (name, account) in &self.named {
            let opened = match &account.secrets {
                Some(secrets) if !self.sandbox => self.open(name, account, secrets, settings),
                _ => Ok(Keys::made_up()),
            };
            match opened {
                Ok(keys) => drop(unlocked.keys.insert(name.clone(), keys)),
                Err(problems) => drop(unlocked.unusable.insert(name.clone(), problems)),
            }
        }
        unlocked
    }

    fn open(
        &self,
        name: &AccountName,
        account: &Account,
        secrets: &(Placed, Placed),
        settings: &Settings,
    ) -> Result<Keys, Vec<Problem>> {
        let mut problems = Vec::new();
        let Some(keys) = self.keys(name, secrets, &mut problems) else {
            return Err(problems);
        };
        match Client::new(&client_config(account, &keys, None, settings)) {
            Ok(_) => Ok(keys),
            Err(error) => {
                let field = format!("accounts.{name}");
                Err(vec![Problem::at(
                    &self.file,
                    None,
                    field,
                    error.to_string(),
                )])
            }
        }
    }

    /// Which accounts a signup may name.
    pub(crate) fn for_signups(&self) -> producer::Accounts {
        if self.sandbox {
            producer::Accounts::Any
        } else {
            producer::Accounts::Known(self.named.keys().cloned().collect())
        }
    }

    fn keys(
        &self,
        name: &AccountName,
        (key, token): &(Placed, Placed),
        problems: &mut Vec<Problem>,
    ) -> Option<Keys> {
        let mut load = |placed: &Placed, field: &str| match placed.source.load() {
            Ok(secret) => Some(secret),
            Err(message) => {
                let field = format!("accounts.{name}.{field}");
                problems.push(Problem::at(&self.file, Some(placed.line), field, message));
                None
            }
        };
        let (api_key, api_token) = (load(key, "api_key"), load(token, "api_token"));
        Some(Keys {
            api_key: api_key?,
            api_token: api_token?,
        })
    }
}

impl AccountBook for Accounts {
    fn find(&self, name: &AccountName) -> Option<AccountFacts> {
        let account = Self::find(self, name)?;
        Some(AccountFacts {
            // One that is made up is at a simulator, wherever that is.
            base_url: account.secrets.map(|_| account.base.url().to_owned()),
            account_sid: account.account_sid,
            edge: account.edge,
            requests_per_minute: account.requests_per_minute,
            connections: account.connections,
            signalling_ips: account.signalling_ips,
        })
    }

    fn unknown(&self, name: &AccountName) -> String {
        Self::unknown(self, name)
    }

    fn names(&self) -> Vec<AccountName> {
        self.named.keys().cloned().collect()
    }
}

/// The accounts that can be used, and why the others cannot.
#[derive(Debug, Default)]
pub(crate) struct Unlocked {
    /// Key and token of those that can.
    pub(crate) keys: BTreeMap<AccountName, Keys>,
    unusable: BTreeMap<AccountName, Vec<Problem>>,
}

impl Unlocked {
    /// Refuses where none can be used: then there is nothing to begin with.
    ///
    /// # Errors
    /// Every problem of every account.
    pub(crate) fn refuse_if_none(self) -> Result<Self> {
        if self.keys.is_empty() {
            refuse_if_any(self.unusable.values().flatten().cloned().collect())?;
        }
        Ok(self)
    }

    /// Why an account cannot be used, if it cannot.
    pub(crate) fn why_unusable(&self, name: &AccountName) -> Option<String> {
        let problems = self.unusable.get(name)?;
        let each: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Some(each.join("; "))
    }

    /// Those that cannot be used, as a worker says it.
    pub(crate) fn unusable(&self) -> Vec<Unusable> {
        let each = self.unusable.keys();
        each.filter_map(|account| {
            Some(Unusable {
                account: account.clone(),
                reason: self.why_unusable(account)?,
            })
        })
        .collect()
    }

    /// Says which cannot be used, on stderr.
    pub(crate) fn tell(&self) {
        for own in self.unusable() {
            note(format_args!(
                "account {} cannot be used, the others can: {}",
                own.account, own.reason
            ));
        }
    }
}

/// Key and token of an account.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    api_key: Secret,
    api_token: Secret,
}

impl Keys {
    /// For the simulator, which takes any.
    pub(crate) fn made_up() -> Self {
        Self {
            api_key: Secret::new("sandbox-key"),
            api_token: Secret::new("sandbox-token"),
        }
    }
}

/// How an account's client is set up. `simulator` is the base URL that stands in for its own.
pub(crate) fn client_config(
    account: &Account,
    keys: &Keys,
    simulator: Option<&str>,
    settings: &Settings,
) -> ClientConfig {
    let mut config = ClientConfig::new(
        simulator.unwrap_or_else(|| account.base.url()),
        &account.account_sid,
        keys.api_key.clone(),
        keys.api_token.clone(),
    );
    // Of a command beside the worker, which may keep open as many as there are for its requests.
    config.max_idle_connections = 0;
    config.request_timeout = settings.request_timeout;
    config.connect_timeout = settings.connect_timeout;
    config.proxy = settings.proxy.clone();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_sids_are_words_and_differ_where_names_differ() {
        let long = format!("{}.x", "a".repeat(62));
        let names = ["acme", "a.b", "a_b", "a-b", long.as_str()];
        let sids: Vec<String> = names
            .iter()
            .map(|name| made_up_sid(&name.parse().unwrap()))
            .collect();
        for (at, sid) in sids.iter().enumerate() {
            assert!(sid.len() <= 64 && !sid.contains('.'), "{sid}");
            assert!(!sids[..at].contains(sid), "{sid}");
        }
    }
}
