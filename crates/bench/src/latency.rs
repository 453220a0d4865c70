//! How soon an idle account's signup sends its first request, accepted by another process.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use onboarding::{Direction, Key, OnboardingId, Plan, Step};
use store::{
    Candidate, Committed, NewOnboarding, Origin, SealingKey, SqliteOptions, Store, World,
    clock::SystemClock, sqlite::SqliteStore,
};

use crate::{
    process::Running,
    setup::{Place, Simulator, runtime},
};

const SIGNUPS: usize = 300;

/// This process accepts one signup at a time into the file of an idle worker, each for an account
/// that has done nothing yet; the simulator's log says when its first request arrived.
pub(crate) fn run() -> Result<()> {
    let simulator = Simulator::unlimited()?;
    let place = Place::new(&simulator.base_url, SIGNUPS, "requests_per_minute = 200")?;
    let mut work = place.command(&["work"])?;
    let worker = Running(work.stdout(Stdio::null()).spawn()?);
    let accepted = runtime()?.block_on(accept_one_by_one(&place))?;
    let arrived = wait_for_requests(&simulator)?;
    drop(worker);
    let mut waits: Vec<f64> = accepted
        .iter()
        .map(|(account, at)| {
            let first = arrived.get(account).context("no request of an account")?;
            Ok(first - at)
        })
        .collect::<Result<_>>()?;
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "latency: first request {:.1} ms p50, {:.1} ms p99, {:.1} ms worst of {SIGNUPS} after acceptance [aim p99 20 ms]",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

fn now_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        * 1e3
}

async fn accept_one_by_one(place: &Place) -> Result<Vec<(String, f64)>> {
    let path = place.path("trunkline.db");
    // The worker makes the store and its key; accept once both are there.
    let key_path = place.path("trunkline.db.key");
    let deadline = now_ms() + 10_000.0;
    while !(path.exists() && key_path.exists()) {
        ensure!(now_ms() < deadline, "the worker does not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let key =
        SealingKey::from_base64(&onboarding::Secret::new(std::fs::read_to_string(key_path)?))?;
    let clock = Arc::new(SystemClock::default());
    let store: Arc<dyn Store> = SqliteStore::open(SqliteOptions {
        path,
        key,
        world: World::Live,
        clock,
    })?;
    let mut accepted = Vec::new();
    for n in 0..SIGNUPS {
        let account = format!("bench{n}");
        let mut batch = store.begin().await?;
        batch
            .add_recipe("0123456789abcdef0123456789abcdef", "{}")
            .await?;
        batch.add(vec![signup(&account, n)?]).await?;
        let committed = batch.commit().await?;
        ensure!(
            matches!(committed, Committed::Accepted { accepted: 1, .. }),
            "{committed:?}"
        );
        accepted.push((account, now_ms()));
        // Not in step with anything the worker does.
        tokio::time::sleep(Duration::from_micros(13_700 + (n as u64 * 377) % 5000)).await;
    }
    Ok(accepted)
}

fn signup(account: &str, n: usize) -> Result<Candidate> {
    let key: Key = format!("latency-{n}").parse()?;
    let id = OnboardingId::of(&key);
    let name = format!("be_{n:013}").parse()?;
    let plan = Plan {
        steps: vec![Step::CreateTrunk {
            name,
            chosen: false,
        }],
        warnings: vec![],
    };
    let new = NewOnboarding {
        id,
        key,
        account: account.parse()?,
        partner: "retell".parse()?,
        number: format!("+9180{n:08}").parse()?,
        direction: Direction::Outbound,
        signup: "{}".to_owned(),
        plan,
        recipe: "0123456789abcdef0123456789abcdef".to_owned(),
        password: None,
    };
    Ok(Candidate {
        origin: Origin::default(),
        new,
    })
}

fn wait_for_requests(simulator: &Simulator) -> Result<HashMap<String, f64>> {
    let deadline = now_ms() + 20_000.0;
    loop {
        let log = simulator.get("requests")?;
        let mut first: HashMap<String, f64> = HashMap::new();
        for request in log.as_array().into_iter().flatten() {
            let account = request["account"].as_str().unwrap_or_default().to_owned();
            let at = request["at_ms"]
                .as_f64()
                .or_else(|| request["at_ms"].as_i64().map(|n| n as f64));
            let at = at.unwrap_or(f64::NAN);
            let earliest = first.entry(account).or_insert(at);
            *earliest = earliest.min(at);
        }
        if first.len() >= SIGNUPS {
            return Ok(first);
        }
        ensure!(
            now_ms() < deadline,
            "{} of {SIGNUPS} accounts sent a request",
            first.len()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
