//! What happened is told once, in order, and for days; on Redis.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

mod cutting;
mod opening;

use std::sync::Arc;

use onboarding::{OnboardingId, State};
use redis_fixture::Server;
use store::{
    Error, Position, Resumed, Store, Then, What,
    conformance::sample::{
        accept, account, advance, claim_one, done, failure, only, register, signup, wide,
    },
};

use cutting::cutting;
use opening::Opening;

fn id(n: u64) -> OnboardingId {
    signup("acme", n).new.id
}

async fn told(store: &Arc<dyn Store>, after: Option<&Position>) -> Vec<What> {
    let found = store.happenings(after, 1000).await.expect("read");
    found.into_iter().map(|one| one.what).collect()
}

fn moved(n: u64, state: State) -> What {
    What::Moved { id: id(n), state }
}

#[tokio::test]
async fn two_handles_see_everything_that_happened_once_and_in_order() {
    let opening = Opening::of(Server::shared(), "feed-all");
    let (one, two) = (opening.open().await, opening.open().await);
    assert_eq!(one.latest().await.expect("read"), None);
    accept(&one, (1..=4).map(|n| signup("acme", n)).collect()).await;
    register(&one, "one", &["acme"], wide()).await;
    let held = claim_one(&one, "one").await;
    advance(&one, &held, done(0, &held.permit, Then::Succeed)).await;
    let held = claim_one(&one, "one").await;
    advance(&one, &held, only(&held.permit, failure())).await;
    let latest = two.latest().await.expect("read").expect("something");
    two.retry(id(2), false).await.expect("retried");
    two.cancel(id(3)).await.expect("cancelled");
    for reason in ["made up", "another one that changes nothing"] {
        let acme = account("acme");
        one.park_account(&acme, reason).await.expect("parked");
    }
    for _ in 0..2 {
        let acme = account("acme");
        two.resume_account(&acme).await.expect("answered");
    }
    let parked = What::Parked {
        account: account("acme"),
        reason: "made up".to_owned(),
    };
    let resumed = What::Resumed {
        account: account("acme"),
    };
    let first = vec![moved(1, State::Succeeded), moved(2, State::Failed)];
    let second = vec![
        moved(2, State::Queued),
        moved(3, State::Cancelled),
        parked,
        resumed,
    ];
    assert_eq!(told(&one, Some(&latest)).await, second);
    assert_eq!(told(&two, None).await, [first, second].concat());
    // One at a time, it is the same.
    let (mut after, mut singly) = (None, Vec::new());
    loop {
        let some = one.happenings(after.as_ref(), 1).await.expect("read");
        let Some(next) = some.into_iter().next() else {
            break;
        };
        singly.push(next.what);
        after = Some(next.position);
    }
    assert_eq!(singly, told(&one, None).await);
    assert_eq!(after, one.latest().await.expect("read"));
}

#[tokio::test]
async fn a_running_onboarding_that_is_cancelled_is_told_of_when_it_ends() {
    let store = Opening::of(Server::shared(), "feed-soon").open().await;
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    store.cancel(id(1)).await.expect("soon");
    assert_eq!(told(&store, None).await, []);
    advance(&store, &held, done(0, &held.permit, Then::Permit)).await;
    assert_eq!(told(&store, None).await, [moved(1, State::Cancelled)]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_told_of_once() {
    let server = Server::shared();
    let url = cutting(server.port(), "advance").await;
    let store = Opening::at(format!("{url}?name=feed-cut")).open().await;
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let write = done(0, &held.permit, Then::Succeed);
    let lost = store.advance(&held.lease, write.clone()).await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
    advance(&store, &held, write).await;
    assert_eq!(told(&store, None).await, [moved(1, State::Succeeded)]);
}

#[tokio::test]
async fn what_happened_days_ago_leaves_and_who_stood_there_goes_on_with_the_oldest() {
    let server = Server::shared();
    let store = Opening::of(server, "feed-old").open().await;
    for nth in 1..=450 {
        let id = format!("{nth}-0");
        let command = ["XADD", "{feed-old}:feed", &id, "e", "racme"];
        server.ask(&command).expect("written");
    }
    let resume = async || {
        let acme = account("acme");
        store.park_account(&acme, "made up").await.expect("parked");
        store.resume_account(&acme).await.expect("resumed")
    };
    assert_eq!(resume().await, Resumed::Parked);
    // Whole parts of the stream leave, in pieces; what is newer stays.
    let left = store.happenings(None, 1000).await.expect("read");
    assert!((2..=102).contains(&left.len()), "{}", left.len());
    let newest = &left[left.len() - 2..];
    assert!(matches!(newest[0].what, What::Parked { .. }));
    let stood = Position("5-0".to_owned());
    let again = store.happenings(Some(&stood), 1000).await.expect("read");
    assert_eq!(again, left);
    let latest = store.latest().await.expect("read");
    assert_eq!(latest.as_ref(), newest.last().map(|one| &one.position));
}

#[tokio::test]
async fn a_position_that_is_none_of_this_stores_reads_as_one_before_everything() {
    let store = Opening::of(Server::shared(), "feed-odd").open().await;
    accept(&store, vec![signup("acme", 1)]).await;
    store.cancel(id(1)).await.expect("cancelled");
    let all = told(&store, None).await;
    assert_eq!(all.len(), 1);
    for odd in [
        "",
        "17",
        "no position",
        "18446744073709551615-7",
        "(1-1",
        "-",
    ] {
        let odd = Position(odd.to_owned());
        assert_eq!(told(&store, Some(&odd)).await, all, "{odd}");
    }
    let latest = store.latest().await.expect("read");
    assert_eq!(told(&store, latest.as_ref()).await, []);
}

#[tokio::test]
async fn an_onboarding_that_finished_costs_the_feed_few_bytes() {
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").open().await;
    accept(&store, (0..1000).map(|n| signup("acme", n)).collect()).await;
    for n in 0..1000 {
        store.cancel(id(n)).await.expect("cancelled");
    }
    let usage = ["MEMORY", "USAGE", "{made-up}:feed", "SAMPLES", "0"];
    let bytes: u64 = server
        .ask(&usage)
        .expect("answered")
        .parse()
        .expect("a number");
    assert!(bytes < 1000 * 40, "{bytes}");
}
