//! What a crash leaves, and what a farewell does.

use std::time::Duration;

use store::{DeliveryState, Then};
use webhook::{Event, Pace};

use crate::{
    place::{Place, QUICK, eventually},
    receiver::{Receiver, Reply},
};

/// As short as a hold can be beside a timeout that a loaded machine keeps.
const SHORT_HOLD: Pace = Pace {
    timeout: Duration::from_millis(500),
    connect_timeout: Duration::from_millis(500),
    hold: Duration::from_millis(1600),
    ..QUICK
};

pub(crate) async fn what_a_crash_cut_is_delivered_after_its_hold(place: Place) {
    let receiver = Receiver::new(|n| match n {
        0 => Reply::Held,
        _ => Reply::Status(204),
    })
    .await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], SHORT_HOLD);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    receiver.wait_for(1).await;
    running.crash().await;
    let cut = place.deliveries().await.remove(0);
    assert_eq!((cut.state, cut.attempts), (DeliveryState::Waiting, 1));

    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], SHORT_HOLD);
    let delivery = place.only(DeliveryState::Delivered).await;
    assert!(delivery.attempts >= 2);
    assert_eq!(receiver.ids().len(), 1);
}

pub(crate) async fn what_happens_while_nobody_delivers_is_delivered_later(place: Place) {
    let receiver = Receiver::taking().await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    running.crash().await;
    for n in 0..20 {
        place.end(n, Then::Succeed).await;
    }
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    receiver.wait_for(20).await;
    running.stop().await.unwrap();
    assert_eq!((receiver.arrived().len(), receiver.ids().len()), (20, 20));
}

pub(crate) async fn a_farewell_ends_what_is_under_way_and_gives_the_rest_back(place: Place) {
    let receiver = Receiver::new(|_| Reply::Held).await;
    let endpoint = || vec![receiver.endpoint("crm", &Event::ALL)];
    let running = place.run(endpoint(), QUICK);
    place.begun().await;
    for n in 0..12 {
        place.end(n, Then::Succeed).await;
    }
    receiver.wait_for(8).await;
    let taken = async || place.deliveries().await.iter().all(|one| one.attempts == 1);
    eventually("all are in hand", async || {
        place.deliveries().await.len() == 12 && taken().await
    })
    .await;

    let ending = running.stop();
    let given_back = async || {
        let all = place.deliveries().await;
        let back = all.iter().filter(|one| one.last.is_some());
        back.count() == 4
    };
    eventually("those that waited are given back", given_back).await;
    assert!(!ending.is_finished());
    receiver.open();
    ending.await.unwrap();
    let all = place.deliveries().await;
    let delivered = all
        .iter()
        .filter(|one| one.state == DeliveryState::Delivered);
    assert_eq!((delivered.count(), receiver.arrived().len()), (8, 8));

    // At once, and not after the hold.
    let running = place.run(endpoint(), QUICK);
    receiver.wait_for(12).await;
    running.stop().await.unwrap();
    assert_eq!(receiver.ids().len(), 12);
}

pub(crate) async fn two_processes_deliver_each_message_once(place: Place) {
    let receiver = Receiver::taking().await;
    let endpoint = || vec![receiver.endpoint("crm", &Event::ALL)];
    let both = [place.run(endpoint(), QUICK), place.run(endpoint(), QUICK)];
    place.begun().await;
    for n in 0..60 {
        place.end(n, Then::Succeed).await;
    }
    receiver.wait_for(60).await;
    for running in both {
        running.stop().await.unwrap();
    }
    assert_eq!((receiver.arrived().len(), receiver.ids().len()), (60, 60));
}
