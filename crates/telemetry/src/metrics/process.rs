//! What every program tells of itself, under the names that all of them use. Where there is no
//! `/proc`, only when it started.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

/// The unit of times in `/proc/self/stat`: a hundredth of a second for every program, whatever the
/// kernel counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process, since it was made.
#[derive(Debug)]
pub(super) struct Process {
    started_seconds: f64,
}

impl Process {
    pub(super) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started_seconds: since_epoch.unwrap_or_default().as_secs_f64(),
        }
    }

    /// What it is now.
    pub(super) fn write(&self, text: &mut String) {
        let mut registry = Registry::with_prefix("process");
        registry.register_with_unit(
            "start_time",
            "When the process started, in seconds since 1970",
            Unit::Seconds,
            ConstGauge::new(self.started_seconds),
        );
        if let Some(seconds) = cpu_seconds() {
            registry.register_with_unit(
                "cpu",
                "Processor time that the process used",
                Unit::Seconds,
                ConstCounter::new(seconds),
            );
        }
        if let Some(bytes) = memory_bytes() {
            registry.register_with_unit(
                "resident_memory",
                "Memory that the process holds",
                Unit::Bytes,
                ConstGauge::new(bytes),
            );
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is this look.
            let count = files.count().saturating_sub(1);
            registry.register(
                "open_fds",
                "Files and sockets that the process has open",
                ConstGauge::new(count),
            );
        }
        if let Some(most) = files_max() {
            registry.register(
                "max_fds",
                "How many files and sockets the process may have open",
                ConstGauge::new(most),
            );
        }
        // Writing to a string does not fail.
        let _ = encode_registry(text, &registry);
    }
}

/// User and system time: the 14th and 15th field, where the second is a name in brackets.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
