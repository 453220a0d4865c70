//! Writes whose answer was lost, and that are made again.

use std::{sync::Arc, time::Duration};

use onboarding::{OnboardingId, State, StepState};

use super::{Fixture, two};
use crate::{
    Advance, Advanced, Claim, Limits, Store, Then, WriteId,
    conformance::sample::{
        WINDOW, accept, account, advance, claim, claim_one, done, failure, is_lost, register,
        signup, wide,
    },
};

/// So far off that it does not come during a test.
const FAR: Duration = Duration::from_secs(600);

/// What a worker may want, the state that it leaves, and whether the lease is kept.
fn wants() -> Vec<(Then, State, bool)> {
    vec![
        (Then::Keep, State::Running, true),
        (Then::Permit, State::Running, true),
        (Then::PermitOrWait, State::Running, true),
        (Then::Release { delay: FAR }, State::Queued, false),
        (Then::Abandon, State::Queued, false),
        (Then::Succeed, State::Succeeded, false),
        (failure(), State::Failed, false),
    ]
}

/// One onboarding per row of [`wants`], held by the first of two workers.
async fn held(one: &Arc<dyn Store>, two: &Arc<dyn Store>, limits: Limits) -> Vec<Claim> {
    let signups: Vec<_> = (0..wants().len() as u64)
        .map(|n| signup("acme", n))
        .collect();
    accept(one, signups).await;
    register(one, "one", &["acme"], limits).await;
    register(two, "two", &["acme"], limits).await;
    let held = claim(one, "one", wants().len()).await;
    assert_eq!(held.len(), wants().len());
    held
}

async fn epoch_and_state(store: &Arc<dyn Store>, id: OnboardingId) -> (u64, State, Option<State>) {
    let found = store.get(id).await.expect("read").expect("it is there");
    let first = found.journal.record(0).map(|record| record.state);
    let recorded = (first == Some(StepState::Done)).then_some(State::Succeeded);
    (found.epoch, found.state, recorded)
}

/// Whatever was asked for, and through whichever connection the repeat comes.
pub async fn a_repeated_write_is_answered_as_the_first_time(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let claims = held(&one, &two, wide()).await;
    for (held, (then, state, _)) in claims.iter().zip(wants()) {
        let write = done(0, &held.permit, then.clone());
        let first = advance(&one, held, write.clone()).await;
        for _ in 0..3 {
            let again = advance(&one, held, write.clone()).await;
            assert_eq!(again, first, "{then:?}");
        }
        let found = epoch_and_state(&two, held.lease.id).await;
        assert_eq!(found, (1, state, Some(State::Succeeded)), "{then:?}");
    }
}

/// Permits, journal, lane and counts are as after one.
pub async fn a_repeated_write_does_nothing_twice(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let claims = held(&one, &two, wide()).await;
    let many = u32::try_from(claims.len()).expect("few");
    for (held, (then, _, _)) in claims.iter().zip(wants()) {
        let write = done(0, &held.permit, then);
        for _ in 0..3 {
            advance(&one, held, write.clone()).await;
        }
    }
    let status = &one.accounts().await.expect("listed")[0];
    // Two permits were taken besides those of the claims.
    assert_eq!(status.permits_out, many + 2, "permits count once");
    assert_eq!((status.waiting, status.running), (2, 3));
    let tally = one.tally().await.expect("counted");
    let counted = [
        (State::Queued, 2),
        (State::Running, 3),
        (State::Succeeded, 1),
        (State::Failed, 1),
    ];
    for (state, n) in counted {
        assert_eq!(tally.of(state), n, "{state:?}");
    }
    assert_eq!(tally.total(), u64::from(many));
    // The abandoned one is due, once; the delayed one is not.
    let again = claim(&two, "two", 10).await;
    assert_eq!(again.len(), 1);
    assert!(again[0].verify && again[0].lease.epoch == 2);
    // All that was answered comes back, and no more than was out.
    fixture.pass(WINDOW + Duration::from_millis(150)).await;
    let status = &one.accounts().await.expect("listed")[0];
    assert!(status.permits_out <= 3, "{}", status.permits_out);
}

/// As when a connection breaks and the first of two tries was only slow.
pub async fn a_write_that_arrives_twice_at_once_happens_once(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let claims = held(&one, &two, wide()).await;
    for (held, (then, state, _)) in claims.iter().zip(wants()) {
        let write = done(0, &held.permit, then.clone());
        let (first, second) = tokio::join!(
            advance(&one, held, write.clone()),
            advance(&one, held, write)
        );
        assert_eq!(first, second, "{then:?}");
        let found = epoch_and_state(&two, held.lease.id).await;
        assert_eq!(found, (1, state, Some(State::Succeeded)), "{then:?}");
    }
    let status = &one.accounts().await.expect("listed")[0];
    assert_eq!(status.permits_out as usize, claims.len() + 2);
    assert_eq!((status.waiting, status.running), (2, 3));
}

/// Only the very write is known again.
pub async fn another_write_on_an_ended_lease_is_refused(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let claims = held(&one, &two, wide()).await;
    for (held, (then, _, kept)) in claims.iter().zip(wants()) {
        let write = done(0, &held.permit, then.clone());
        let first = advance(&one, held, write.clone()).await;
        let before = two.get(held.lease.id).await.expect("read");
        let other = Advance {
            write: WriteId::draw(),
            ..done(1, &held.permit, Then::Keep)
        };
        let answer = one.advance(&held.lease, other).await;
        if kept {
            assert!(matches!(answer, Ok(Advanced::Kept)), "{then:?}: {answer:?}");
            continue;
        }
        assert!(is_lost(&answer), "{then:?}: {answer:?}");
        assert_eq!(two.get(held.lease.id).await.expect("read"), before);
        assert_eq!(advance(&one, held, write).await, first, "{then:?}");
    }
}

/// A repeat that was on its way for long finds another holder and leaves it alone.
pub async fn a_repeat_that_comes_after_the_next_claim_changes_nothing(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    register(&two, "two", &["acme"], wide()).await;
    let first = claim_one(&one, "one").await;
    let then = Then::Release {
        delay: Duration::ZERO,
    };
    let write = done(0, &first.permit, then);
    advance(&one, &first, write.clone()).await;
    let second = claim_one(&two, "two").await;
    let before = one.get(second.lease.id).await.expect("read");
    let repeated = one.advance(&first.lease, write).await;
    assert!(
        is_lost(&repeated) || matches!(repeated, Ok(Advanced::Released)),
        "{repeated:?}"
    );
    assert_eq!(one.get(second.lease.id).await.expect("read"), before);
    let status = &one.accounts().await.expect("listed")[0];
    assert_eq!(status.name, account("acme"));
    assert_eq!((status.waiting, status.running), (0, 1));
    assert!(claim(&one, "one", 1).await.is_empty());
    advance(&two, &second, done(1, &second.permit, Then::Succeed)).await;
}
