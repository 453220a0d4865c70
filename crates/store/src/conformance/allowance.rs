//! Permits: what an account may send.

use std::time::Duration;

use super::{
    Fixture,
    sample::{
        TIMEOUT, WINDOW, accept, account, advance, answered, claim, claim_one, done, narrow, only,
        register, signup, wide,
    },
    sending::{Sending, most_in_a_window},
};
use crate::{Advanced, Granted, Limits, Permit, Settled, Then};

async fn permit(fixture: &dyn Fixture) -> Granted {
    fixture
        .store()
        .permit(&account("acme"), TIMEOUT)
        .await
        .expect("answered")
}

async fn granted(fixture: &dyn Fixture) -> Permit {
    let answer = permit(fixture).await;
    let Granted::Permit(permit) = answer else {
        panic!("a permit was due, not {answer:?}")
    };
    permit
}

async fn waits(fixture: &dyn Fixture) -> Duration {
    let answer = permit(fixture).await;
    let Granted::Wait(wait) = answer else {
        panic!("a wait was due, not {answer:?}")
    };
    wait
}

/// However the sending is spread, no window is exceeded.
pub async fn no_window_holds_more_than_the_limit(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], narrow(10)).await;
    let step = WINDOW / 20;
    let mut sent = Vec::new();
    for tick in 0..60 {
        for _ in 0..3 {
            let sending = Sending::begin(tick);
            if let Granted::Permit(permit) = permit(fixture.as_ref()).await {
                sent.push(sending.end());
                store
                    .settle(vec![answered(&permit)])
                    .await
                    .expect("settled");
            }
        }
        fixture.pass(step).await;
    }
    let most = most_in_a_window(&sent, 20, WINDOW);
    assert!(most <= 10, "{most} in a window");
    assert!(sent.len() >= 20, "the allowance is used: {}", sent.len());
}

/// Exotel counts when a request arrives, which is before its answer.
pub async fn a_permit_comes_back_a_window_after_the_answer(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], narrow(1)).await;
    let first = granted(fixture.as_ref()).await;
    fixture.pass(Duration::from_millis(500)).await;
    store.settle(vec![answered(&first)]).await.expect("settled");
    let wait = waits(fixture.as_ref()).await;
    assert!(wait >= WINDOW - Duration::from_millis(300), "{wait:?}");
    fixture.pass(WINDOW + Duration::from_millis(150)).await;
    granted(fixture.as_ref()).await;
}

/// A request without an answer may still arrive until its timeout.
pub async fn a_permit_without_an_answer_stays_out_for_its_timeout_too(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], narrow(1)).await;
    let first = granted(fixture.as_ref()).await;
    store
        .settle(vec![Settled {
            permit: first,
            answered: false,
        }])
        .await
        .expect("settled");
    fixture.pass(WINDOW + Duration::from_millis(150)).await;
    waits(fixture.as_ref()).await;
    fixture.pass(TIMEOUT + Duration::from_millis(1100)).await;
    granted(fixture.as_ref()).await;
}

/// A worker whose write was answered too late tells of a permit twice.
pub async fn a_permit_that_is_settled_twice_counts_once(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], narrow(2)).await;
    let (first, _second) = (
        granted(fixture.as_ref()).await,
        granted(fixture.as_ref()).await,
    );
    store
        .settle(vec![answered(&first), answered(&first)])
        .await
        .expect("settled");
    store.settle(vec![answered(&first)]).await.expect("settled");
    fixture.pass(WINDOW + Duration::from_millis(150)).await;
    granted(fixture.as_ref()).await;
    waits(fixture.as_ref()).await;
}

/// A restart does not open the window anew.
pub async fn permits_survive_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], narrow(3)).await;
    for answer in [true, false] {
        let permit = granted(fixture.as_ref()).await;
        if answer {
            store
                .settle(vec![answered(&permit)])
                .await
                .expect("settled");
        }
    }
    drop(store);
    let store = fixture.restart().await;
    register(&store, "two", &["acme"], narrow(3)).await;
    granted(fixture.as_ref()).await;
    waits(fixture.as_ref()).await;
}

/// The limit is the account's, not the process's.
pub async fn permits_taken_elsewhere_count(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], narrow(2)).await;
    let elsewhere = fixture.elsewhere().await;
    for _ in 0..2 {
        let granted = elsewhere
            .permit(&account("acme"), TIMEOUT)
            .await
            .expect("answered");
        let Granted::Permit(permit) = granted else {
            panic!("a permit was due")
        };
        elsewhere
            .settle(vec![answered(&permit)])
            .await
            .expect("settled");
    }
    assert!(claim(&store, "one", 1).await.is_empty());
    fixture.pass(WINDOW + Duration::from_millis(150)).await;
    let held = claim_one(&store, "one").await;
    assert!(matches!(
        elsewhere
            .permit(&account("acme"), TIMEOUT)
            .await
            .expect("answered"),
        Granted::Permit(_)
    ));
    let refused = advance(&store, &held, done(0, &held.permit, Then::Permit)).await;
    assert_eq!(refused, Advanced::Released);
}

/// Exotel bounds the connections too.
pub async fn requests_in_flight_are_bounded(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..10).map(|n| signup("acme", n)).collect()).await;
    register(
        &store,
        "one",
        &["acme"],
        Limits {
            in_flight: 4,
            ..wide()
        },
    )
    .await;
    let held = claim(&store, "one", 10).await;
    assert_eq!(held.len(), 4);
    advance(&store, &held[0], done(0, &held[0].permit, Then::Succeed)).await;
    assert_eq!(claim(&store, "one", 10).await.len(), 1);
}

/// A smaller bucket upstream is not hit by a burst.
pub async fn sending_is_paced_after_the_burst(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let limits = Limits {
        requests_per_window: 10,
        burst: 2,
        ..wide()
    };
    register(&store, "one", &["acme"], limits).await;
    granted(fixture.as_ref()).await;
    granted(fixture.as_ref()).await;
    let wait = waits(fixture.as_ref()).await;
    assert!(wait <= WINDOW / 10 + Duration::from_millis(2), "{wait:?}");
    fixture.pass(WINDOW / 10 + Duration::from_millis(2)).await;
    granted(fixture.as_ref()).await;
}

/// Waiting for the allowance is neither an attempt nor a doubt.
pub async fn without_a_permit_the_lease_goes_back_without_doubt(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], narrow(1)).await;
    let held = claim_one(&store, "one").await;
    let released = advance(&store, &held, done(0, &held.permit, Then::Permit)).await;
    assert_eq!(released, Advanced::Released);
    assert!(claim(&store, "one", 1).await.is_empty());
    fixture.pass(WINDOW + Duration::from_millis(150)).await;
    let again = claim_one(&store, "one").await;
    assert!(!again.verify);
    assert_eq!(again.journal.first_unfinished(), Some(1));
}

/// A read of many pages must come to its end.
pub async fn who_waits_for_a_permit_gets_the_next_one(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], narrow(1)).await;
    let held = claim_one(&store, "one").await;
    let Advanced::Wait(wait) = advance(&store, &held, only(&held.permit, Then::PermitOrWait)).await
    else {
        panic!("there is no permit now");
    };
    fixture.pass(wait).await;
    assert!(
        claim(&store, "one", 1).await.is_empty(),
        "the permit is kept for who waits"
    );
    let none = crate::Advance {
        write: crate::WriteId::draw(),
        steps: Vec::new(),
        settled: Vec::new(),
        then: Then::PermitOrWait,
        late_check: false,
    };
    let got = advance(&store, &held, none).await;
    assert!(matches!(got, Advanced::Permitted(_)), "{got:?}");
}
