//! How fast signups are accepted durably.

use std::{fs::File, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    process,
    setup::{Place, median, write_signups},
};

const SIGNUPS: usize = 100_000;

/// 100,000 signups of a CSV file into a new SQLite file, three times.
pub(crate) fn run() -> Result<()> {
    let mut rates = Vec::new();
    let mut peak = 0;
    for round in 0..3 {
        let place = Place::new("http://127.0.0.1:9", 20, "requests_per_minute = 200")?;
        write_signups(&place.path("signups.csv"), SIGNUPS, 20)?;
        let mut command = place.command(&["enqueue", "signups.csv"])?;
        command.stdout(File::create(place.path("out"))?);
        let used = process::run(&mut command, Duration::from_secs(120))?;
        let text = std::fs::read_to_string(place.path("out"))?;
        ensure!(
            used.status == 0 && text.contains("\"accepted\":100000"),
            "round {round}: {text}"
        );
        rates.push(SIGNUPS as f64 / used.wall.as_secs_f64());
        peak = peak.max(used.peak_kib);
    }
    println!(
        "accept: {:.0} signups per second (median of 3, the whole process), peak {} MB [aim 25,000]",
        median(rates),
        peak / 1024
    );
    Ok(())
}
