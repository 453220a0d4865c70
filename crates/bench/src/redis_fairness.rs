//! Whether a hundred thousand of one account delay the first one of another.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use store::Operate;

use crate::{
    first_request::{accept_one_by_one, waits},
    process::{self, Running},
    redis_server::{Aof, Redis},
    setup::{Place, Simulator, runtime, share, write_signups},
};

/// In line of `bench0`.
const BACKLOG: usize = 100_000;
/// Idle accounts, `bench1` and so on, each with one signup.
const SIGNUPS: usize = 300;
const PAUSE: Duration = Duration::from_millis(97);

/// What becomes of the account with the backlog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Busy {
    /// It sends what its limit allows, and the rest waits.
    Saturated,
    /// It is parked.
    Parked,
    /// Its limit is raised and its requests take long: every slot of the worker is taken by it,
    /// and one comes free every few milliseconds.
    AllSlots,
}

/// Real processes: one accepted the backlog, one works; this one accepts a signup every 100 ms.
pub(crate) fn run() -> Result<()> {
    for (busy, aof) in [
        (Busy::Saturated, Aof::Always),
        (Busy::Parked, Aof::Always),
        (Busy::AllSlots, Aof::Always),
    ] {
        let mut waits = measure(busy, aof)?;
        let what = match busy {
            Busy::Saturated => "sends its 200 requests a minute",
            Busy::Parked => "is parked",
            Busy::AllSlots => {
                "has no limit, takes all slots of the worker and waits 250 ms for every answer"
            }
        };
        println!(
            "redis-fairness ({aof}): an account with {BACKLOG} queued {what}; first request of an idle account {:.1} ms p50, {:.1} ms p99, {:.1} ms worst of {SIGNUPS} after acceptance{}",
            share(&mut waits, 0.5),
            share(&mut waits, 0.99),
            share(&mut waits, 1.0),
            if busy == Busy::AllSlots {
                ""
            } else {
                " [aim p99 10 ms]"
            }
        );
    }
    Ok(())
}

fn measure(busy: Busy, aof: Aof) -> Result<Vec<f64>> {
    let redis = Redis::start(aof);
    let (latency, limits) = match busy {
        Busy::Saturated | Busy::Parked => ("0", "requests_per_minute = 200"),
        Busy::AllSlots => ("250", "requests_per_minute = 1000000, connections = 1000"),
    };
    let simulator = Simulator::unlimited_after(latency)?;
    let place = Place::new(&simulator.base_url, 1 + SIGNUPS, limits)?.on(&redis);
    // All of them of `bench0`.
    write_signups(&place.path("signups.csv"), BACKLOG, 1)?;
    let mut enqueue = place.command(&["enqueue", "signups.csv"])?;
    let used = process::run(enqueue.stdout(Stdio::null()), Duration::from_secs(60))?;
    ensure!(used.status == 0, "enqueue failed");
    let runtime = runtime()?;
    let store = runtime.block_on(redis.open())?;
    if busy == Busy::Parked {
        let account = "bench0".parse()?;
        runtime.block_on(store.park_account(&account, "a benchmark parks it"))?;
    }
    let mut work = place.command(&["work"])?;
    let worker = Running(work.stdout(Stdio::null()).spawn()?);
    wait_until_saturated(&simulator, busy)?;
    let accepted = runtime.block_on(accept_one_by_one(&*store, 1..1 + SIGNUPS, PAUSE))?;
    let waits = waits(&simulator, &accepted)?;
    drop(worker);
    Ok(waits)
}

/// Until the busy account has sent more than its burst, and the worker is there in any case.
fn wait_until_saturated(simulator: &Simulator, busy: Busy) -> Result<()> {
    if busy == Busy::Parked {
        // It sends nothing by which it could be seen; it registers within milliseconds.
        thread::sleep(Duration::from_secs(2));
        return Ok(());
    }
    let started = Instant::now();
    loop {
        let log = simulator.get("requests")?;
        if log.as_array().context("the log is a list")?.len() > 25 {
            return Ok(());
        }
        ensure!(
            started.elapsed() < Duration::from_secs(20),
            "the worker does not start"
        );
        thread::sleep(Duration::from_millis(100));
    }
}
