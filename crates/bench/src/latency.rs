//! How soon an idle account's signup sends its first request, accepted by another process.

use std::{process::Stdio, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use store::{SealingKey, SqliteOptions, Store, World, clock::SystemClock, sqlite::SqliteStore};

use crate::{
    first_request::{accept_one_by_one, now_ms, waits},
    process::Running,
    setup::{Place, Simulator, runtime, share},
};

const SIGNUPS: usize = 300;
const PAUSE: Duration = Duration::from_micros(13_700);

/// This process accepts one signup at a time into the file of an idle worker, each for an account
/// that has done nothing yet; the simulator's log says when its first request arrived.
pub(crate) fn run() -> Result<()> {
    let simulator = Simulator::unlimited()?;
    let place = Place::new(&simulator.base_url, SIGNUPS, "requests_per_minute = 200")?;
    let mut work = place.command(&["work"])?;
    let worker = Running(work.stdout(Stdio::null()).spawn()?);
    let accepted = runtime()?.block_on(async {
        let store = open(&place).await?;
        accept_one_by_one(&*store, 0..SIGNUPS, PAUSE).await
    })?;
    let mut waits = waits(&simulator, &accepted)?;
    drop(worker);
    println!(
        "latency: first request {:.1} ms p50, {:.1} ms p99, {:.1} ms worst of {SIGNUPS} after acceptance [aim p99 20 ms]",
        share(&mut waits, 0.5),
        share(&mut waits, 0.99),
        share(&mut waits, 1.0)
    );
    Ok(())
}

/// The store that the worker makes, with its key: opened once both are there.
async fn open(place: &Place) -> Result<Arc<dyn Store>> {
    let path = place.path("trunkline.db");
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
        patience: store::sqlite::BUSY_TIMEOUT,
        key,
        world: World::Live,
        clock,
    })?;
    Ok(store)
}
