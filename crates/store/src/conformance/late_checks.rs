//! Finished onboardings that are checked once more.

use std::{sync::Arc, time::Duration};

use onboarding::{Doubt, Fault, OnboardingId, StepRecord, StepResult, StepState};

use super::{
    Fixture,
    sample::{accept, advance, claim_one, done, failure, only, register, signup, wide},
};
use crate::{Advance, LateCheck, LateChecked, Retried, Store, Then};

const HIDDEN: Duration = Duration::from_secs(1);

async fn due(store: &Arc<dyn Store>) -> Vec<LateCheck> {
    store.late_checks(10, HIDDEN).await.expect("readable").due
}

async fn left(store: &Arc<dyn Store>) -> u64 {
    store.late_checks_left().await.expect("readable")
}

/// One that failed and is to be checked once more.
async fn failed(store: &Arc<dyn Store>, n: u64) -> OnboardingId {
    accept(store, vec![signup("acme", n)]).await;
    register(store, "one", &["acme"], wide()).await;
    let held = claim_one(store, "one").await;
    let ended = Advance {
        late_check: true,
        ..only(&held.permit, failure())
    };
    advance(store, &held, ended).await;
    held.lease.id
}

/// It is there for one caller at a time, and again for the next when the first one vanished.
pub async fn a_late_check_is_taken_by_one_and_comes_back_if_it_vanishes(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = failed(&store, 1).await;
    assert_eq!(left(&store).await, 1);
    let taken = due(&store).await;
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].id, taken[0].epoch), (id, 1));
    assert_eq!(due(&store).await, [], "it is taken");
    fixture.pass(HIDDEN + Duration::from_millis(100)).await;
    let again = due(&store).await;
    assert_eq!(again.len(), 1);
    assert!(again[0].ended >= HIDDEN, "{:?}", again[0]);
    assert!(again[0].now_ms > taken[0].now_ms);
    let nothing = LateChecked::default();
    store
        .late_checked(&again[0], nothing)
        .await
        .expect("recorded");
    assert_eq!(left(&store).await, 0);
}

/// What it found is on record, and it can be put off.
pub async fn what_a_late_check_found_is_on_record(fixture: Box<dyn Fixture>) {
    let mut fixture = fixture;
    let store = fixture.store();
    let id = failed(&store, 1).await;
    let before = store.get(id).await.expect("readable").expect("there");
    let check = due(&store).await.remove(0);
    let record = StepRecord {
        state: StepState::Done,
        result: Some(StepResult::Trunk {
            trunk_sid: "trmum1late".parse().expect("valid"),
        }),
        adopted: true,
        doubt: Some(Doubt {
            first_ms: check.now_ms,
            settles_ms: check.now_ms + 1,
            repeated: false,
        }),
        ..StepRecord::default()
    };
    let found = LateChecked {
        steps: vec![(0, record.clone())],
        fault: Some(Fault {
            code: "made_up".to_owned(),
            message: "left a trunk".to_owned(),
        }),
        again: Some(HIDDEN),
    };
    store.late_checked(&check, found).await.expect("recorded");
    let store = fixture.restart().await;
    let after = store.get(id).await.expect("readable").expect("there");
    assert_eq!(after.state, before.state);
    assert_eq!(
        after.updated_at, before.updated_at,
        "it ended when it ended"
    );
    assert_eq!(after.journal.record(0), Some(&record));
    let (fault, step) = after.fault.expect("it says why");
    assert_eq!((fault.message.as_str(), step), ("left a trunk", Some(0)));
    assert_eq!(due(&store).await, [], "it is put off");
    fixture.pass(HIDDEN + Duration::from_millis(100)).await;
    assert_eq!(due(&store).await.len(), 1);
}

/// A check that is under way when a person retries changes nothing any more.
pub async fn a_retry_ends_a_late_check(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = failed(&store, 1).await;
    let check = due(&store).await.remove(0);
    let retried = store.retry(id, false).await.expect("answered");
    assert_eq!(retried, Retried::Queued);
    assert_eq!(left(&store).await, 0);
    let found = LateChecked {
        steps: vec![(0, StepRecord::default())],
        ..LateChecked::default()
    };
    let before = store.get(id).await.expect("readable").expect("there");
    store
        .late_checked(&check, found)
        .await
        .expect("it changes nothing");
    let after = store.get(id).await.expect("readable").expect("there");
    assert_eq!(after, before);
    assert_eq!(left(&store).await, 0);
}

/// Only one that a worker had may have sent something.
pub async fn what_was_cancelled_after_it_began_is_checked_once_more(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1), signup("acme", 2)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let later = Then::Release {
        delay: Duration::from_secs(60),
    };
    advance(&store, &held, only(&held.permit, later)).await;
    for n in [1, 2] {
        let id = signup("acme", n).new.id;
        store.cancel(id).await.expect("answered");
    }
    let due = due(&store).await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].id, held.lease.id);
}

/// Nothing is checked that did not ask for it.
pub async fn what_ended_without_doubt_is_not_checked_again(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    assert_eq!(left(&store).await, 0);
    let checks = store.late_checks(10, HIDDEN).await.expect("readable");
    assert_eq!((checks.due.len(), checks.next), (0, None));
}
