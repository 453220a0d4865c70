//! How long a person waits for `--help`.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Result;

use crate::setup::{median, trunkline};

/// Fifty starts.
pub(crate) fn run() -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        Command::new(trunkline()?)
            .arg("--help")
            .stdout(Stdio::null())
            .status()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    println!(
        "help: {:.1} ms median, {worst:.1} ms worst of 50 [aim below 20 ms]",
        median(times)
    );
    Ok(())
}
