//! A folder to run the binary in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use redis_fixture::Server;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Ended, Program, Simulator, StoreKind, binary,
    store::{KEY, KEY_VARIABLE, Named, fresh_name},
};

/// A recipe with a step of every kind. The partner, its host and its address are made up.
pub const EVERYTHING: &str = r#"schema = 1
name = "everything"
title = "Everything"
prefix = "ev"
directions = ["both"]
default_direction = "both"
verify = true
allow_mixed_auth = true

[outbound]
auth = "digest"
whitelist = ["44.248.146.11"]
friendly_name = "Everything"

[inbound]
destination = "sip.everything.example:5061;transport=tls"

[partner_settings.common]
user = "{user_name}"
password = "{password}"
"#;

/// A recipe that leaves one of each, with a request for each and none more. All made up, too.
pub const FIVE_STEPS: &str = r#"schema = 1
name = "five_steps"
title = "Five steps"
prefix = "fs"
directions = ["both"]
default_direction = "both"
allow_mixed_auth = true

[outbound]
auth = "digest"
whitelist = ["44.248.146.11"]
friendly_name = "Five_steps"

[inbound]
destination = "sip.five.example:5061;transport=tls"
"#;

/// The steps of [`EVERYTHING`] for a signup with a `caller_id`, in their order, and for each the
/// method and the end of the path of its first request.
pub const STEPS: [(&str, &str, &str); 7] = [
    ("create_trunk", "POST", "/trunks$"),
    ("map_number", "POST", "/phone-numbers$"),
    ("whitelist_ip", "POST", "/whitelisted-ips$"),
    ("create_credentials", "POST", "/credentials$"),
    ("map_destination", "POST", "/destination-uris$"),
    ("set_caller_id", "POST", "/settings$"),
    ("verify", "GET", "/trunks/[A-Za-z0-9]+$"),
];

/// Settings under which a test's retries take milliseconds.
const QUICK: &str = "request_timeout_ms = 1500
connect_timeout_ms = 1000
lease_ms = 4000
shutdown_timeout_ms = 4000
retry_first_ms = 20
retry_max_ms = 200
settling_ms = 300
late_check_ms = 2000
";

/// A folder with settings, accounts, and the recipe [`EVERYTHING`].
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    started: AtomicUsize,
    environment: Vec<(String, String)>,
    /// What stands at the end of its settings file.
    tables: String,
    /// Its store on a Redis; without one it is a file in the folder.
    named: Option<Named>,
}

impl Place {
    /// Accounts of a simulator with limits that are never reached. An account's SID is its name.
    #[must_use]
    pub fn new(simulator: &Simulator, accounts: &[&str]) -> Self {
        let limits = "requests_per_minute = 1000000, connections = 1000";
        Self::with_limits(simulator, accounts, limits)
    }

    /// Accounts with these `limits`.
    #[must_use]
    pub fn with_limits(simulator: &Simulator, accounts: &[&str], limits: &str) -> Self {
        Self::with_own_limits(simulator, accounts.iter().map(|name| (*name, limits)))
    }

    /// Accounts, each with its own limits.
    #[must_use]
    pub fn with_own_limits<'a>(
        simulator: &Simulator,
        accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let place = Self::bare();
        let mut text = String::new();
        for (name, limits) in accounts {
            text.push_str(&format!(
                "[accounts.{name}]\naccount_sid = \"{name}\"\nbase_url = \"{}\"\n\
                 api_key = {{ env = \"EXOTEL_KEY\" }}\napi_token = {{ env = \"EXOTEL_TOKEN\" }}\n\
                 edge = {{ host = \"in.voip.exotel.com\", port = 443, transport = \"tls\" }}\n\
                 limits = {{ {limits} }}\n\n",
                simulator.base_url()
            ));
        }
        place.write("accounts.toml", &text);
        place
    }

    /// Without accounts.
    #[must_use]
    pub fn bare() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            started: AtomicUsize::new(0),
            environment: Vec::new(),
            tables: String::new(),
            named: None,
        };
        fs::create_dir(place.path("recipes")).unwrap();
        place.write("recipes/everything.toml", EVERYTHING);
        place.write("recipes/five_steps.toml", FIVE_STEPS);
        place.settings("");
        place.env("EXOTEL_KEY", "key").env("EXOTEL_TOKEN", "token")
    }

    /// The same with another variable in the program's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The same with these tables at the end of its settings file, before settings of its own.
    #[must_use]
    pub fn with_tables(mut self, tables: &str) -> Self {
        self.tables.push_str(tables);
        self.settings("");
        self
    }

    /// The same with a store of this kind, before settings of its own: a file in the folder, or
    /// a store of its own in the Redis that all tests of this program share.
    #[must_use]
    pub fn kept_in(self, kind: StoreKind) -> Self {
        match kind {
            StoreKind::Sqlite => self,
            StoreKind::Redis => self.on_redis(&Server::shared().url()),
        }
    }

    /// The same with a store of its own in the Redis of this URL, before settings of its own.
    #[must_use]
    pub fn on_redis(mut self, url: &str) -> Self {
        self.named = Some(Named {
            url: url.to_owned(),
            name: fresh_name(),
        });
        self.settings("");
        self.env(KEY_VARIABLE, KEY)
    }

    /// The name of its store in its Redis: every key of it begins with the name in braces.
    ///
    /// # Panics
    /// Its store is a file.
    #[must_use]
    pub fn store_name(&self) -> &str {
        &self.named.as_ref().expect("a store on Redis").name
    }

    /// Loses the store, as a disk does that breaks without a backup, and its handoffs.
    pub fn lose_the_store(&self) {
        drop(fs::remove_dir_all(self.path("out")));
        if let Some(named) = &self.named {
            return named.lose();
        }
        for name in [
            "trunkline.db",
            "trunkline.db-wal",
            "trunkline.db-shm",
            "trunkline.db.key",
            "trunkline.db.mark",
        ] {
            drop(fs::remove_file(self.path(name)));
        }
    }

    /// Whether there is a store to be looked at.
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.named.is_some() || self.path("trunkline.db").exists()
    }

    /// Writes the settings file anew: these over the quick ones.
    pub fn settings(&self, own: &str) {
        let set = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
        let mut text = String::from("recipes = \"recipes\"\n");
        if let Some(named) = &self.named {
            text.push_str(&format!(
                "store = \"{}\"\nsecret_key = {{ env = \"{KEY_VARIABLE}\" }}\n",
                named.url()
            ));
        } else if !own.lines().any(|line| set(line) == "store") {
            // In the sandbox, too.
            text.push_str("store = \"sqlite:trunkline.db\"\n");
        }
        for line in QUICK.lines() {
            if !own.lines().any(|other| set(other) == set(line)) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text.push_str(own);
        text.push('\n');
        text.push_str(&self.tables);
        self.write("trunkline.toml", &text);
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The binary in this folder, untouched by the settings of whoever runs the tests.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder()).args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TRUNKLINE_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the binary.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Program {
        self.launch(self.command(arguments))
    }

    /// Whether what moves a program's clock is installed.
    #[must_use]
    pub fn moves_clocks() -> bool {
        clock_library().is_some()
    }

    /// The binary as where the time of day is another: `offset` is such as `+10m`. Only that clock is
    /// moved, as where somebody sets it.
    ///
    /// # Panics
    /// What moves it is not installed; `cargo xtask servers` does.
    #[must_use]
    pub fn command_at(&self, offset: &str, arguments: &[&str]) -> Command {
        let mut command = self.command_with_clock(arguments);
        command.env("FAKETIME", offset);
        command
    }

    /// The binary as where somebody sets the time of day while it runs: to the offset that this file
    /// of the folder has, read again every second.
    ///
    /// # Panics
    /// What moves it is not installed; `cargo xtask servers` does.
    #[must_use]
    pub fn command_set_by(&self, file: &str, arguments: &[&str]) -> Command {
        let mut command = self.command_with_clock(arguments);
        command
            .env("FAKETIME_TIMESTAMP_FILE", self.path(file))
            .env("FAKETIME_CACHE_DURATION", "1");
        command
    }

    fn command_with_clock(&self, arguments: &[&str]) -> Command {
        let library = clock_library();
        let library = library.expect("libfaketime is installed: run `cargo xtask servers`");
        let mut command = self.command(arguments);
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    /// The database file, opened by another program.
    ///
    /// # Panics
    /// It cannot be opened.
    #[must_use]
    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("trunkline.db")).expect("a database")
    }

    /// Starts a command of this place.
    #[must_use]
    pub fn launch(&self, command: Command) -> Program {
        let n = self.started.fetch_add(1, Ordering::Relaxed);
        let out = self.path(&format!("{n}.stdout"));
        Program::start(command, out, self.path(&format!("{n}.stderr")))
    }

    /// Runs the binary to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// How many onboardings are in which state, and `total`.
    #[must_use]
    pub fn tally(&self) -> Value {
        self.run(&["status", "--json"]).with(0).record("tally")
    }

    /// Every onboarding's record, in the order of acceptance.
    #[must_use]
    pub fn list(&self) -> Vec<Value> {
        self.run(&["list", "--json"]).with(0).records()
    }

    /// Every handoff under `folder`.
    #[must_use]
    pub fn handoffs(&self, folder: &str) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap();
            serde_json::from_str(&text).expect("a handoff file is whole")
        };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .map(read)
            .collect()
    }
}

fn clock_library() -> Option<PathBuf> {
    let mut folders = fs::read_dir("/usr/lib").into_iter().flatten();
    folders.find_map(|folder| {
        let library = folder.ok()?.path().join("faketime/libfaketime.so.1");
        library.exists().then_some(library)
    })
}
