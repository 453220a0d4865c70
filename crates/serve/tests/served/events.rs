//! Those who watch are told what moves, and what they missed.

use std::{future::Future, time::Duration};

use futures::StreamExt;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use store::{
    Then,
    conformance::sample::{
        account, advance, claim, claim_one, done, failure, only, register, wide,
    },
};
use tokio::time::{sleep, timeout};

use crate::server::{Options, Server, answer, signup, sqlite};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something is so.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let asked = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asked).await.expect("it becomes so")
}

/// One event.
#[derive(Debug, Clone)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

/// Somebody who watches.
struct Watcher {
    body: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
    last_id: Option<String>,
}

impl Watcher {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: Box::pin(response.bytes_stream()),
            text: String::new(),
            last_id: None,
        }
    }

    /// The next event; `None` where the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut event = Event {
                    name: String::new(),
                    id: None,
                    data: Value::Null,
                };
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("event", name)) => event.name = name.into(),
                        Some(("id", id)) => event.id = Some(id.into()),
                        Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                        _ => {}
                    }
                }
                self.text = rest.to_owned();
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                if !event.name.is_empty() {
                    return Some(event);
                }
            }
            let chunk = timeout(PATIENCE, self.body.next())
                .await
                .expect("something comes");
            self.text
                .push_str(std::str::from_utf8(&chunk?.ok()?).unwrap());
        }
    }

    /// The next event that is looked for.
    async fn find(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut seen = Vec::new();
        let finding = async {
            loop {
                let event = self.next().await.expect("the stream goes on");
                if wanted(&event) {
                    return event;
                }
                seen.push(event);
            }
        };
        if let Ok(event) = timeout(PATIENCE, finding).await {
            return event;
        }
        panic!("it is not told; told were {seen:#?}");
    }
}

#[tokio::test]
async fn what_moves_is_told_to_all_who_watch() {
    for server in Server::each().await {
        let mut watchers = Vec::new();
        for _ in 0..3 {
            watchers.push(Watcher::of(server.get("/v1/events")).await);
        }
        for watcher in &mut watchers {
            let first = watcher.find(|event| event.name == "tally").await;
            assert_eq!(first.data["total"], 0);
        }
        let signups = json!((0..3).map(signup).collect::<Vec<_>>());
        server.enqueue(signups).await;
        register(&server.store, "w", &["acme"], wide()).await;
        let held = claim_one(&server.store, "w").await;
        advance(&server.store, &held, done(0, &held.permit, Then::Succeed)).await;
        let acme = account("acme");
        server.store.park_account(&acme, "made up").await.unwrap();
        for watcher in &mut watchers {
            let (mut moved, mut counted) = (None, false);
            // The feed and the figures are asked one after the other: either may be first.
            while moved.is_none() || !counted {
                let event = watcher
                    .find(|event| ["onboarding", "tally"].contains(&event.name.as_str()))
                    .await;
                if event.name == "onboarding" {
                    moved = Some(event);
                } else {
                    counted = event.data["succeeded"] == 1;
                }
            }
            let moved = moved.unwrap();
            assert_eq!(moved.data["id"], held.lease.id.to_string());
            assert_eq!(moved.data["state"], "succeeded");
            assert!(moved.id.is_some());
        }
        let mut late = Watcher::of(server.get("/v1/events")).await;
        late.find(|event| event.name == "account" && event.data["parked"]["reason"] == "made up")
            .await;
        let batch = late
            .find(|event| event.name == "batch" && event.data["succeeded"] == 1)
            .await;
        assert_eq!(
            (&batch.data["accepted"], &batch.data["open"]),
            (&json!(3), &json!(2))
        );
    }
}

#[tokio::test]
async fn who_comes_back_is_told_what_was_missed() {
    for server in Server::each().await {
        let signups = json!((0..3).map(signup).collect::<Vec<_>>());
        server.enqueue(signups).await;
        register(&server.store, "w", &["acme"], wide()).await;
        let mut watcher = Watcher::of(server.get("/v1/events")).await;
        let first = claim_one(&server.store, "w").await;
        watcher.find(|event| event.name == "tally").await;
        advance(&server.store, &first, only(&first.permit, failure())).await;
        watcher.find(|event| event.name == "onboarding").await;
        let last = watcher.last_id.clone().unwrap();
        drop(watcher);
        let mut missed = Vec::new();
        for _ in 0..2 {
            let held = claim_one(&server.store, "w").await;
            advance(&server.store, &held, only(&held.permit, failure())).await;
            missed.push(held.lease.id.to_string());
        }
        let asked = [
            server.get("/v1/events").header("last-event-id", &last),
            server.get(&format!("/v1/events?after={last}")),
        ];
        for request in asked {
            let mut back = Watcher::of(request).await;
            for id in &missed {
                let told = back.find(|event| event.name == "onboarding").await;
                assert_eq!(told.data["id"], id.as_str());
            }
        }
    }
}

#[tokio::test]
async fn one_onboarding_is_watched_step_by_step() {
    let server = Server::start().await;
    let taken = server.enqueue(signup(1)).await;
    let id = taken["onboardings"][0]["id"].as_str().unwrap();
    let mut watcher = Watcher::of(server.get(&format!("/v1/events?onboarding={id}"))).await;
    let now = watcher.find(|event| event.name == "onboarding").await;
    assert_eq!(now.data["steps"][0]["state"], "pending");
    register(&server.store, "w", &["acme"], wide()).await;
    let held = claim_one(&server.store, "w").await;
    advance(&server.store, &held, done(0, &held.permit, Then::Permit)).await;
    let moved = watcher
        .find(|event| event.data["steps"][0]["state"] == "done")
        .await;
    assert_eq!(moved.data["state"], "running");
}

#[tokio::test]
async fn there_is_room_for_so_many_and_again_when_one_leaves() {
    let options = Options {
        watchers_max: 2,
        ..Options::default()
    };
    let server = Server::with(options).await;
    let one = Watcher::of(server.get("/v1/events")).await;
    let two = Watcher::of(server.get("/v1/events")).await;
    let refused = answer(server.get("/v1/events")).await;
    refused.is_problem(503, "too_many_watchers", "a third");
    assert!(!refused.header("retry-after").is_empty());
    drop(one);
    until(async || (server.app.live().clients() < 2).then_some(())).await;
    Watcher::of(server.get("/v1/events")).await;
    drop(two);
}

#[tokio::test]
async fn a_stop_ends_the_streams_and_says_that_it_is_not_ready() {
    let mut server = Server::start().await;
    let mut watcher = Watcher::of(server.get("/v1/events")).await;
    watcher.find(|event| event.name == "tally").await;
    server.stop();
    while watcher.next().await.is_some() {}
    let task = std::mem::replace(&mut server.task, tokio::spawn(async {}));
    timeout(PATIENCE, task).await.expect("it ends").unwrap();
    let refused = server
        .app
        .live()
        .watch(serve::live::Subject::All { after: None });
    assert!(refused.is_err());
}

#[tokio::test]
async fn an_onboarding_that_is_damaged_ends_no_news_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let server = Server::on(sqlite(&folder), folder, Options::default()).await;
    server.enqueue(signup(0)).await;
    let damaged = rusqlite::Connection::open(file).unwrap();
    damaged
        .execute("UPDATE onboarding SET plan = '{}'", [])
        .unwrap();
    let mut watcher = Watcher::of(server.get("/v1/events")).await;
    watcher.find(|event| event.name == "tally").await;
    register(&server.store, "w", &["acme"], wide()).await;
    // The worker sets it aside, which is told.
    assert!(claim(&server.store, "w", 1).await.is_empty());
    watcher
        .find(|event| event.name == "tally" && event.data["failed"] == 1)
        .await;
    server.enqueue(signup(1)).await;
    let held = claim_one(&server.store, "w").await;
    advance(&server.store, &held, done(0, &held.permit, Then::Succeed)).await;
    let moved = watcher.find(|event| event.name == "onboarding").await;
    assert_eq!(moved.data["id"], held.lease.id.to_string());
}
