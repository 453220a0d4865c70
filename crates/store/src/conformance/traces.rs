//! The trace that a signup came with.

use std::time::Duration;

use super::{
    Fixture,
    sample::{
        LEASE, accept, advance, claim, claim_one, failure, only, register, signup, traced, wide,
    },
};
use crate::Then;

/// Each its own, and none where none came.
pub async fn a_claim_brings_the_trace_of_its_signup(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let signups = vec![traced("acme", 1), signup("acme", 2), traced("acme", 3)];
    let expected: Vec<_> = signups.iter().map(|one| one.new.trace).collect();
    assert!(expected[0].is_some() && expected[0] != expected[2]);
    accept(&store, signups).await;
    drop(store);
    let store = fixture.restart().await;
    register(&store, "one", &["acme"], wide()).await;
    let mut claims = claim(&store, "one", 3).await;
    claims.sort_by_key(|claim| claim.key.to_string());
    let traces: Vec<_> = claims.iter().map(|claim| claim.trace).collect();
    assert_eq!(traces, expected);
}

/// After it was given back, after its holder vanished, and after a retry.
pub async fn a_trace_is_there_for_every_claim(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let signup = traced("acme", 1);
    let expected = signup.new.trace;
    accept(&store, vec![signup]).await;
    register(&store, "one", &["acme"], wide()).await;
    let delay = Duration::ZERO;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, only(&held.permit, Then::Release { delay })).await;
    let held = claim_one(&store, "one").await;
    assert_eq!((held.lease.epoch, held.trace), (2, expected));
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    let held = claim_one(&store, "one").await;
    assert_eq!((held.lease.epoch, held.trace), (3, expected));
    advance(&store, &held, only(&held.permit, failure())).await;
    store.retry(held.lease.id, false).await.expect("answered");
    let held = claim_one(&store, "one").await;
    assert_eq!((held.lease.epoch, held.trace), (4, expected));
}
