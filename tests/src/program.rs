//! The real binary in a process.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::until;

/// Where the binary is: beside the folder of the test programs.
///
/// # Panics
/// It is not built.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = folder.join("trunkline");
    assert!(
        path.exists(),
        "{} is not there: run `cargo build -p cli` first, or `cargo xtask test`, which does",
        path.display()
    );
    path
}

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    what: String,
    started: Instant,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// The command line.
    pub what: String,
    /// From its start to its end.
    pub took: Duration,
    /// Its exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Program {
    /// Starts it. Its output goes to files, which never fill up.
    pub(crate) fn start(mut command: Command, stdout: PathBuf, stderr: PathBuf) -> Self {
        command.stdout(Stdio::from(File::create(&stdout).unwrap()));
        command.stderr(Stdio::from(File::create(&stderr).unwrap()));
        let words = command.get_args().map(|word| word.to_string_lossy());
        let what = words.collect::<Vec<_>>().join(" ");
        let child = command.spawn().expect("the binary starts");
        Self {
            child,
            what,
            started: Instant::now(),
            stdout,
            stderr,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, if it was piped; closed when dropped.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child can be killed");
        drop(self.child.wait());
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).expect("our own child can be signalled");
    }

    /// Stops it with SIGSTOP, and returns when all of it stands still.
    ///
    /// # Panics
    /// It does not.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.id());
        until("every thread has stopped", || {
            let Ok(tasks) = fs::read_dir(&tasks) else {
                // This system does not tell.
                return Some(());
            };
            let stands = |task: std::io::Result<fs::DirEntry>| {
                let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
                // After the program's name in parentheses.
                let state = stat.rsplit(')').next()?.trim_start().chars().next()?;
                Some(matches!(state, 'T' | 't' | 'Z'))
            };
            let mut states = tasks.map(stands);
            states.all(|stands| stands != Some(false)).then_some(())
        });
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has written to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What it has written to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// How often it has said this on stderr so far.
    #[must_use]
    pub fn said(&self, what: &str) -> usize {
        self.stderr().matches(what).count()
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let what = format!("`trunkline {}` ends", self.what);
        let status: ExitStatus = until(&what, || self.child.try_wait().unwrap());
        Ended {
            what: std::mem::take(&mut self.what),
            took: self.started.elapsed(),
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    /// The same, if it ended with this status.
    ///
    /// # Panics
    /// It did not; the message has what it wrote.
    #[must_use]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "`trunkline {}` wrote\n{}\n{}",
            self.what,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Its JSON Lines.
    ///
    /// # Panics
    /// A line is none.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let read = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("`trunkline {}`: {line}: {error}", self.what))
        };
        self.stdout.lines().map(read).collect()
    }

    /// Its records of one type.
    #[must_use]
    pub fn records_of(&self, kind: &str) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record["type"] == kind);
        records
    }

    /// Its one record of that type.
    ///
    /// # Panics
    /// There is none, or more than one.
    #[must_use]
    pub fn record(&self, kind: &str) -> Value {
        let mut records = self.records_of(kind);
        assert_eq!(records.len(), 1, "{kind} in {}", self.stdout);
        records.remove(0)
    }
}
