//! How fast one producer's signups are accepted durably into Redis.

use std::{fs::File, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    process,
    redis_server::{Aof, Redis},
    setup::{Place, median, write_signups},
};

const SIGNUPS: usize = 200_000;
const ACCOUNTS: usize = 20;

/// 200,000 signups of a CSV file into an empty Redis, three times per setting.
pub(crate) fn run() -> Result<()> {
    for aof in [Aof::Always, Aof::Everysec, Aof::Off] {
        let (mut rates, mut own, mut servers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut peak, mut longest) = (0, 0.0_f64);
        for _ in 0..3 {
            let redis = Redis::start(aof);
            let place =
                Place::new("http://127.0.0.1:9", ACCOUNTS, "requests_per_minute = 200")?.on(&redis);
            write_signups(&place.path("signups.csv"), SIGNUPS, ACCOUNTS)?;
            let mut command = place.command(&["enqueue", "signups.csv"])?;
            command.stdout(File::create(place.path("out"))?);
            let before = redis.cpu()?;
            let used = process::run(&mut command, Duration::from_secs(60))?;
            let server = redis.cpu()?.saturating_sub(before);
            let text = std::fs::read_to_string(place.path("out"))?;
            let accepted = format!("\"accepted\":{SIGNUPS}");
            ensure!(used.status == 0 && text.contains(&accepted), "{text}");
            rates.push(SIGNUPS as f64 / used.wall.as_secs_f64());
            own.push(used.cpu.as_secs_f64() * 1e6 / SIGNUPS as f64);
            servers.push(server.as_secs_f64() * 1e6 / SIGNUPS as f64);
            peak = peak.max(used.peak_kib);
            longest = longest.max(redis.scripts()?.max_us);
        }
        println!(
            "redis-accept ({aof}): {:.0} signups per second (median of 3, {SIGNUPS} each, the whole process) [aim 40,000]; \
             CPU each: producer {:.1} us, Redis {:.1} us; peak {} MB; longest script {:.1} ms",
            median(rates),
            median(own),
            median(servers),
            peak / 1024,
            longest / 1e3
        );
    }
    Ok(())
}
