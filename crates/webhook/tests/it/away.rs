//! Those who were away, and a store that is.

use std::{sync::Arc, time::Duration};

use store::{Then, clock::ManualClock, conformance::sample};
use webhook::Event;

use crate::{
    log,
    place::{Place, QUICK, eventually},
    receiver::{Receiver, Reply},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn who_was_away_for_longer_than_the_feed_keeps_says_so_once() {
    // The day of each, by which its lines are found in the log; whether something happens while nobody
    // delivers; how often that is said.
    for (began, busy, said) in [
        ("2031-03-04T05:06:07.089Z", true, 1),
        ("2032-03-04T05:06:07.089Z", false, 0),
    ] {
        let at: jiff::Timestamp = began.parse().unwrap();
        let clock = ManualClock::at(at.as_millisecond());
        let place = Place::sqlite_by(Arc::new(clock.clone())).await;
        let receiver = Receiver::taking().await;
        let endpoint = || vec![receiver.endpoint("crm", &Event::ALL)];
        let running = place.run(endpoint(), QUICK);
        place.begun().await;
        place.end(1, Then::Succeed).await;
        receiver.wait_for(1).await;
        running.stop().await.unwrap();

        // Each of these is told of, but the one that leaves the feed before anybody looks.
        let (mut n, mut told) = (1, 1);
        if busy {
            n += 1;
            place.end(n, Then::Succeed).await;
        }
        clock.advance(DAY * 4);
        if busy {
            // What is old leaves when something is written; what was the latest then, a moment later.
            for _ in 0..2 {
                sample::register(&place.store, "worker", &["acme"], sample::wide()).await;
                (n, told) = (n + 1, told + 1);
                place.end(n, Then::Succeed).await;
                clock.advance(Duration::from_secs(10));
            }
            let oldest = place.store.happenings(None, 1).await.unwrap().remove(0);
            assert!(oldest.at > at + DAY);
        }
        for _ in 0..2 {
            let running = place.run(endpoint(), QUICK);
            receiver.wait_for(told).await;
            sample::register(&place.store, "worker", &["acme"], sample::wide()).await;
            (n, told) = (n + 1, told + 1);
            place.end(n, Then::Succeed).await;
            receiver.wait_for(told).await;
            running.stop().await.unwrap();
        }
        assert_eq!(receiver.arrived().len(), told);
        let line = format!("may not be told of all that happened from {began}");
        assert_eq!(log::count(&line), said, "{began}");
    }
}

#[tokio::test]
async fn a_farewell_does_not_wait_for_a_store_that_is_away() {
    let place = Place::sqlite().await;
    let receiver = Receiver::new(|_| Reply::Held).await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    receiver.wait_for(1).await;
    place.take_away("delivery");
    receiver.open();
    let refused = async || place.store.deliveries_waiting().await.is_err();
    eventually("the store refuses", refused).await;
    // Far from the hold, for which it is tried to be recorded otherwise.
    let ended = tokio::time::timeout(Duration::from_secs(15), running.stop()).await;
    ended.unwrap().unwrap();
}
