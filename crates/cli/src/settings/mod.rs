//! Usable settings: defaults, file, environment and options laid over each other, checked, and
//! free of contradictions.

pub(crate) mod endpoints;
pub(crate) mod known;
mod layer;
pub(crate) mod senders;
pub(crate) mod tables;
pub(crate) mod tokens;

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use config::{Config, Map, Source, Value};
use exotel::Proxy;
use ipnet::IpNet;

use crate::{
    args::{Global, LogForm},
    error::{Error, Result, refuse_if_any},
    problem::Problem,
    secret_source::SecretSource,
    settings::{
        layer::{CONFIG_VARIABLE, LOG_VARIABLE, Layer, addresses},
        tables::Tables,
    },
    toml_file::MAX_BYTES,
    unreadable::{cannot_be_read, text_of},
};

/// Every setting with its default and its reason; the file that people begin with.
pub(crate) const DEFAULTS: &str = include_str!("../../../../trunkline.example.toml");

/// The default store, and the one with `--sandbox`: what the simulator made is never mistaken for more.
pub(crate) const LIVE_STORE: &str = "sqlite:trunkline.db";
pub(crate) const SANDBOX_STORE: &str = "sqlite:trunkline.sandbox.db";

/// The settings file where none is named.
const DEFAULT_FILE: &str = "trunkline.toml";

/// Seconds of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// What the program runs with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The store's URL.
    pub(crate) store: String,
    /// Where paths in `store` start.
    pub(crate) store_base: PathBuf,
    /// The place of the store's secret key, if it is not the embedded default.
    pub(crate) secret_key: Option<SecretSource>,
    /// The place of the password of a store behind a network.
    pub(crate) store_password: Option<SecretSource>,
    /// The place of its Sentinels' password.
    pub(crate) sentinel_password: Option<SecretSource>,
    /// Certification authorities that its servers' certificates may be signed by, PEM.
    pub(crate) store_ca: Option<PathBuf>,
    /// How long finished onboardings are kept in a store that does not keep them for good.
    pub(crate) keep_finished: Duration,
    /// Most workers that serve an account of a shared store at once.
    pub(crate) workers_max: u32,
    /// The accounts file.
    pub(crate) accounts: PathBuf,
    /// Whether a person named it; else it may be missing in the sandbox.
    pub(crate) accounts_named: bool,
    /// A folder of recipes besides the built-in ones.
    pub(crate) recipes: Option<PathBuf>,
    /// Where `serve` listens.
    pub(crate) listen: SocketAddr,
    /// Where others reach it, if a proxy stands before it.
    pub(crate) public_url: Option<String>,
    /// Proxies that are believed where requests come from.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Most connections of it that are open at once.
    pub(crate) connections_max: usize,
    /// Most clients of it that are told of events at once.
    pub(crate) event_clients_max: usize,
    /// Where a worker tells how it is.
    pub(crate) worker_listen: Option<SocketAddr>,
    /// Who takes traces.
    pub(crate) otlp_endpoint: Option<String>,
    /// What of the settings file has names of its own.
    pub(crate) tables: Tables,
    /// The form of the log.
    pub(crate) log: LogForm,
    /// What of the log is shown.
    pub(crate) log_level: String,
    /// Onboardings in hand at once.
    pub(crate) concurrency: usize,
    /// How long a worker's right to run an onboarding lasts unless it is prolonged.
    pub(crate) lease: Duration,
    /// Longest time from the start of a request to the end of its answer.
    pub(crate) request_timeout: Duration,
    /// Longest time to connect.
    pub(crate) connect_timeout: Duration,
    /// How long Exotel may still be processing a request whose answer was lost.
    pub(crate) settling: Duration,
    /// How long after its end an onboarding that was in doubt is checked once more.
    pub(crate) late_check: Duration,
    /// The way to Exotel's API.
    pub(crate) proxy: Proxy,
    /// Longest pause before the second attempt of a step.
    pub(crate) retry_first: Duration,
    /// Longest pause before any attempt.
    pub(crate) retry_max: Duration,
    /// Most attempts of one step before a person decides.
    pub(crate) attempts_max: u32,
    /// Most times that a request may fail to leave this machine before a person decides.
    pub(crate) never_sent_attempts_max: u32,
    /// Longest pause before a parked account is tried again; zero: a person resumes it.
    pub(crate) account_probe: Duration,
    /// How long requests in flight may take to end when the process is asked to stop.
    pub(crate) shutdown_timeout: Duration,
    /// Time between two plain progress lines.
    pub(crate) progress_interval: Duration,
}

impl Settings {
    /// Reads and checks all layers.
    ///
    /// # Errors
    /// Every problem of every layer at once.
    pub(crate) fn load(global: &Global, typed: &Typed) -> Result<Self> {
        let (defaults, _, mut problems) = Layer::of_file("<defaults>", DEFAULTS, Path::new(""));
        let of_sandbox = if typed.sandbox {
            format!("store = \"{SANDBOX_STORE}\"")
        } else {
            String::new()
        };
        let (sandbox, _, found) = Layer::of_file("<defaults>", &of_sandbox, Path::new(""));
        problems.extend(found);
        let file = file_layer(global)?;
        problems.extend(file.problems);
        let (environment, found) = Layer::of_environment(env::vars_os());
        problems.extend(found);
        let options = option_layer(global, typed, &mut problems);
        refuse_if_any(problems)?;
        let merged = Config::builder()
            .add_source(defaults)
            .add_source(sandbox)
            .add_source(file.layer)
            .add_source(environment)
            .add_source(options)
            .build()
            .and_then(|merged| merged.collect())
            .map_err(|error| Error::refused("settings", error.to_string()))?;
        Merged(merged).settings(file.base, file.tables)
    }
}

/// What options of single commands say of settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Typed {
    /// `work --concurrency`.
    pub(crate) concurrency: Option<u32>,
    /// `serve --listen`.
    pub(crate) listen: Option<SocketAddr>,
    /// `--sandbox`: the default store is another.
    pub(crate) sandbox: bool,
}

/// What the settings file says.
#[derive(Default)]
struct InFile {
    layer: Layer,
    tables: Tables,
    problems: Vec<Problem>,
    /// Where paths in it start.
    base: PathBuf,
}

/// The form of the log as far as it is known before the settings are read.
pub(crate) fn log_form_asked(global: &Global) -> LogForm {
    global
        .log
        .unwrap_or_else(|| match env::var(LOG_VARIABLE).as_deref() {
            Ok("json") => LogForm::Json,
            Ok(_) | Err(_) => LogForm::Text,
        })
}

fn file_layer(global: &Global) -> Result<InFile> {
    let named = match &global.config {
        Some(path) => Some((path.clone(), "--config")),
        None => env::var_os(CONFIG_VARIABLE)
            .filter(|path| !path.is_empty())
            .map(|path| (PathBuf::from(path), CONFIG_VARIABLE)),
    };
    let path = match &named {
        Some((path, _)) => path.clone(),
        None => PathBuf::from(DEFAULT_FILE),
    };
    let name = path.display().to_string();
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(InFile::default());
        }
        Err(error) => {
            let field = named.map_or("", |(_, place)| place);
            let why = cannot_be_read(&path, &error, "correct the path");
            let message = format!("the settings file {why}");
            return Err(Error::Refused(vec![Problem::at(
                name, None, field, message,
            )]));
        }
    };
    let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let (layer, tables, problems) = Layer::of_file(&name, &text, &base);
    Ok(InFile {
        layer,
        tables,
        problems,
        base,
    })
}

/// Reads a configuration file of sane size. Of one in another encoding the error says which.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > MAX_BYTES {
        return Err(std::io::Error::other(format!(
            "it has {length} bytes, more than {MAX_BYTES}"
        )));
    }
    text_of(fs::read(path)?)
}

fn option_layer(global: &Global, own: &Typed, problems: &mut Vec<Problem>) -> Layer {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let typed = [
        ("store", global.store.clone()),
        ("accounts", path(&global.accounts)),
        ("recipes", path(&global.recipes)),
        ("log", global.log.map(|form| form.as_str().to_owned())),
        (
            "concurrency",
            own.concurrency.map(|number| number.to_string()),
        ),
        ("listen", own.listen.map(|address| address.to_string())),
    ];
    let mut layer = Layer::default();
    for (name, text) in typed {
        if let Some(text) = text
            && let Err(problem) = layer.take_option(name, &text)
        {
            problems.push(problem);
        }
    }
    layer
}

/// All layers in one.
struct Merged(Map<String, Value>);

impl Merged {
    fn settings(&self, file_base: PathBuf, tables: Tables) -> Result<Settings> {
        self.refuse_contradictions()?;
        let store_base = match self.origin("store") {
            place if place.starts_with("--") || place.starts_with("TRUNKLINE_") => PathBuf::new(),
            place if place.starts_with("<defaults>:") => PathBuf::new(),
            _ => file_base,
        };
        Ok(Settings {
            store: self.text("store"),
            store_base,
            secret_key: self.secret("secret_key"),
            store_password: self.secret("store_password"),
            sentinel_password: self.secret("sentinel_password"),
            store_ca: self.given("store_ca").map(PathBuf::from),
            keep_finished: Duration::from_secs(self.number("keep_finished_days") * DAY_SECONDS),
            workers_max: self.count("workers_max"),
            accounts: self.text("accounts").into(),
            accounts_named: !self.origin("accounts").starts_with("<defaults>:"),
            recipes: self.given("recipes").map(PathBuf::from),
            // Every layer was checked, and the defaults have one.
            listen: self
                .address("listen")
                .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            public_url: self.given("public_url"),
            trusted_proxies: addresses(&self.text("trusted_proxies")).unwrap_or_default(),
            connections_max: self.size("connections_max"),
            event_clients_max: self.size("event_clients_max"),
            worker_listen: self.address("worker_listen"),
            otlp_endpoint: self.given("otlp_endpoint"),
            tables,
            log: if self.text("log") == "json" {
                LogForm::Json
            } else {
                LogForm::Text
            },
            log_level: self.text("log_level"),
            concurrency: self.size("concurrency"),
            lease: self.millis("lease_ms"),
            request_timeout: self.millis("request_timeout_ms"),
            connect_timeout: self.millis("connect_timeout_ms"),
            settling: self.millis("settling_ms"),
            late_check: self.millis("late_check_ms"),
            proxy: match self.text("proxy").as_str() {
                "environment" => Proxy::Environment,
                "none" => Proxy::None,
                url => Proxy::Url(url.to_owned()),
            },
            retry_first: self.millis("retry_first_ms"),
            retry_max: self.millis("retry_max_ms"),
            attempts_max: self.count("attempts_max"),
            never_sent_attempts_max: self.count("never_sent_attempts_max"),
            account_probe: self.millis("account_probe_ms"),
            shutdown_timeout: self.millis("shutdown_timeout_ms"),
            progress_interval: self.millis("progress_interval_ms"),
        })
    }

    /// Pairs of settings that cannot both be meant.
    fn refuse_contradictions(&self) -> Result<()> {
        let mut problems = Vec::new();
        // A lease is renewed at a quarter of its length, and a worker sends nothing on one that has
        // less time left than a request may take.
        if self.number("lease_ms") * 3 < self.number("request_timeout_ms") * 4 + 3 {
            problems.push(self.contradiction(
                "lease_ms",
                "request_timeout_ms",
                "between two renewals there would be no time for a request: raise the first to more than four thirds of the second, or lower the second",
            ));
        }
        if self.number("shutdown_timeout_ms") < self.number("request_timeout_ms") {
            problems.push(self.contradiction(
                "shutdown_timeout_ms",
                "request_timeout_ms",
                "a request in flight would be cut and left in doubt: raise the first to the second, or lower the second",
            ));
        }
        // A timeout that ends a call while it still connects would leave its outcome unknown.
        if self.number("connect_timeout_ms") >= self.number("request_timeout_ms") {
            problems.push(self.contradiction(
                "connect_timeout_ms",
                "request_timeout_ms",
                "connecting is part of a request: lower the first below the second",
            ));
        }
        if self.number("retry_first_ms") > self.number("retry_max_ms") {
            problems.push(self.contradiction(
                "retry_first_ms",
                "retry_max_ms",
                "the first pause cannot be longer than the longest: lower the first or raise the second",
            ));
        }
        // Whoever is told of events holds a connection all the time.
        if self.number("event_clients_max") >= self.number("connections_max") {
            problems.push(self.contradiction(
                "event_clients_max",
                "connections_max",
                "those who are told of events would leave no connection to others: lower the first below the second",
            ));
        }
        for known in known::ALL {
            let [env, file] = ["env", "file"].map(|form| format!("{}.{form}", known.name));
            if self.value(&env).is_some() && self.value(&file).is_some() {
                let remedy = "a secret has one place: remove one of the two";
                problems.push(self.contradiction(&env, &file, remedy));
            }
        }
        refuse_if_any(problems)
    }

    fn contradiction(&self, first: &str, second: &str, remedy: &str) -> Problem {
        let told = |name: &str| format!("{name} = {} ({})", self.text(name), self.place(name));
        Problem::new(
            first,
            format!("{} contradicts {}; {remedy}", told(first), told(second)),
        )
    }

    fn place(&self, name: &str) -> String {
        let origin = self.origin(name);
        if origin.starts_with("<defaults>:") {
            "the default".into()
        } else {
            origin
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        let Some((table, key)) = name.split_once('.') else {
            return self.0.get(name).cloned();
        };
        let inner = self.0.get(table)?.clone().into_table().ok()?;
        inner.get(key).cloned()
    }

    fn origin(&self, name: &str) -> String {
        let value = self.value(name);
        value
            .as_ref()
            .and_then(Value::origin)
            .unwrap_or_default()
            .to_owned()
    }

    fn text(&self, name: &str) -> String {
        self.value(name)
            .and_then(|value| value.into_string().ok())
            .unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.value(name)
            .and_then(|value| value.into_uint().ok())
            .unwrap_or_default()
    }

    /// The text of a setting that has no default.
    fn given(&self, name: &str) -> Option<String> {
        self.value(name).map(|_| self.text(name))
    }

    fn address(&self, name: &str) -> Option<SocketAddr> {
        self.text(name).parse().ok()
    }

    fn size(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    fn count(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(u32::MAX)
    }

    fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    fn secret(&self, name: &str) -> Option<SecretSource> {
        let [env, file] = ["env", "file"].map(|form| format!("{name}.{form}"));
        if self.value(&env).is_some() {
            return Some(SecretSource::Env(self.text(&env)));
        }
        self.value(&file)
            .map(|_| SecretSource::File(self.text(&file).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{known::Kind, *};

    /// The cells of each row of the page's table of settings, by setting.
    fn documented() -> Vec<Vec<String>> {
        let page = include_str!("../../../../docs/configuration.md");
        let table = page
            .split("\n## ")
            .find(|part| part.starts_with("Settings"));
        let rows = table
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let cells = row.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        // The other table of this section has two columns.
        .filter(|cells: &Vec<String>| cells.len() == 4)
        .collect()
    }

    #[test]
    fn the_page_has_every_setting_with_its_default_its_bounds_and_its_option() {
        let (defaults, _, problems) = Layer::of_file("<defaults>", DEFAULTS, Path::new(""));
        assert_eq!(problems, []);
        let defaults = defaults.collect().unwrap();
        let rows = documented();
        let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        let known: Vec<&str> = known::ALL.iter().map(|known| known.name).collect();
        assert_eq!(names, known);
        for (row, known) in rows.iter().zip(known::ALL) {
            if let Some(value) = defaults.get(known.name) {
                let value = value.clone().into_string().unwrap();
                assert_eq!(row[1].trim_matches('"'), value, "{}", known.name);
            }
            let bounds = match known.kind {
                Kind::Number { min, max } => format!("{min} to {max}"),
                Kind::Word(words) => words.join(" or "),
                Kind::Text
                | Kind::Path
                | Kind::Secret
                | Kind::Address
                | Kind::Addresses
                | Kind::Proxy
                | Kind::Url => row[2].clone(),
            };
            assert_eq!(row[2], bounds, "{}", known.name);
            assert_eq!(row[3], known.option.unwrap_or_default(), "{}", known.name);
        }
    }

    #[test]
    fn the_page_explains_every_setting_and_the_example_mentions_it() {
        let page = include_str!("../../../../docs/configuration.md");
        for known in known::ALL {
            let name = known.name;
            assert!(page.contains(&format!("**`{name}`**")), "{name}");
            let said = DEFAULTS.lines().any(|line| {
                line.trim_start_matches("# ")
                    .starts_with(&format!("{name} ="))
            });
            assert!(said, "{name}");
        }
    }
}
