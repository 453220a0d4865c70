//! What each operation on the store costs by itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use onboarding::{StepRecord, StepResult, StepState};
use store::{
    Advance, Advanced, Claim, Lease, Permit, Settled, Then, Work, WorkerName, WriteId,
    redis::RedisStore,
};

use crate::{
    redis_fill::{self, Made},
    redis_server::{Aof, Redis},
    setup::{runtime, share},
};

const ACCOUNTS: usize = 1000;
const AT_ONCE: usize = 64;
pub(crate) const LEASE: Duration = Duration::from_secs(600);
pub(crate) const REQUEST: Duration = Duration::from_secs(30);

/// Each operation through the store in this process: one after the other, then 64 at once.
pub(crate) fn run() -> Result<()> {
    for aof in [Aof::Off, Aof::Everysec, Aof::Always] {
        println!("redis-scripts ({aof}, {ACCOUNTS} accounts, one connection):");
        let redis = Redis::start(aof);
        runtime()?.block_on(all(&redis))?;
    }
    Ok(())
}

/// An onboarding that is held, and the permit for its next request.
pub(crate) struct Holding {
    pub(crate) lease: Lease,
    pub(crate) permit: Permit,
}

impl From<Claim> for Holding {
    fn from(claim: Claim) -> Self {
        Self {
            lease: claim.lease,
            permit: claim.permit,
        }
    }
}

async fn all(redis: &Redis) -> Result<()> {
    let store = redis.open().await?;
    let worker = WorkerName("bench".to_owned());
    let accounts = redis_fill::accounts(ACCOUNTS)?;
    store.register(&worker, &accounts).await?;
    accept(redis, &store).await?;
    let mut held = claim(redis, &store, &worker).await?;
    renew(redis, &store, &held).await?;
    let few = held.split_off(held.len().saturating_sub(2000));
    for (at_once, holdings) in [(1, few), (AT_ONCE, held)] {
        let bench = Bench { redis, at_once };
        let holdings = bench.permits(&store, holdings).await?;
        bench.succeeds(&store, holdings).await?;
    }
    let calls = || (0..2000).map(|n| accounts[n % ACCOUNTS].0.clone());
    for at_once in [1, AT_ONCE] {
        let bench = Bench { redis, at_once };
        let own = Arc::clone(&store);
        let what = "permit and settle (two calls)";
        bench
            .measure(what, 1, calls().collect(), move |account| {
                let store = Arc::clone(&own);
                async move {
                    if let store::Granted::Permit(permit) = store.permit(&account, REQUEST).await? {
                        let answered = true;
                        store.settle(vec![Settled { permit, answered }]).await?;
                    }
                    Ok(())
                }
            })
            .await?;
    }
    Ok(())
}

async fn accept(redis: &Redis, store: &Arc<RedisStore>) -> Result<()> {
    let Made {
        recipes,
        mut candidates,
    } = redis_fill::make(0, 64_000, ACCOUNTS).await?;
    let recipes = Arc::new(recipes);
    for (at_once, batch, calls) in [
        (1, 1, 2000),
        (AT_ONCE, 1, 20_000),
        (1, 250, 40),
        (1, 30_000, 1),
    ] {
        let batches = (0..calls)
            .map(|_| candidates.split_off(candidates.len().saturating_sub(batch)))
            .collect();
        let (store, recipes) = (Arc::clone(store), Arc::clone(&recipes));
        let bench = Bench { redis, at_once };
        bench
            .measure(
                &format!("accept of {batch}"),
                batch,
                batches,
                move |candidates| {
                    let (store, recipes) = (Arc::clone(&store), Arc::clone(&recipes));
                    async move { redis_fill::accept(&*store, &recipes, candidates).await }
                },
            )
            .await?;
    }
    Ok(())
}

async fn claim(
    redis: &Redis,
    store: &Arc<RedisStore>,
    worker: &WorkerName,
) -> Result<Vec<Holding>> {
    let mut held = Vec::new();
    for (at_once, most, calls) in [
        (1, 1, 2000),
        (AT_ONCE, 1, 10_000),
        (1, 64, 100),
        (AT_ONCE, 64, 128),
    ] {
        let (store, worker) = (Arc::clone(store), worker.clone());
        let bench = Bench { redis, at_once };
        let claims = bench
            .measure(
                &format!("claim of {most}"),
                most,
                vec![(); calls],
                move |()| {
                    let (store, worker) = (Arc::clone(&store), worker.clone());
                    async move {
                        let claims = store.claim(&worker, most, LEASE, REQUEST).await?;
                        ensure!(claims.claims.len() == most, "less than there are");
                        Ok(claims.claims)
                    }
                },
            )
            .await?;
        held.extend(claims.into_iter().flatten().map(Holding::from));
    }
    Ok(held)
}

async fn renew(redis: &Redis, store: &Arc<RedisStore>, held: &[Holding]) -> Result<()> {
    let chunks = held.chunks(64).take(200);
    let leases: Vec<Vec<Lease>> = chunks
        .map(|chunk| chunk.iter().map(|one| one.lease.clone()).collect())
        .collect();
    let store = Arc::clone(store);
    let bench = Bench { redis, at_once: 1 };
    bench
        .measure("renew of 64", 64, leases, move |leases| {
            let store = Arc::clone(&store);
            async move {
                let lost = store.renew(&leases, LEASE).await?;
                ensure!(lost.is_empty(), "a lease was lost");
                Ok(())
            }
        })
        .await?;
    Ok(())
}

/// What a worker writes after the request of a step.
pub(crate) fn step_done(holding: &Holding, then: Then) -> Advance {
    let record = StepRecord {
        state: StepState::Done,
        attempts: 1,
        result: Some(StepResult::Entry {
            id: "1234567".to_owned(),
        }),
        ..StepRecord::default()
    };
    Advance {
        write: WriteId::draw(),
        steps: vec![(0, record)],
        settled: vec![Settled {
            permit: holding.permit.clone(),
            answered: true,
        }],
        then,
        late_check: false,
    }
}

struct Bench<'r> {
    redis: &'r Redis,
    at_once: usize,
}

impl Bench<'_> {
    async fn permits(
        &self,
        store: &Arc<RedisStore>,
        holdings: Vec<Holding>,
    ) -> Result<Vec<Holding>> {
        let store = Arc::clone(store);
        let what = "advance: a step, then a permit";
        self.measure(what, 1, holdings, move |holding| {
            let store = Arc::clone(&store);
            async move {
                let step = step_done(&holding, Then::Permit);
                let lease = holding.lease;
                let advanced = store.advance(&lease, step).await?;
                let Advanced::Permitted(permit) = advanced else {
                    anyhow::bail!("{advanced:?}");
                };
                Ok(Holding { lease, permit })
            }
        })
        .await
    }

    async fn succeeds(&self, store: &Arc<RedisStore>, holdings: Vec<Holding>) -> Result<()> {
        let store = Arc::clone(store);
        let what = "advance: a step, then the end";
        self.measure(what, 1, holdings, move |holding| {
            let store = Arc::clone(&store);
            async move {
                let step = step_done(&holding, Then::Succeed);
                let advanced = store.advance(&holding.lease, step).await?;
                ensure!(advanced == Advanced::Finished, "{advanced:?}");
                Ok(())
            }
        })
        .await?;
        Ok(())
    }

    /// Calls `f` with every input, so many at once, and prints what it took. `per_call` is how
    /// many onboardings a call is about.
    async fn measure<T, R, F, Fut>(
        &self,
        what: &str,
        per_call: usize,
        inputs: Vec<T>,
        f: F,
    ) -> Result<Vec<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Fn(T) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<R>> + Send,
    {
        let calls = inputs.len();
        let inputs = Arc::new(Mutex::new(VecDeque::from(inputs)));
        self.redis.forget()?;
        let started = Instant::now();
        let tasks: Vec<_> = (0..self.at_once)
            .map(|_| {
                let (inputs, f) = (Arc::clone(&inputs), f.clone());
                tokio::spawn(async move {
                    let (mut results, mut times) = (Vec::new(), Vec::new());
                    loop {
                        let next = inputs
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .pop_front();
                        let Some(input) = next else {
                            return Ok::<_, anyhow::Error>((results, times));
                        };
                        let called = Instant::now();
                        results.push(f(input).await?);
                        times.push(called.elapsed().as_secs_f64() * 1e6);
                    }
                })
            })
            .collect();
        let (mut results, mut times) = (Vec::new(), Vec::new());
        for task in tasks {
            let (more, took) = task.await??;
            results.extend(more);
            times.extend(took);
        }
        let wall = started.elapsed().as_secs_f64();
        let scripts = self.redis.scripts()?;
        println!(
            "  {what:32} {:2} at once: {:8.0} calls/s, {:8.0} onboardings/s; caller {:7.0} us p50, {:7.0} us p99; \
             scripts {:.2} per call, {:.1} us mean, {:.0} us p99, {:.0} us longest",
            self.at_once,
            calls as f64 / wall,
            (calls * per_call) as f64 / wall,
            share(&mut times, 0.5),
            share(&mut times, 0.99),
            scripts.calls / calls as f64,
            scripts.mean_us,
            scripts.p99_us,
            scripts.max_us
        );
        Ok(results)
    }
}
