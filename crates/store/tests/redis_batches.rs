//! A batch is numbered once and counted right, whatever gets lost on the way; on Redis.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

mod cutting;
mod opening;

use std::{sync::Arc, time::Duration};

use onboarding::State;
use redis_fixture::Server;
use store::{
    BatchNumber, BatchStatus, Candidate, Committed, Filter, Store, Then,
    conformance::sample::{
        RECIPE, accept, account, advance, claim, done, narrow, offer_from, register, signup, wide,
    },
};

use cutting::cutting;
use opening::{Opening, PATIENCE, at_last};

/// Small ones are one call, large ones many.
const LARGE: u64 = 700;

fn signups(range: std::ops::Range<u64>) -> Vec<Candidate> {
    range.map(|n| signup("acme", n)).collect()
}

async fn bring(store: &Arc<dyn Store>, source: &str, signups: Vec<Candidate>) -> BatchNumber {
    let committed = offer_from(store, source, signups).await;
    let Committed::Accepted {
        batch: Some(number),
        ..
    } = committed
    else {
        panic!("it is new and says where it comes from: {committed:?}");
    };
    number
}

async fn status(store: &Arc<dyn Store>, number: BatchNumber) -> BatchStatus {
    let found = store.batch(number).await.expect("read");
    found.expect("the batch is there")
}

async fn listed(store: &Arc<dyn Store>, filter: &Filter, limit: usize) -> Vec<u64> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(filter, after.as_ref(), limit).await;
        let page = page.expect("listed");
        let own = page.items.iter().map(|one| one.key.to_string());
        all.extend(own.map(|key| key[5..].parse::<u64>().expect("a number")));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_has_one_number_and_is_counted_once() {
    for (function, size) in [("accept", 3), ("commit", LARGE), ("apply", LARGE)] {
        let server = Server::shared();
        let url = cutting(server.port(), function).await;
        let url = format!("{url}?name=batch-{function}");
        let store = Opening::at(url).open().await;
        let number = bring(&store, "made up", signups(0..size)).await;
        let found = store.batches(None, 10).await.expect("listed");
        assert_eq!(found.len(), 1, "{function}");
        assert_eq!((found[0].number, found[0].accepted), (number, size));
        let filter = Filter {
            batch: Some(number),
            ..Filter::default()
        };
        // What was not entered in time is by the next claim.
        register(&store, "one", &["acme"], narrow(1)).await;
        let entered = async {
            while listed(&store, &filter, 1000).await.len() as u64 != size {
                claim(&store, "one", 1).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let entered = tokio::time::timeout(PATIENCE, entered).await;
        entered.expect("all of it is entered");
    }
}

#[tokio::test]
async fn batches_keep_their_numbers_and_places_however_often_the_server_is_killed() {
    let mut server = Server::with_aof();
    let store = Opening::of(&server, "made-up").open().await;
    let size = |batch: u64| if batch % 3 == 2 { LARGE } else { 2 };
    let producing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let mut numbers = Vec::new();
            for batch in 0..15_u64 {
                let committed = at_last(async || {
                    let mut adding = store.begin().await?;
                    adding.add_recipe(RECIPE, "{}").await?;
                    adding.describe(&format!("batch {batch}"));
                    adding
                        .add(signups(1000 * batch..1000 * batch + size(batch)))
                        .await?;
                    adding.commit().await
                });
                let Committed::Accepted { batch: number, .. } = committed.await else {
                    panic!("it is accepted");
                };
                // Where it was accepted and nobody heard of it, all of it is there before.
                numbers.extend(number.map(|number| (number, batch)));
            }
            numbers
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.kill();
        server.restart();
    }
    let numbers = tokio::time::timeout(PATIENCE, producing).await;
    let numbers = numbers
        .expect("the producer comes to its end")
        .expect("all is accepted");
    let found = at_last(|| store.batches(None, 200)).await;
    assert_eq!(found.len(), 15);
    for one in &found {
        let batch: u64 = one.source[6..].parse().expect("a number");
        assert_eq!(one.accepted, size(batch), "{one:?}");
        let filter = Filter {
            batch: Some(one.number),
            ..Filter::default()
        };
        let expected: Vec<u64> = (1000 * batch..1000 * batch + size(batch)).collect();
        assert_eq!(listed(&store, &filter, 1000).await, expected);
    }
    for (number, batch) in numbers {
        assert_eq!(
            status(&store, number).await.source,
            format!("batch {batch}")
        );
    }
}

#[tokio::test]
async fn a_batch_keeps_its_counts_while_its_onboardings_leave_and_leaves_with_the_last() {
    let server = Server::start(&[]);
    let keep = Duration::from_millis(400);
    let store = Opening::of(&server, "made-up").keeping(keep).open().await;
    register(&store, "one", &["acme"], wide()).await;
    let number = bring(&store, "made up", signups(0..300)).await;
    let next = bring(&store, "another", signups(300..301)).await;
    for n in 0..50 {
        store
            .cancel(signup("acme", n).new.id)
            .await
            .expect("cancelled");
    }
    let mut succeeded = 0;
    while succeeded < 249 {
        for held in claim(&store, "one", 249 - succeeded).await {
            advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
            succeeded += 1;
        }
    }
    let counts = async || {
        let found = status(&store, number).await;
        (found.succeeded, found.cancelled, found.open())
    };
    assert_eq!(counts().await, (249, 50, 1));
    let until = async |left: u64, succeeded: u64| {
        let left = async {
            while store.tally().await.expect("counted").total() > left {
                claim(&store, "one", 0).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
                // Also while they leave.
                if let Some(found) = store.batch(number).await.expect("read") {
                    assert_eq!((found.succeeded, found.cancelled), (succeeded, 50));
                }
            }
        };
        let left = tokio::time::timeout(PATIENCE, left).await;
        left.expect("what is over leaves");
    };
    until(2, 249).await;
    assert_eq!(counts().await, (249, 50, 1));
    let held = claim(&store, "one", 1).await;
    advance(&store, &held[0], done(0, &held[0].permit, Then::Succeed)).await;
    until(1, 250).await;
    assert_eq!(store.batch(number).await.expect("read"), None);
    let others = store.batches(None, 10).await.expect("listed");
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].number, next);
    store
        .cancel(signup("acme", 300).new.id)
        .await
        .expect("cancelled");
    until(0, 250).await;
    let keys = server.ask(&["KEYS", "*:batch_*"]).expect("listed");
    assert_eq!(keys, "");
}

#[tokio::test]
async fn a_batch_among_thousands_is_listed_by_itself_whatever_else_is_filtered() {
    let store = Opening::of(Server::shared(), "batch-listed").open().await;
    accept(&store, signups(0..1500)).await;
    let number = bring(&store, "made up", signups(1500..2200)).await;
    accept(&store, signups(2200..3700)).await;
    for n in [0, 1500, 1777, 2199, 2200] {
        store
            .cancel(signup("acme", n).new.id)
            .await
            .expect("cancelled");
    }
    register(&store, "one", &["acme"], narrow(2)).await;
    claim(&store, "one", 2).await;
    let batch = Filter {
        batch: Some(number),
        ..Filter::default()
    };
    let all: Vec<u64> = (1500..2200).collect();
    let waiting: Vec<u64> = (1501..2199).filter(|n| *n != 1777).collect();
    let of_account = Filter {
        account: Some(account("acme")),
        ..batch.clone()
    };
    let in_state = |state| Filter {
        state: Some(state),
        ..batch.clone()
    };
    let table = [
        (batch.clone(), all.clone()),
        (of_account, all),
        (in_state(State::Queued), waiting),
        (in_state(State::Cancelled), vec![1500, 1777, 2199]),
        (in_state(State::Running), vec![]),
        (in_state(State::Failed), vec![]),
        (in_state(State::Succeeded), vec![]),
    ];
    for (filter, expected) in table {
        for limit in [300, 1000] {
            assert_eq!(listed(&store, &filter, limit).await, expected, "{filter:?}");
        }
    }
    // With few that wait, they are found another way.
    let few = Opening::of(Server::shared(), "batch-few").open().await;
    accept(&few, signups(0..5)).await;
    let number = bring(&few, "made up", signups(5..9)).await;
    accept(&few, signups(9..12)).await;
    let filter = Filter {
        batch: Some(number),
        state: Some(State::Queued),
        ..Filter::default()
    };
    assert_eq!(listed(&few, &filter, 3).await, [5, 6, 7, 8]);
}

#[tokio::test]
async fn more_batches_than_are_looked_at_as_one_are_listed_whole() {
    let store = Opening::of(Server::shared(), "batch-many").open().await;
    for n in 0..150 {
        bring(&store, &format!("batch {n}"), signups(n..n + 1)).await;
    }
    let found = store.batches(None, 200).await.expect("listed");
    let sources: Vec<_> = found.into_iter().map(|one| one.source).collect();
    let expected: Vec<_> = (0..150).rev().map(|n| format!("batch {n}")).collect();
    assert_eq!(sources, expected);
}

#[tokio::test]
async fn the_head_of_a_line_is_found_behind_what_was_cancelled_before_it_began() {
    let store = Opening::of(Server::shared(), "line-head").open().await;
    register(&store, "one", &["acme"], narrow(1)).await;
    accept(&store, signups(0..100)).await;
    let oldest = async || {
        let accounts = store.accounts().await.expect("listed");
        accounts.first().and_then(|one| one.oldest_waiting_at)
    };
    let created = async |n| {
        let found = store.get(signup("acme", n).new.id).await.expect("read");
        found.expect("there").created_at
    };
    assert_eq!(oldest().await, Some(created(0).await));
    tokio::time::sleep(Duration::from_millis(5)).await;
    accept(&store, signups(100..101)).await;
    assert!(created(0).await < created(100).await);
    for n in 0..100 {
        store
            .cancel(signup("acme", n).new.id)
            .await
            .expect("cancelled");
    }
    assert_eq!(oldest().await, Some(created(100).await));
    // What was begun lies apart and is older.
    store
        .retry(signup("acme", 7).new.id, false)
        .await
        .expect("queued");
    assert_eq!(oldest().await, Some(created(7).await));
}

#[tokio::test]
async fn an_account_with_all_its_connections_in_use_says_when_one_times_out() {
    let store = Opening::of(Server::shared(), "line-full").open().await;
    let limits = store::Limits {
        in_flight: 1,
        ..wide()
    };
    register(&store, "one", &["acme"], limits).await;
    accept(&store, signups(0..2)).await;
    let next = async || store.accounts().await.expect("listed")[0].next_permit_at;
    assert_eq!(next().await, None);
    let held = claim(&store, "one", 1).await;
    assert!(next().await.is_some());
    advance(&store, &held[0], done(0, &held[0].permit, Then::Succeed)).await;
    assert_eq!(next().await, None);
}
