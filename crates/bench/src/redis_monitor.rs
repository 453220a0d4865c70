//! Counting what clients send to a Redis, apart from what its scripts do.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, Shutdown, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

/// What was sent.
#[derive(Default)]
pub(crate) struct Seen {
    /// Commands of clients, scripts by what they are for.
    pub(crate) clients: BTreeMap<String, u64>,
    /// Commands that scripts ran.
    pub(crate) inside: u64,
}

/// Watches a server until it is told to end.
pub(crate) struct Monitor {
    stream: TcpStream,
    reader: JoinHandle<Seen>,
}

impl Monitor {
    pub(crate) fn start(port: u16) -> Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"MONITOR\r\n")?;
        let mut lines = BufReader::with_capacity(1 << 20, stream.try_clone()?);
        let mut ok = String::new();
        lines.read_line(&mut ok)?;
        anyhow::ensure!(ok.starts_with("+OK"), "MONITOR: {ok}");
        let reader = std::thread::spawn(move || read(lines));
        Ok(Self { stream, reader })
    }

    pub(crate) fn end(self) -> Result<Seen> {
        // What was done before is told before: give it the time to arrive.
        std::thread::sleep(Duration::from_millis(200));
        self.stream
            .shutdown(Shutdown::Both)
            .context("ending the monitor")?;
        self.reader
            .join()
            .map_err(|_| anyhow!("reading the monitor failed"))
    }
}

fn read(mut lines: impl BufRead) -> Seen {
    let mut seen = Seen::default();
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(n) if n > 0) {
        let text = String::from_utf8_lossy(&line);
        if text.contains(" lua] ") {
            seen.inside += 1;
        } else if let Some(kind) = kind_of(&text) {
            *seen.clients.entry(kind).or_default() += 1;
        }
        line.clear();
    }
    seen
}

/// `+1700000000.123456 [0 127.0.0.1:5000] "FCALL" "trunkline_0123456789ab_claim" "15" ...`: the
/// command's name, of a function the function's.
fn kind_of(line: &str) -> Option<String> {
    let mut words = line.split_once("] \"")?.1.split('"');
    let name = words.next()?.to_ascii_lowercase();
    if name != "fcall" {
        return Some(name);
    }
    let function = words.nth(1)?;
    Some(function.splitn(3, '_').nth(2)?.to_owned())
}
