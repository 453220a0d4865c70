//! What a person may do.

use std::time::Duration;

use onboarding::{OnboardingId, State, StepState};

use super::{
    Fixture,
    sample::{
        LEASE, WINDOW, accept, advance, claim, claim_one, done, failure, only, register, signup,
        wide,
    },
};
use crate::{Advanced, Cancelled, Retried, Then, operate::LATE_REQUEST};

fn nobody() -> OnboardingId {
    OnboardingId::of(&"nobody".parse().expect("valid"))
}

/// What was done stays done; what was not is looked at before it is repeated.
pub async fn a_failed_onboarding_can_be_retried_and_is_read_back_first(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let Advanced::Permitted(permit) =
        advance(&store, &held, done(0, &held.permit, Then::Permit)).await
    else {
        panic!("a permit was due");
    };
    advance(&store, &held, only(&permit, failure())).await;
    let found = store
        .get(held.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.state, State::Failed);
    let fault = found.fault.expect("it says why");
    assert_eq!((fault.0.code.as_str(), fault.1), ("made_up", Some(0)));
    assert_eq!(
        store.retry(held.lease.id, false).await.expect("answered"),
        Retried::Queued
    );
    let again = claim_one(&store, "one").await;
    assert!(again.verify);
    assert_eq!(again.journal.first_unfinished(), Some(1));
    let found = store
        .get(held.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.fault, None);
    assert_eq!(
        store.retry(nobody(), false).await.expect("answered"),
        Retried::Unknown
    );
}

/// Nothing is in flight, so nothing has to be waited for.
pub async fn a_waiting_onboarding_is_cancelled_at_once(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let id = signup("acme", 1).new.id;
    assert_eq!(store.cancel(id).await.expect("answered"), Cancelled::Now);
    assert!(claim(&store, "one", 1).await.is_empty());
    assert_eq!(
        store.cancel(id).await.expect("answered"),
        Cancelled::NotNow(State::Cancelled)
    );
    assert_eq!(
        store.cancel(nobody()).await.expect("answered"),
        Cancelled::Unknown
    );
    assert_eq!(
        store.retry(id, false).await.expect("answered"),
        Retried::Queued
    );
    assert_eq!(claim_one(&store, "one").await.lease.id, id);
}

/// What the request in flight leaves is on record.
pub async fn a_running_onboarding_is_cancelled_once_its_request_is_recorded(
    fixture: Box<dyn Fixture>,
) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let elsewhere = fixture.elsewhere().await;
    assert_eq!(
        elsewhere.cancel(held.lease.id).await.expect("answered"),
        Cancelled::Soon
    );
    let ended = advance(&store, &held, done(0, &held.permit, Then::Permit)).await;
    assert_eq!(ended, Advanced::Cancelled);
    let found = store
        .get(held.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.state, State::Cancelled);
    assert!(
        found.journal.trunk_sid().is_some(),
        "the trunk is on record"
    );
    assert!(claim(&store, "one", 1).await.is_empty());
}

/// Done is done.
pub async fn a_cancel_that_comes_too_late_changes_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    assert_eq!(
        store.cancel(held.lease.id).await.expect("answered"),
        Cancelled::Soon
    );
    let ended = advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    assert_eq!(ended, Advanced::Finished);
    let found = store
        .get(held.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.state, State::Succeeded);
}

/// There is no way back from success.
pub async fn what_succeeded_is_neither_retried_nor_cancelled(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    let id = held.lease.id;
    assert_eq!(
        store.retry(id, false).await.expect("answered"),
        Retried::NotNow(State::Succeeded)
    );
    assert_eq!(
        store.cancel(id).await.expect("answered"),
        Cancelled::NotNow(State::Succeeded)
    );
}

/// The last request's outcome is said to be unknown.
pub async fn a_cancelled_onboarding_whose_worker_vanished_stays_cancelled(
    fixture: Box<dyn Fixture>,
) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    assert_eq!(
        store.cancel(held.lease.id).await.expect("answered"),
        Cancelled::Soon
    );
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    assert!(claim(&store, "one", 1).await.is_empty());
    let found = store
        .get(held.lease.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.state, State::Cancelled);
    assert_eq!(
        found.journal.record(0).map(|record| record.state),
        Some(StepState::Unknown)
    );
    assert_eq!(found.journal.left_behind(&found.plan), ["perhaps a trunk"]);
}

/// What was made after a backup is not in it, so that nothing in it can be trusted.
pub async fn after_a_restore_what_is_not_finished_is_read_back_once(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], wide()).await;
    for n in 1..=3 {
        accept(&store, vec![signup("acme", n)]).await;
    }
    let ends = [
        Then::Succeed,
        failure(),
        Then::Release {
            delay: Duration::from_millis(100),
        },
    ];
    for then in ends {
        let held = claim_one(&store, "one").await;
        advance(&store, &held, done(0, &held.permit, then)).await;
    }
    accept(&store, vec![signup("acme", 4)]).await;
    assert_eq!(store.mark_restored().await.expect("marked"), 3);
    assert!(claim(&store, "one", 10).await.is_empty(), "nothing is sent");
    drop(store);
    let store = fixture.restart().await;
    fixture
        .pass(WINDOW + LATE_REQUEST + Duration::from_millis(50))
        .await;
    register(&store, "two", &["acme"], wide()).await;
    accept(&store, vec![signup("acme", 5)]).await;
    let failed = signup("acme", 2).new.id;
    assert_eq!(
        store.retry(failed, false).await.expect("answered"),
        Retried::Queued
    );
    let verify = async || {
        let mut handed = Vec::new();
        for _ in 2..=5 {
            let held = claim_one(&store, "two").await;
            handed.push((held.lease.id, held.verify));
            advance(&store, &held, only(&held.permit, LATER)).await;
        }
        (2..=5)
            .map(|n| handed.contains(&(signup("acme", n).new.id, true)))
            .collect::<Vec<_>>()
    };
    assert_eq!(verify().await, [true, true, true, false]);
    fixture.pass(Duration::from_millis(1100)).await;
    assert_eq!(verify().await, [false; 4], "that was seen to");
}

const LATER: Then = Then::Release {
    delay: Duration::from_secs(1),
};
