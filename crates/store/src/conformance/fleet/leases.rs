//! Leases, between workers.

use std::{collections::HashSet, time::Duration};

use onboarding::{State, StepState};

use super::{Fixture, two};
use crate::{
    Advanced, Then,
    conformance::sample::{
        LEASE, accept, advance, claim, claim_one, done, failure, is_lost, only, register, signup,
        wide, worker,
    },
};

/// When a lease that is not renewed has certainly ended.
const LEASE_AND_MORE: Duration = Duration::from_millis(3500);

/// One holder at a time, fleet-wide.
pub async fn what_one_worker_holds_is_not_handed_to_another(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, (0..5).map(|n| signup("acme", n)).collect()).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    assert_eq!(claim(&one, "one", 5).await.len(), 5);
    assert!(claim(&two, "two", 5).await.is_empty());
    fixture.pass(LEASE / 2).await;
    assert!(claim(&two, "two", 5).await.is_empty());
}

/// A killed worker keeps nothing, and what it did last is not known.
pub async fn a_killed_workers_lease_is_taken_over_in_doubt_with_the_next_epoch(
    fixture: Box<dyn Fixture>,
) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let first = claim_one(&one, "one").await;
    advance(&one, &first, done(0, &first.permit, Then::Permit)).await;
    drop(one);
    let waiting = two
        .claim(
            &worker("two"),
            1,
            LEASE,
            crate::conformance::sample::TIMEOUT,
        )
        .await
        .expect("answered");
    let next = waiting.next.expect("it knows when the lease ends");
    assert!(waiting.claims.is_empty() && next <= LEASE, "{next:?}");
    fixture.pass(LEASE_AND_MORE).await;
    let second = claim_one(&two, "two").await;
    assert_eq!(second.lease.id, first.lease.id);
    assert_eq!(second.lease.epoch, first.lease.epoch + 1);
    assert!(second.verify);
    assert_eq!(second.journal.first_unfinished(), Some(1));
    assert_eq!(second.password, first.password);
}

/// A worker that was stopped for too long finds its writes refused.
pub async fn a_late_worker_is_refused_and_changes_nothing(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let late = claim_one(&one, "one").await;
    fixture.pass(LEASE_AND_MORE).await;
    let current = claim_one(&two, "two").await;
    advance(&two, &current, done(0, &current.permit, Then::Keep)).await;
    let before = two.get(current.lease.id).await.expect("read");
    let ends = [
        Then::Keep,
        Then::Permit,
        Then::PermitOrWait,
        Then::Release {
            delay: Duration::ZERO,
        },
        Then::Abandon,
        Then::Succeed,
        failure(),
    ];
    for then in ends {
        let refused = one
            .advance(&late.lease, done(1, &late.permit, then.clone()))
            .await;
        assert!(is_lost(&refused), "{then:?}: {refused:?}");
    }
    let leases = std::slice::from_ref(&late.lease);
    assert_eq!(one.renew(leases, LEASE).await.expect("answered"), leases);
    assert_eq!(one.abandon(&worker("one")).await.expect("answered"), 0);
    assert_eq!(two.get(current.lease.id).await.expect("read"), before);
    let none = crate::Advance {
        settled: Vec::new(),
        ..only(&current.permit, Then::Succeed)
    };
    assert_eq!(advance(&two, &current, none).await, Advanced::Finished);
}

/// The end of the story is the current holder's.
pub async fn a_late_worker_is_refused_after_the_other_has_finished(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let late = claim_one(&one, "one").await;
    fixture.pass(LEASE_AND_MORE).await;
    let current = claim_one(&two, "two").await;
    advance(&two, &current, done(0, &current.permit, Then::Succeed)).await;
    for then in [Then::Keep, Then::Abandon, failure()] {
        let refused = one
            .advance(&late.lease, done(1, &late.permit, then.clone()))
            .await;
        assert!(is_lost(&refused), "{then:?}: {refused:?}");
    }
    let found = one
        .get(late.lease.id)
        .await
        .expect("read")
        .expect("it is there");
    assert_eq!(found.state, State::Succeeded);
    assert_ne!(
        found.journal.record(1).map(|record| record.state),
        Some(StepState::Done)
    );
}

/// The end of one process is not the end of the others.
pub async fn a_worker_gives_back_its_own_leases_only(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, (0..10).map(|n| signup("acme", n)).collect()).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let mine = claim(&one, "one", 4).await;
    let theirs = claim(&two, "two", 6).await;
    assert_eq!((mine.len(), theirs.len()), (4, 6));
    assert_eq!(one.abandon(&worker("one")).await.expect("given back"), 4);
    assert_eq!(one.abandon(&worker("one")).await.expect("given back"), 0);
    for held in &theirs {
        let kept = advance(&two, held, done(0, &held.permit, Then::Keep)).await;
        assert_eq!(kept, Advanced::Kept);
    }
    let again = claim(&two, "two", 10).await;
    let ids: HashSet<_> = again.iter().map(|claim| claim.lease.id).collect();
    assert_eq!(ids, mine.iter().map(|claim| claim.lease.id).collect());
    assert!(again.iter().all(|claim| claim.verify));
}

/// A slow request does not cost the lease, whoever looks for one that ended.
pub async fn a_renewal_keeps_a_lease_from_the_other_worker(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let held = claim_one(&one, "one").await;
    let leases = std::slice::from_ref(&held.lease);
    for _ in 0..3 {
        fixture.pass(LEASE / 2).await;
        assert!(claim(&two, "two", 1).await.is_empty());
        assert_eq!(one.renew(leases, LEASE).await.expect("renewed"), []);
    }
    assert!(claim(&two, "two", 1).await.is_empty());
    let finished = advance(&one, &held, done(0, &held.permit, Then::Succeed)).await;
    assert_eq!(finished, Advanced::Finished);
}

/// Nobody has to read back what was given back in good order.
pub async fn what_one_worker_gives_back_another_goes_on_with(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let first = claim_one(&one, "one").await;
    let then = Then::Release {
        delay: Duration::ZERO,
    };
    advance(&one, &first, done(0, &first.permit, then)).await;
    let second = claim_one(&two, "two").await;
    assert_eq!((second.lease.epoch, second.verify), (2, false));
    assert_eq!(second.journal.first_unfinished(), Some(1));
}

/// However the calls meet.
pub async fn two_workers_that_claim_at_once_share_what_is_there(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let signups = (0..200)
        .map(|n| signup(&format!("account-{}", n % 7), n))
        .collect();
    accept(&one, signups).await;
    let accounts: Vec<_> = (0..7).map(|n| format!("account-{n}")).collect();
    let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
    register(&one, "one", &accounts, wide()).await;
    register(&two, "two", &accounts, wide()).await;
    let mut seen = HashSet::new();
    for _ in 0..40 {
        let (mine, theirs) = tokio::join!(claim(&one, "one", 7), claim(&two, "two", 7));
        for claim in mine.into_iter().chain(theirs) {
            assert!(
                seen.insert(claim.lease.id),
                "{} was handed out twice",
                claim.lease.id
            );
        }
    }
    assert_eq!(seen.len(), 200);
}
