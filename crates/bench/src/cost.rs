//! Onboardings per second, and what each costs beside a bare loop of the same requests.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    process::{self, Used},
    setup::{Place, Simulator, median, write_signups},
};

const ONBOARDINGS: usize = 20_000;
const ACCOUNTS: usize = 20;
const CONCURRENCY: &str = "256";
const LIMITS: &str = "requests_per_minute = 1000000, connections = 1000";

/// 20,000 onboardings of four steps through SQLite and a simulator in another process, three
/// times, in turn with the bare loop.
pub(crate) fn run() -> Result<()> {
    let (mut rates, mut ours, mut printing) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bare, mut narrow) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let used = onboard(false)?;
        rates.push(ONBOARDINGS as f64 / used.wall.as_secs_f64());
        ours.push(micros_each(used.cpu));
        bare.push(micros_each(bare_loop(CONCURRENCY)?.cpu));
        printing.push(micros_each(onboard(true)?.cpu));
        narrow.push(micros_each(bare_loop("64")?.cpu));
    }
    let (ours, bare) = (median(ours), median(bare));
    let (printing, narrow) = (median(printing), median(narrow));
    println!(
        "rate: {:.0} onboardings of four steps per second through SQLite (median of 3) [aim 400]",
        median(rates)
    );
    println!(
        "cost: {ours:.0} us of CPU per onboarding, bare reqwest loop of the same concurrency {bare:.0} us, ratio {:.2} [aim 1.3]",
        ours / bare
    );
    println!(
        "      {printing:.0} us where a JSON record of each is printed, ratio {:.2}; the bare loop with 64 at once {narrow:.0} us",
        printing / bare
    );
    Ok(())
}

fn micros_each(cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1e6 / ONBOARDINGS as f64
}

/// Accepted beforehand, so that the work alone is measured.
fn onboard(records: bool) -> Result<Used> {
    let simulator = Simulator::unlimited()?;
    let place = Place::new(&simulator.base_url, ACCOUNTS, LIMITS)?;
    write_signups(&place.path("signups.csv"), ONBOARDINGS, ACCOUNTS)?;
    let mut enqueue = place.command(&["enqueue", "signups.csv"])?;
    process::run(enqueue.stdout(Stdio::null()), Duration::from_secs(60))?;
    let mut work = place.plain(&["work", "--drain", "--concurrency", CONCURRENCY])?;
    if records {
        work.arg("--json");
    }
    work.stdout(File::create(place.path("out"))?);
    let used = process::run(&mut work, Duration::from_secs(300))?;
    let text = std::fs::read_to_string(place.path("out"))?;
    let summary = text.lines().last().unwrap_or_default();
    let as_record = format!("\"succeeded\":{ONBOARDINGS}");
    let as_text = format!("{ONBOARDINGS} succeeded");
    ensure!(
        used.status == 0 && (summary.contains(&as_record) || summary.contains(&as_text)),
        "work: {summary}"
    );
    Ok(used)
}

pub(crate) fn bare_loop(concurrency: &str) -> Result<Used> {
    let simulator = Simulator::unlimited()?;
    let mut command = Command::new(std::env::current_exe()?);
    let (count, accounts) = (ONBOARDINGS.to_string(), ACCOUNTS.to_string());
    command.args(["bare", &simulator.base_url, &count, &accounts, concurrency]);
    let used = process::run(&mut command, Duration::from_secs(300))?;
    ensure!(used.status == 0, "the bare loop failed");
    Ok(used)
}
