//! The account is at fault.

use onboarding::State;
use serde_json::json;
use store::{Inspect, Operate};
use worker::Account;

use crate::world::{World, account, full_signup, settings, sid, wide};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_answers_401_is_parked_others_go_on_and_resuming_finishes_it() {
    let world = World::new().await;
    let key = |name: &str, token: &str| json!({"account_sid": sid(name), "api_key": "key", "api_token": token});
    world
        .put(
            "accounts",
            &json!([key("acme", "other"), key("bolt", "token")]),
        )
        .await;
    let mut signups: Vec<_> = (0..5).map(|n| full_signup("acme", n)).collect();
    signups.extend((5..10).map(|n| full_signup("bolt", n)));
    let ids = world.enqueue(signups).await;
    let accounts = || vec![world.account("acme"), world.account("bolt")];
    let stats = world.drain(settings("w1"), accounts()).await;
    assert_eq!((stats.succeeded, stats.failed, stats.parked), (5, 0, 1));
    for id in &ids[..5] {
        assert_eq!(world.state(*id).await, State::Blocked);
    }
    let all = world.store.accounts().await.unwrap();
    let acme = all.iter().find(|it| it.name == account("acme")).unwrap();
    let reason = &acme.parked.as_ref().unwrap().reason;
    for word in ["token", "region", "accounts resume acme"] {
        assert!(reason.contains(word), "{reason}");
    }

    world
        .put(
            "accounts",
            &json!([key("acme", "token"), key("bolt", "token")]),
        )
        .await;
    assert!(world.store.resume_account(&account("acme")).await.unwrap());
    let stats = world.drain(settings("w2"), accounts()).await;
    assert_eq!(stats.succeeded, 5);
    for id in &ids[..5] {
        let onboarding = world.onboarding(*id).await;
        assert_eq!(onboarding.state, State::Succeeded);
        let attempts = onboarding.journal.records().iter().map(|it| it.attempts);
        assert!(
            attempts.into_iter().all(|attempts| attempts == 1),
            "{onboarding:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_an_account_that_the_worker_does_not_have_is_left_for_others() {
    let world = World::new().await;
    let ids = world
        .enqueue(vec![full_signup("acme", 1), full_signup("bolt", 2)])
        .await;
    let stats = world
        .drain(settings("w1"), vec![world.account("bolt")])
        .await;
    assert_eq!(
        (stats.succeeded, stats.parked, stats.released),
        (1, 0, 0),
        "{stats:?}"
    );
    let waiting = world.onboarding(ids[0]).await;
    assert_eq!((waiting.state, waiting.epoch), (State::Queued, 0));
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    assert_eq!(world.state(ids[0]).await, State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_entry_that_cannot_be_used_parks_the_account_with_the_field() {
    let world = World::new().await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let mut config = world.config("acme");
    config.account_sid = "a/b".into();
    let broken = Account::new(account("acme"), config, wide());
    world.drain(settings("w"), vec![broken]).await;
    assert_eq!(world.state(id).await, State::Blocked);
    let all = world.store.accounts().await.unwrap();
    let reason = &all[0].parked.as_ref().unwrap().reason;
    assert!(reason.contains("account_sid"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_leave_fail_in_the_end_and_leave_no_doubt() {
    let world = World::new().await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = world.config("acme");
    config.base_url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let account = Account::new(account("acme"), config, wide());
    let stats = world.drain(settings("w"), vec![account]).await;
    assert_eq!((stats.failed, stats.requests), (1, 0));
    let (code, message) = world.fault(id).await;
    assert_eq!(code, "connect_failed");
    assert!(message.contains("Nothing was left"), "{message}");
    assert_eq!(world.onboarding(id).await.journal.records()[0].attempts, 0);
}
