//! Running a program and knowing what it used.

use std::{
    fs,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// What a program used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// The most memory it held, in KiB.
    pub(crate) peak_kib: u64,
    /// How it ended.
    pub(crate) status: i32,
}

/// Clock ticks in a second, as Linux reports times in /proc on every platform it runs on.
const TICKS: u64 = 100;

/// How often a running program's memory is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Its state, and the user and system time it used so far, in ticks.
fn stat(pid: u32) -> Result<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("reading /proc")?;
    // The name in parentheses may hold blanks; what follows does not.
    let rest = text
        .rsplit_once(')')
        .context("the form of /proc/PID/stat")?
        .1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let state = fields
        .first()
        .and_then(|field| field.chars().next())
        .unwrap_or('?');
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    Ok((state, ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)))
}

fn peak_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, at_most: Duration) -> Result<Used> {
    let started = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let (mut peak, mut cpu) = (0, 0);
    let wall = loop {
        peak = peak_kib(child.id()).unwrap_or(0).max(peak);
        let (state, ticks) = stat(child.id())?;
        cpu = ticks.max(cpu);
        // A zombie's times are final; it is gone once waited for.
        if state == 'Z' {
            break started.elapsed();
        }
        if started.elapsed() > at_most {
            child.kill()?;
            bail!("{command:?} took longer than {at_most:?}");
        }
        thread::sleep(LOOK);
    };
    let status = child.wait()?.code().unwrap_or(-1);
    Ok(Used {
        wall,
        cpu: Duration::from_millis(cpu * 1000 / TICKS),
        peak_kib: peak,
        status,
    })
}

/// A program that is ended when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
