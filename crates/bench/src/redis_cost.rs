//! Onboardings per second through Redis, what they cost beside a bare loop, and how often Redis is
//! asked.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use onboarding::State;
use store::Inspect;

use crate::{
    cost,
    process::{self, Used},
    redis_monitor::Monitor,
    redis_server::{Aof, Redis},
    setup::{Place, Simulator, median, runtime, write_signups},
};

const ONBOARDINGS: usize = 20_000;
const ACCOUNTS: usize = 20;
const LIMITS: &str = "requests_per_minute = 1000000, connections = 1000";
/// Requests in flight of all workers together, and of the bare loop.
const CONCURRENCY: usize = 256;
const ROUNDS: usize = 3;
/// Of the run whose commands are counted.
const WATCHED: usize = 2_000;

/// What a run used.
struct Run {
    rate: f64,
    /// Microseconds of CPU per onboarding.
    workers: f64,
    server: f64,
    simulator: f64,
    /// Bytes per onboarding: read by Redis, sent by it, written to its append-only file.
    bytes: [f64; 3],
    commands: String,
}

/// 20,000 onboardings of four steps by one and by two workers, with both ways to flush, in turn
/// with the bare loop.
pub(crate) fn run() -> Result<()> {
    let mut bare = Vec::new();
    let mut bare_rate = Vec::new();
    let variants = [
        (Aof::Everysec, 1),
        (Aof::Always, 1),
        (Aof::Everysec, 2),
        (Aof::Always, 2),
    ];
    let mut runs: Vec<Vec<Run>> = variants.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        let used = cost::bare_loop(&CONCURRENCY.to_string())?;
        bare.push(each(used.cpu, ONBOARDINGS));
        bare_rate.push(ONBOARDINGS as f64 / used.wall.as_secs_f64());
        for (variant, runs) in variants.iter().zip(&mut runs) {
            runs.push(onboard(variant.0, variant.1)?);
        }
    }
    let bare = median(bare);
    println!(
        "redis-cost: bare reqwest loop, {CONCURRENCY} at once: {bare:.0} us of CPU per onboarding, {:.0} onboardings per second",
        median(bare_rate)
    );
    for ((aof, workers), runs) in variants.iter().zip(&runs) {
        let of = |what: fn(&Run) -> f64| median(runs.iter().map(what).collect());
        let (own, server) = (of(|run| run.workers), of(|run| run.server));
        println!(
            "redis-cost ({aof}, {workers} worker processes, {} onboardings at once each): {:.0} onboardings per second (median of {ROUNDS}) [aim 800]; \
             CPU per onboarding: workers {own:.0} us, Redis {server:.0} us, simulator {:.0} us; \
             ratio to the bare loop {:.2} without Redis, {:.2} with it [aim 1.3]; \
             per onboarding {:.0} bytes to Redis, {:.0} from it, {:.0} into its append-only file",
            CONCURRENCY / workers,
            of(|run| run.rate),
            of(|run| run.simulator),
            own / bare,
            (own + server) / bare,
            of(|run| run.bytes[0]),
            of(|run| run.bytes[1]),
            of(|run| run.bytes[2]),
        );
    }
    if let Some(last) = runs.first().and_then(|runs| runs.last()) {
        println!("redis-cost: commands by their time: {}", last.commands);
    }
    count_commands()
}

fn each(cpu: Duration, onboardings: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / onboardings as f64
}

/// A place with so many onboardings accepted.
pub(crate) fn prepare(redis: &Redis, simulator: &Simulator, onboardings: usize) -> Result<Place> {
    let place = Place::new(&simulator.base_url, ACCOUNTS, LIMITS)?.on(redis);
    write_signups(&place.path("signups.csv"), onboardings, ACCOUNTS)?;
    let mut enqueue = place.command(&["enqueue", "signups.csv"])?;
    let used = process::run(enqueue.stdout(Stdio::null()), Duration::from_secs(60))?;
    ensure!(used.status == 0, "enqueue failed");
    Ok(place)
}

/// Works until nothing is left.
fn drain(redis: &Redis, place: &Place, workers: usize, onboardings: usize) -> Result<Vec<Used>> {
    let concurrency = (CONCURRENCY / workers).to_string();
    let mut commands: Vec<Command> = (0..workers)
        .map(|n| {
            let mut work = place.plain(&["work", "--drain", "--concurrency", &concurrency])?;
            work.stdout(File::create(place.path(&format!("out{n}")))?);
            Ok(work)
        })
        .collect::<Result<_>>()?;
    let used = process::run_together(&mut commands, Duration::from_secs(120))?;
    ensure!(used.iter().all(|used| used.status == 0), "work failed");
    let succeeded = runtime()?.block_on(async {
        let tally = redis.open().await?.tally().await?;
        anyhow::Ok(tally.of(State::Succeeded))
    })?;
    ensure!(
        succeeded == onboardings as u64,
        "{succeeded} of {onboardings} succeeded"
    );
    Ok(used)
}

fn onboard(aof: Aof, workers: usize) -> Result<Run> {
    let redis = Redis::start(aof);
    let simulator = Simulator::unlimited()?;
    let place = prepare(&redis, &simulator, ONBOARDINGS)?;
    redis.forget()?;
    let before = (redis.cpu()?, process::cpu(simulator.pid())?);
    let file = redis.written()?[2];
    let used = drain(&redis, &place, workers, ONBOARDINGS)?;
    let after = (redis.cpu()?, process::cpu(simulator.pid())?);
    let written = redis.written()?;
    let wall = used.iter().map(|used| used.wall).max();
    let wall = wall.context("no worker")?.as_secs_f64();
    Ok(Run {
        rate: ONBOARDINGS as f64 / wall,
        workers: each(used.iter().map(|used| used.cpu).sum(), ONBOARDINGS),
        server: each(after.0.saturating_sub(before.0), ONBOARDINGS),
        simulator: each(after.1.saturating_sub(before.1), ONBOARDINGS),
        bytes: [written[0], written[1], written[2] - file].map(|bytes| bytes / ONBOARDINGS as f64),
        commands: redis.commands(12)?,
    })
}

/// A short run whose every command is watched: those inside of scripts are told apart, which the
/// server's own counters do not do.
fn count_commands() -> Result<()> {
    for workers in [1, 2] {
        let redis = Redis::start(Aof::Everysec);
        let simulator = Simulator::unlimited()?;
        let place = prepare(&redis, &simulator, WATCHED)?;
        let monitor = Monitor::start(redis.port())?;
        drain(&redis, &place, workers, WATCHED)?;
        let seen = monitor.end()?;
        let each = |calls: u64| calls as f64 / WATCHED as f64;
        let mut kinds: Vec<(&String, &u64)> = seen.clients.iter().collect();
        kinds.sort_by(|a, b| b.1.cmp(a.1));
        let kinds: Vec<String> = kinds
            .iter()
            .map(|(kind, calls)| format!("{kind} {:.3}", each(**calls)))
            .collect();
        println!(
            "redis-cost: round trips per onboarding of four steps, {workers} workers: {:.2} [aim 10: two, and two per step]; \
             {}; commands inside of scripts {:.1} (counted over {WATCHED}, watched by MONITOR)",
            each(seen.clients.values().sum()),
            kinds.join(", "),
            each(seen.inside)
        );
    }
    Ok(())
}
