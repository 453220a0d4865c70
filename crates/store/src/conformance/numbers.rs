//! One number is one onboarding's.

use std::{sync::Arc, time::Duration};

use onboarding::State;

use super::{
    Fixture,
    sample::{
        LEASE, RECIPE, accept, advance, claim, claim_one, done, failure, offer, only, register,
        signup, wide, with_trunk_name,
    },
};
use crate::{
    Cancelled, Candidate, Committed, MoveId, NumberHolder, NumberInUse, Retried, Store, Then,
};

/// The `n`th signup of an account with the number of another's.
fn with_number_of(account: &str, n: u64, other: &Candidate) -> Candidate {
    let mut candidate = signup(account, n);
    candidate.new.number = other.new.number.clone();
    candidate
}

fn holder(candidate: &Candidate) -> NumberHolder {
    NumberHolder {
        id: candidate.new.id,
        key: candidate.new.key.clone(),
    }
}

fn in_use(candidate: &Candidate, by: &Candidate) -> NumberInUse {
    NumberInUse {
        origin: candidate.origin,
        number: candidate.new.number.clone(),
        holder: holder(by),
    }
}

async fn told(store: &Arc<dyn Store>, signups: Vec<Candidate>) -> Vec<NumberInUse> {
    match offer(store, signups).await {
        Committed::Accepted { numbers_in_use, .. } => numbers_in_use,
        refused @ Committed::Refused { .. } => panic!("{refused:?}"),
    }
}

async fn has(store: &Arc<dyn Store>, number: &Candidate, who: Option<&Candidate>) {
    let asked = [number.new.number.clone()];
    let found = store.number_holders(&asked).await.expect("read");
    assert_eq!(found, [who.map(holder)]);
}

/// A number is mapped once in all of Exotel. Both are accepted: the other one may be cancelled.
pub async fn a_number_is_the_firsts_that_asks_for_it_whatever_its_account(
    fixture: Box<dyn Fixture>,
) {
    let store = fixture.store();
    let first = signup("acme", 1);
    has(&store, &first, None).await;
    accept(&store, vec![first.clone()]).await;
    assert_eq!(told(&store, vec![first.clone()]).await, [], "its own again");
    let second = with_number_of("globex", 2, &first);
    let third = with_number_of("acme", 3, &first);
    let other = signup("acme", 4);
    let same = with_number_of("acme", 5, &other);
    let elsewhere = fixture.elsewhere().await;
    let all = [&second, &third, &other, &same].map(Clone::clone);
    let found = told(&elsewhere, all.to_vec()).await;
    let expected = [
        in_use(&second, &first),
        in_use(&third, &first),
        in_use(&same, &other),
    ];
    assert_eq!(found, expected);
    has(&store, &first, Some(&first)).await;
}

/// However it is taken in.
pub async fn a_large_batch_says_whose_numbers_are_in_use(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let first = signup("acme", 1);
    accept(&store, vec![first.clone()]).await;
    let mut all: Vec<Candidate> = (1000..2000).map(|n| signup("acme", n)).collect();
    all[7] = with_number_of("acme", 1007, &first);
    all[900] = with_number_of("globex", 1900, &all[100]);
    let expected = [in_use(&all[7], &first), in_use(&all[900], &all[100])];
    assert_eq!(told(&store, all.clone()).await, expected);
    has(&store, &all[100], Some(&all[100])).await;
    has(&store, &all[999], Some(&all[999])).await;
}

/// Nobody else is to create a trunk for it.
pub async fn a_claim_says_who_has_the_number(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let first = signup("acme", 1);
    let second = with_number_of("acme", 2, &first);
    offer(&store, vec![first.clone(), second]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 2).await;
    assert_eq!(held[0].number_in_use, None);
    assert_eq!(held[1].number_in_use, Some(holder(&first)));
    // Whatever became of it, it has the number: Exotel may have it mapped.
    advance(&store, &held[0], done(0, &held[0].permit, failure())).await;
    let then = Then::Release {
        delay: Duration::ZERO,
    };
    advance(&store, &held[1], only(&held[1].permit, then)).await;
    let again = claim_one(&store, "one").await;
    assert_eq!(again.number_in_use, Some(holder(&first)));
}

/// The next that is claimed or asks takes it.
pub async fn a_cancelled_onboarding_leaves_its_number_to_others(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let first = signup("acme", 1);
    let second = with_number_of("acme", 2, &first);
    offer(&store, vec![first.clone(), second.clone()]).await;
    let id = second.new.id;
    assert_eq!(store.cancel(id).await.expect("asked"), Cancelled::Now);
    has(&store, &first, Some(&first)).await;
    let id = first.new.id;
    assert_eq!(store.cancel(id).await.expect("asked"), Cancelled::Now);
    has(&store, &first, None).await;
    let third = with_number_of("globex", 3, &first);
    accept(&store, vec![third.clone()]).await;
    has(&store, &first, Some(&third)).await;
    // What comes back has it no more.
    assert_eq!(
        store.retry(id, false).await.expect("asked"),
        Retried::Queued
    );
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    assert_eq!(held.number_in_use, Some(holder(&third)));
}

/// Not when a person asks: a worker may just be mapping it.
pub async fn a_number_is_free_once_its_cancel_is_recorded(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let both = [signup("acme", 1), signup("acme", 2)];
    accept(&store, both.to_vec()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 2).await;
    for one in &both {
        let asked = store.cancel(one.new.id).await.expect("asked");
        assert_eq!(asked, Cancelled::Soon);
        has(&store, one, Some(one)).await;
    }
    advance(&store, &held[0], done(0, &held[0].permit, Then::Permit)).await;
    has(&store, &both[0], None).await;
    // The other one's holder vanishes.
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    assert!(claim(&store, "one", 1).await.is_empty());
    has(&store, &both[1], None).await;
}

/// At once, so that who asks after it is told.
pub async fn a_retry_takes_a_number_that_is_free(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let first = signup("acme", 1);
    accept(&store, vec![first.clone()]).await;
    let id = first.new.id;
    store.cancel(id).await.expect("cancelled");
    store.retry(id, false).await.expect("queued");
    has(&store, &first, Some(&first)).await;
    let second = with_number_of("acme", 2, &first);
    let found = told(&store, vec![second.clone()]).await;
    assert_eq!(found, [in_use(&second, &first)]);
    // One that was accepted too late for it goes on once the other is gone.
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 2).await;
    for one in &held {
        advance(&store, one, only(&one.permit, failure())).await;
    }
    store.cancel(id).await.expect("cancelled");
    let retried = store.retry(second.new.id, false).await;
    assert_eq!(retried.expect("asked"), Retried::Queued);
    has(&store, &first, Some(&second)).await;
    assert_eq!(claim_one(&store, "one").await.number_in_use, None);
}

/// Not by the order of acceptance, which says nothing about it.
pub async fn who_has_a_number_is_carried_along(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = MoveId::draw();
    let began = store.begin_arrival(&id, "made-up:here").await;
    assert!(began.expect("it is empty"));
    let first = signup("acme", 1);
    let second = with_number_of("acme", 2, &first);
    let arriving = [(1, false), (2, true)].map(|(n, has_number)| {
        let mut carried = super::transfer::carried(n, State::Queued);
        carried.onboarding.number = first.new.number.clone();
        carried.has_number = has_number;
        carried
    });
    let recipe = [(RECIPE.to_owned(), "{}".to_owned())];
    let came = store.carry_in(&recipe, arriving.to_vec()).await;
    came.expect("taken in");
    store.end_arrival(&id).await.expect("all is there");
    has(&store, &first, Some(&second)).await;
    store
        .begin_departure("made-up:there")
        .await
        .expect("it leaves");
    let out = store.carry_out(None, 10).await.expect("read");
    let flags: Vec<bool> = out.items.iter().map(|one| one.has_number).collect();
    assert_eq!(flags, [false, true]);
}

/// Nothing of it is there.
pub async fn a_refused_batch_takes_no_number(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let taken = with_trunk_name("acme", 1, "front_desk");
    accept(&store, vec![taken]).await;
    let one = signup("acme", 2);
    let clashes = with_trunk_name("acme", 3, "front_desk");
    let refused = offer(&store, vec![one.clone(), clashes]).await;
    assert!(matches!(refused, Committed::Refused { .. }), "{refused:?}");
    has(&store, &one, None).await;
}
