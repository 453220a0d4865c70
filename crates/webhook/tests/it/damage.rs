//! A damaged row, or a clock that is wrong, keeps nobody else from being told.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use store::{
    DeliveryState, Then,
    clock::{Clock, SystemClock},
    conformance::sample::{self, account, signup},
};
use webhook::Event;

use crate::{
    place::{Place, QUICK, eventually},
    receiver::{Receiver, Reply},
};

/// A clock that is days from the machine's.
struct Off(SystemClock, i64);

impl Clock for Off {
    fn now_ms(&self) -> i64 {
        self.0.now_ms() + self.1 * 24 * 60 * 60 * 1000
    }

    fn steady_ms(&self) -> i64 {
        self.0.steady_ms()
    }

    fn boot(&self) -> String {
        self.0.boot()
    }
}

#[tokio::test]
async fn a_store_whose_clock_is_days_off_gives_up_neither_sooner_nor_later() {
    for days in [-3, 3] {
        let place = Place::sqlite_by(Arc::new(Off(SystemClock::default(), days))).await;
        let receiver = Receiver::new(|n| Reply::Status(if n == 0 { 500 } else { 200 })).await;
        let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
        place.begun().await;
        place.end(1, Then::Succeed).await;
        place.only(DeliveryState::Delivered).await;
        running.stop().await.unwrap();

        let receiver = Receiver::new(|_| Reply::Status(500)).await;
        let pace = webhook::Pace {
            keep_trying: Duration::from_millis(300),
            ..QUICK
        };
        let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], pace);
        place.end(2, Then::Succeed).await;
        let given_up = async || {
            let all = place.deliveries().await;
            all.iter().any(|one| one.state == DeliveryState::GivenUp)
        };
        eventually("it is given up", given_up).await;
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_onboarding_that_is_damaged_keeps_no_other_from_being_told_of() {
    let place = Place::sqlite().await;
    let receiver = Receiver::taking().await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    sample::accept(&place.store, vec![signup("acme", 1)]).await;
    place.spoil("UPDATE onboarding SET plan = '{}'");
    // The worker sets it aside, which is told.
    assert!(sample::claim(&place.store, "worker", 1).await.is_empty());
    let told = place.end(2, Then::Succeed).await;
    assert_eq!(
        receiver.wait_for(1).await[0].json()["data"]["id"],
        json!(told)
    );

    sample::accept(&place.store, vec![signup("birch", 3)]).await;
    place.spoil("UPDATE onboarding SET plan = '{}' WHERE seq = 3");
    let parked = place.store.park_account(&account("birch"), "made up").await;
    parked.unwrap();
    let told = place.end(4, Then::Succeed).await;
    assert_eq!(
        receiver.wait_for(2).await[1].json()["data"]["id"],
        json!(told)
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_delivery_that_is_damaged_keeps_no_other_from_being_made() {
    let place = Place::sqlite().await;
    let receiver = Receiver::new(|n| Reply::Status(if n == 0 { 500 } else { 200 })).await;
    let endpoint = || vec![receiver.endpoint("crm", &Event::ALL)];
    let running = place.run(endpoint(), QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    receiver.wait_for(1).await;
    running.crash().await;
    place.spoil("UPDATE delivery SET id = 'made up', next_at = 0");
    let running = place.run(endpoint(), QUICK);
    let told = place.end(2, Then::Succeed).await;
    assert_eq!(
        receiver.wait_for(2).await[1].json()["data"]["id"],
        json!(told)
    );
    running.stop().await.unwrap();
}
