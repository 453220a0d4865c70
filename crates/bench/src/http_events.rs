//! Many watchers of moving onboardings.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use crate::{
    http::{Connection, get},
    process::{self, Running},
    redis_server::{Aof, Redis},
    serving::{Serving, TOKEN},
    setup::{Place, Simulator, runtime, write_signups},
};

const CLIENTS: usize = 500;
const ONBOARDINGS: usize = 1000;
const ACCOUNTS: usize = 50;
/// A step of theirs takes a tenth of a second.
const LATENCY_MS: &str = "100";
const CONCURRENCY: &str = "50";

/// How often the counts are looked at.
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(120);

/// What all watchers were told together.
#[derive(Default)]
struct Told {
    open: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
}

/// A worker moves onboardings against the simulator while watchers hold their streams open.
pub(crate) fn run() -> Result<()> {
    let redis = Redis::start(Aof::Everysec);
    let simulator = Simulator::unlimited_after(LATENCY_MS)?;
    let limits = "requests_per_minute = 1000000, connections = 1000";
    let place = Place::new(&simulator.base_url, ACCOUNTS, limits)?.on(&redis);
    let serving = Serving::start(&place)?;
    write_signups(&place.path("signups.csv"), ONBOARDINGS, ACCOUNTS)?;
    let told = Arc::new(Told::default());
    runtime()?.block_on(async {
        let watchers: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(watch(serving.address, Arc::clone(&told))))
            .collect();
        wait(|| told.open.load(Ordering::Relaxed) == CLIENTS as u64, "all watch").await?;
        let idle = (process::cpu(serving.pid())?, Instant::now());
        sleep(Duration::from_secs(5)).await;
        let idle = share_of_core(serving.pid(), idle)?;

        let enqueued = place.command(&["enqueue", "signups.csv"])?.stdout(Stdio::null()).status()?;
        ensure!(enqueued.success(), "the signups were not accepted");
        let before = (process::cpu(serving.pid())?, Instant::now());
        let events = told.events.load(Ordering::Relaxed);
        let bytes = told.bytes.load(Ordering::Relaxed);
        let mut work = place.command(&["work", "--drain", "--concurrency", CONCURRENCY])?;
        let worker = Running(work.stdout(Stdio::null()).spawn()?);
        let all = events + (CLIENTS * ONBOARDINGS) as u64;
        wait(|| told.events.load(Ordering::Relaxed) >= all, "all were told of all").await?;
        let moving = share_of_core(serving.pid(), before)?;
        let seconds = before.1.elapsed().as_secs_f64();
        drop(worker);
        println!(
            "http-events: {CLIENTS} watchers, {ONBOARDINGS} onboardings moving for {seconds:.1} s: {:.1} % of a core, \
             {:.1} % while nothing moves; each watcher was told of {}, {:.0} kB [aim 10 %]",
            moving * 100.0,
            idle * 100.0,
            (told.events.load(Ordering::Relaxed) - events) / CLIENTS as u64,
            (told.bytes.load(Ordering::Relaxed) - bytes) as f64 / CLIENTS as f64 / 1000.0,
        );
        watchers.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    })
}

fn share_of_core(pid: u32, (cpu, at): (Duration, Instant)) -> Result<f64> {
    Ok((process::cpu(pid)? - cpu).as_secs_f64() / at.elapsed().as_secs_f64())
}

async fn wait(done: impl Fn() -> bool, what: &str) -> Result<()> {
    let started = Instant::now();
    while !done() {
        ensure!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(LOOK).await;
    }
    Ok(())
}

/// Holds a stream open and counts the onboardings in it.
async fn watch(address: SocketAddr, told: Arc<Told>) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    connection.send(get("/v1/events", TOKEN).as_bytes()).await?;
    let mut first = true;
    let mut rest = Vec::new();
    while connection.more().await? {
        if first {
            first = false;
            told.open.fetch_add(1, Ordering::Relaxed);
        }
        let came = connection.taken();
        told.bytes.fetch_add(came.len() as u64, Ordering::Relaxed);
        rest.extend_from_slice(&came);
        let whole = rest
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = rest[..whole].split(|byte| *byte == b'\n');
        let onboardings = lines.filter(|line| {
            line.starts_with(b"event: onboarding") || line.starts_with(b"event:onboarding")
        });
        told.events
            .fetch_add(onboardings.count() as u64, Ordering::Relaxed);
        rest.drain(..whole);
    }
    Ok(())
}
