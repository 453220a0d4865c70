//! Requests that are kept back, before or after they are processed, and clients that go away.

use std::time::{Duration, Instant};

use sandbox::Options;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::harness::{World, field, roomy, send, start, trunk_body};

/// Waits until the only logged request has this `held`, `processed` and `status`.
async fn until(world: &World, held: bool, processed: bool, status: Value) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let logged = world.requests().await;
        if let [one] = &logged[..]
            && one["held"] == held
            && one["processed"] == processed
            && one["status"] == status
            && one["fault"] != Value::Null
        {
            return one.clone();
        }
        assert!(Instant::now() < deadline, "{logged:?}");
    }
}

async fn trunks(world: &World) -> Value {
    world.state().await["counts"]["trunks"].clone()
}

/// Both with and without a latency, where requests are processed on tasks of their own.
async fn worlds() -> [World; 2] {
    let latency = Some((1, 3));
    [field().await, start(Options { latency, ..roomy() }).await]
}

#[tokio::test]
async fn a_held_request_whose_client_goes_away_is_never_processed() {
    for world in worlds().await {
        world.rules(json!([{"hold_ms": 600_000, "nth": 1}])).await;
        let client = send(&world, "outbound").await;
        let logged = until(&world, true, false, Value::Null).await;
        assert_eq!(logged["fault"], "hold_ms");
        assert_eq!(trunks(&world).await, 0);
        drop(client);
        let logged = until(&world, false, false, Value::Null).await;
        assert_eq!(logged["fault"], "hold_ms");
        assert_eq!(trunks(&world).await, 0);
        // The rule has had its one match: the next request goes through.
        world.trunk("outbound").await;
    }
}

#[tokio::test]
async fn a_held_request_whose_client_waits_is_processed_then() {
    for world in worlds().await {
        world.rules(json!([{"hold_ms": 40}])).await;
        let started = Instant::now();
        world.trunk("outbound").await;
        assert!(started.elapsed() >= Duration::from_millis(40));
        let logged = until(&world, false, true, json!(200)).await;
        assert_eq!(logged["fault"], "hold_ms");
    }
}

#[tokio::test]
async fn a_hold_goes_with_any_other_action() {
    let world = field().await;
    world
        .rules(json!([{"hold_ms": 20, "status": 503, "after": true}]))
        .await;
    let got = world.post("trunks", trunk_body("outbound")).await;
    assert_eq!(got.status, 503);
    let logged = until(&world, false, true, json!(503)).await;
    assert_eq!(logged["fault"], "status");
    assert_eq!(trunks(&world).await, 1);
}

#[tokio::test]
async fn a_delayed_request_is_processed_at_once_and_whether_or_not_its_client_stays() {
    for world in worlds().await {
        world.rules(json!([{"delay_ms": 600_000, "nth": 1}])).await;
        let client = send(&world, "outbound").await;
        let logged = until(&world, false, true, Value::Null).await;
        assert_eq!(logged["fault"], "delay_ms");
        assert_eq!(trunks(&world).await, 1);
        drop(client);
        let second = world.post("trunks", trunk_body("outbound")).await;
        assert_eq!(second.codes(), [200, 200, 409, 1008]);
        let logged = &world.requests().await[0];
        assert_eq!(logged["status"], Value::Null);
        assert_eq!(logged["processed"], true);
    }
}

#[tokio::test]
async fn what_a_delay_does_to_a_client_that_is_gone_before_the_request_is_read_is_the_same() {
    for world in worlds().await {
        world.rules(json!([{"delay_ms": 600_000}])).await;
        let mut client = send(&world, "outbound").await;
        // The end of the stream is right behind the request.
        client.shutdown().await.unwrap();
        drop(client);
        until(&world, false, true, Value::Null).await;
        assert_eq!(trunks(&world).await, 1);
    }
}

#[tokio::test]
async fn what_was_not_processed_is_logged_so() {
    let world = field().await;
    let table = [
        (json!({"reset_before": true}), false),
        (json!({"reset_after": true}), true),
        (json!({"truncate": true}), true),
        (json!({"status": 500}), false),
        (json!({"status": 500, "after": true}), true),
        (json!({"html": true}), false),
    ];
    for (rule, processed) in table {
        world.delete("/_sandbox/state").await;
        world.rules(json!([rule])).await;
        // Some of the answers are cut; what counts is the log.
        let _ = world
            .try_call("POST", "trunks", Some(trunk_body("outbound")))
            .await;
        let logged = &world.requests().await[0];
        assert_eq!(logged["processed"], processed, "{rule}");
        assert_eq!(logged["held"], false, "{rule}");
    }
}
