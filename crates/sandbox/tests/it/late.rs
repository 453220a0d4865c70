//! Requests that are processed after their client was answered or has left.

use std::time::{Duration, Instant};

use sandbox::Options;
use serde_json::{Value, json};

use crate::harness::{Got, World, field, roomy, send, start, trunk_body};

/// Waits until a control shows what is wanted.
async fn until<T>(world: &World, control: &str, found: impl Fn(&Value) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let shown = world.get(&format!("/_sandbox/{control}")).await.json();
        if let Some(found) = found(&shown) {
            return found;
        }
        assert!(Instant::now() < deadline, "{shown}");
    }
}

/// Waits until the first logged request was processed late, and gives its entry.
async fn processed_late(world: &World) -> Value {
    until(world, "requests", |logged| {
        let one = &logged[0];
        one["late_at_ms"].is_u64().then(|| one.clone())
    })
    .await
}

/// Waits until the first logged request is to be processed late.
async fn pending(world: &World) -> Value {
    until(world, "requests", |logged| {
        (logged[0]["pending"] == true).then(|| logged[0].clone())
    })
    .await
}

async fn trunks(world: &World) -> Value {
    world.state().await["counts"]["trunks"].clone()
}

/// Both with and without a latency, where requests are processed on tasks of their own.
async fn worlds() -> [World; 2] {
    let latency = Some((1, 3));
    [field().await, start(Options { latency, ..roomy() }).await]
}

/// Asks for a trunk under this rule.
async fn ask(world: &World, rule: Value) -> reqwest::Result<Got> {
    world.rules(json!([rule])).await;
    let body = Some(trunk_body("outbound"));
    world.try_call("POST", "trunks", body).await
}

#[tokio::test]
async fn a_request_that_was_answered_with_a_failure_is_processed_late() {
    for world in worlds().await {
        let table = [
            (json!({"status": 504, "late_ms": 50}), Some(504), "status"),
            (json!({"html": true, "late_ms": 50}), Some(502), "html"),
            (
                json!({"status": 429, "body": "empty", "late_ms": 50}),
                Some(429),
                "status",
            ),
            (
                json!({"reset_before": true, "late_ms": 50}),
                None,
                "reset_before",
            ),
            (
                json!({"hold_ms": 10, "status": 503, "late_ms": 50}),
                Some(503),
                "status",
            ),
            (
                json!({"delay_ms": 10, "status": 503, "late_ms": 0}),
                Some(503),
                "status",
            ),
        ];
        for (rule, status, fault) in table {
            world.delete("/_sandbox/state").await;
            let got = ask(&world, rule.clone()).await;
            assert_eq!(got.ok().map(|got| got.status), status, "{rule}");
            let logged = processed_late(&world).await;
            assert_eq!(logged["status"], json!(status), "{rule}: {logged}");
            assert_eq!(logged["fault"], fault, "{rule}");
            assert_eq!(logged["processed"], true, "{rule}");
            assert_eq!(logged["pending"], false, "{rule}");
            let least = rule["late_ms"].as_u64().unwrap();
            let at = |name: &str| logged[name].as_u64().unwrap();
            assert!(at("late_at_ms") >= at("at_ms") + least, "{rule}: {logged}");
            assert_eq!(trunks(&world).await, 1, "{rule}");
        }
    }
}

#[tokio::test]
async fn until_then_it_has_not_happened() {
    for world in worlds().await {
        let got = ask(&world, json!({"status": 504, "nth": 1, "late_ms": 600_000})).await;
        assert_eq!(got.unwrap().status, 504);
        let logged = pending(&world).await;
        assert_eq!(
            (&logged["processed"], &logged["status"]),
            (&json!(false), &json!(504))
        );
        assert_eq!(logged["late_at_ms"], Value::Null);
        assert_eq!(trunks(&world).await, 0);
        // The name is free.
        world.trunk("outbound").await;
    }
}

#[tokio::test]
async fn a_held_request_whose_client_leaves_is_processed_late() {
    for world in worlds().await {
        world
            .rules(json!([{"hold_ms": 600_000, "late_ms": 30, "nth": 1}]))
            .await;
        let client = send(&world, "outbound").await;
        until(&world, "requests", |logged| {
            (logged[0]["held"] == true).then_some(())
        })
        .await;
        assert_eq!(trunks(&world).await, 0);
        drop(client);
        let logged = processed_late(&world).await;
        assert_eq!(logged["status"], Value::Null);
        assert_eq!(
            (&logged["held"], &logged["processed"]),
            (&json!(false), &json!(true))
        );
        assert_eq!(logged["fault"], "hold_ms");
        assert_eq!(trunks(&world).await, 1);
    }
}

#[tokio::test]
async fn a_client_that_gives_up_waiting_leaves_a_request_that_is_processed_late() {
    for world in worlds().await {
        for rule in [
            json!({"hold_ms": 600_000, "late_ms": 0}),
            json!({"delay_ms": 600_000, "status": 503, "late_ms": 0}),
            json!({"hold_ms": 600_000, "reset_after": true, "late_ms": 0}),
        ] {
            world.delete("/_sandbox/state").await;
            world.rules(json!([rule])).await;
            let request = world
                .request("POST", "trunks")
                .json(&trunk_body("outbound"));
            let gave_up = request.timeout(Duration::from_millis(50)).send().await;
            assert!(gave_up.unwrap_err().is_timeout(), "{rule}");
            processed_late(&world).await;
            assert_eq!(trunks(&world).await, 1, "{rule}");
        }
    }
}

#[tokio::test]
async fn a_request_that_was_processed_in_time_is_not_processed_again() {
    for world in worlds().await {
        let path = world.trunk("outbound").await;
        world.rules(json!([{"hold_ms": 10, "late_ms": 0}])).await;
        let body = json!({"destinations": [{"destination": "sip.example.com:5061"}]});
        let got = world.post(&format!("{path}/destination-uris"), body).await;
        assert_eq!(got.status, 200);
        // The same comes to the same end: whatever was to follow the first has had its time.
        let body = json!({"phone_number": "+918047110001"});
        world
            .post(&format!("{path}/phone-numbers"), body)
            .await
            .data();
        assert_eq!(world.state().await["counts"]["destinations"], 1);
        for logged in world.requests().await {
            assert_eq!(logged["late_at_ms"], Value::Null, "{logged}");
            assert_eq!(logged["pending"], false, "{logged}");
        }
    }
}

#[tokio::test]
async fn the_rules_of_the_later_moment_decide() {
    let world = field().await;
    let rule = json!({"status": 504, "nth": 1, "late_ms": 200});
    assert_eq!(ask(&world, rule).await.unwrap().status, 504);
    world.trunk("outbound").await;
    processed_late(&world).await;
    assert_eq!(
        trunks(&world).await,
        1,
        "the late one was a duplicate by then"
    );

    // Entries that are appended get their ids, dates and places then.
    world.delete("/_sandbox/state").await;
    let list = format!("{}/destination-uris", world.trunk("other").await);
    let body = json!({"destinations": [{"destination": "sip.example.com:5061"}]});
    let hour_ago = json!({"ahead_ms": -3_600_000});
    world.put("/_sandbox/clock", hour_ago).await;
    let rule = json!({"nth": 1, "status": 504, "late_ms": 200});
    world.rules(json!([rule])).await;
    assert_eq!(world.post(&list, body.clone()).await.status, 504);
    assert_eq!(world.post(&list, body).await.status, 200);
    world.put("/_sandbox/clock", json!({"ahead_ms": 0})).await;
    until(&world, "requests", |logged| {
        logged[1]["late_at_ms"].as_u64()
    })
    .await;
    let listed = world.get(&list).await.json()["response"].clone();
    let field = |at: usize, name: &str| listed[at]["data"][name].as_str().unwrap().to_owned();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(field(0, "id") > field(1, "id"), "{listed}");
    assert!(
        field(0, "date_created") > field(1, "date_created"),
        "{listed}"
    );
}

#[tokio::test]
async fn what_is_pending_outlives_the_rules_and_not_the_state() {
    for world in worlds().await {
        let rule = json!({"status": 504, "nth": 1, "late_ms": 200});
        assert_eq!(ask(&world, rule.clone()).await.unwrap().status, 504);
        world.delete("/_sandbox/faults").await;
        processed_late(&world).await;
        assert_eq!(trunks(&world).await, 1);

        // One that is dropped, and behind it one that is not.
        world.delete("/_sandbox/state").await;
        assert_eq!(ask(&world, rule.clone()).await.unwrap().status, 504);
        world.delete("/_sandbox/state").await;
        world.rules(json!([rule])).await;
        let body = json!({"trunk_name": "other", "nso_code": "ANY-ANY",
            "domain_name": "acme1.pstn.exotel.com"});
        assert_eq!(world.post("trunks", body).await.status, 504);
        processed_late(&world).await;
        assert_eq!(trunks(&world).await, 1);
    }
}

#[tokio::test]
async fn what_was_processed_late_is_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        journal: Some(folder.path().join("journal")),
        ..roomy()
    };
    let world = start(options.clone()).await;
    assert_eq!(
        ask(&world, json!({"reset_before": true, "late_ms": 5}))
            .await
            .ok()
            .map(|g| g.status),
        None
    );
    processed_late(&world).await;
    let kept = world.state().await;
    // One that is pending does not keep the simulator from ending, and is dropped with it.
    let rule = json!({"status": 504, "late_ms": 600_000});
    world.rules(json!([rule])).await;
    world.post("trunks", json!({"trunk_name": "other"})).await;
    let World { running, client } = world;
    drop(client);
    running.stop().await;
    let again = start(options).await;
    assert_eq!(again.state().await, kept);
    assert_eq!(kept["counts"]["trunks"], 1);
}

#[tokio::test]
async fn what_is_pending_is_processed_when_asked() {
    let world = field().await;
    let rule = json!({"status": 504, "late_ms": 600_000});
    assert_eq!(ask(&world, rule).await.unwrap().status, 504);
    pending(&world).await;
    assert_eq!(trunks(&world).await, 0);
    let asked = world.post("/_sandbox/pending", Value::Null).await;
    assert_eq!(asked.status, 204);
    processed_late(&world).await;
    assert_eq!(trunks(&world).await, 1);
}

#[tokio::test]
async fn second_credentials_are_refused_unless_the_test_says_otherwise() {
    let world = field().await;
    let path = format!("{}/credentials", world.trunk("outbound").await);
    let body = json!({"user_name": "user", "password": "madeup01"});
    for (append, count) in [(false, 1), (true, 3)] {
        let quirks = json!({"credentials_append": append});
        assert_eq!(world.put("/_sandbox/quirks", quirks).await.status, 204);
        for _ in 0..2 {
            world.call("POST", &path, body.clone()).await;
        }
        let state = world.state().await;
        assert_eq!(state["counts"]["credentials"], count, "{state}");
    }
}
