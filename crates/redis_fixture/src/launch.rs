//! Starting a process and waiting until it serves.

use std::{
    fs::{self, File, OpenOptions},
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{program::Program, wire};

/// A server that is not up by then never will be.
pub(crate) const START_MAX: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a process is started and how it is known to serve.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: Program,
    /// A Sentinel, not a server of data.
    pub(crate) sentinel: bool,
    /// Whether the port speaks TLS, so that nothing can be asked in clear.
    pub(crate) tls: bool,
}

/// Why a process does not serve.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Somebody else has the port.
    PortTaken,
    /// What it said.
    Otherwise(String),
}

/// Looks until `is` answers true, at most so long. Returns whether it did.
pub(crate) fn until(max: Duration, mut is: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if is() {
            return true;
        }
        if begun.elapsed() > max {
            return false;
        }
        thread::sleep(LOOK_EVERY);
    }
}

impl Launch {
    /// Starts a process with the configuration that is in `folder` and waits until it serves.
    pub(crate) fn run(&self, folder: &Path, port: u16) -> Result<Child, Failed> {
        let log = log_path(folder);
        let before = fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let mut child = self.spawn(folder, &open_log(&log));
        // The line is in nobody's log but its own: a server of somebody else on the same port is
        // not mistaken for it. It comes after the data were read back.
        let ready = if self.sentinel {
            "Sentinel ID is"
        } else {
            "Ready to accept connections"
        };
        let mut exited = false;
        let served = until(START_MAX, || {
            exited = !matches!(child.try_wait(), Ok(None));
            exited || (said_since(&log, before).contains(ready) && self.answers(port))
        });
        if served && !exited {
            return Ok(child);
        }
        let _ = child.kill();
        let _ = child.wait();
        let said = said_since(&log, before);
        if said.contains("Address already in use") {
            Err(Failed::PortTaken)
        } else {
            Err(Failed::Otherwise(said))
        }
    }

    fn spawn(&self, folder: &Path, log: &File) -> Child {
        let mut command = self.program.command();
        command.arg(folder.join("redis.conf")).current_dir(folder);
        if self.sentinel {
            command.arg("--sentinel");
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log has two writers"))
            .stderr(log.try_clone().expect("a log has two writers"))
            .spawn()
            .expect("the server program can be started; see TRUNKLINE_TEST_REDIS")
    }

    fn answers(&self, port: u16) -> bool {
        if self.tls {
            return true;
        }
        match wire::ask(port, &["PING"]) {
            Ok(_) => true,
            Err(refused) => refused.starts_with("NOAUTH"),
        }
    }
}

pub(crate) fn log_path(folder: &Path) -> std::path::PathBuf {
    folder.join("redis.log")
}

fn open_log(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a log can be written in the temp folder")
}

fn said_since(log: &Path, offset: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let from = usize::try_from(offset).unwrap_or(0).min(bytes.len());
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}
