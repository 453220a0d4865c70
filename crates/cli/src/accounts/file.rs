//! The accounts file, with every problem in it.

use std::{collections::BTreeMap, ops::Range, path::Path};

use exotel::Region;
use onboarding::{AccountName, Edge, PublicIpv4, Transport};
use toml::de::DeTable;

use super::{Account, Base, CONNECTIONS, REQUESTS_PER_MINUTE};
use crate::{
    problem::Problem,
    secret_source::{FORM, Placed},
    toml_file::{TomlFile, Value, join, kind},
};

const KEYS: [&str; 8] = [
    "account_sid",
    "region",
    "base_url",
    "api_key",
    "api_token",
    "edge",
    "limits",
    "signalling_ips",
];

/// Most addresses of Exotel's signalling per account; more is a mistake in the file.
const SIGNALLING_IPS_MAX: usize = 64;

/// The accounts in `text`, and everything that is wrong with it. That it names none is wrong unless
/// it `may_be_empty`.
pub(super) fn read(
    name: &str,
    text: &str,
    base: &Path,
    may_be_empty: bool,
) -> (BTreeMap<AccountName, Account>, Vec<Problem>) {
    let mut reader = Reader {
        file: TomlFile::new(name, text),
        base,
        may_be_empty,
    };
    let parsed = reader.file.parse();
    let accounts = reader.accounts(parsed.get_ref(), parsed.span());
    let mut problems = reader.file.problems;
    problems.sort_by_key(|problem| problem.line);
    (accounts, problems)
}

struct Reader<'t> {
    file: TomlFile<'t>,
    base: &'t Path,
    may_be_empty: bool,
}

impl<'t> Reader<'t> {
    fn accounts(
        &mut self,
        top: &DeTable<'t>,
        whole: Range<usize>,
    ) -> BTreeMap<AccountName, Account> {
        self.file.refuse_unknown(top, "", &["accounts"]);
        let mut accounts = BTreeMap::new();
        let tables = top.get("accounts");
        let named = tables.and_then(|value| value.get_ref().as_table());
        let Some(named) = named.filter(|named| !named.is_empty()) else {
            let empty = self.may_be_empty && (tables.is_none() || named.is_some());
            if self.file.problems.is_empty() && !empty {
                let at = tables.map_or(whole, Value::span);
                self.file.problem(
                    at,
                    "accounts",
                    "the file names no account; write a table [accounts.NAME] for each",
                );
            }
            return accounts;
        };
        let mut heads = Vec::new();
        for (key, value) in named {
            let field = join("accounts", key.get_ref());
            let name = match key.get_ref().parse::<AccountName>() {
                Ok(name) => Some(name),
                Err(error) => {
                    self.file.problem(key.span(), &field, error.to_string());
                    None
                }
            };
            let Some(table) = value.get_ref().as_table() else {
                let message = format!(
                    "an account is a table, this is {}; write [{field}] and its keys below",
                    kind(value.get_ref())
                );
                self.file.problem(value.span(), &field, message);
                continue;
            };
            let account = self.account(table, &field, key.span());
            if let (Some(name), Some(account)) = (name, account) {
                heads.push((key.span(), name.clone()));
                accounts.insert(name, account);
            }
        }
        heads.sort_by_key(|(head, _)| head.start);
        self.refuse_twins(&heads, &accounts);
        accounts
    }

    /// Exotel's limits are those of the account, and here they are counted per name: two names of
    /// one account would send twice what it allows.
    fn refuse_twins(
        &mut self,
        heads: &[(Range<usize>, AccountName)],
        accounts: &BTreeMap<AccountName, Account>,
    ) {
        let mut seen: BTreeMap<(&str, &str), &(Range<usize>, AccountName)> = BTreeMap::new();
        for own in heads {
            let (head, name) = own;
            let Some(account) = accounts.get(name) else {
                continue;
            };
            let exotels = (account.account_sid.as_str(), account.base.url());
            let Some((other_head, other)) = seen.insert(exotels, own) else {
                continue;
            };
            let message = format!(
                "this is the account that [accounts.{other}] on line {} is too, with the same SID at the same API; one account, one name: its limits are counted per name. Remove one of \"{other}\" and \"{name}\"",
                self.file.line(other_head)
            );
            let field = join("accounts", name.as_str());
            self.file.problem(head.clone(), &field, message);
        }
    }

    fn account(&mut self, table: &DeTable<'t>, field: &str, head: Range<usize>) -> Option<Account> {
        self.file.refuse_unknown(table, field, &KEYS);
        let account_sid = self.account_sid(table, field, &head);
        let base = self.api_base(table, field, &head);
        let api_key = self.secret(table, field, "api_key", &head);
        let api_token = self.secret(table, field, "api_token", &head);
        let edge = self.edge(table, field);
        let (requests_per_minute, connections) = self.limits(table, field);
        let signalling_ips = self.signalling_ips(table, field);
        Some(Account {
            account_sid: account_sid?,
            base: base?,
            secrets: Some((api_key?, api_token?)),
            edge,
            requests_per_minute,
            connections,
            signalling_ips,
        })
    }

    fn account_sid(
        &mut self,
        table: &DeTable<'t>,
        field: &str,
        head: &Range<usize>,
    ) -> Option<String> {
        const REMEDY: &str = "write the SID that Exotel's dashboard shows under API settings: 1 to 64 letters, digits, _ or -";
        let Some(value) = table.get("account_sid") else {
            self.file.missing(head, field, "account_sid", REMEDY);
            return None;
        };
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        match value.get_ref().as_str() {
            Some(sid) if (1..=64).contains(&sid.len()) && sid.chars().all(word) => {
                Some(sid.to_owned())
            }
            _ => {
                let message = format!("this is not an account SID; {REMEDY}");
                self.file
                    .problem(value.span(), &join(field, "account_sid"), message);
                None
            }
        }
    }

    fn api_base(&mut self, table: &DeTable<'t>, field: &str, head: &Range<usize>) -> Option<Base> {
        match (table.get("region"), table.get("base_url")) {
            (None, None) => {
                self.file.missing(
                    head,
                    field,
                    "region",
                    "write region = \"in\" (Mumbai) or \"sg\" (Singapore), or a base_url",
                );
                None
            }
            (Some(_), Some(url)) => {
                self.file.problem(
                    url.span(),
                    &join(field, "base_url"),
                    "region and base_url both say where the API is; remove one",
                );
                None
            }
            (Some(region), None) => {
                let text = self.file.text(region, &join(field, "region"))?;
                match text.parse::<Region>() {
                    Ok(region) => Some(Base::Region(region)),
                    Err(error) => {
                        self.file
                            .problem(region.span(), &join(field, "region"), error.to_string());
                        None
                    }
                }
            }
            (None, Some(url)) => self.base_url(url, &join(field, "base_url")),
        }
    }

    fn base_url(&mut self, value: &Value<'t>, field: &str) -> Option<Base> {
        match exotel::canonical_base_url(self.file.text(value, field)?) {
            Ok(url) => Some(Base::Url(url)),
            Err(error) => {
                self.file.problem(value.span(), field, error.to_string());
                None
            }
        }
    }

    fn secret(
        &mut self,
        table: &DeTable<'t>,
        field: &str,
        key: &str,
        head: &Range<usize>,
    ) -> Option<Placed> {
        let Some(value) = table.get(key) else {
            self.file.missing(head, field, key, FORM);
            return None;
        };
        Placed::read(&mut self.file, value, &join(field, key), self.base)
    }

    fn edge(&mut self, table: &DeTable<'t>, field: &str) -> Option<Edge> {
        const REMEDY: &str = "write edge = { host = \"...\", port = 443, transport = \"tls\" } as Exotel assigned it";
        let value = table.get("edge")?;
        let field = join(field, "edge");
        let edge = self.file.table(value, &field, REMEDY)?;
        self.file
            .refuse_unknown(edge, &field, &["host", "port", "transport"]);
        for key in ["host", "port", "transport"] {
            if !edge.contains_key(key) {
                self.file.missing(&value.span(), &field, key, REMEDY);
            }
        }
        let host = edge
            .get("host")
            .and_then(|value| self.host(value, &join(&field, "host")));
        let port = edge
            .get("port")
            .and_then(|value| self.file.number(value, &join(&field, "port"), 1..=65_535));
        let transport = edge.get("transport").and_then(|value| {
            let field = join(&field, "transport");
            match self.file.text(value, &field)?.parse::<Transport>() {
                Ok(transport) => Some(transport),
                Err(error) => {
                    self.file.problem(value.span(), &field, error.to_string());
                    None
                }
            }
        });
        Some(Edge {
            host: host?,
            port: u16::try_from(port?).ok()?,
            transport: transport?,
        })
    }

    fn host(&mut self, value: &Value<'t>, field: &str) -> Option<String> {
        let text = self.file.text(value, field)?.to_owned();
        match text.parse::<onboarding::Host>() {
            Ok(_) => Some(text),
            Err(error) => {
                self.file.problem(value.span(), field, error.to_string());
                None
            }
        }
    }

    fn limits(&mut self, table: &DeTable<'t>, field: &str) -> (u32, u32) {
        let mut limits = (REQUESTS_PER_MINUTE, CONNECTIONS);
        let Some(value) = table.get("limits") else {
            return limits;
        };
        let field = join(field, "limits");
        let remedy = "write limits = { requests_per_minute = 200, connections = 50 }";
        let Some(given) = self.file.table(value, &field, remedy) else {
            return limits;
        };
        self.file
            .refuse_unknown(given, &field, &["requests_per_minute", "connections"]);
        if let Some(value) = given.get("requests_per_minute") {
            let field = join(&field, "requests_per_minute");
            limits.0 = self
                .file
                .number(value, &field, 1..=1_000_000)
                .unwrap_or(limits.0);
        }
        if let Some(value) = given.get("connections") {
            let field = join(&field, "connections");
            limits.1 = self
                .file
                .number(value, &field, 1..=1_000)
                .unwrap_or(limits.1);
        }
        limits
    }

    fn signalling_ips(&mut self, table: &DeTable<'t>, field: &str) -> Vec<PublicIpv4> {
        let Some(value) = table.get("signalling_ips") else {
            return Vec::new();
        };
        let field = join(field, "signalling_ips");
        let list = value.get_ref().as_array();
        let Some(list) = list.filter(|list| list.len() <= SIGNALLING_IPS_MAX) else {
            let message =
                format!("write a list of at most {SIGNALLING_IPS_MAX} addresses, each in quotes");
            self.file.problem(value.span(), &field, message);
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for one in list {
            let Some(text) = self.file.text(one, &field) else {
                continue;
            };
            match text.parse::<PublicIpv4>() {
                Ok(address) if addresses.contains(&address) => {
                    self.file.problem(
                        one.span(),
                        &field,
                        format!("{address} is there twice; remove one"),
                    );
                }
                Ok(address) => addresses.push(address),
                Err(error) => self.file.problem(one.span(), &field, error.to_string()),
            }
        }
        addresses
    }
}
