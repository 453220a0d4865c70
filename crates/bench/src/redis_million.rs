//! A million queued onboardings: what each weighs, and whether claiming gets slower.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use store::{Then, Work, WorkerName, redis::RedisStore};

use crate::{
    process, redis_fill,
    redis_scripts::{Holding, LEASE, REQUEST, step_done},
    redis_server::{Aof, Redis},
    setup::{Place, runtime, share, write_signups},
};

const MANY: usize = 1_000_000;
const FEW: usize = 1000;
const ACCOUNTS: usize = 1000;
/// Rounds of claims, in turn between the two stores.
const ROUNDS: usize = 250;
/// Claims of one, and of as many as one script hands out, in a round: about half of the few.
const ONES: usize = 40;
const SIXTY_FOURS: usize = 8;
const MOST: usize = 64;

/// Without the append-only file: what a flush takes is not what this is about.
pub(crate) fn run() -> Result<()> {
    let many = Redis::start(Aof::Off);
    let few = Redis::start(Aof::Off);
    weigh(&many)?;
    runtime()?.block_on(compare(&many, &few))
}

/// Accepts the million by the real binary.
fn weigh(redis: &Redis) -> Result<()> {
    let place = Place::new("http://127.0.0.1:9", ACCOUNTS, "requests_per_minute = 200")?.on(redis);
    write_signups(&place.path("signups.csv"), MANY, ACCOUNTS)?;
    let before = redis.memory()?;
    redis.forget()?;
    let mut enqueue = place.command(&["enqueue", "signups.csv"])?;
    let used = process::run(enqueue.stdout(Stdio::null()), Duration::from_secs(240))?;
    ensure!(used.status == 0, "enqueue failed");
    let after = redis.memory()?;
    println!(
        "redis-million: {:.0} bytes each of {MANY} queued onboardings of four steps in {ACCOUNTS} accounts (used_memory) [aim 700], {:.0} resident (used_memory_rss)",
        (after.0 - before.0) / MANY as f64,
        (after.1 - before.1) / MANY as f64
    );
    let scripts = redis.scripts()?;
    println!(
        "redis-million: accepted {:.0} per second, producer's peak {} MB; {} of {:.0} scripts longer than 5 ms, the longest {:.1} ms",
        MANY as f64 / used.wall.as_secs_f64(),
        used.peak_kib / 1024,
        redis.slow_scripts()?,
        scripts.calls,
        scripts.max_us / 1e3
    );
    Ok(())
}

/// One of the two stores, and how long claims took there, in microseconds.
struct Side<'r> {
    redis: &'r Redis,
    store: Arc<RedisStore>,
    worker: WorkerName,
    /// How many were ever accepted.
    accepted: usize,
    ones: Vec<f64>,
    sixty_fours: Vec<f64>,
    /// The server's own time of a script: claims of one and of 64.
    script_us: [Vec<f64>; 2],
    longest_us: f64,
    slow: u64,
}

impl<'r> Side<'r> {
    async fn new(redis: &'r Redis, accepted: usize) -> Result<Self> {
        let store = redis.open().await?;
        let worker = WorkerName("bench".to_owned());
        store
            .register(&worker, &redis_fill::accounts(ACCOUNTS)?)
            .await?;
        Ok(Self {
            redis,
            store,
            worker,
            accepted,
            ones: Vec::new(),
            sixty_fours: Vec::new(),
            script_us: [Vec::new(), Vec::new()],
            longest_us: 0.0,
            slow: 0,
        })
    }

    /// An empty store with so many new ones in it.
    async fn begin_anew(&mut self, count: usize) -> Result<()> {
        self.redis.ask(&["FLUSHALL"])?;
        self.store = self.redis.open().await?;
        self.store
            .register(&self.worker, &redis_fill::accounts(ACCOUNTS)?)
            .await?;
        self.add(count).await
    }

    async fn add(&mut self, count: usize) -> Result<()> {
        redis_fill::fill(&*self.store, self.accepted, count, ACCOUNTS).await?;
        self.accepted += count;
        Ok(())
    }

    /// Claims, and ends what was claimed.
    async fn round(&mut self) -> Result<usize> {
        let mut held = Vec::new();
        for (at, most, calls) in [(0, MOST, SIXTY_FOURS), (1, 1, ONES)] {
            self.redis.forget()?;
            for _ in 0..calls {
                let called = Instant::now();
                let claims = self.store.claim(&self.worker, most, LEASE, REQUEST).await?;
                let took = called.elapsed().as_secs_f64() * 1e6;
                ensure!(claims.claims.len() == most, "less than there are");
                held.extend(claims.claims.into_iter().map(Holding::from));
                let times = [&mut self.sixty_fours, &mut self.ones];
                times[at].push(took);
            }
            let scripts = self.redis.scripts()?;
            self.script_us[at].push(scripts.mean_us);
            self.longest_us = self.longest_us.max(scripts.max_us);
            self.slow += self.redis.slow_scripts()?;
        }
        let ended = held.len();
        for holding in held {
            let end = step_done(&holding, Then::Succeed);
            self.store.advance(&holding.lease, end).await?;
        }
        Ok(ended)
    }
}

async fn compare(many: &Redis, few: &Redis) -> Result<()> {
    let mut many = Side::new(many, MANY).await?;
    let mut few = Side::new(few, 0).await?;
    for _ in 0..ROUNDS {
        few.begin_anew(FEW).await?;
        few.round().await?;
        let ended = many.round().await?;
        many.add(ended).await?;
    }
    let names = [("64", 0), ("1", 1)];
    for (name, at) in names {
        let times = |side: &mut Side<'_>| match at {
            0 => std::mem::take(&mut side.sixty_fours),
            _ => std::mem::take(&mut side.ones),
        };
        let (mut of_many, mut of_few) = (times(&mut many), times(&mut few));
        let samples = of_many.len();
        let mut spread = |part: f64| (share(&mut of_many, part), share(&mut of_few, part));
        let (p50, p99) = (spread(0.5), spread(0.99));
        let script = (
            share(&mut many.script_us[at], 0.5),
            share(&mut few.script_us[at], 0.5),
        );
        println!(
            "redis-million: claim of {name}: p50 {:.0} us at {MANY} queued, {:.0} us at {FEW}, ratio {:.2}; \
             p99 {:.0} us, {:.0} us, ratio {:.2} [aim 1.5] ({samples} each, in turn); the script alone {:.0} us, {:.0} us",
            p50.0,
            p50.1,
            p50.0 / p50.1,
            p99.0,
            p99.1,
            p99.0 / p99.1,
            script.0,
            script.1
        );
    }
    println!(
        "redis-million: the longest claim script at {MANY} took {:.1} ms, {} longer than 5 ms",
        many.longest_us / 1e3,
        many.slow
    );
    Ok(())
}
