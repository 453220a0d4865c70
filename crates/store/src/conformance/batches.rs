//! Batches that said where they came from.

use std::sync::Arc;

use onboarding::State;

use super::{
    Fixture,
    sample::{
        accept, advance, claim, done, failure, offer, offer_from, only, register, signup, wide,
        with_content,
    },
};
use crate::{BatchNumber, BatchStatus, Candidate, Committed, Filter, Onboarding, Store, Then};

fn signups(range: impl IntoIterator<Item = u64>) -> Vec<Candidate> {
    range.into_iter().map(|n| signup("acme", n)).collect()
}

/// Has a batch accepted that says where it comes from and brings something new.
async fn bring(store: &Arc<dyn Store>, source: &str, signups: Vec<Candidate>) -> BatchNumber {
    let committed = offer_from(store, source, signups).await;
    let Committed::Accepted { batch, .. } = committed else {
        panic!("it must be accepted: {committed:?}");
    };
    batch.expect("it has a number")
}

async fn status(store: &Arc<dyn Store>, number: BatchNumber) -> BatchStatus {
    let found = store.batch(number).await.expect("readable");
    found.expect("the batch is there")
}

/// Everything of a batch, page by page.
async fn all_of(store: &Arc<dyn Store>, filter: &Filter) -> Vec<Onboarding> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list(filter, cursor.as_ref(), 3).await;
        let page = page.expect("listed");
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

fn only_of(number: BatchNumber) -> Filter {
    Filter {
        batch: Some(number),
        ..Filter::default()
    }
}

/// From the moment on that it is accepted, for every process.
pub async fn a_batch_that_says_where_it_comes_from_is_counted(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, signups(0..2)).await;
    let committed = offer_from(&store, "made-up.csv", signups(0..5)).await;
    let Committed::Accepted {
        accepted: 3,
        duplicates: 2,
        batch: Some(number),
        ..
    } = committed
    else {
        panic!("three are new and two were there: {committed:?}");
    };
    let new = signup("acme", 2).new.id;
    let created_at = store
        .get(new)
        .await
        .expect("readable")
        .expect("there")
        .created_at;
    let found = status(&fixture.elsewhere().await, number).await;
    let expected = BatchStatus {
        number,
        source: "made-up.csv".to_owned(),
        created_at: found.created_at,
        accepted: 3,
        duplicates: 2,
        succeeded: 0,
        failed: 0,
        cancelled: 0,
    };
    assert_eq!(found, expected);
    assert_eq!(found.open(), 3);
    let apart = found.created_at.duration_since(created_at).abs();
    assert!(apart < jiff::SignedDuration::from_secs(10), "{apart}");
    let listed = store.batches(None, 10).await.expect("listed");
    assert_eq!(listed, [expected]);
}

/// One that says nothing, one of duplicates, an empty one, a refused one.
pub async fn a_batch_that_brings_nothing_new_is_none(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, signups(0..3)).await;
    for again in [signups(0..3), Vec::new()] {
        let duplicates = again.len() as u64;
        let expected = Committed::Accepted {
            accepted: 0,
            duplicates,
            batch: None,
            numbers_in_use: Vec::new(),
        };
        assert_eq!(offer_from(&store, "made up", again).await, expected);
    }
    let clashing = vec![signup("acme", 3), with_content("acme", 0, "other")];
    let refused = offer_from(&store, "made up", clashing).await;
    assert!(matches!(refused, Committed::Refused { .. }));
    assert!(store.batches(None, 10).await.expect("listed").is_empty());
    let number = BatchNumber(1_000_000);
    assert_eq!(store.batch(number).await.expect("readable"), None);
    assert!(all_of(&store, &only_of(number)).await.is_empty());
}

/// Forward and, with a retry, back again.
pub async fn the_counts_of_a_batch_follow_its_onboardings(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let number = bring(&store, "made up", signups(0..6)).await;
    let next = bring(&store, "another", signups(6..8)).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 4).await;
    let counts = async || {
        let found = status(&store, number).await;
        let (succeeded, failed) = (found.succeeded, found.failed);
        (succeeded, failed, found.cancelled, found.open())
    };
    assert_eq!(counts().await, (0, 0, 0, 6));
    advance(&store, &held[0], done(0, &held[0].permit, Then::Succeed)).await;
    advance(&store, &held[1], only(&held[1].permit, failure())).await;
    advance(&store, &held[2], only(&held[2].permit, failure())).await;
    let cancelled = store.cancel(signup("acme", 5).new.id).await;
    cancelled.expect("cancelled");
    assert_eq!(counts().await, (1, 2, 1, 2));
    store
        .retry(held[1].lease.id, false)
        .await
        .expect("answered");
    store.cancel(held[2].lease.id).await.expect("answered");
    assert_eq!(counts().await, (1, 0, 2, 3));
    advance(&store, &held[3], done(0, &held[3].permit, Then::Succeed)).await;
    for held in claim(&store, "one", 2).await {
        advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    }
    assert_eq!(counts().await, (4, 0, 2, 0));
    // Also a batch that had ended may be reopened.
    store
        .retry(held[2].lease.id, false)
        .await
        .expect("answered");
    assert_eq!(counts().await, (4, 0, 1, 1));
    assert_eq!(status(&store, next).await.open(), 2);
}

/// Page by page, and none twice.
pub async fn the_newest_batches_are_listed_first(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let mut numbers = Vec::new();
    for n in 0..5 {
        numbers.push(bring(&store, &format!("batch {n}"), signups([n])).await);
        offer(&store, signups([n + 100])).await;
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = store.batches(before, 2).await.expect("listed");
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        seen.extend(page.into_iter().map(|found| (found.number, found.source)));
    }
    let expected = (0..5).rev().map(|n| (numbers[n], format!("batch {n}")));
    assert!(seen.iter().cloned().eq(expected), "{seen:?}");
}

/// With other filters too.
pub async fn a_list_of_a_batch_shows_only_it(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, signups(0..4)).await;
    let number = bring(&store, "made up", signups(2..10)).await;
    accept(&store, signups(10..14)).await;
    let listed = all_of(&store, &only_of(number)).await;
    let listed: Vec<_> = listed.iter().map(|one| one.number.to_string()).collect();
    let expected: Vec<_> = (4..10).map(|n| format!("+9180{n:08}")).collect();
    assert_eq!(listed, expected);
    let cancelled = store.cancel(signup("acme", 7).new.id).await;
    cancelled.expect("cancelled");
    let cancelled = store.cancel(signup("acme", 0).new.id).await;
    cancelled.expect("cancelled");
    let filter = Filter {
        state: Some(State::Cancelled),
        ..only_of(number)
    };
    let listed = all_of(&store, &filter).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, signup("acme", 7).new.id);
    let filter = Filter {
        partner: Some("livekit".parse().expect("valid")),
        ..only_of(number)
    };
    assert_eq!(all_of(&store, &filter).await.len(), 3);
}

/// Each has its own number and counts its own.
pub async fn batches_of_several_producers_at_once_are_told_apart(fixture: Box<dyn Fixture>) {
    let handles = [fixture.store(), fixture.elsewhere().await];
    let mut producing = tokio::task::JoinSet::new();
    for n in 0..12_u64 {
        let store = Arc::clone(&handles[usize::from(n % 2 == 0)]);
        producing.spawn(async move {
            let source = format!("batch {n}");
            let own = signups(n * 10..n * 10 + 5 + n % 3);
            let ids: Vec<_> = own.iter().map(|one| one.new.id).collect();
            (bring(&store, &source, own).await, source, ids)
        });
    }
    for (number, source, ids) in producing.join_all().await {
        let found = status(&handles[0], number).await;
        assert_eq!((found.source, found.accepted), (source, ids.len() as u64));
        let listed = all_of(&handles[1], &only_of(number)).await;
        let listed: Vec<_> = listed.into_iter().map(|one| one.id).collect();
        assert_eq!(listed, ids);
    }
    let all = handles[0].batches(None, 200).await.expect("listed");
    assert_eq!(all.len(), 12);
}

/// More than a store takes in one go.
pub async fn a_large_batch_is_counted_whole(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, signups(0..10)).await;
    let number = bring(&store, "large", signups(0..2600)).await;
    let after = bring(&store, "small", signups(2600..2602)).await;
    let found = status(&store, number).await;
    assert_eq!((found.accepted, found.duplicates), (2590, 10));
    assert_eq!(found.open(), 2590);
    assert_eq!(status(&store, after).await.accepted, 2);
    let last = [2599, 2598, 0].map(|n| signup("acme", n).new.id);
    for id in last {
        store.cancel(id).await.expect("cancelled");
    }
    assert_eq!(status(&store, number).await.cancelled, 2);
    assert_eq!(status(&store, after).await.cancelled, 0);
}

/// Between two characters.
pub async fn a_long_source_is_cut(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let long = format!("x{}", "\u{e4}".repeat(150));
    let number = bring(&store, &long, signups(0..1)).await;
    let kept = status(&store, number).await.source;
    assert!(long.starts_with(&kept), "{kept}");
    assert_eq!(kept.len(), 199);
}

/// With their counts.
pub async fn batches_survive_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let number = bring(&store, "made up", signups(0..3)).await;
    let cancelled = store.cancel(signup("acme", 1).new.id).await;
    cancelled.expect("cancelled");
    let before = status(&store, number).await;
    assert_eq!((before.cancelled, before.open()), (1, 2));
    drop(store);
    let store = fixture.restart().await;
    assert_eq!(status(&store, number).await, before);
}
