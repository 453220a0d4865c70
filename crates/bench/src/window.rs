//! The window under saturation: held, and used, across a kill.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    process::Running,
    setup::{Place, Simulator, write_signups},
};

const ACCOUNTS: usize = 3;
const SIGNUPS: usize = 1200;
const KILL_AFTER: Duration = Duration::from_secs(95);
const MEASURE: Duration = Duration::from_secs(245);

/// Three accounts with 400 onboardings of four steps each, at Exotel's limits, with 50 to 250 ms
/// added to every round trip, for four minutes; the worker is killed with SIGKILL and started
/// again on the way.
pub(crate) fn run() -> Result<()> {
    let simulator = Simulator::start(&["--latency-ms", "50-250", "--seed", "7"])?;
    let place = Place::new(
        &simulator.base_url,
        ACCOUNTS,
        "requests_per_minute = 200, connections = 50",
    )?;
    write_signups(&place.path("signups.csv"), SIGNUPS, ACCOUNTS)?;
    let mut enqueue = place.command(&["enqueue", "signups.csv"])?;
    ensure!(
        enqueue.stdout(Stdio::null()).status()?.success(),
        "enqueue failed"
    );
    let start = || -> Result<Running> {
        let mut work = place.command(&["work"])?;
        Ok(Running(work.stdout(Stdio::null()).spawn()?))
    };
    let started = Instant::now();
    let first = start()?;
    thread::sleep(KILL_AFTER);
    drop(first);
    let second = start()?;
    thread::sleep(MEASURE.saturating_sub(started.elapsed()));
    drop(second);
    report(&simulator)
}

fn report(simulator: &Simulator) -> Result<()> {
    let stats = simulator.get("stats")?;
    let log = simulator.get("requests")?;
    let log = log.as_array().context("the log is a list")?;
    let (mut most, mut refused, mut connections) = (0, 0, 0);
    let mut worst_use = f64::MAX;
    for n in 0..ACCOUNTS {
        let name = format!("bench{n}");
        let account = &stats["accounts"][&name];
        most = most.max(account["max_in_window"].as_u64().context("max_in_window")?);
        refused += account["refused"].as_u64().context("refused")?;
        connections = connections.max(account["max_connections"].as_u64().unwrap_or(0));
        let times: Vec<i64> = log
            .iter()
            .filter(|request| request["account"] == name.as_str())
            .filter_map(|request| request["at_ms"].as_i64())
            .collect();
        worst_use = worst_use.min(used_of_allowance(&times));
    }
    println!(
        "window: at most {most} in any 60 s [limit 200], {refused} refused, {connections} connections [limit 50]; \
         {:.1} % of the allowance used, kill -9 included [aim 98 %]",
        worst_use * 100.0
    );
    Ok(())
}

/// Requests of the second to the fourth minute after the first one, beside 200 a minute: the first
/// minute, in which the allowance lies there unused, does not flatter it, and the kill is in it.
fn used_of_allowance(times: &[i64]) -> f64 {
    let Some(first) = times.iter().min() else {
        return 0.0;
    };
    let minutes = 3;
    let start = first + 60_000;
    let measured = start..start + minutes * 60_000;
    let sent = times.iter().filter(|at| measured.contains(at)).count();
    sent as f64 / (minutes * 200) as f64
}
