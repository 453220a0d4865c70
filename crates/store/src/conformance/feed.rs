//! What happened.

use std::{sync::Arc, time::Duration};

use onboarding::{OnboardingId, State};

use super::{
    Fixture,
    sample::{
        LEASE, accept, account, advance, claim, claim_one, done, failure, is_lost, only, register,
        signup, wide,
    },
};
use crate::{
    Advance, Advanced, Cancelled, CarriedAccount, Happening, MoveId, Position, Resumed, Stopped,
    Store, Then, What, WriteId,
};

/// Longer than any store needs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn after(store: &Arc<dyn Store>, position: Option<&Position>) -> Vec<Happening> {
    let told = store.happenings(position, 1000).await.expect("readable");
    let latest = store.latest().await.expect("readable");
    if let Some(last) = told.last() {
        assert_eq!(latest.as_ref(), Some(&last.position));
    }
    told
}

/// What happened, without where it stands and when.
async fn told(store: &Arc<dyn Store>) -> Vec<What> {
    let all = after(store, None).await;
    all.into_iter().map(|one| one.what).collect()
}

fn id(n: u64) -> OnboardingId {
    signup("acme", n).new.id
}

fn moved(n: u64, state: State) -> What {
    What::Moved { id: id(n), state }
}

/// Succeeded, failed, cancelled, queued again; what a parked account blocks is queued.
pub async fn what_becomes_of_onboardings_is_told_in_its_order(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..4).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 2).await;
    advance(&store, &held[1], done(0, &held[1].permit, Then::Succeed)).await;
    advance(&store, &held[0], only(&held[0].permit, failure())).await;
    store.cancel(id(3)).await.expect("cancelled");
    store.retry(id(0), false).await.expect("queued");
    store.cancel(id(0)).await.expect("cancelled");
    let parked = store.park_account(&account("acme"), "made up").await;
    parked.expect("parked");
    store.cancel(id(2)).await.expect("cancelled");
    store.retry(id(2), false).await.expect("queued");
    let expected = [
        moved(1, State::Succeeded),
        moved(0, State::Failed),
        moved(3, State::Cancelled),
        moved(0, State::Queued),
        moved(0, State::Cancelled),
        What::Parked {
            account: account("acme"),
            reason: "made up".to_owned(),
        },
        moved(2, State::Cancelled),
        moved(2, State::Queued),
    ];
    let elsewhere = fixture.elsewhere().await;
    for handle in [&store, &elsewhere] {
        assert_eq!(told(handle).await, expected);
    }
    let all = after(&store, None).await;
    assert!(all.is_sorted_by_key(|one| one.at));
    let accepted = store.get(id(0)).await.expect("readable").expect("there");
    assert!(all[0].at >= accepted.created_at);
    for one in &all {
        let text = one.position.to_string();
        assert!(!text.is_empty() && text.len() <= 40 && !text.contains(' '));
    }
}

/// Accepting, claiming, recording a step, giving back, renewing; and asking for what cannot be.
pub async fn what_ends_nothing_is_not_told(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    assert_eq!(store.latest().await.expect("readable"), None);
    accept(&store, (0..2).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 2).await;
    advance(&store, &held[0], done(0, &held[0].permit, Then::Keep)).await;
    let renewed = store.renew(&[held[0].lease.clone()], LEASE).await;
    assert_eq!(renewed.expect("renewed"), []);
    advance(&store, &held[1], only(&held[1].permit, Then::Abandon)).await;
    store.retry(id(0), false).await.expect("not now");
    store
        .cancel(signup("nobody", 9).new.id)
        .await
        .expect("none");
    let resumed = store.resume_account(&account("acme")).await;
    assert_eq!(resumed.expect("answered"), Resumed::Open);
    let closed = store.close_account(&account("acme"), LEASE).await;
    closed.expect("closed");
    assert_eq!(told(&store).await, []);
    assert_eq!(store.latest().await.expect("readable"), None);
}

/// Not when a person asks for it.
pub async fn a_cancel_that_waits_for_a_worker_is_told_when_it_is_recorded(
    fixture: Box<dyn Fixture>,
) {
    let store = fixture.store();
    accept(&store, (0..2).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 2).await;
    for n in 0..2 {
        assert_eq!(store.cancel(id(n)).await.expect("asked"), Cancelled::Soon);
    }
    assert_eq!(told(&store).await, []);
    let ended = advance(&store, &held[0], done(0, &held[0].permit, Then::Permit)).await;
    assert_eq!(ended, Advanced::Cancelled);
    // The other one was faster than the person.
    advance(&store, &held[1], done(0, &held[1].permit, Then::Succeed)).await;
    let expected = [moved(0, State::Cancelled), moved(1, State::Succeeded)];
    assert_eq!(told(&store).await, expected);
}

/// As soon as the store finds out.
pub async fn a_cancelled_onboarding_whose_worker_vanished_is_told(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 0)]).await;
    register(&store, "one", &["acme"], wide()).await;
    claim_one(&store, "one").await;
    assert_eq!(store.cancel(id(0)).await.expect("asked"), Cancelled::Soon);
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    assert!(claim(&store, "one", 1).await.is_empty());
    assert_eq!(told(&store).await, [moved(0, State::Cancelled)]);
}

/// Once each, with the first reason.
pub async fn an_account_is_told_of_when_it_is_parked_and_when_it_goes_on(
    fixture: Box<dyn Fixture>,
) {
    let store = fixture.store();
    let elsewhere = fixture.elsewhere().await;
    for (reason, handle) in [("first", &store), ("second", &elsewhere)] {
        let parked = handle.park_account(&account("acme"), reason).await;
        parked.expect("parked");
    }
    for (was, handle) in [(Resumed::Parked, &elsewhere), (Resumed::Open, &store)] {
        let resumed = handle.resume_account(&account("acme")).await;
        assert_eq!(resumed.expect("answered"), was);
    }
    let parked = store.park_account(&account("acme"), "third").await;
    parked.expect("parked");
    let parked = |reason: &str| What::Parked {
        account: account("acme"),
        reason: reason.to_owned(),
    };
    let resumed = What::Resumed {
        account: account("acme"),
    };
    let expected = [parked("first"), resumed, parked("third")];
    assert_eq!(told(&store).await, expected);
}

/// Nothing is missed and nothing comes twice, whatever the size of the pages.
pub async fn the_feed_is_read_on_from_where_one_stood(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..12).map(|n| signup("acme", n)).collect()).await;
    for n in 0..10 {
        store.cancel(id(n)).await.expect("cancelled");
    }
    for limit in [1, 3, 10, 1000] {
        let (mut position, mut seen) = (None, Vec::new());
        loop {
            let page = store.happenings(position.as_ref(), limit).await;
            let page = page.expect("readable");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            position = Some(last.position.clone());
            seen.extend(page.into_iter().map(|one| one.what));
        }
        let expected: Vec<_> = (0..10).map(|n| moved(n, State::Cancelled)).collect();
        assert_eq!(seen, expected, "by {limit}");
        assert_eq!(position, store.latest().await.expect("readable"));
    }
    let last = store.latest().await.expect("readable");
    assert!(after(&store, last.as_ref()).await.is_empty());
    store.cancel(id(10)).await.expect("cancelled");
    let next = after(&store, last.as_ref()).await;
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].what, moved(10, State::Cancelled));
}

/// Also text that none ever was.
pub async fn a_position_of_no_store_is_before_everything(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let strange = [
        "",
        "0",
        "0-0",
        "-1",
        "made up",
        "9x",
        "\u{661}",
        "9999999999999999",
    ];
    for text in strange {
        let position = Position(text.to_owned());
        assert!(after(&store, Some(&position)).await.is_empty(), "{text:?}");
    }
    accept(&store, vec![signup("acme", 0)]).await;
    store.cancel(id(0)).await.expect("cancelled");
    for text in strange {
        let position = Position(text.to_owned());
        let all = after(&store, Some(&position)).await;
        assert_eq!(all.len(), 1, "{text:?}");
    }
}

/// A worker that lost its lease has done nothing.
pub async fn a_write_that_is_refused_tells_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 0)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let stale = claim_one(&store, "one").await;
    fixture.pass(LEASE + Duration::from_millis(500)).await;
    let held = claim_one(&store, "one").await;
    let late = done(0, &stale.permit, Then::Succeed);
    assert!(is_lost(&store.advance(&stale.lease, late).await));
    assert_eq!(told(&store).await, []);
    advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    let late = done(0, &stale.permit, Then::Succeed);
    assert!(is_lost(&store.advance(&stale.lease, late).await));
    assert_eq!(told(&store).await, [moved(0, State::Succeeded)]);
}

/// Whether the store knows the repeat or refuses it.
pub async fn a_write_that_is_repeated_is_told_once(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 0)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let write = Advance {
        write: WriteId::draw(),
        ..done(0, &held.permit, Then::Succeed)
    };
    advance(&store, &held, write.clone()).await;
    for _ in 0..2 {
        let again = store.advance(&held.lease, write.clone()).await;
        assert!(is_lost(&again) || again.is_ok_and(|it| it == Advanced::Finished));
    }
    assert_eq!(told(&store).await, [moved(0, State::Succeeded)]);
}

/// And what comes after it has a greater position.
pub async fn what_was_told_survives_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    for n in 0..2 {
        store.cancel(id(n)).await.expect("cancelled");
    }
    let before = after(&store, None).await;
    drop(store);
    let store = fixture.restart().await;
    assert_eq!(after(&store, None).await, before);
    store.cancel(id(2)).await.expect("cancelled");
    let next = after(&store, before.last().map(|one| &one.position)).await;
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].what, moved(2, State::Cancelled));
}

/// What a reader went past stays as it was: nothing appears behind it.
pub async fn what_several_do_at_once_is_missed_by_no_reader(fixture: Box<dyn Fixture>) {
    const ALL: u64 = 60;
    let handles = [fixture.store(), fixture.elsewhere().await];
    let (even, odd) = (["acme", "globex"], [account("acme"), account("globex")]);
    let signups = (0..ALL).map(|n| signup(even[usize::from(n % 2 == 1)], n));
    accept(&handles[0], signups.collect()).await;
    let mut acting = tokio::task::JoinSet::new();
    for n in 0..ALL {
        let store = Arc::clone(&handles[usize::from(n % 3 == 0)]);
        let id = signup(even[usize::from(n % 2 == 1)], n).new.id;
        acting.spawn(async move { store.cancel(id).await.expect("cancelled") });
    }
    for (handle, account) in handles.iter().zip(odd) {
        let store = Arc::clone(handle);
        acting.spawn(async move {
            let parked = store.park_account(&account, "made up").await;
            parked.expect("parked");
            Cancelled::Now
        });
    }
    let reading = async {
        let (mut position, mut seen) = (None, Vec::new());
        while seen.len() < usize::try_from(ALL).expect("few") + 2 {
            let page = handles[0].happenings(position.as_ref(), 7).await;
            let page = page.expect("readable");
            if let Some(last) = page.last() {
                position = Some(last.position.clone());
            }
            seen.extend(page);
            tokio::task::yield_now().await;
        }
        seen
    };
    let seen = tokio::time::timeout(PATIENCE, reading).await;
    let seen = seen.expect("everything is told");
    acting.join_all().await;
    assert_eq!(after(&handles[1], None).await, seen);
}

/// It happened elsewhere, and was told there.
pub async fn what_is_carried_in_is_no_news(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = MoveId::draw();
    let began = store.begin_arrival(&id, "made-up:here").await;
    assert!(began.expect("it is empty"));
    let parked = CarriedAccount {
        name: account("acme"),
        limits: None,
        parked: Some(Stopped {
            reason: "made up".to_owned(),
            since: jiff::Timestamp::from_second(1_790_000_000).expect("valid"),
        }),
        outage: None,
        probe: None,
        closed_for: Duration::ZERO,
    };
    let carried = store.carry_accounts(&[parked]).await;
    carried.expect("taken in");
    store.end_arrival(&id).await.expect("all is there");
    assert_eq!(told(&store).await, []);
    let resumed = store.resume_account(&account("acme")).await;
    assert_eq!(resumed.expect("answered"), Resumed::Parked);
    assert_eq!(told(&store).await.len(), 1);
}
