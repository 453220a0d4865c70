//! Peak memory of a large batch, from the file to its end.

use std::{fs::File, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    process,
    setup::{Place, Simulator, write_signups},
};

const ONBOARDINGS: usize = 100_000;

/// `onboard` of 100,000 signups with limits raised; the simulator is another process.
pub(crate) fn run() -> Result<()> {
    let simulator = Simulator::unlimited()?;
    let limits = "requests_per_minute = 1000000, connections = 1000";
    let place = Place::new(&simulator.base_url, 20, limits)?;
    write_signups(&place.path("signups.csv"), ONBOARDINGS, 20)?;
    let mut command = place.command(&["onboard", "signups.csv"])?;
    command.stdout(File::create(place.path("out"))?);
    let used = process::run(&mut command, Duration::from_secs(900))?;
    let text = std::fs::read_to_string(place.path("out"))?;
    let summary = text.lines().last().unwrap_or_default();
    ensure!(
        summary.contains("\"succeeded\":100000"),
        "onboard: {summary}"
    );
    println!(
        "memory: {} MB peak for `onboard` of 100,000 signups, {:.0} s [aim below 150 MB]",
        used.peak_kib / 1024,
        used.wall.as_secs_f64()
    );
    Ok(())
}
