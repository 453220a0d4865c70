//! How a worker ends.
#![expect(
    clippy::unwrap_used,
    reason = "a worker that does not end in time fails its test"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use onboarding::State;
use serde_json::json;
use store::{Inspect, Store};
use tokio::sync::Notify;
use worker::{Error, Event, Observer, Settings};

use crate::world::{DEADLINE, World, full_signup, settings};

/// Tells when so many requests were answered.
struct After {
    requests: u64,
    seen: AtomicU64,
    reached: Arc<Notify>,
}

impl Observer for After {
    fn event(&self, event: Event<'_>) {
        if let Event::Request { .. } = event
            && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.requests
        {
            self.reached.notify_one();
        }
    }
}

/// Runs a worker until `requests` were answered, then asks it to stop.
async fn run_for(world: &World, mut settings: Settings, requests: u64) -> worker::Stats {
    let reached = Arc::new(Notify::new());
    settings.observer = Some(Arc::new(After {
        requests,
        seen: AtomicU64::new(0),
        reached: Arc::clone(&reached),
    }));
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let shutdown = async move { reached.notified().await };
    let running = worker::run(settings, store, vec![world.account("acme")], shutdown);
    tokio::time::timeout(DEADLINE, running)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_shutdown_gives_every_lease_back_without_doubt() {
    let world = World::new().await;
    world.put("faults", &json!([{"delay_ms": 5}])).await;
    world
        .enqueue((0..60).map(|n| full_signup("acme", n)).collect())
        .await;
    let first = run_for(&world, settings("w1"), 100).await;
    let tally = world.store.tally().await.unwrap();
    assert_eq!(tally.of(State::Running), 0);
    assert!(tally.of(State::Queued) > 0, "{tally:?}");
    let second = world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    // Not one request more than without the shutdown: nothing had to be read back.
    assert_eq!(first.requests + second.requests, 60 * 6);
    assert_eq!(world.store.tally().await.unwrap().of(State::Succeeded), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_cut_and_read_back_at_the_next_start() {
    let world = World::new().await;
    // Every answer but the first is held back for longer than the shutdown waits.
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/phone-numbers$", "delay_ms": 9000}]),
        )
        .await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let mut cut = settings("w1");
    cut.shutdown_timeout = Duration::from_millis(300);
    let started = Instant::now();
    run_for(&world, cut, 1).await;
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(world.state(id).await, State::Queued);
    world.delete("faults").await;
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    world.assert_exactly_one("cut", "acme", id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_of_nothing_returns_at_once() {
    let world = World::new().await;
    let started = Instant::now();
    let stats = world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    assert_eq!(stats, worker::Stats::default());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_signup_starts_at_once_on_an_idle_worker() {
    let world = World::new().await;
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let running = tokio::spawn(worker::run(
        settings("w"),
        store,
        vec![world.account("acme")],
        async move { stopped.notified().await },
    ));
    for n in 0..3 {
        let id = world.enqueue(vec![full_signup("acme", n)]).await[0];
        let deadline = Instant::now() + DEADLINE;
        while world.state(id).await != State::Succeeded {
            assert!(Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
    }
    stop.notify_one();
    let stats = tokio::time::timeout(DEADLINE, running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(stats.succeeded, 3);
}

#[tokio::test]
async fn settings_that_contradict_themselves_start_nothing() {
    let world = World::new().await;
    let mut bad = settings("w");
    bad.lease = bad.request_timeout;
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let refused = worker::run(bad, store, Vec::new(), std::future::pending()).await;
    assert!(matches!(refused, Err(Error::Settings(_))), "{refused:?}");
}
