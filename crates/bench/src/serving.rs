//! A `trunkline serve` of the benchmark's own.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{process::Running, setup::Place};

/// The token that the benchmark presents; made up.
pub(crate) const TOKEN: &str = "tl_bench-token-of-no-use-elsewhere-000000000000";

/// The server, ended when this is dropped.
pub(crate) struct Serving {
    process: Running,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts it in a place, with a token that may do anything as often as it likes.
    pub(crate) fn start(place: &Place) -> Result<Self> {
        let mut hash = String::new();
        for byte in Sha256::digest(TOKEN) {
            write!(hash, "{byte:02x}")?;
        }
        let settings = format!(
            "[tokens.bench]\nsha256 = \"{hash}\"\nscope = \"write\"\nrequests_per_minute = 1000000\n"
        );
        fs::write(place.path("trunkline.toml"), settings)?;
        let mut command: Command = place.command(&["serve", "--listen", "127.0.0.1:0"])?;
        command.stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the server")?;
        let stdout = child.stdout.take().context("its output")?;
        let process = Running(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let record: Value = serde_json::from_str(&line).context("its first line")?;
        let address = record["address"].as_str().context("its address")?;
        let address = address.trim_start_matches("http://").parse()?;
        Ok(Self { process, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}
