//! Trouble that lasts, or that is Trunkline's own.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use onboarding::{State, StepState};
use serde_json::json;
use store::{Operate, Work, WorkerName};
use worker::{Event, Observer};

use crate::world::{World, full_signup, settings, sid};

#[tokio::test(flavor = "multi_thread")]
async fn attempts_run_out_into_one_clear_error_that_says_what_is_in_doubt() {
    let world = World::new().await;
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/phone-numbers$", "reset_before": true}]),
        )
        .await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let mut settings = settings("w");
    settings.retry.attempts = 3;
    world
        .drain(settings.clone(), vec![world.account("acme")])
        .await;
    let onboarding = world.onboarding(id).await;
    assert_eq!(onboarding.state, State::Failed);
    assert_eq!(onboarding.fault.as_ref().unwrap().1, Some(1));
    let (code, message) = world.fault(id).await;
    assert_eq!(code, "attempts_exhausted");
    for word in [
        "3 attempts",
        "trunk trm",
        "perhaps a number mapping",
        "trunkline retry",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    let record = &onboarding.journal.records()[1];
    assert_eq!((record.state, record.attempts), (StepState::Unknown, 3));

    world.delete("faults").await;
    world.store.retry(id, false).await.unwrap();
    world.drain(settings, vec![world.account("acme")]).await;
    world
        .assert_exactly_one("after the retry", "acme", id)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_and_may_be_ours_is_neither_adopted_nor_repeated() {
    let world = World::new().await;
    let all = [
        "/phone-numbers",
        "/whitelisted-ips",
        "/credentials",
        "/destination-uris",
    ];
    let name = |n: usize| format!("u{n}");
    let mut rules = Vec::new();
    for (n, write) in all.iter().enumerate() {
        let (account, path) = (sid(&name(n)), format!("{write}$"));
        rules.push(
            json!({"method": "POST", "account": account, "path": path, "nth": 1,
            "reset_after": true}),
        );
        // Its id cannot be read.
        rules.push(json!({"method": "GET", "account": account, "path": path,
            "echo": {"id": {"new": "form"}}}));
    }
    world.put("faults", &json!(rules)).await;
    let signups = (0..all.len()).map(|n| full_signup(&name(n), n as u32));
    let ids = world.enqueue(signups.collect()).await;
    let accounts = || (0..all.len()).map(|n| world.account(&name(n))).collect();
    world.drain(settings("w"), accounts()).await;
    for (n, (id, write)) in ids.iter().zip(all).enumerate() {
        assert_eq!(world.state(*id).await, State::Failed, "{write}");
        let (code, message) = world.fault(*id).await;
        assert_eq!(code, "list_unreadable", "{write}: {message}");
        let sent = world.requests(&name(n)).await;
        let written = |it: &&String| it.starts_with("POST ") && it.ends_with(write);
        assert_eq!(sent.iter().filter(written).count(), 1, "{write}");
    }
    // As soon as it can be read, it is adopted.
    world.delete("faults").await;
    for id in &ids {
        world.store.retry(*id, false).await.unwrap();
    }
    world.drain(settings("w"), accounts()).await;
    for (n, id) in ids.into_iter().enumerate() {
        world.assert_exactly_one(all[n], &name(n), id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_and_says_what_was_left_behind() {
    let world = World::new().await;
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/credentials$", "status": 400}]),
        )
        .await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let stats = world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    assert_eq!((stats.failed, stats.requests), (1, 4));
    let (_, message) = world.fault(id).await;
    for word in [
        "create_credentials",
        "trunk trm",
        "number mapping",
        "ACL entry",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_eq!(
        world.onboarding(id).await.journal.records()[3].state,
        StepState::Failed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_is_gone_fails_with_its_sid() {
    let world = World::new().await;
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/phone-numbers$", "status": 400}]),
        )
        .await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    world.delete("faults").await;
    world.delete("state").await;
    world.store.retry(id, false).await.unwrap();
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    let (code, message) = world.fault(id).await;
    assert_eq!(code, "trunk_gone");
    let sid = world
        .onboarding(id)
        .await
        .journal
        .trunk_sid()
        .unwrap()
        .to_string();
    assert!(message.contains(&sid), "{message}");
}

/// Panics in the handler once: after the request was sent, before its answer is recorded.
#[derive(Default)]
struct Breaks(AtomicU32);

impl Observer for Breaks {
    fn event(&self, event: Event<'_>) {
        if let Event::Request { account, .. } = event
            && account.as_str() == "acme"
            && self.0.fetch_add(1, Ordering::SeqCst) == 0
        {
            panic!("made up by a test");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_one_handler_neither_stops_the_others_nor_makes_a_second_trunk() {
    let world = World::new().await;
    let mut signups = vec![full_signup("acme", 0)];
    signups.extend((1..30).map(|n| full_signup("bolt", n)));
    let ids = world.enqueue(signups).await;
    let mut settings = settings("w");
    settings.observer = Some(Arc::new(Breaks::default()));
    let accounts = vec![world.account("acme"), world.account("bolt")];
    let stats = world.drain(settings, accounts).await;
    assert_eq!((stats.broken, stats.succeeded), (1, 30));
    world.assert_exactly_one("panic", "acme", ids[0]).await;
    let record = world.onboarding(ids[0]).await.journal.records()[0].clone();
    assert_eq!(record.error.unwrap().code, "internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_lease_is_gone_writes_nothing_and_the_next_one_reads_back() {
    let world = World::new().await;
    // The first answer is held back, long enough to take the lease away meanwhile.
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/trunks$", "nth": 1, "delay_ms": 1500}]),
        )
        .await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let steal = async {
        let url = format!("{}/_sandbox/requests", world.sandbox.base_url());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        loop {
            let log = http.get(&url).send().await.unwrap().text().await.unwrap();
            if log.contains(&sid("acme")) {
                break;
            }
            tokio::task::yield_now().await;
        }
        world.store.abandon(&WorkerName("w".into())).await.unwrap()
    };
    let (stats, stolen) = tokio::join!(
        world.drain(settings("w"), vec![world.account("acme")]),
        steal
    );
    assert_eq!(stolen, 1);
    assert_eq!((stats.lost, stats.succeeded), (1, 1));
    world.assert_exactly_one("stolen", "acme", id).await;
    let requests = world.requests("acme").await;
    assert!(
        requests.iter().any(|it| it == "GET /trunks"),
        "{requests:?}"
    );
}
