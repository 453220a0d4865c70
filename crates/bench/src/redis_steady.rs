//! What an onboarding costs once permits have been coming back for a while.

use std::{
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use onboarding::State;
use store::{Inspect, redis::RedisStore};
use tokio::runtime::Runtime;

use crate::{
    process::{self, Running},
    redis_cost,
    redis_server::{Aof, Redis},
    setup::{Simulator, runtime},
};

/// More than can be done in the time.
const ONBOARDINGS: usize = 300_000;
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Permits come back a minute after their answers: from then on as many come as go.
const LOOKS: usize = 9;

/// As `redis-cost` with one worker, for a minute and a half, told every ten seconds.
pub(crate) fn run() -> Result<()> {
    let redis = Redis::start(Aof::Everysec);
    let simulator = Simulator::unlimited()?;
    let place = redis_cost::prepare(&redis, &simulator, ONBOARDINGS)?;
    let runtime = runtime()?;
    let store = runtime.block_on(redis.open())?;
    let mut work = place.plain(&["work", "--concurrency", "256"])?;
    let worker = Running(work.stdout(Stdio::null()).spawn()?);
    let watch = Watch {
        redis: &redis,
        worker: &worker,
        store,
        runtime,
    };
    println!(
        "redis-steady (appendfsync everysec, one worker, 256 onboardings at once, limits raised):"
    );
    let mut before = watch.look()?;
    for n in 1..=LOOKS {
        thread::sleep(LOOK_EVERY);
        let now = watch.look()?;
        let done = now.done - before.done;
        ensure!(done > 0.0, "nothing succeeds");
        println!(
            "  to {:2} s: {:6.0} onboardings per second; each {:4.0} us of CPU of the worker, {:4.0} us of Redis, {:6.0} bytes into its append-only file",
            n as u64 * LOOK_EVERY.as_secs(),
            done / (now.at - before.at).as_secs_f64(),
            (now.worker - before.worker).as_secs_f64() * 1e6 / done,
            (now.redis - before.redis).as_secs_f64() * 1e6 / done,
            (now.file - before.file) / done
        );
        before = now;
    }
    Ok(())
}

struct Watch<'r> {
    redis: &'r Redis,
    worker: &'r Running,
    store: Arc<RedisStore>,
    runtime: Runtime,
}

/// What was used and done so far.
struct Look {
    at: Instant,
    done: f64,
    worker: Duration,
    redis: Duration,
    file: f64,
}

impl Watch<'_> {
    fn look(&self) -> Result<Look> {
        let tally = self.runtime.block_on(self.store.tally())?;
        Ok(Look {
            at: Instant::now(),
            done: tally.of(State::Succeeded) as f64,
            worker: process::cpu(self.worker.0.id())?,
            redis: self.redis.cpu()?,
            file: self.redis.written()?[2],
        })
    }
}
