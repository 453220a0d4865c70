//! Leases, epochs, journals.

use std::time::Duration;

use onboarding::{State, StepState};

use super::{
    Fixture,
    sample::{
        LEASE, accept, advance, claim, claim_one, done, is_lost, only, register, signup, wide,
        worker,
    },
};
use crate::{Advanced, Then};

/// A worker that vanished does not keep its work.
pub async fn a_lease_that_ended_is_handed_out_again_in_doubt(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let first = claim_one(&store, "one").await;
    assert!(claim(&store, "one", 1).await.is_empty());
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    let second = claim_one(&store, "one").await;
    assert_eq!(second.lease.id, first.lease.id);
    assert_eq!(second.lease.epoch, 2);
    assert!(second.verify, "what the first holder did last is not known");
}

/// A slow request does not cost the lease.
pub async fn a_renewed_lease_does_not_end(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    for _ in 0..3 {
        fixture.pass(LEASE / 2).await;
        let leases = std::slice::from_ref(&held.lease);
        assert!(
            store
                .renew(leases, LEASE)
                .await
                .expect("renewed")
                .is_empty()
        );
    }
    assert!(claim(&store, "one", 1).await.is_empty());
    let finished = advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    assert_eq!(finished, Advanced::Finished);
}

/// A worker that was stopped and wakes too late changes nothing.
pub async fn a_stale_epoch_writes_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let stale = claim_one(&store, "one").await;
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    let current = claim_one(&store, "one").await;
    for then in [
        Then::Keep,
        Then::Permit,
        Then::Succeed,
        super::sample::failure(),
    ] {
        let late = store
            .advance(&stale.lease, done(0, &stale.permit, then))
            .await;
        assert!(is_lost(&late), "{late:?}");
    }
    let leases = std::slice::from_ref(&stale.lease);
    assert_eq!(store.renew(leases, LEASE).await.expect("answered"), leases);
    let found = store
        .get(stale.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.state, State::Running);
    assert_eq!(
        found.journal.first_unfinished(),
        Some(0),
        "nothing was recorded"
    );
    advance(&store, &current, done(0, &current.permit, Then::Keep)).await;
}

/// The journal is durable.
pub async fn what_was_recorded_survives_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, done(0, &held.permit, Then::Permit)).await;
    drop(store);
    let store = fixture.restart().await;
    let found = store
        .get(held.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(
        found.journal.record(0).map(|record| record.state),
        Some(StepState::Done)
    );
    assert_eq!(
        found.journal.trunk_sid().map(|sid| sid.as_str()),
        Some("trmum1sample")
    );
    assert_eq!(found.journal.first_unfinished(), Some(1));
}

/// Giving back in good order costs no reads later.
pub async fn a_lease_given_back_leaves_no_doubt(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let first = claim_one(&store, "one").await;
    let then = Then::Release {
        delay: Duration::ZERO,
    };
    advance(&store, &first, done(0, &first.permit, then)).await;
    let second = claim_one(&store, "one").await;
    assert_eq!(second.lease.epoch, 2);
    assert!(!second.verify);
    assert_eq!(second.journal.first_unfinished(), Some(1));
}

/// A handler that broke down leaves doubt.
pub async fn an_abandoned_lease_leaves_doubt(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let first = claim_one(&store, "one").await;
    assert_eq!(
        advance(&store, &first, only(&first.permit, Then::Abandon)).await,
        Advanced::Released
    );
    assert!(claim_one(&store, "one").await.verify);
}

/// At the end of a process whose handlers were cut.
pub async fn all_leases_of_a_worker_can_be_given_back(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 5).await;
    assert_eq!(store.abandon(&worker("other")).await.expect("answered"), 0);
    assert_eq!(store.abandon(&worker("one")).await.expect("given back"), 5);
    let late = store
        .advance(&held[0].lease, only(&held[0].permit, Then::Keep))
        .await;
    assert!(is_lost(&late));
    let again = claim(&store, "one", 5).await;
    assert_eq!(again.len(), 5);
    assert!(again.iter().all(|claim| claim.verify));
}

/// Where a process died with leases, the next one goes on with them: at once where the store
/// knows that the holder is gone, when they end elsewhere.
pub async fn a_restarted_worker_takes_its_leases_back_in_doubt(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let first = claim_one(&store, "one").await;
    drop(store);
    let store = fixture.restart().await;
    register(&store, "two", &["acme"], wide()).await;
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    let second = claim_one(&store, "two").await;
    assert_eq!(second.lease.id, first.lease.id);
    assert_eq!(second.lease.epoch, 2);
    assert!(second.verify);
}
