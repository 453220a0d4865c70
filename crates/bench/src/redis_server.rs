//! A Redis of the benchmark's own, and what it tells about itself.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use redis_fixture::Server;
use store::{
    SealingKey, World,
    redis::{RedisOptions, RedisPlace, RedisStore},
};

use crate::process;

/// When what was written is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aof {
    Off,
    Everysec,
    Always,
}

impl Aof {
    fn lines(self) -> &'static [&'static str] {
        match self {
            Self::Off => &["appendonly no"],
            Self::Everysec => &["appendonly yes", "appendfsync everysec"],
            Self::Always => &["appendonly yes", "appendfsync always"],
        }
    }
}

impl fmt::Display for Aof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "appendonly no",
            Self::Everysec => "appendfsync everysec",
            Self::Always => "appendfsync always",
        })
    }
}

/// What the server says of the scripts that it ran since it was last asked to forget, in
/// microseconds of its own time: what it takes to read, write and flush is not in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scripts {
    pub(crate) calls: f64,
    pub(crate) mean_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

/// A server of its own, gone when this is dropped.
pub(crate) struct Redis {
    server: Server,
    key: SealingKey,
    key_text: String,
}

impl Redis {
    /// Starts one. Its append-only file is never rewritten meanwhile, so that no figure depends on
    /// when that happens.
    pub(crate) fn start(aof: Aof) -> Self {
        let mut lines = aof.lines().to_vec();
        lines.extend([
            "auto-aof-rewrite-percentage 0",
            "latency-tracking-info-percentiles 99 100",
            // Counted by `slow_scripts`.
            "slowlog-log-slower-than 5000",
            "slowlog-max-len 100000",
        ]);
        let (key, key_text) = SealingKey::generate();
        Self {
            server: Server::start(&lines),
            key,
            key_text: key_text.expose().to_owned(),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    /// The store's secret key, for other processes.
    pub(crate) fn key_text(&self) -> String {
        self.key_text.clone()
    }

    /// A store on it, in this process.
    pub(crate) async fn open(&self) -> Result<Arc<RedisStore>> {
        let place = RedisPlace::parse(&self.url()).map_err(|error| anyhow!(error))?;
        Ok(RedisStore::open(RedisOptions {
            place,
            key: self.key.clone(),
            world: World::Live,
            keep_finished: Duration::from_secs(30 * 24 * 3600),
        })
        .await?)
    }

    pub(crate) fn ask(&self, command: &[&str]) -> Result<String> {
        self.server.ask(command).map_err(|error| anyhow!(error))
    }

    /// User and system time of the server so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.server.pid())
    }

    /// A section of INFO.
    pub(crate) fn info(&self, section: &str) -> Result<HashMap<String, String>> {
        let text = self.ask(&["INFO", section])?;
        Ok(text
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// Bytes of its data, and of its process.
    pub(crate) fn memory(&self) -> Result<(f64, f64)> {
        let memory = self.info("memory")?;
        let bytes = |name: &str| -> Result<f64> {
            let text = memory.get(name).with_context(|| format!("no {name}"))?;
            Ok(text.parse()?)
        };
        Ok((bytes("used_memory")?, bytes("used_memory_rss")?))
    }

    /// Bytes that it read and sent since it was last asked to forget, and those of its append-only
    /// file.
    pub(crate) fn written(&self) -> Result<[f64; 3]> {
        let mut all = self.info("stats")?;
        all.extend(self.info("persistence")?);
        let names = [
            "total_net_input_bytes",
            "total_net_output_bytes",
            "aof_current_size",
        ];
        Ok(names.map(|name| {
            all.get(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0.0)
        }))
    }

    /// Begins the counts of `scripts`, `commands` and `slow_scripts` anew.
    pub(crate) fn forget(&self) -> Result<()> {
        self.ask(&["CONFIG", "RESETSTAT"])?;
        self.ask(&["SLOWLOG", "RESET"])?;
        Ok(())
    }

    /// How the scripts did.
    pub(crate) fn scripts(&self) -> Result<Scripts> {
        let calls = self.info("commandstats")?;
        let calls = calls.get("cmdstat_fcall").context("no script ran")?;
        let spread = self.info("latencystats")?;
        let spread = spread.get("latency_percentiles_usec_fcall");
        let spread = spread.map_or("", String::as_str);
        Ok(Scripts {
            calls: field(calls, "calls"),
            mean_us: field(calls, "usec_per_call"),
            p99_us: field(spread, "p99"),
            max_us: field(spread, "p100"),
        })
    }

    /// How many commands took longer than 5 ms.
    pub(crate) fn slow_scripts(&self) -> Result<u64> {
        Ok(self.ask(&["SLOWLOG", "LEN"])?.parse()?)
    }

    /// The commands that took most of its time, those inside of scripts too, as a text: name,
    /// calls, microseconds each.
    pub(crate) fn commands(&self, most: usize) -> Result<String> {
        let all = self.info("commandstats")?;
        let mut all: Vec<(&str, f64, f64)> = all
            .iter()
            .filter_map(|(name, value)| {
                let name = name.strip_prefix("cmdstat_")?;
                Some((name, field(value, "calls"), field(value, "usec_per_call")))
            })
            .collect();
        all.sort_by(|a, b| (b.1 * b.2).total_cmp(&(a.1 * a.2)));
        let lines: Vec<String> = all
            .iter()
            .take(most)
            .map(|(name, calls, each)| format!("{name} {calls:.0} x {each:.2} us"))
            .collect();
        Ok(lines.join(", "))
    }
}

/// A number of `name=value,name=value`.
fn field(text: &str, name: &str) -> f64 {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(f64::NAN)
}
