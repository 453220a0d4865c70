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

/// The most memory that a running process held so far, in kB.
pub(crate) fn peak_of(pid: u32) -> Result<u64> {
    peak_kib(pid).context("reading /proc")
}

/// User and system time of a running process.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    Ok(of_ticks(stat(pid)?.1))
}

fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, at_most: Duration) -> Result<Used> {
    let mut running = Measured::start(command)?;
    while !running.look()? {
        running.bound(at_most)?;
        thread::sleep(LOOK);
    }
    running.end()
}

/// Runs programs at the same time, all to their ends.
pub(crate) fn run_together(commands: &mut [Command], at_most: Duration) -> Result<Vec<Used>> {
    let mut running: Vec<Measured> = commands
        .iter_mut()
        .map(Measured::start)
        .collect::<Result<_>>()?;
    loop {
        let mut all = true;
        for one in &mut running {
            all &= one.look()?;
            one.bound(at_most)?;
        }
        if all {
            return running.into_iter().map(Measured::end).collect();
        }
        thread::sleep(LOOK);
    }
}

/// A program that is looked at while it runs, and ended when this is dropped.
struct Measured {
    what: String,
    process: Running,
    started: Instant,
    peak_kib: u64,
    ticks: u64,
    wall: Option<Duration>,
}

impl Measured {
    fn start(command: &mut Command) -> Result<Self> {
        let what = format!("{command:?}");
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("starting {what}"))?;
        Ok(Self {
            what,
            process: Running(child),
            started,
            peak_kib: 0,
            ticks: 0,
            wall: None,
        })
    }

    /// Whether it has ended.
    fn look(&mut self) -> Result<bool> {
        let pid = self.process.0.id();
        if self.wall.is_none() {
            self.peak_kib = peak_kib(pid).unwrap_or(0).max(self.peak_kib);
            let (state, ticks) = stat(pid)?;
            self.ticks = ticks.max(self.ticks);
            // A zombie's times are final; it is gone once waited for.
            if state == 'Z' {
                self.wall = Some(self.started.elapsed());
            }
        }
        Ok(self.wall.is_some())
    }

    fn bound(&self, at_most: Duration) -> Result<()> {
        if self.wall.is_none() && self.started.elapsed() > at_most {
            bail!("{} took longer than {at_most:?}", self.what);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Used> {
        let status = self.process.0.wait()?.code().unwrap_or(-1);
        Ok(Used {
            wall: self.wall.unwrap_or_default(),
            cpu: of_ticks(self.ticks),
            peak_kib: self.peak_kib,
            status,
        })
    }
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
