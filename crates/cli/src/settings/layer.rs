//! The layers that settings come from: each is checked by itself, so that a mistake is told even
//! where a higher layer hides it.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use config::{Map, Source, Value, ValueKind};
use ipnet::IpNet;
use toml::de::DeValue;

use super::{
    known::{self, Kind, Known},
    tables::{self, Tables},
};
use crate::{
    problem::Problem,
    secret_source::{FORM, SecretSource},
    toml_file::{TomlFile, integer, kind},
};

/// One layer's settings. Each value's origin is the place that people are told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// A value as a layer has it.
enum Raw<'t> {
    Text(&'t str),
    Number(i64),
    Other(&'static str),
}

impl Layer {
    /// The settings and the tables in a file's text; paths in it start at `base`.
    pub(crate) fn of_file(name: &str, text: &str, base: &Path) -> (Self, Tables, Vec<Problem>) {
        let mut layer = Self::default();
        let mut file = TomlFile::new(name, text);
        let parsed = file.parse();
        let table = parsed.get_ref();
        let settings = known::ALL.iter().map(|known| known.name);
        let names: Vec<&str> = settings.chain(tables::KEYS).collect();
        file.refuse_unknown(table, "", &names);
        for (key, value) in table {
            let Some(known) = known::find(key.get_ref()) else {
                continue;
            };
            let place = format!("{name}:{}", file.line(&key.span()));
            if known.kind == Kind::Secret {
                if let Some(source) = SecretSource::read(&mut file, value, known.name, base) {
                    layer.put_secret(known, &source, &place);
                }
                continue;
            }
            let listed;
            let raw = match value.get_ref() {
                DeValue::Array(list) if known.kind == Kind::Addresses => {
                    let each = list.iter().map(|one| one.get_ref().as_str());
                    listed = each
                        .map(|one| one.unwrap_or("?"))
                        .collect::<Vec<_>>()
                        .join(",");
                    Raw::Text(&listed)
                }
                DeValue::String(text) => Raw::Text(text),
                DeValue::Integer(_) => integer(value.get_ref())
                    .map_or(Raw::Other("a number beyond 64 bits"), Raw::Number),
                other @ (DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_)) => Raw::Other(kind(other)),
            };
            match check(known, &raw, false, base) {
                Ok(checked) => layer.put(known.name, checked, &place),
                Err(message) => file.problem(value.span(), known.name, message),
            }
        }
        let tables = Tables::read(name, &mut file, table, base);
        let mut problems = file.problems;
        problems.sort_by_key(|problem| problem.line);
        (layer, tables, problems)
    }

    /// The settings in environment variables; others than `TRUNKLINE_...` are not looked at.
    pub(crate) fn of_environment(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> (Self, Vec<Problem>) {
        let mut layer = Self::default();
        let mut problems = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with("TRUNKLINE_")) else {
                continue;
            };
            if name == CONFIG_VARIABLE {
                continue;
            }
            if let Err(message) = layer.take_variable(name, value.to_str()) {
                problems.push(Problem::new(name, message));
            }
        }
        problems.sort_by(|a, b| a.field.cmp(&b.field));
        (layer, problems)
    }

    fn take_variable(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let matching = |known: &&Known| known.variables().iter().any(|own| own == name);
        let Some(known) = known::ALL.iter().find(matching) else {
            if known::ALL.iter().any(|known| known.is_bare_secret(name)) {
                return Err(format!(
                    "the secret itself is not a setting; name its place in {name}__ENV or {name}__FILE"
                ));
            }
            if is_service_link(name, value.unwrap_or_default()) {
                return Ok(());
            }
            return Err(
                "there is no such setting; remove the variable, or correct its name".into(),
            );
        };
        let text = value.ok_or("this is not text; write UTF-8")?;
        if known.kind == Kind::Secret {
            let form = if name.ends_with("__ENV") {
                "env"
            } else {
                "file"
            };
            let source = SecretSource::of(form, text, Path::new(""))?;
            self.put_secret(known, &source, name);
            return Ok(());
        }
        let checked = check(known, &Raw::Text(text), true, Path::new(""))?;
        self.put(known.name, checked, name);
        Ok(())
    }

    /// Takes an option that was typed.
    pub(crate) fn take_option(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        let Some(known) = known::find(name) else {
            return Ok(());
        };
        let place = known.option.unwrap_or(known.name);
        match check(known, &Raw::Text(text), true, Path::new("")) {
            Ok(checked) => {
                self.put(known.name, checked, place);
                Ok(())
            }
            Err(message) => Err(Problem::new(place, message)),
        }
    }

    fn put(&mut self, name: &str, value: ValueKind, place: &str) {
        let place = place.to_owned();
        self.0
            .insert(name.to_owned(), Value::new(Some(&place), value));
    }

    fn put_secret(&mut self, known: &Known, source: &SecretSource, place: &str) {
        let (form, text) = match source {
            SecretSource::Env(name) => ("env", name.clone()),
            SecretSource::File(path) => ("file", path.display().to_string()),
        };
        let name = format!("{}.{form}", known.name);
        self.put(&name, ValueKind::String(text), place);
    }
}

/// Whether Kubernetes set this variable because there is a service called `trunkline`, or `trunkline-...`,
/// in the namespace (its `enableServiceLinks`): nobody who starts us can remove it.
fn is_service_link(name: &str, value: &str) -> bool {
    let protocol =
        |text: &str| ["TCP", "UDP", "SCTP"].contains(&text.to_ascii_uppercase().as_str());
    let is_url = || {
        value
            .split_once("://")
            .is_some_and(|(scheme, _)| protocol(scheme))
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> = name.split('_').collect();
    match words.as_slice() {
        [.., "SERVICE", "HOST"] => true,
        [.., "PORT", n, kind] | [.., "PORT", n, kind, "ADDR" | "PORT" | "PROTO"]
            if number(n) && protocol(kind) =>
        {
            true
        }
        // A port's name may stand behind it.
        words => {
            words.windows(2).any(|pair| pair == ["SERVICE", "PORT"])
                || (words.ends_with(&["PORT"]) && is_url())
        }
    }
}

/// The environment variable of the setting `log`.
pub(crate) const LOG_VARIABLE: &str = "TRUNKLINE_LOG";

/// Names the settings file when no option does. Not a setting itself.
pub(crate) const CONFIG_VARIABLE: &str = "TRUNKLINE_CONFIG";

/// The value, if it is what the setting takes; else what would be right.
fn check(known: &Known, raw: &Raw<'_>, typed: bool, base: &Path) -> Result<ValueKind, String> {
    match (known.kind, raw) {
        (Kind::Number { min, max }, raw) => {
            let number = match raw {
                Raw::Number(number) => u64::try_from(*number).ok(),
                Raw::Text(text) if typed => text.parse::<u64>().ok(),
                Raw::Text(_) | Raw::Other(_) => None,
            };
            match number {
                Some(number) if (min..=max).contains(&number) => Ok(ValueKind::U64(number)),
                _ => Err(format!(
                    "{} is not allowed; write a whole number from {min} to {max}{}",
                    shown(raw),
                    unit(known.name)
                )),
            }
        }
        (Kind::Word(words), Raw::Text(text)) if words.contains(text) => {
            Ok(ValueKind::String((*text).to_owned()))
        }
        (Kind::Word(words), raw) => Err(format!(
            "{} is not allowed; write {}",
            shown(raw),
            words.join(" or ")
        )),
        (Kind::Address, Raw::Text(text)) if text.parse::<SocketAddr>().is_ok() => {
            Ok(ValueKind::String((*text).to_owned()))
        }
        (Kind::Address, raw) => Err(format!(
            "{} is not allowed; write an address and a port, such as 127.0.0.1:8484 or [::]:8484",
            shown(raw)
        )),
        (Kind::Addresses, Raw::Text(text)) if addresses(text).is_some() => {
            Ok(ValueKind::String((*text).to_owned()))
        }
        (Kind::Addresses, raw) => Err(format!(
            "{} is not allowed; write a list of at most {ADDRESSES_MAX} IP addresses or ranges, such as [\"127.0.0.1\"] or [\"10.244.0.0/16\"]; in a variable with commas between them",
            shown(raw)
        )),
        (Kind::Url, Raw::Text(text)) if is_url(text) => Ok(ValueKind::String(
            text.trim_end_matches('/').to_owned(),
        )),
        (Kind::Proxy, Raw::Text(text)) if is_url(text) || PROXY_WORDS.contains(text) => {
            Ok(ValueKind::String((*text).to_owned()))
        }
        (Kind::Proxy, _) => Err(
            "this is no way out; write \"environment\", \"none\", or http:// or https:// with the host and port of a proxy; a user and a password belong into the variable HTTPS_PROXY".into(),
        ),
        // It may hold a password, so it is not repeated.
        (Kind::Url, _) => Err(
            "this is not a URL; write http:// or https:// and a host, without a user, a password or parameters".into(),
        ),
        (Kind::Text, Raw::Text(text)) if !text.is_empty() => {
            Ok(ValueKind::String((*text).to_owned()))
        }
        (Kind::Path, Raw::Text(text)) if !text.is_empty() => {
            Ok(ValueKind::String(base.join(text).display().to_string()))
        }
        (Kind::Text, raw) => Err(format!("{} is not allowed; write a text", shown(raw))),
        (Kind::Path, raw) => Err(format!("{} is not allowed; write a path", shown(raw))),
        (Kind::Secret, _) => Err(FORM.into()),
    }
}

/// What stands for a proxy besides its URL.
const PROXY_WORDS: [&str; 2] = ["environment", "none"];

/// Most addresses of one setting; more are a mistake.
const ADDRESSES_MAX: usize = 100;

/// The addresses and ranges in a text, commas between them; empty is none. A range of all addresses is
/// nobody's proxies.
pub(super) fn addresses(text: &str) -> Option<Vec<IpNet>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let one = |one: &str| {
        let range = one.parse::<IpNet>().ok();
        let range = range.or_else(|| one.parse::<IpAddr>().ok().map(IpNet::from))?;
        (range.prefix_len() > 0).then_some(range)
    };
    let all: Option<Vec<IpNet>> = text.split(',').map(|text| one(text.trim())).collect();
    all.filter(|all| all.len() <= ADDRESSES_MAX)
}

/// Whether a text is the address of a server. What asks it looks closer.
fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '?' | '#' | '\\' | '"');
    rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && text.len() <= 2000 && rest.chars().all(plain)
    })
}

fn unit(name: &str) -> &'static str {
    if name.ends_with("_ms") {
        " (milliseconds)"
    } else if name.ends_with("_days") {
        " (days)"
    } else {
        ""
    }
}

fn shown(raw: &Raw<'_>) -> String {
    match raw {
        Raw::Text(text) => {
            let start: String = text.escape_debug().take(60).collect();
            format!("\"{start}\"")
        }
        Raw::Number(number) => number.to_string(),
        Raw::Other(what) => (*what).to_owned(),
    }
}
