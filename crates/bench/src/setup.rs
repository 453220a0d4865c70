//! A simulator of its own, accounts, signups.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{process::Running, redis_server::Redis};

/// The binary under test: the one beside this program.
pub(crate) fn trunkline() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("trunkline");
    if !path.exists() {
        bail!(
            "{} is not there; build it with cargo build --release -p cli",
            path.display()
        );
    }
    Ok(path)
}

/// Says what the figures were measured on.
pub(crate) fn print_machine() {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("machine: {cores} cores, {model}");
}

/// A simulator in a process of its own.
pub(crate) struct Simulator {
    process: Running,
    pub(crate) base_url: String,
}

impl Simulator {
    /// Starts one with these options.
    pub(crate) fn start(options: &[&str]) -> Result<Self> {
        let mut command = Command::new(trunkline()?);
        command
            .args(["sandbox", "--listen", "127.0.0.1:0", "--json"])
            .args(options);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("starting the simulator")?;
        let stdout = child.stdout.take().context("its output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let record: Value = serde_json::from_str(&line).context("its first line")?;
        let base_url = record["base_url"]
            .as_str()
            .context("its base_url")?
            .to_owned();
        Ok(Self {
            process: Running(child),
            base_url,
        })
    }

    /// One that limits nothing.
    pub(crate) fn unlimited() -> Result<Self> {
        Self::unlimited_after("0")
    }

    /// One that limits nothing and adds so many milliseconds to every round trip.
    pub(crate) fn unlimited_after(latency_ms: &str) -> Result<Self> {
        Self::start(&[
            "--latency-ms",
            latency_ms,
            "--requests-per-minute",
            "10000000",
            "--connections",
            "100000",
        ])
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// What a control answers.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.base_url);
        runtime()?.block_on(async {
            let text = client()?
                .get(url)
                .send()
                .await?
                .error_for_status()?
                .text()
                .await?;
            Ok(serde_json::from_str(&text)?)
        })
    }
}

/// A runtime for this program's own requests.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

/// A client for this program's own requests.
pub(crate) fn client() -> Result<reqwest::Client> {
    // Installing it twice is refused and harmless.
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(reqwest::Client::builder().build()?)
}

/// A folder with an accounts file.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    /// URL and key of a store that is not in the folder.
    store: Option<(String, String)>,
}

impl Place {
    /// Makes it: so many accounts at a base URL with a limit.
    pub(crate) fn new(base_url: &str, accounts: usize, limits: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut text = String::new();
        for n in 0..accounts {
            write!(
                text,
                "[accounts.bench{n}]\naccount_sid = \"bench{n}\"\nbase_url = \"{base_url}\"\n\
                 api_key = {{ env = \"BENCH_KEY\" }}\napi_token = {{ env = \"BENCH_TOKEN\" }}\n\
                 edge = {{ host = \"in.voip.exotel.com\", port = 443, transport = \"tls\" }}\n\
                 limits = {{ {limits} }}\n\n"
            )?;
        }
        fs::write(folder.path().join("accounts.toml"), text)?;
        Ok(Self {
            folder,
            store: None,
        })
    }

    /// The same with its store on a Redis.
    pub(crate) fn on(mut self, redis: &Redis) -> Self {
        self.store = Some((redis.url(), redis.key_text()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command of the binary in this place that prints records.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.plain(arguments)?;
        command.arg("--json");
        Ok(command)
    }

    /// A command of the binary in this place.
    pub(crate) fn plain(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(trunkline()?);
        command.current_dir(self.folder.path());
        command.env("BENCH_KEY", "key").env("BENCH_TOKEN", "token");
        command.args(arguments).stderr(Stdio::null());
        if let Some((url, key)) = &self.store {
            command.args(["--store", url]);
            command.env("TRUNKLINE_SECRET_KEY__ENV", "BENCH_SECRET_KEY");
            command.env("BENCH_SECRET_KEY", key);
        }
        Ok(command)
    }
}

/// Writes `count` signups of four steps each (Retell, both directions), spread over accounts.
pub(crate) fn write_signups(path: &Path, count: usize, accounts: usize) -> Result<()> {
    Ok(fs::write(path, signups(0, count, accounts)?)?)
}

/// The signups from number `from` on as a CSV.
pub(crate) fn signups(from: usize, count: usize, accounts: usize) -> Result<String> {
    let mut text = String::from("account,partner,number,direction\n");
    for n in from..from + count {
        writeln!(text, "bench{},retell,+9180{n:08},both", n % accounts)?;
    }
    Ok(text)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which this share of the others lies. Sorts them.
pub(crate) fn share(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * share) as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
