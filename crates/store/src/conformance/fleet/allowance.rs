//! Limits, for all workers together.

use std::{sync::Arc, time::Duration};

use onboarding::State;

use super::{Fixture, two};
use crate::{
    Advanced, Granted, Limits, Resumed, Store, Then,
    conformance::{
        sample::{
            LEASE, TIMEOUT, WINDOW, accept, account, advance, answered, claim, claim_one, done,
            narrow, register, signup, wide, worker,
        },
        sending::{Sending, most_in_a_window},
    },
};

async fn permit(store: &Arc<dyn Store>) -> Granted {
    store
        .permit(&account("acme"), TIMEOUT)
        .await
        .expect("answered")
}

/// Exotel counts the connections of all of us.
pub async fn requests_in_flight_are_bounded_for_all_workers_together(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, (0..20).map(|n| signup("acme", n)).collect()).await;
    let limits = Limits {
        in_flight: 4,
        ..wide()
    };
    register(&one, "one", &["acme"], limits).await;
    register(&two, "two", &["acme"], limits).await;
    let permitted = permit(&two).await;
    assert!(matches!(permitted, Granted::Permit(_)), "{permitted:?}");
    let (mine, theirs) = tokio::join!(claim(&one, "one", 10), claim(&two, "two", 10));
    assert_eq!(mine.len() + theirs.len(), 3);
    assert!(matches!(permit(&one).await, Granted::Wait(_)));
    let (store, held) = match (mine.first(), theirs.first()) {
        (Some(held), _) => (&one, held),
        (None, Some(held)) => (&two, held),
        (None, None) => panic!("three are held"),
    };
    advance(store, held, done(0, &held.permit, Then::Succeed)).await;
    let (mine, theirs) = tokio::join!(claim(&one, "one", 10), claim(&two, "two", 10));
    assert_eq!(mine.len() + theirs.len(), 1);
}

/// One request: an onboarding's or one outside of any, in turn.
async fn send(store: &Arc<dyn Store>, name: &str, outside: bool) -> bool {
    if outside {
        let Granted::Permit(permit) = permit(store).await else {
            return false;
        };
        store
            .settle(vec![answered(&permit)])
            .await
            .expect("settled");
        return true;
    }
    let claims = claim(store, name, 1).await;
    for claim in &claims {
        advance(store, claim, done(0, &claim.permit, Then::Succeed)).await;
    }
    !claims.is_empty()
}

/// However the sending is spread over workers and over time.
pub async fn no_window_holds_more_than_the_limit_whoever_sends(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, (0..200).map(|n| signup("acme", n)).collect()).await;
    register(&one, "one", &["acme"], narrow(10)).await;
    register(&two, "two", &["acme"], narrow(10)).await;
    let mut sent = Vec::new();
    for tick in 0..60 {
        for outside in [tick % 3 == 0, tick % 3 == 1] {
            let sending = Sending::begin(tick);
            let both = tokio::join!(send(&one, "one", outside), send(&two, "two", !outside));
            let sent_now = usize::from(both.0) + usize::from(both.1);
            sent.extend(std::iter::repeat_n(sending.end(), sent_now));
        }
        fixture.pass(WINDOW / 20).await;
    }
    let most = most_in_a_window(&sent, 20, WINDOW);
    assert!(most <= 10, "{most} in a window");
    assert!(sent.len() >= 20, "the allowance is used: {}", sent.len());
}

/// An upstream bucket does not care who sends.
pub async fn sending_is_paced_for_all_workers_together(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    // One in half a second.
    let limits = Limits {
        requests_per_window: 4,
        burst: 2,
        ..wide()
    };
    register(&one, "one", &["acme"], limits).await;
    register(&two, "two", &["acme"], limits).await;
    assert!(matches!(permit(&one).await, Granted::Permit(_)));
    assert!(matches!(permit(&two).await, Granted::Permit(_)));
    for waiting in [permit(&one).await, permit(&two).await] {
        let Granted::Wait(wait) = waiting else {
            panic!("the burst is used up: {waiting:?}");
        };
        assert!(wait <= WINDOW / 4 + Duration::from_millis(2), "{wait:?}");
    }
    fixture.pass(WINDOW / 4 + Duration::from_millis(2)).await;
    let (mine, theirs) = tokio::join!(permit(&one), permit(&two));
    let granted = [&mine, &theirs]
        .iter()
        .filter(|granted| matches!(granted, Granted::Permit(_)))
        .count();
    assert_eq!(granted, 1, "{mine:?} {theirs:?}");
}

/// One worker is told, all obey.
pub async fn a_429_closes_the_account_for_every_worker(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, (0..4).map(|n| signup("acme", n)).collect()).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let held = claim_one(&two, "two").await;
    let closed = Duration::from_millis(1500);
    one.close_account(&account("acme"), closed)
        .await
        .expect("closed");
    let claims = two
        .claim(&worker("two"), 10, LEASE, TIMEOUT)
        .await
        .expect("answered");
    assert!(claims.claims.is_empty());
    let next = claims.next.expect("it knows when");
    assert!(next <= closed, "{next:?}");
    assert!(matches!(permit(&two).await, Granted::Wait(_)));
    let released = advance(&two, &held, done(0, &held.permit, Then::Permit)).await;
    assert_eq!(released, Advanced::Released);
    fixture.pass(closed + Duration::from_millis(1)).await;
    assert_eq!(claim(&two, "two", 10).await.len(), 4);
}

/// A key that one worker found wrong is not tried by another.
pub async fn an_account_parked_by_one_worker_is_parked_for_all(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let mut signups: Vec<_> = (0..4).map(|n| signup("acme", n)).collect();
    signups.push(signup("globex", 9));
    accept(&one, signups).await;
    register(&one, "one", &["acme", "globex"], wide()).await;
    register(&two, "two", &["acme", "globex"], wide()).await;
    let held = loop {
        let held = claim_one(&two, "two").await;
        if held.lease.account == account("acme") {
            break held;
        }
    };
    one.park_account(&account("acme"), "made up")
        .await
        .expect("parked");
    let claims = claim(&two, "two", 10).await;
    assert!(
        claims
            .iter()
            .all(|claim| claim.lease.account == account("globex")),
        "nothing of the parked account"
    );
    assert_eq!(permit(&two).await, Granted::Parked("made up".to_owned()));
    let released = advance(&two, &held, done(0, &held.permit, Then::Permit)).await;
    assert_eq!(released, Advanced::Released);
    let found = two
        .get(held.lease.id)
        .await
        .expect("read")
        .expect("it is there");
    assert_eq!(found.state, State::Blocked);
    let resumed = one.resume_account(&account("acme")).await;
    assert_eq!(resumed.expect("resumed"), Resumed::Parked);
    assert_eq!(claim(&two, "two", 10).await.len(), 4);
}
