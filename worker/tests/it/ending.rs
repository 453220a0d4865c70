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
use serde_json::{Value, json};
use store::{Inspect, Limits, Store};
use tokio::sync::Notify;
use worker::{Error, Event, Observer, Settings};

use crate::world::{DEADLINE, World, full_signup, settings, sid};

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
    // Steps whose blind repeat would leave a second one, or fail.
    for path in ["/trunks$", "/phone-numbers$", "/destination-uris$"] {
        let world = World::new().await;
        // The answer is held back for longer than the shutdown waits.
        world
            .put(
                "faults",
                &json!([{"method": "POST", "path": path, "delay_ms": 9000}]),
            )
            .await;
        let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
        let mut cut = settings("w1");
        cut.shutdown_timeout = Duration::from_millis(300);
        let store = Arc::clone(&world.store) as Arc<dyn Store>;
        let accounts = vec![world.account("acme")];
        let started = Instant::now();
        let requests = world.sandbox.base_url() + "/_sandbox/requests";
        let arrived = async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let end = path.replace('$', "\"");
            loop {
                let log = http
                    .get(&requests)
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap();
                if log.contains(&end) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        worker::run(cut, store, accounts, arrived).await.unwrap();
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(world.state(id).await, State::Queued, "{path}");
        let before = world.requests("acme").await.len();
        world.delete("faults").await;
        world
            .drain(settings("w2"), vec![world.account("acme")])
            .await;
        world.assert_exactly_one(path, "acme", id).await;
        let after = world.requests("acme").await;
        assert!(after[before].starts_with("GET "), "{path}: {after:?}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_little_allowance_keeps_to_it_and_delays_no_other() {
    let world = World::new().await;
    let tight = Limits {
        requests_per_window: 10,
        window: Duration::from_millis(300),
        in_flight: 4,
        burst: 5,
    };
    let mut signups: Vec<_> = (0..8).map(|n| full_signup("slow", n)).collect();
    signups.extend((8..28).map(|n| full_signup("fast", n)));
    world.enqueue(signups).await;
    let accounts = vec![world.account_with("slow", tight), world.account("fast")];
    let stats = world.drain(settings("w"), accounts).await;
    assert_eq!((stats.succeeded, stats.requests), (28, 28 * 6));
    let log = world.get("requests").await;
    let times = |account: &str| -> Vec<i64> {
        let of = |entry: &&Value| entry["account"] == sid(account).as_str();
        let entries = log.as_array().unwrap().iter().filter(of);
        entries
            .map(|entry| entry["at_ms"].as_i64().unwrap())
            .collect()
    };
    let slow = times("slow");
    // The eleventh request is at least a window after the first, wherever one looks.
    for pair in slow.windows(11) {
        assert!(pair[10] - pair[0] >= 300, "{slow:?}");
    }
    let last = |times: &[i64]| times.iter().max().copied();
    assert!(last(&times("fast")) < last(&slow));
}
