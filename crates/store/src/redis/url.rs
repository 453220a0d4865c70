//! The address of a Redis: how people write it, and what it means.

use std::{fmt, net::Ipv6Addr};

use onboarding::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a user name and in a store's name when they are printed.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The port of a Redis server.
const SERVER_PORT: u16 = 6379;
/// The port of a Sentinel.
const SENTINEL_PORT: u16 = 26379;
/// More databases than anyone configures (a server has 16 unless told otherwise); a bound against typing errors.
const LAST_DB: u32 = 9_999;
/// How long the name of a store, of a Sentinel's primary and of a user may be, in characters.
const LONGEST_NAME: usize = 64;
/// The name of a store whose URL says none.
const DEFAULT_NAME: &str = "trunkline";

/// A Redis that holds a store: which servers, how to log in, and the store's name in it.
///
/// Written as
/// `redis://[USER@]HOST[:PORT][,HOST[:PORT]...][/DB][?sentinel=PRIMARY|cluster=true][&name=NAME]`,
/// or `rediss://` for TLS. It holds no secret when it is parsed: passwords are added afterwards.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisPlace {
    pub(super) hosts: Vec<Host>,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) db: u32,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) password: Option<Secret>,
    pub(super) sentinel_password: Option<Secret>,
    pub(super) ca: Option<Vec<u8>>,
}

/// One address of the list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    /// A name or an IP address; an IPv6 address without its brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

/// What answers at the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server itself.
    Server,
    /// Sentinels that know where the primary of this name is.
    Sentinel(String),
    /// Some nodes of a cluster.
    Cluster,
}

impl RedisPlace {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// A message for a person, with what would be right. It never repeats what could be a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (tls, rest) = match url.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            Some(_) | None => {
                return Err(
                    "a Redis store starts with redis://, or with rediss:// for TLS".to_owned(),
                );
            }
        };
        refuse_password(rest)?;
        if rest.contains('#') {
            return Err(
                "a Redis URL has no part after #; write # in a user name as %23".to_owned(),
            );
        }
        let (address, query) = match rest.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (rest, None),
        };
        let (authority, db) = match address.split_once('/') {
            Some((authority, db)) => (authority, database(db)?),
            None => (address, 0),
        };
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user_name(user)?), hosts),
            None => (None, authority),
        };
        let Asked {
            sentinel,
            cluster,
            name,
        } = Asked::read(query)?;
        let kind = match (sentinel, cluster) {
            (Some(_), true) => {
                return Err(
                    "sentinel= and cluster=true exclude each other: the hosts are either Sentinels or nodes of a cluster"
                        .to_owned(),
                );
            }
            (Some(primary), false) => Kind::Sentinel(primary),
            (None, true) => Kind::Cluster,
            (None, false) => Kind::Server,
        };
        let hosts = hosts_of(hosts, &kind)?;
        if kind == Kind::Server && hosts.len() > 1 {
            return Err(
                "several hosts need to be told what they are: add ?sentinel=PRIMARY_NAME (they are Sentinels) or ?cluster=true (they are nodes of one cluster)"
                    .to_owned(),
            );
        }
        if kind == Kind::Cluster && db != 0 {
            return Err(format!(
                "a Redis Cluster has database 0 only: leave /{db} out; several stores in one cluster differ by name=NAME"
            ));
        }
        Ok(Self {
            hosts,
            tls,
            user,
            db,
            kind,
            name: name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
            password: None,
            sentinel_password: None,
            ca: None,
        })
    }

    /// The same place, logging in with this password (as the URL's user, or as the default user).
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// The same place, logging in at the Sentinels with this password.
    #[must_use]
    pub fn with_sentinel_password(mut self, password: Secret) -> Self {
        self.sentinel_password = Some(password);
        self
    }

    /// The same place, trusting these certification authorities too (PEM; one or more
    /// certificates). They are looked at when the store is opened, and only for `rediss://`.
    #[must_use]
    pub fn with_ca(mut self, pem: Vec<u8>) -> Self {
        self.ca = Some(pem);
        self
    }

    /// The name of the store in this Redis: all its keys start with `{NAME}:`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RedisPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss://" } else { "redis://" })?;
        if let Some(user) = &self.user {
            write!(f, "{}@", utf8_percent_encode(user, KEPT))?;
        }
        for (at, host) in self.hosts.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{host}")?;
        }
        if self.db != 0 {
            write!(f, "/{}", self.db)?;
        }
        let kind = match &self.kind {
            Kind::Server => None,
            Kind::Sentinel(primary) => Some(format!("sentinel={primary}")),
            Kind::Cluster => Some("cluster=true".to_owned()),
        };
        let name = (self.name != DEFAULT_NAME).then(|| format!("name={}", self.name));
        for (at, parameter) in kind.into_iter().chain(name).enumerate() {
            f.write_str(if at == 0 { "?" } else { "&" })?;
            f.write_str(&parameter)?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisPlace({self})")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// The parameters behind the question mark.
#[derive(Default)]
struct Asked {
    sentinel: Option<String>,
    cluster: bool,
    name: Option<String>,
}

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, String> {
        let mut asked = Self::default();
        let mut seen = Vec::new();
        for parameter in query.unwrap_or_default().split('&') {
            if parameter.is_empty() {
                continue;
            }
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if seen.contains(&key) {
                return Err(format!("{key}= is given twice"));
            }
            match key {
                "sentinel" => {
                    asked.sentinel = Some(plain_name(value, "sentinel= takes the primary's name")?);
                }
                "cluster" => {
                    asked.cluster = match value {
                        "true" => true,
                        "false" => false,
                        _ => return Err("cluster= is true or false".to_owned()),
                    };
                }
                "name" => asked.name = Some(plain_name(value, "name= takes the store's name")?),
                "password" | "pass" | "auth" => return Err(password_refused()),
                // Not quoted: it may be a part of a password that has a question mark.
                _ => {
                    return Err(
                        "the URL has a parameter that is not known; known are sentinel=PRIMARY_NAME, cluster=true and name=NAME"
                            .to_owned(),
                    );
                }
            }
            seen.push(key);
        }
        Ok(asked)
    }
}

/// Whatever the rest of the URL looks like, a colon before the last @ is taken for a password, so
/// that no later message can quote a part of one.
fn refuse_password(rest: &str) -> Result<(), String> {
    match rest.rsplit_once('@') {
        Some((before, _)) if before.contains([':', '/', '?']) => Err(password_refused()),
        Some(_) | None => Ok(()),
    }
}

fn password_refused() -> String {
    "a store's URL must not hold a password, because URLs are seen in process lists and logs: \
     set store_password = { env = \"VAR\" } or { file = \"PATH\" } in the configuration and leave only USER@ here"
        .to_owned()
}

fn database(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .ok()
        .filter(|db| *db <= LAST_DB && text.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| format!("what follows the host is the database's number, 0 to {LAST_DB}"))
}

fn user_name(text: &str) -> Result<String, String> {
    let user = decoded(text, "the user name")?;
    let fits = (1..=LONGEST_NAME).contains(&user.chars().count());
    if fits && !user.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Ok(user)
    } else {
        Err(format!(
            "the user name before @ is 1 to {LONGEST_NAME} characters without blanks"
        ))
    }
}

/// A name of letters, digits, `_`, `.` and `-`: what Sentinel allows for its primaries, and what
/// cannot break out of the braces of a hash tag.
fn plain_name(text: &str, what: &str) -> Result<String, String> {
    let name = decoded(text, what)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) {
        Ok(name)
    } else {
        Err(format!(
            "{what}: 1 to {LONGEST_NAME} of A-Z, a-z, 0-9, '_', '.' and '-'"
        ))
    }
}

fn decoded(text: &str, what: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| format!("{what}: the percent-encoding is not UTF-8"))
}

fn hosts_of(text: &str, kind: &Kind) -> Result<Vec<Host>, String> {
    let default = match kind {
        Kind::Sentinel(_) => SENTINEL_PORT,
        Kind::Server | Kind::Cluster => SERVER_PORT,
    };
    text.split(',')
        .map(|host| one_host(host, default))
        .collect()
}

fn one_host(text: &str, default: u16) -> Result<Host, String> {
    let (name, port) = if let Some(rest) = text.strip_prefix('[') {
        let (name, after) = rest
            .split_once(']')
            .ok_or("an IPv6 address ends with ]: write [::1]:6379")?;
        name.parse::<Ipv6Addr>()
            .map_err(|_| "what stands in brackets is not an IPv6 address: write [::1]:6379")?;
        match after.strip_prefix(':') {
            Some(port) => (name, Some(port)),
            None if after.is_empty() => (name, None),
            None => return Err("after an IPv6 address comes :PORT or nothing".to_owned()),
        }
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets: write [::1]:6379".to_owned());
            }
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        }
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if name.is_empty() || name.len() > 253 || !name.bytes().all(plain) {
        return Err(
            "a host is a name or an IP address: redis://HOST[:PORT], several separated by commas without blanks"
                .to_owned(),
        );
    }
    let port = match port {
        None => default,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or("a port is a number from 1 to 65535")?,
    };
    Ok(Host {
        name: name.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_printed_as_it_was_meant() {
        let table = [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://10.0.0.7:6380/3", "redis://10.0.0.7:6380/3"),
            ("rediss://db.example/", "rediss://db.example:6379"),
            ("redis://[::1]", "redis://[::1]:6379"),
            ("redis://[fd00::5]:7000/0", "redis://[fd00::5]:7000"),
            ("redis://worker@h", "redis://worker@h:6379"),
            ("redis://w%40x%2Fy@h", "redis://w%40x%2Fy@h:6379"),
            ("redis://h?name=trunkline", "redis://h:6379"),
            ("redis://h?name=eu%2D1", "redis://h:6379?name=eu-1"),
            (
                "redis://u@a,b:5000/2?sentinel=main&name=x",
                "redis://u@a:26379,b:5000/2?sentinel=main&name=x",
            ),
            (
                "rediss://a,[::2]:1,c?cluster=true",
                "rediss://a:6379,[::2]:1,c:6379?cluster=true",
            ),
            ("redis://h?cluster=false", "redis://h:6379"),
        ];
        for (url, printed) in table {
            let place = RedisPlace::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            assert_eq!(place.to_string(), printed);
            let again = RedisPlace::parse(printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
            assert_eq!(again, place, "{url}");
        }
    }

    #[test]
    fn a_url_that_means_nothing_is_refused_with_what_would_be_right() {
        let long = format!("redis://h?name={}", "n".repeat(65));
        let table = [
            ("localhost:6379", "redis://"),
            ("http://h", "redis://"),
            ("redis://", "redis://HOST"),
            ("redis://h,,i?cluster=true", "redis://HOST"),
            ("redis://a b", "redis://HOST"),
            ("redis://h:0", "1 to 65535"),
            ("redis://h:65536", "1 to 65535"),
            ("redis://h:", "1 to 65535"),
            ("redis://::1", "[::1]:6379"),
            ("redis://[::1", "[::1]:6379"),
            ("redis://[h]", "[::1]:6379"),
            ("redis://[::1]6379", ":PORT"),
            ("redis://h/ten", "0 to 9999"),
            ("redis://h/-1", "0 to 9999"),
            ("redis://h/+1", "0 to 9999"),
            ("redis://h/10000", "0 to 9999"),
            ("redis://h/1/2", "0 to 9999"),
            ("redis://a,b", "?sentinel=PRIMARY_NAME"),
            ("redis://a?cluster=yes", "true or false"),
            ("redis://a/1?cluster=true", "database 0 only"),
            ("redis://a?cluster=true&sentinel=m", "exclude each other"),
            ("redis://a?sentinel=", "1 to 64"),
            ("redis://a?sentinel=a%20b", "1 to 64"),
            ("redis://a?name=a{b}", "1 to 64"),
            (&long, "1 to 64"),
            ("redis://a?name=x&name=y", "twice"),
            ("redis://a?db=3", "name=NAME"),
            ("redis://a#x", "%23"),
            ("redis://@a", "1 to 64"),
            ("redis://%ff@a", "UTF-8"),
        ];
        for (url, right) in table {
            let said = RedisPlace::parse(url).expect_err(url);
            assert!(said.contains(right), "{url}: {said}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_never_repeated() {
        let table = [
            "redis://user:hunter2@h",
            "redis://:hunter2@h",
            "redis://user:hunter2@h:1,i?sentinel=m",
            "redis://u:hunter2/x@h",
            "redis://u:x?hunter2@h",
            "redis://u:hunter2@x@h",
            "redis://h?password=hunter2",
            "redis://h/0?auth=hunter2",
        ];
        for url in table {
            let said = RedisPlace::parse(url).expect_err(url);
            assert!(!said.contains("hunter2"), "{url}: {said}");
            assert!(said.contains("store_password"), "{url}: {said}");
        }
        for url in ["redis://u:hunter2", "redis://h?hunter2", "hunter2@h"] {
            let said = RedisPlace::parse(url).expect_err(url);
            assert!(!said.contains("hunter2"), "{url}: {said}");
        }
        let place = RedisPlace::parse("redis://u@h")
            .expect("a good URL")
            .with_password(Secret::new("hunter2"))
            .with_sentinel_password(Secret::new("hunter3"));
        assert_eq!(
            format!("{place} {place:?}"),
            "redis://u@h:6379 RedisPlace(redis://u@h:6379)"
        );
    }
}
