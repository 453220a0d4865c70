//! One server.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Child,
    sync::OnceLock,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    launch::{Failed, Launch, START_MAX, log_path, until},
    port,
    program::Program,
    watchdog::Watchdog,
    wire,
};

/// How many ports to try before it cannot be chance.
const PORTS_MAX: usize = 20;

/// A `redis-server` of its own, killed when dropped.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    folder: TempDir,
    port: u16,
    process: Option<(Watchdog, Child)>,
}

impl Server {
    /// Starts one and waits until it answers. `lines` are lines of `redis.conf`, in which `{port}`
    /// and `{dir}` stand for the server's port and folder; they go before what is set here, except
    /// that it listens on 127.0.0.1 alone. With a line `tls-port {port}` it speaks TLS (add
    /// `port 0`). Without any: no password, nothing is written to disk.
    #[must_use]
    pub fn start(lines: &[&str]) -> Self {
        Self::launched(Program::usual(), false, lines)
    }

    /// One that has every answered write on disk: `appendonly yes`, `appendfsync always`.
    #[must_use]
    pub fn with_aof() -> Self {
        Self::start(&["appendonly yes", "appendfsync always"])
    }

    /// The one that all tests of this process share, without persistence. Use names of your own in
    /// it, and never kill or stop it.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// As [`Server::start`], of version 7.2 or later, which has `WAITAOF`. `None` where there is no
    /// such server; `TRUNKLINE_TEST_REDIS_NEWER` can name one.
    #[must_use]
    pub fn newer(lines: &[&str]) -> Option<Self> {
        Some(Self::launched(Program::newer()?, false, lines))
    }

    pub(crate) fn launched(program: Program, sentinel: bool, lines: &[&str]) -> Self {
        let launch = Launch {
            program,
            sentinel,
            tls: lines.iter().any(|line| line.starts_with("tls-port")),
        };
        for _ in 0..PORTS_MAX {
            let folder = tempfile::Builder::new()
                .prefix("trunkline-redis-")
                .tempdir()
                .expect("a temp folder can be made");
            let port = port::free();
            configure(folder.path(), port, sentinel, lines);
            match launch.run(folder.path(), port) {
                Ok(child) => {
                    let watchdog = Watchdog::over(child.id(), folder.path());
                    return Self {
                        launch,
                        folder,
                        port,
                        process: Some((watchdog, child)),
                    };
                }
                Err(Failed::PortTaken) => {}
                Err(Failed::Otherwise(said)) => panic!("redis-server does not start: {said}"),
            }
        }
        panic!("{PORTS_MAX} free ports were taken one after the other");
    }

    /// `redis://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on, before and after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let (_, child) = self.process.as_ref().expect("the server was killed");
        child.id()
    }

    /// Its folder: the append-only file and the dump are in there.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How long its append-only file is, of a server with one that was not rewritten yet.
    #[must_use]
    pub fn aof_length(&self) -> u64 {
        let file = fs::metadata(self.aof()).expect("a server with an append-only file");
        file.len()
    }

    /// Cuts the end of its append-only file off, as a loss of power does to what was not synced, and
    /// what is left of a transaction, as `redis-check-aof --fix` does. While it does not run.
    pub fn cut_aof(&self, length: u64) {
        assert!(self.process.is_none(), "it runs");
        let mut bytes = fs::read(self.aof()).expect("the append-only file can be read");
        bytes.truncate(usize::try_from(length).expect("a length in memory"));
        bytes.truncate(wire::whole_transactions(&bytes));
        fs::write(self.aof(), bytes).expect("the append-only file can be cut");
    }

    fn aof(&self) -> PathBuf {
        let folder = self.folder.path().join("appendonlydir");
        let files = fs::read_dir(folder).expect("a server with an append-only file");
        let mut files = files.filter_map(|file| Some(file.ok()?.path()));
        let grows = |path: &PathBuf| path.to_string_lossy().ends_with(".incr.aof");
        files.find(grows).expect("the file that is appended to")
    }

    /// What it wrote on its output since it was first started.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(log_path(self.folder.path())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends one command over a connection of its own, without a password. The answer as text, a
    /// list as one line per item.
    ///
    /// # Errors
    /// The server's error answer, or why there was none.
    pub fn ask(&self, command: &[&str]) -> Result<String, String> {
        wire::ask(self.port, command)
    }

    /// Ends it at once, as `kill -9` and a power cut of the process do.
    pub fn kill(&mut self) {
        if let Some((watchdog, mut child)) = self.process.take() {
            drop(watchdog);
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, killing it first if it runs: same port, same folder, so that what it wrote
    /// to disk is read back. Returns when it answers.
    pub fn restart(&mut self) {
        self.kill();
        let mut told = None;
        let served = until(START_MAX, || {
            match self.launch.run(self.folder.path(), self.port) {
                Ok(child) => {
                    let watchdog = Watchdog::over(child.id(), self.folder.path());
                    self.process = Some((watchdog, child));
                }
                // A connection of the killed one may linger for a moment.
                Err(Failed::PortTaken) => {}
                Err(Failed::Otherwise(said)) => told = Some(said),
            }
            self.process.is_some() || told.is_some()
        });
        assert!(
            served && told.is_none(),
            "redis-server does not start again on port {}: {}",
            self.port,
            told.unwrap_or_else(|| "its port is taken".to_owned())
        );
    }

    /// Stops it: connections stay, nothing is answered (`SIGSTOP`).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Server::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let raw = i32::try_from(self.pid()).expect("a pid is small");
        let pid = Pid::from_raw(raw).expect("a pid is not 0");
        kill_process(pid, signal).expect("our own child can be signalled");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn configure(folder: &Path, port: u16, sentinel: bool, lines: &[&str]) {
    let place = folder.display().to_string();
    let mut text = format!("port {port}\ndir \"{place}\"\nprotected-mode no\n");
    if !sentinel {
        // Where a line comes twice, the last one counts.
        text.push_str("save \"\"\nappendonly no\ndaemonize no\n");
    }
    for line in lines {
        let line = line
            .replace("{port}", &port.to_string())
            .replace("{dir}", &place);
        let _ = writeln!(text, "{line}");
    }
    text.push_str("bind 127.0.0.1\n");
    fs::write(folder.join("redis.conf"), text).expect("a file can be written in the temp folder");
}
