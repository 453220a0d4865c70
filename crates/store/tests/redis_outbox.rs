//! A delivery is laid out once, tried until it was made, and looked at for days; on Redis.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

mod cutting;
mod opening;

use std::{sync::Arc, time::Duration};

use redis_fixture::Server;
use store::{
    AfterAttempt, Attempt, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Error, NewDelivery,
    Position, Store, conformance::sample::signup,
};

use cutting::cutting;
use opening::{Opening, PATIENCE};

const HOLD: Duration = Duration::from_secs(60);
const AGAIN: AfterAttempt = AfterAttempt::Again {
    delay: Duration::ZERO,
};

fn delivery(n: u64) -> NewDelivery {
    let onboarding = signup("acme", n).new.id;
    let position = Position(format!("{n}-0"));
    NewDelivery {
        id: DeliveryId::of("crm", &position, &onboarding.to_bytes()),
        endpoint: "crm".to_owned(),
        event: "onboarding.succeeded".to_owned(),
        onboarding: Some(onboarding),
        payload: format!("{{\n\"made_up\":{n}}}"),
    }
}

fn made(status: u16) -> Attempt {
    Attempt {
        status: Some(status),
        error: (status != 200).then(|| "made up".to_owned()),
        duration_ms: 12,
    }
}

async fn lay_out(store: &Arc<dyn Store>, marks: (Option<&str>, &str), range: std::ops::Range<u64>) {
    let laid = store.lay_out(marks.0, marks.1, range.map(delivery).collect());
    assert!(laid.await.expect("laid out"), "the mark is {marks:?}");
}

async fn take_one(store: &Arc<dyn Store>) -> Delivery {
    let due = store.take_due(1, HOLD).await.expect("taken");
    due.deliveries.into_iter().next().expect("one is due")
}

#[tokio::test]
async fn deliveries_whose_laying_out_was_answered_to_nobody_are_laid_out_once() {
    let server = Server::shared();
    let url = cutting(server.port(), "lay_out").await;
    let store = Opening::at(format!("{url}?name=outbox-cut")).open().await;
    lay_out(&store, (None, "a"), 1..3).await;
    assert_eq!(store.laid_out().await.expect("read").as_deref(), Some("a"));
    assert_eq!(store.deliveries_waiting().await.expect("counted"), 2);
    // Somebody else who saw the same mark does nothing.
    let laid = store.lay_out(None, "a", vec![delivery(3)]).await;
    assert!(!laid.expect("answered"));
    lay_out(&store, (Some("a"), "b"), 2..4).await;
    assert_eq!(store.deliveries_waiting().await.expect("counted"), 3);
}

#[tokio::test]
async fn a_take_whose_answer_was_lost_costs_its_hold_and_nothing_else() {
    let server = Server::shared();
    let url = cutting(server.port(), "take_due").await;
    let store = Opening::at(format!("{url}?name=outbox-take")).open().await;
    lay_out(&store, (None, "a"), 1..2).await;
    let hold = Duration::from_millis(100);
    let lost = store.take_due(8, hold).await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
    let taken = async {
        loop {
            let due = store.take_due(8, hold).await.expect("taken");
            if let Some(one) = due.deliveries.into_iter().next() {
                break one;
            }
            tokio::time::sleep(due.next.expect("it is due again")).await;
        }
    };
    let taken = tokio::time::timeout(PATIENCE, taken).await;
    let taken = taken.expect("its hold ends");
    assert_eq!((taken.id, taken.attempts), (delivery(1).id, 2));
}

#[tokio::test]
async fn an_attempt_whose_record_was_answered_to_nobody_counts_once() {
    let server = Server::shared();
    let url = cutting(server.port(), "attempted").await;
    let store = Opening::at(format!("{url}?name=outbox-made")).open().await;
    lay_out(&store, (None, "a"), 1..2).await;
    let held = take_one(&store).await;
    let told = store.attempted(&held.id, 1, made(500), AGAIN).await;
    assert!(told.expect("recorded"));
    let held = take_one(&store).await;
    assert_eq!(held.attempts, 2);
    // What comes late of the first one changes nothing.
    let late = AfterAttempt::Delivered;
    let told = store.attempted(&held.id, 1, made(200), late).await;
    assert!(!told.expect("answered"));
    let told = store.attempted(&held.id, 2, made(200), late).await;
    assert!(told.expect("recorded"));
    let found = store
        .delivery(&held.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(found.state, DeliveryState::Delivered);
    assert_eq!(found.last.map(|(attempt, _)| attempt), Some(made(200)));
    assert_eq!(found.payload, delivery(1).payload);
}

#[tokio::test]
async fn what_one_handle_holds_no_other_takes_and_a_resend_takes_it_away() {
    let opening = Opening::of(Server::shared(), "outbox-two");
    let (one, two) = (opening.open().await, opening.open().await);
    lay_out(&one, (None, "a"), 1..201).await;
    let (mine, theirs) = tokio::join!(one.take_due(64, HOLD), two.take_due(64, HOLD));
    let mine = mine.expect("taken").deliveries;
    let theirs = theirs.expect("taken").deliveries;
    assert_eq!((mine.len(), theirs.len()), (64, 64));
    assert!(
        mine.iter()
            .all(|own| theirs.iter().all(|other| own.id != other.id))
    );
    let held = &mine[0];
    assert!(two.resend(&held.id).await.expect("sent again"));
    let told = one.attempted(&held.id, 1, made(200), AfterAttempt::Delivered);
    assert!(!told.await.expect("answered"), "it was sent again since");
    let found = two.delivery(&held.id).await.expect("read").expect("there");
    assert_eq!(
        (found.state, found.attempts_before),
        (DeliveryState::Waiting, 1)
    );
    let nobody = DeliveryId::of("nobody", &Position("0-0".to_owned()), &[0; 16]);
    assert!(!one.resend(&nobody).await.expect("answered"));
    assert_eq!(one.delivery(&nobody).await.expect("read"), None);
}

#[tokio::test]
async fn pages_show_every_delivery_once_the_newest_first_whatever_is_filtered() {
    let store = Opening::of(Server::shared(), "outbox-pages").open().await;
    lay_out(&store, (None, "a"), 0..400).await;
    lay_out(&store, (Some("a"), "b"), 400..700).await;
    for _ in 0..5 {
        let held = take_one(&store).await;
        let told = store.attempted(&held.id, 1, made(410), AfterAttempt::GiveUp);
        assert!(told.await.expect("recorded"));
    }
    let all = DeliveryFilter::default();
    let given_up = DeliveryFilter {
        state: Some(DeliveryState::GivenUp),
        ..all.clone()
    };
    let of_one = DeliveryFilter {
        onboarding: delivery(333).onboarding,
        ..all.clone()
    };
    let elsewhere = DeliveryFilter {
        endpoint: Some("billing".to_owned()),
        ..all.clone()
    };
    for (filter, expected) in [(all, 700), (given_up, 5), (of_one, 1), (elsewhere, 0)] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.deliveries(&filter, after.as_ref(), 170).await;
            let page = page.expect("listed");
            seen.extend(page.items.into_iter().map(|one| one.onboarding));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), expected, "{filter:?}");
        if expected == 700 {
            let newest_first: Vec<_> = (0..700).rev().map(|n| delivery(n).onboarding).collect();
            assert_eq!(seen, newest_first);
        }
    }
}

/// Moves the scores of a sorted set.
async fn long_ago(server: &Server, key: &str, ms: f64) {
    let client = redis::Client::open(server.url()).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("the server answers");
    let mut range = redis::cmd("ZRANGE");
    range.arg(key).arg(0).arg(-1);
    let members: Vec<Vec<u8>> = range.query_async(&mut connection).await.expect("read");
    for member in members {
        let mut command = redis::cmd("ZINCRBY");
        command.arg(key).arg(-ms).arg(member);
        let _: f64 = command.query_async(&mut connection).await.expect("moved");
    }
}

#[tokio::test]
async fn what_ended_leaves_when_its_time_is_over_and_leaves_nothing_behind() {
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").open().await;
    lay_out(&store, (None, "a"), 1..201).await;
    let mut ended = 0;
    while ended < 200 {
        for held in store.take_due(64, HOLD).await.expect("taken").deliveries {
            let told = store.attempted(&held.id, 1, made(200), AfterAttempt::Delivered);
            assert!(told.await.expect("recorded"));
            ended += 1;
        }
    }
    let kept = delivery(7).id;
    assert!(store.resend(&kept).await.expect("sent again"));
    let days = 7.0 * 86_400_000.0;
    long_ago(&server, "{made-up}:delivery_ended", days - 60_000.0).await;
    store.take_due(1, HOLD).await.expect("taken");
    let found = store.delivery(&delivery(8).id).await.expect("read");
    assert!(found.is_some(), "its time is not over");
    long_ago(&server, "{made-up}:delivery_ended", 120_000.0).await;
    // In pieces.
    for _ in 0..4 {
        store.take_due(1, HOLD).await.expect("taken");
    }
    let page = store
        .deliveries(&DeliveryFilter::default(), None, 200)
        .await;
    let left: Vec<_> = page
        .expect("listed")
        .items
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(left, std::slice::from_ref(&kept));
    let told = store.attempted(&kept, 2, made(200), AfterAttempt::Delivered);
    assert!(told.await.expect("recorded"));
    long_ago(&server, "{made-up}:delivery_ended", days).await;
    store.take_due(1, HOLD).await.expect("taken");
    let keys = server.ask(&["KEYS", "*delivery*"]).expect("listed");
    assert_eq!(keys, "");
}

#[tokio::test]
async fn a_full_server_lays_nothing_out_and_goes_on_with_what_is_there() {
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").open().await;
    lay_out(&store, (None, "a"), 1..2).await;
    server
        .ask(&["CONFIG", "SET", "maxmemory", "1"])
        .expect("set");
    let refused = store.lay_out(Some("a"), "b", vec![delivery(2)]).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    let held = take_one(&store).await;
    let told = store.attempted(&held.id, 1, made(200), AfterAttempt::Delivered);
    assert!(told.await.expect("recorded"));
    server
        .ask(&["CONFIG", "SET", "maxmemory", "0"])
        .expect("set");
    lay_out(&store, (Some("a"), "b"), 2..3).await;
}

#[tokio::test]
async fn nothing_is_laid_out_on_a_server_that_lost_the_store() {
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").open().await;
    lay_out(&store, (None, "a"), 1..2).await;
    let held = take_one(&store).await;
    server.ask(&["FLUSHALL"]).expect("lost");
    let refused = store.lay_out(Some("a"), "b", vec![delivery(2)]).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    let refused = store.take_due(1, HOLD).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    let told = store.attempted(&held.id, 1, made(200), AGAIN).await;
    assert!(!told.expect("answered"));
    assert_eq!(server.ask(&["KEYS", "*"]).expect("listed"), "");
}

#[tokio::test]
async fn more_than_is_laid_out_at_once_is_refused() {
    let store = Opening::of(Server::shared(), "outbox-many").open().await;
    lay_out(&store, (None, "a"), 0..500).await;
    let many = (0..501).map(delivery).collect();
    let refused = store.lay_out(Some("a"), "b", many).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    let refused = store.lay_out(Some("a"), &"b".repeat(201), Vec::new()).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_delivery_laid_out_survives_kill_9_of_the_server() {
    let mut server = Server::with_aof();
    let opening = Opening::of(&server, "made-up");
    let store = opening.open().await;
    lay_out(&store, (None, "a"), 1..4).await;
    server.kill();
    server.restart();
    let store = opening.open().await;
    assert_eq!(store.laid_out().await.expect("read").as_deref(), Some("a"));
    assert_eq!(
        store
            .take_due(9, HOLD)
            .await
            .expect("taken")
            .deliveries
            .len(),
        3
    );
}
