//! The window, the connections, and the figures that tell about both.

use std::time::Duration;

use sandbox::{Limits, Options};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, World, client, field, read, roomy, start};

fn limits(requests_per_minute: u32, connections: u32, window_ms: u64) -> Options {
    let limits = Limits {
        requests_per_minute,
        connections,
        window_ms,
    };
    Options {
        limits,
        ..Options::default()
    }
}

async fn stats(world: &World) -> Value {
    world.get("/_sandbox/stats").await.json()["accounts"][ACCOUNT].clone()
}

#[tokio::test]
async fn the_request_after_the_last_allowed_one_is_told_when_to_come_back() {
    let world = start(limits(3, 50, 60_000)).await;
    for _ in 0..3 {
        assert_eq!(world.get("trunks").await.status, 200);
    }
    let got = world.get("trunks").await;
    assert_eq!(got.codes(), [429, 429, 429, 1030]);
    let header = |name: &str| got.headers[name].to_str().unwrap().parse::<u64>().unwrap();
    assert!((59..=60).contains(&header("retry-after")));
    assert_eq!(
        (header("x-ratelimit-limit"), header("x-ratelimit-remaining")),
        (3, 0)
    );
    assert!(header("x-ratelimit-reset") > 1_700_000_000);
    // The other account and the controls go on.
    assert_eq!(world.get("/v2/accounts/globex1/trunks").await.status, 200);
    let seen = json!({"requests": 4, "refused": 1, "max_in_window": 4, "max_connections": 1});
    assert_eq!(stats(&world).await, seen);
    let statuses: Vec<Value> = world
        .requests()
        .await
        .iter()
        .map(|request| request["status"].clone())
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429, 200]);
}

#[tokio::test]
async fn a_window_that_has_passed_lets_in_again() {
    let world = start(limits(2, 50, 80)).await;
    let mut accepted = Vec::new();
    while accepted.len() < 7 {
        let status = world.get("trunks").await.status;
        assert!(status == 200 || status == 429, "{status}");
        if status == 200 {
            accepted.push(());
        }
    }
    let at: Vec<u64> = world
        .requests()
        .await
        .iter()
        .filter(|request| request["status"] == 200)
        .map(|request| request["at_ms"].as_u64().unwrap())
        .collect();
    for three in at.windows(3) {
        assert!(three[2] - three[0] >= 80, "{three:?}");
    }
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_refused_until_another_closes() {
    let world = start(limits(100_000, 3, 60_000)).await;
    let url = world.url("trunks");
    let send = async |client: &reqwest::Client| {
        read(client.get(&url).basic_auth("key", Some("token")))
            .await
            .unwrap()
    };
    let mut clients: Vec<_> = (0..3).map(|_| client()).collect();
    for client in &clients {
        assert_eq!(send(client).await.status, 200);
    }
    let extra = client();
    let refused = send(&extra).await;
    assert_eq!(refused.codes(), [429, 429, 429, 1030]);
    assert!(refused.headers.contains_key("retry-after"));
    // Controls are never limited, and the other three keep their places.
    assert_eq!(stats(&world).await["max_connections"], 4);
    for client in &clients {
        assert_eq!(send(client).await.status, 200);
    }
    clients.pop();
    let arrives = async { while send(&extra).await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(5), arrives)
        .await
        .expect("a place became free");
}

#[tokio::test]
async fn limits_can_be_changed_while_it_runs() {
    let world = field().await;
    let got = world
        .put("/_sandbox/limits", json!({"requests_per_minute": 1}))
        .await;
    let want = json!({"requests_per_minute": 1, "connections": 1000, "window_ms": 60_000});
    assert_eq!(got.json(), want);
    assert_eq!(world.get("/_sandbox/limits").await.json(), want);
    assert_eq!(world.get("trunks").await.status, 200);
    assert_eq!(world.get("trunks").await.status, 429);
    for wrong in [
        json!({"colour": 1}),
        json!({"connections": 0}),
        json!({"window_ms": "x"}),
        json!([]),
    ] {
        assert_eq!(
            world.put("/_sandbox/limits", wrong.clone()).await.status,
            400,
            "{wrong}"
        );
    }
    world.delete("/_sandbox/state").await;
    assert_eq!(world.get("trunks").await.status, 200);
}

#[tokio::test]
async fn a_request_with_a_wrong_key_takes_no_allowance() {
    let world = start(limits(1, 50, 60_000)).await;
    let keys = json!([{"account_sid": ACCOUNT, "api_key": "key", "api_token": "token"}]);
    world.put("/_sandbox/accounts", keys).await;
    for _ in 0..3 {
        let wrong = world
            .client
            .get(world.url("trunks"))
            .basic_auth("key", Some("wrong"));
        assert_eq!(read(wrong).await.unwrap().codes(), [401, 401, 401, 1010]);
    }
    assert_eq!(world.get("trunks").await.status, 200);
    assert_eq!(world.get("trunks").await.status, 429);
}

#[tokio::test]
async fn latency_passes_half_before_the_arrival_and_half_before_the_answer() {
    let world = start(Options {
        latency: Some((200, 200)),
        ..roomy()
    })
    .await;
    let sent = std::time::SystemTime::now();
    let started = std::time::Instant::now();
    assert_eq!(world.get("trunks").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
    let at_ms = world.requests().await[0]["at_ms"].as_u64().unwrap();
    let sent_ms = sent
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64;
    assert!(
        at_ms >= sent_ms + 95,
        "arrived {} ms after it was sent",
        at_ms - sent_ms
    );
}

#[tokio::test]
async fn a_request_arrives_even_when_its_client_has_gone() {
    let world = start(Options {
        latency: Some((100, 100)),
        ..roomy()
    })
    .await;
    let request = world
        .request("POST", "trunks")
        .json(&crate::harness::trunk_body("outbound"));
    let gone = tokio::time::timeout(Duration::from_millis(20), request.send()).await;
    assert!(gone.is_err());
    let made = async { while world.state().await["counts"]["trunks"] != 1 {} };
    tokio::time::timeout(Duration::from_secs(5), made)
        .await
        .expect("it was processed");
}
