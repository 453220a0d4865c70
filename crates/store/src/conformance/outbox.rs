//! Deliveries until they were told.

use std::{collections::HashSet, sync::Arc, time::Duration};

use onboarding::OnboardingId;
use tokio::task::JoinSet;

use super::{Fixture, sample::signup};
use crate::{
    AfterAttempt, Attempt, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Error, NewDelivery,
    Position, Store,
};

/// For how long the samples' deliveries are held.
const HOLD: Duration = Duration::from_secs(2);
/// More than a store rounds by.
const A_LITTLE: Duration = Duration::from_millis(200);

/// What the `n`th delivery to an endpoint is about.
pub(super) fn about(n: u64) -> OnboardingId {
    signup("acme", n).new.id
}

/// The `n`th delivery to an endpoint.
pub(super) fn delivery(endpoint: &str, n: u64) -> NewDelivery {
    NewDelivery {
        id: DeliveryId::of(endpoint, &Position(n.to_string()), &about(n).to_bytes()),
        endpoint: endpoint.to_owned(),
        event: "onboarding.succeeded".to_owned(),
        onboarding: Some(about(n)),
        payload: format!("{{\"made\":\"up\",\"n\":{n}}}"),
    }
}

/// A delivery that is about no onboarding.
fn about_none(n: u64) -> NewDelivery {
    NewDelivery {
        onboarding: None,
        event: "signup.refused".to_owned(),
        ..delivery("crm", n)
    }
}

/// Lays deliveries out, whatever the mark is.
pub(super) async fn lay_out(store: &Arc<dyn Store>, deliveries: Vec<NewDelivery>) {
    let mark = store.laid_out().await.expect("readable");
    let next = mark.as_deref().map_or(0, |mark| mark.parse().unwrap_or(0)) + 1_u64;
    let next = next.to_string();
    let done = store.lay_out(mark.as_deref(), &next, deliveries).await;
    assert!(done.expect("laid out"));
}

/// Takes what is due.
pub(super) async fn take(store: &Arc<dyn Store>, max: usize) -> Vec<Delivery> {
    let due = store.take_due(max, HOLD).await.expect("answered");
    assert!(due.deliveries.len() <= max);
    due.deliveries
}

async fn take_one(store: &Arc<dyn Store>) -> Delivery {
    let mut taken = take(store, 1).await;
    assert_eq!(taken.len(), 1, "one is due");
    taken.remove(0)
}

/// Tells what came of an attempt.
pub(super) async fn attempted(
    store: &Arc<dyn Store>,
    taken: &Delivery,
    made: Attempt,
    then: AfterAttempt,
) -> bool {
    let told = store.attempted(&taken.id, taken.attempts, made, then).await;
    told.expect("answered")
}

pub(super) fn took_it() -> Attempt {
    Attempt {
        status: Some(204),
        error: None,
        duration_ms: 12,
    }
}

pub(super) fn refused() -> Attempt {
    Attempt {
        status: Some(503),
        error: Some("made up: busy".to_owned()),
        duration_ms: 34,
    }
}

fn unreachable() -> Attempt {
    Attempt {
        status: None,
        error: Some("made up: nobody listens".to_owned()),
        duration_ms: 56,
    }
}

async fn found(store: &Arc<dyn Store>, id: &DeliveryId) -> Delivery {
    let found = store.delivery(id).await.expect("readable");
    found.expect("the delivery is there")
}

async fn waiting(store: &Arc<dyn Store>) -> u64 {
    store.deliveries_waiting().await.expect("countable")
}

/// For every process; with the mark.
pub async fn what_is_laid_out_is_there_whole(fixture: Box<dyn Fixture>) {
    let (store, elsewhere) = (fixture.store(), fixture.elsewhere().await);
    assert_eq!(store.laid_out().await.expect("readable"), None);
    assert_eq!(waiting(&store).await, 0);
    let all: Vec<_> = (0..3).map(|n| delivery("crm", n)).collect();
    let mark = format!("here {}", "x".repeat(195));
    let done = store.lay_out(None, &mark, all.clone()).await;
    assert!(done.expect("laid out"));
    for handle in [&store, &elsewhere] {
        let kept = handle.laid_out().await.expect("readable");
        assert_eq!(kept.as_deref(), Some(mark.as_str()));
        assert_eq!(waiting(handle).await, 3);
        for new in &all {
            let there = found(handle, &new.id).await;
            let expected = Delivery {
                id: new.id.clone(),
                endpoint: new.endpoint.clone(),
                event: new.event.clone(),
                onboarding: new.onboarding,
                payload: new.payload.clone(),
                state: DeliveryState::Waiting,
                attempts: 0,
                attempts_before: 0,
                created_at: there.created_at,
                since: there.created_at,
                next_at: Some(there.created_at),
                last: None,
            };
            assert_eq!(there, expected);
        }
    }
}

/// Neither deliveries nor mark, where somebody else was here.
pub async fn a_mark_that_moved_lays_nothing_out(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let lay = async |before: Option<&str>, after: &str, n: u64| {
        let laid = store.lay_out(before, after, vec![delivery("crm", n)]).await;
        laid.expect("answered")
    };
    assert!(!lay(Some("1"), "2", 0).await, "there is no mark yet");
    assert!(lay(None, "1", 1).await);
    assert!(!lay(None, "2", 2).await);
    assert!(!lay(Some("0"), "2", 3).await);
    let kept = store.laid_out().await.expect("readable");
    assert_eq!(kept.as_deref(), Some("1"));
    let none = store.lay_out(Some("1"), "2", Vec::new()).await;
    assert!(none.expect("answered"), "the mark moves alone too");
    assert!(lay(Some("2"), "3", 4).await);
    for n in 0..5 {
        let there = store.delivery(&delivery("crm", n).id).await;
        let there = there.expect("readable").is_some();
        assert_eq!(there, n == 1 || n == 4, "{n}");
    }
    assert_eq!(waiting(&store).await, 2);
}

/// Whatever became of it, and whatever it would say now; the others are laid out.
pub async fn a_delivery_that_is_there_already_is_left_as_it_is(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let taken = take_one(&store).await;
    assert!(attempted(&store, &taken, took_it(), AfterAttempt::Delivered).await);
    let before = found(&store, &taken.id).await;
    let other = NewDelivery {
        payload: "{}".to_owned(),
        ..delivery("crm", 0)
    };
    let twice = delivery("crm", 1);
    lay_out(&store, vec![other, twice.clone(), twice]).await;
    assert_eq!(found(&store, &taken.id).await, before);
    assert_eq!(waiting(&store).await, 1);
    let taken = take(&store, 10).await;
    let ids: Vec<_> = taken.iter().map(|one| &one.id).collect();
    assert_eq!(ids, [&delivery("crm", 1).id]);
}

/// Through two handles; nothing of the other one is there.
pub async fn of_two_that_lay_out_at_once_one_wins(fixture: Box<dyn Fixture>) {
    let handles = [fixture.store(), fixture.elsewhere().await];
    let mut mark = None::<String>;
    for round in 0..20_u64 {
        let mut laying = JoinSet::new();
        for (n, handle) in (0_u64..).zip(&handles) {
            let (store, before) = (Arc::clone(handle), mark.clone());
            laying.spawn(async move {
                let after = format!("{round}-{n}");
                let all = vec![delivery("crm", 2 * round + n)];
                let won = store.lay_out(before.as_deref(), &after, all).await;
                (won.expect("answered"), after, 2 * round + n)
            });
        }
        let all = laying.join_all().await;
        let won: Vec<_> = all.iter().filter(|(won, ..)| *won).collect();
        assert_eq!(won.len(), 1, "{all:?}");
        mark = handles[1].laid_out().await.expect("readable");
        assert_eq!(mark.as_ref(), Some(&won[0].1));
        for (won, _, n) in &all {
            let there = handles[0].delivery(&delivery("crm", *n).id).await;
            assert_eq!(there.expect("readable").is_some(), *won);
        }
    }
    assert_eq!(waiting(&handles[0]).await, 20);
}

/// Until it was told of, or its time is over.
pub async fn a_delivery_that_is_held_is_given_to_nobody_else(fixture: Box<dyn Fixture>) {
    let (store, elsewhere) = (fixture.store(), fixture.elsewhere().await);
    let nothing = store.take_due(1, HOLD).await.expect("answered");
    assert_eq!((nothing.deliveries, nothing.next), (Vec::new(), None));
    lay_out(&store, (0..2).map(|n| delivery("crm", n)).collect()).await;
    let due = store.take_due(1, HOLD).await.expect("answered");
    assert_eq!(due.next, Some(Duration::ZERO), "another one is due");
    let first = &due.deliveries[0];
    assert_eq!((first.attempts, first.attempts_before), (1, 0));
    assert_eq!(first.state, DeliveryState::Waiting);
    let second = take_one(&elsewhere).await;
    assert_ne!(first.id, second.id);
    for handle in [&store, &elsewhere] {
        let due = handle.take_due(64, HOLD).await.expect("answered");
        assert!(due.deliveries.is_empty());
        let next = due.next.expect("they are due again then");
        assert!(!next.is_zero() && next <= HOLD, "{next:?}");
    }
    assert_eq!(waiting(&store).await, 2);
    fixture.pass(HOLD + A_LITTLE).await;
    let again = take(&elsewhere, 64).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|one| one.attempts == 2));
}

/// Through two handles, until none is left.
pub async fn two_takers_never_get_the_same_one(fixture: Box<dyn Fixture>) {
    const ALL: usize = 120;
    let handles = [fixture.store(), fixture.elsewhere().await];
    lay_out(
        &handles[0],
        (0..ALL as u64).map(|n| delivery("crm", n)).collect(),
    )
    .await;
    let mut taking = JoinSet::new();
    for n in 0..4 {
        let store = Arc::clone(&handles[n % 2]);
        taking.spawn(async move {
            let mut all = Vec::new();
            loop {
                let due = store.take_due(7, Duration::from_secs(600)).await;
                let taken = due.expect("answered").deliveries;
                if taken.is_empty() {
                    return all;
                }
                all.extend(taken.into_iter().map(|one| (one.id, one.attempts)));
            }
        });
    }
    let all: Vec<_> = taking.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.len(), ALL);
    assert!(all.iter().all(|(_, attempts)| *attempts == 1));
    let different: HashSet<_> = all.into_iter().map(|(id, _)| id).collect();
    assert_eq!(different.len(), ALL);
}

/// Whenever they were laid out.
pub async fn those_that_are_due_for_longest_go_first(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let first = take_one(&store).await;
    for n in 1..4 {
        lay_out(&store, vec![delivery("crm", n)]).await;
        fixture.pass(Duration::from_millis(20)).await;
    }
    let delay = Duration::from_millis(20);
    assert!(attempted(&store, &first, refused(), AfterAttempt::Again { delay }).await);
    fixture.pass(A_LITTLE).await;
    let order: Vec<_> = [take(&store, 2).await, take(&store, 2).await].concat();
    let order: Vec<_> = order.into_iter().map(|one| one.id).collect();
    let expected = [1, 2, 3, 0].map(|n| delivery("crm", n).id);
    assert_eq!(order, expected);
}

/// And says what the receiver answered, and when.
pub async fn what_was_delivered_is_not_tried_again(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let taken = take_one(&store).await;
    assert!(attempted(&store, &taken, took_it(), AfterAttempt::Delivered).await);
    let ended = found(&fixture.elsewhere().await, &taken.id).await;
    assert_eq!(ended.state, DeliveryState::Delivered);
    assert_eq!((ended.attempts, ended.next_at), (1, None));
    let (last, at) = ended.last.expect("there was one");
    assert_eq!(last, took_it());
    assert!(at >= ended.created_at);
    assert_eq!(waiting(&store).await, 0);
    fixture.pass(HOLD + A_LITTLE).await;
    let due = store.take_due(64, HOLD).await.expect("answered");
    assert_eq!((due.deliveries, due.next), (Vec::new(), None));
}

/// Not before, and with what came of the last one.
pub async fn what_failed_is_tried_again_after_its_delay(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let delay = Duration::from_secs(1);
    for (count, made) in [(1, refused()), (2, unreachable())] {
        let taken = take_one(&store).await;
        assert_eq!(taken.attempts, count);
        let told = attempted(&store, &taken, made.clone(), AfterAttempt::Again { delay }).await;
        assert!(told);
        let there = found(&store, &taken.id).await;
        assert_eq!(there.state, DeliveryState::Waiting);
        let (last, at) = there.last.expect("there was one");
        assert_eq!(last, made);
        let next = there.next_at.expect("it is due then");
        assert!(next > at && next <= at + delay + A_LITTLE);
        let due = store.take_due(64, HOLD).await.expect("answered");
        assert!(due.deliveries.is_empty());
        assert!(due.next.expect("it is due then") <= delay);
        fixture.pass(delay + A_LITTLE).await;
    }
    assert_eq!(
        take_one(&store).await.last.map(|(last, _)| last),
        Some(unreachable())
    );
}

/// As long as it is kept.
pub async fn what_was_given_up_waits_for_a_person(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let taken = take_one(&store).await;
    assert!(attempted(&store, &taken, refused(), AfterAttempt::GiveUp).await);
    let ended = found(&store, &taken.id).await;
    assert_eq!((ended.state, ended.next_at), (DeliveryState::GivenUp, None));
    assert_eq!(waiting(&store).await, 0);
    fixture.pass(HOLD + A_LITTLE).await;
    assert!(take(&store, 64).await.is_empty());
    assert!(store.resend(&taken.id).await.expect("answered"));
    assert_eq!(waiting(&store).await, 1);
    assert_eq!(take_one(&store).await.attempts, 2);
}

/// Also what the receiver took once, and what waits for its next attempt.
pub async fn what_is_sent_again_counts_its_attempts_anew(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let delay = Duration::from_secs(3600);
    let endings = [AfterAttempt::Delivered, AfterAttempt::Again { delay }];
    for (count, then) in (1..).zip(endings) {
        let taken = take_one(&store).await;
        assert_eq!((taken.attempts, taken.attempts_before), (count, count - 1));
        fixture.pass(Duration::from_millis(20)).await;
        assert!(attempted(&store, &taken, refused(), then).await);
        assert!(store.resend(&taken.id).await.expect("answered"));
        let there = found(&store, &taken.id).await;
        assert_eq!(there.state, DeliveryState::Waiting);
        assert_eq!((there.attempts, there.attempts_before), (count, count));
        assert_eq!(there.created_at, taken.created_at);
        assert!(there.since > taken.since);
        assert_eq!(there.next_at, Some(there.since));
        assert_eq!(there.last.map(|(last, _)| last), Some(refused()));
    }
    assert_eq!(take_one(&store).await.attempts, 3);
}

/// The one that took it since has the say.
pub async fn a_late_answer_of_an_earlier_attempt_changes_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let late = take_one(&store).await;
    fixture.pass(HOLD + A_LITTLE).await;
    let taken = take_one(&fixture.elsewhere().await).await;
    let before = found(&store, &late.id).await;
    for then in [AfterAttempt::Delivered, AfterAttempt::GiveUp] {
        assert!(!attempted(&store, &late, took_it(), then).await);
    }
    assert_eq!(found(&store, &late.id).await, before);
    assert!(attempted(&store, &taken, refused(), AfterAttempt::GiveUp).await);
    let state = found(&store, &late.id).await.state;
    assert_eq!(state, DeliveryState::GivenUp);
}

/// It was to be sent once more from then on.
pub async fn an_answer_to_what_was_sent_again_meanwhile_changes_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    let held = take_one(&store).await;
    assert!(store.resend(&held.id).await.expect("answered"));
    assert!(!attempted(&store, &held, took_it(), AfterAttempt::Delivered).await);
    let again = take_one(&store).await;
    assert_eq!((again.attempts, again.attempts_before), (2, 1));
    assert!(attempted(&store, &again, took_it(), AfterAttempt::Delivered).await);
}

/// Neither looked at, nor told of, nor sent again.
pub async fn what_nobody_laid_out_is_not_there(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let nobody = delivery("crm", 7).id;
    assert_eq!(store.delivery(&nobody).await.expect("readable"), None);
    assert!(!store.resend(&nobody).await.expect("answered"));
    let told = store
        .attempted(&nobody, 1, took_it(), AfterAttempt::Delivered)
        .await;
    assert!(!told.expect("answered"));
    let all = store.deliveries(&DeliveryFilter::default(), None, 10).await;
    let all = all.expect("listed");
    assert!(all.items.is_empty() && all.next.is_none());
}

/// With the mark, and held as long as they were to be.
pub async fn deliveries_survive_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, (0..2).map(|n| delivery("crm", n)).collect()).await;
    let held = take_one(&store).await;
    let mark = store.laid_out().await.expect("readable");
    let before = found(&store, &held.id).await;
    drop(store);
    let store = fixture.restart().await;
    assert_eq!(store.laid_out().await.expect("readable"), mark);
    assert_eq!(found(&store, &held.id).await, before);
    let other = take_one(&store).await;
    assert_ne!(other.id, held.id);
    assert!(take(&store, 1).await.is_empty());
    fixture.pass(HOLD + A_LITTLE).await;
    assert_eq!(take(&store, 10).await.len(), 2);
}

/// Nor does it remember what was asked; what was is looked at.
pub async fn a_store_that_leaves_tells_nobody(fixture: Box<dyn Fixture>) {
    fn is_closed<T>(result: &Result<T, Error>) -> bool {
        matches!(result, Err(Error::Unusable { .. }))
    }
    let store = fixture.store();
    lay_out(&store, (0..2).map(|n| delivery("crm", n)).collect()).await;
    let departure = store.begin_departure("made-up:there").await;
    departure.expect("nobody works");
    let mark = store.laid_out().await.expect("readable");
    let laid = store.lay_out(mark.as_deref(), "next", Vec::new()).await;
    assert!(is_closed(&laid), "{laid:?}");
    let due = store.take_due(1, HOLD).await;
    assert!(is_closed(&due), "{due:?}");
    let again = store.resend(&delivery("crm", 0).id).await;
    assert!(is_closed(&again), "{again:?}");
    let asked = store.remember("partner", "key", [7; 32], HOLD).await;
    assert!(is_closed(&asked), "{asked:?}");
    assert_eq!(waiting(&store).await, 2);
    assert_eq!(found(&store, &delivery("crm", 1).id).await.attempts, 0);
}

/// It is listed, taken and ended as any other, and is found under no onboarding.
pub async fn a_delivery_may_be_about_no_onboarding(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![about_none(1)]).await;
    let taken = take_one(&store).await;
    assert_eq!(taken.onboarding, None);
    assert_eq!(taken.event, "signup.refused");
    let alone = store.delivery(&taken.id).await.expect("readable");
    assert_eq!(alone.expect("there").onboarding, None);
    let filter = DeliveryFilter {
        onboarding: Some(about(1)),
        ..DeliveryFilter::default()
    };
    let found = store.deliveries(&filter, None, 10).await.expect("readable");
    assert_eq!(found.items, []);
}
