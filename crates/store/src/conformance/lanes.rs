//! Handing out, fairly.

use std::time::Duration;

use onboarding::{Journal, Secret, SipPassword};

use super::{
    Fixture,
    sample::{
        LEASE, TIMEOUT, accept, account, advance, claim, claim_one, done, only, register, signup,
        wide, worker,
    },
};
use crate::{Advanced, Resumed, Then};

/// All a worker needs comes with the claim.
pub async fn a_claim_brings_the_onboarding_its_permit_and_its_password(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let wanted = signup("acme", 1).new;
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let claim = claim_one(&store, "one").await;
    assert_eq!(claim.lease.id, wanted.id);
    assert_eq!(claim.lease.epoch, 1);
    assert_eq!(claim.lease.account, wanted.account);
    assert_eq!(claim.permit.account, wanted.account);
    assert!(!claim.verify, "nothing is in doubt at first");
    assert_eq!(claim.key, wanted.key);
    assert_eq!(claim.number, wanted.number);
    assert_eq!(claim.journal, Journal::new(&wanted.plan));
    assert_eq!(claim.plan, wanted.plan);
    assert_eq!(
        claim.password,
        Some(SipPassword::from_secret(Secret::new("planted-password")))
    );
}

/// One holder at a time.
pub async fn nothing_is_handed_out_twice(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..50).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        for claim in claim(&store, "one", 20).await {
            assert!(
                seen.insert(claim.lease.id),
                "{} was handed out twice",
                claim.lease.id
            );
        }
    }
    assert_eq!(seen.len(), 50);
}

/// First come, first served.
pub async fn within_a_lane_what_was_accepted_first_goes_first(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let claims = claim(&store, "one", 5).await;
    let numbers: Vec<_> = claims
        .iter()
        .map(|claim| claim.number.to_string())
        .collect();
    let expected: Vec<_> = (0..5).map(|n| format!("+9180{n:08}")).collect();
    assert_eq!(numbers, expected);
}

/// A long line does not make a short one wait.
pub async fn lanes_take_turns_however_long_they_are(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..500).map(|n| signup("huge", n)).collect()).await;
    register(&store, "one", &["huge", "small"], wide()).await;
    assert_eq!(claim(&store, "one", 10).await.len(), 10);
    accept(&store, vec![signup("small", 1)]).await;
    let claims = claim(&store, "one", 3).await;
    assert!(
        claims
            .iter()
            .any(|claim| claim.lease.account == account("small")),
        "the small account is among the next three"
    );
}

/// Trouble stays where it is.
pub async fn a_parked_account_is_not_served_and_delays_nobody(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..20).map(|n| signup("parked", n)).collect()).await;
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["parked", "acme"], wide()).await;
    store
        .park_account(&account("parked"), "made up")
        .await
        .expect("parked");
    let claims = claim(&store, "one", 10).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].lease.account, account("acme"));
    for was in [Resumed::Parked, Resumed::Open] {
        let resumed = store.resume_account(&account("parked")).await;
        assert_eq!(resumed.expect("resumed"), was);
    }
    assert_eq!(claim(&store, "one", 30).await.len(), 20);
}

/// A 429 closes an account for a while.
pub async fn a_closed_account_is_served_again_when_its_time_has_come(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    store
        .close_account(&account("acme"), Duration::from_millis(800))
        .await
        .expect("closed");
    let claims = store
        .claim(&worker("one"), 1, LEASE, TIMEOUT)
        .await
        .expect("answered");
    assert!(claims.claims.is_empty());
    let next = claims.next.expect("it knows when");
    assert!(next <= Duration::from_millis(800), "{next:?}");
    fixture.pass(Duration::from_millis(801)).await;
    assert_eq!(claim(&store, "one", 1).await.len(), 1);
}

/// An onboarding that waits between two steps is finished before new ones begin.
pub async fn what_was_begun_goes_before_what_was_not(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let first = claim_one(&store, "one").await;
    let then = Then::Release {
        delay: Duration::ZERO,
    };
    let given_back = advance(&store, &first, done(0, &first.permit, then)).await;
    assert_eq!(given_back, Advanced::Released);
    assert_eq!(claim_one(&store, "one").await.lease.id, first.lease.id);
}

/// A retry later does not cost the place in line.
pub async fn a_delayed_onboarding_comes_back_in_its_turn_when_due(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let first = claim_one(&store, "one").await;
    let then = Then::Release {
        delay: Duration::from_millis(700),
    };
    advance(&store, &first, only(&first.permit, then)).await;
    let second = claim_one(&store, "one").await;
    assert_ne!(second.lease.id, first.lease.id, "it is not due yet");
    fixture.pass(Duration::from_millis(701)).await;
    assert_eq!(claim_one(&store, "one").await.lease.id, first.lease.id);
}

/// A worker without an account's keys leaves its onboardings to those who have them.
pub async fn only_registered_accounts_are_handed_out(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1), signup("stranger", 2)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let claims = claim(&store, "one", 10).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].lease.account, account("acme"));
    register(&store, "one", &["acme", "stranger"], wide()).await;
    assert_eq!(
        claim_one(&store, "one").await.lease.account,
        account("stranger")
    );
}

/// What happens elsewhere is heard: a retry, a resumed account, one that was closed.
pub async fn a_claimer_hears_of_operators_elsewhere(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1), signup("globex", 2)]).await;
    register(&store, "one", &["acme", "globex"], wide()).await;
    let elsewhere = fixture.elsewhere().await;
    let id = signup("acme", 1).new.id;
    elsewhere.cancel(id).await.expect("cancelled");
    elsewhere
        .park_account(&account("globex"), "made up")
        .await
        .expect("parked");
    assert!(claim(&store, "one", 10).await.is_empty());
    let acting = async {
        elsewhere.retry(id, false).await.expect("retried");
        elsewhere
            .resume_account(&account("globex"))
            .await
            .expect("resumed");
    };
    let hearing = async {
        let mut claims = Vec::new();
        while claims.len() < 2 {
            store.changed().await;
            claims.extend(claim(&store, "one", 10).await);
        }
    };
    let both = async { tokio::join!(acting, hearing) };
    tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("the claimer hears of it");

    accept(&store, vec![signup("acme", 3)]).await;
    let closed = Duration::from_millis(800);
    elsewhere
        .close_account(&account("acme"), closed)
        .await
        .expect("closed");
    assert!(
        claim(&store, "one", 10).await.is_empty(),
        "a 429 elsewhere is obeyed here"
    );
    fixture.pass(Duration::from_millis(801)).await;
    assert_eq!(claim(&store, "one", 10).await.len(), 1);
}

/// An idle worker starts at once on what another process accepted.
pub async fn a_claimer_hears_of_signups_from_elsewhere(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme", "newcomer"], wide()).await;
    assert!(claim(&store, "one", 1).await.is_empty());
    let elsewhere = fixture.elsewhere().await;
    let accepting = async {
        accept(&elsewhere, vec![signup("acme", 1), signup("newcomer", 2)]).await;
    };
    let hearing = async {
        let mut claims = Vec::new();
        while claims.len() < 2 {
            store.changed().await;
            claims.extend(claim(&store, "one", 10).await);
        }
        claims
    };
    let both = async { tokio::join!(accepting, hearing) };
    let ((), claims) = tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("the claimer hears of it");
    assert_eq!(claims.len(), 2);
}
