//! When it is tried again, and when no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use store::{DeliveryState, Then};
use webhook::{Event, Observer, Pace};

use crate::{
    place::{Place, QUICK, eventually},
    receiver::{Receiver, Reply},
};

#[derive(Default)]
struct Counts {
    delivered: AtomicUsize,
    failed: AtomicUsize,
    given_up: AtomicUsize,
    told_waiting: AtomicUsize,
}

impl Observer for Counts {
    fn delivered(&self, endpoint: &str, _: Duration) {
        assert_eq!(endpoint, "crm");
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }
    fn failed(&self, _: &str, _: Duration) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
    fn given_up(&self, _: &str, _: Duration) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }
    fn waiting(&self, _: u64) {
        self.told_waiting.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) async fn what_the_last_endpoint_left_behind_is_given_up_in_time(place: Place) {
    let receiver = Receiver::new(|_| Reply::Status(500)).await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    receiver.wait_for(1).await;
    running.stop().await.unwrap();

    let pace = Pace {
        keep_trying: Duration::from_millis(300),
        ..QUICK
    };
    let nobody = place.run(Vec::new(), pace);
    place.only(DeliveryState::GivenUp).await;
    nobody.stop().await.unwrap();
}

pub(crate) async fn what_fails_for_too_long_is_given_up_and_counted(place: Place) {
    let receiver = Receiver::new(|_| Reply::Status(503)).await;
    let counts = Arc::new(Counts::default());
    let pace = Pace {
        keep_trying: Duration::from_secs(2),
        ..QUICK
    };
    let endpoint = vec![receiver.endpoint("crm", &Event::ALL)];
    let observer: Arc<dyn Observer> = Arc::<Counts>::clone(&counts);
    let running = place.run_observed(endpoint, pace, observer);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let delivery = place.only(DeliveryState::GivenUp).await;
    running.stop().await.unwrap();
    let attempts = receiver.arrived().len();
    assert!(
        attempts >= 2 && delivery.attempts as usize == attempts,
        "{attempts}"
    );
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    assert_eq!((of(&counts.delivered), of(&counts.given_up)), (0, 1));
    assert_eq!(of(&counts.failed), attempts - 1);
    assert!(of(&counts.told_waiting) >= 1);
}

pub(crate) async fn a_receiver_that_asks_for_a_pause_gets_it(place: Place) {
    let receiver = Receiver::new(|n| match n {
        0 => Reply::Header(503, "retry-after", "3600".into()),
        _ => Reply::Status(200),
    })
    .await;
    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    receiver.wait_for(1).await;
    let recorded = async || place.deliveries().await[0].last.is_some();
    eventually("the attempt is recorded", recorded).await;
    let delivery = place.deliveries().await.remove(0);
    let (_, at) = delivery.last.unwrap();
    let pause = delivery.next_at.unwrap().duration_since(at);
    assert_eq!(pause.as_secs(), 3600);
}

pub(crate) async fn a_receiver_that_does_not_answer_is_a_failure_after_the_timeout(place: Place) {
    let receiver = Receiver::new(|_| Reply::Held).await;
    let pace = Pace {
        timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_millis(200),
        longest_delay: Duration::from_secs(60),
        first_delay: Duration::from_secs(60),
        ..QUICK
    };
    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], pace);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let recorded = async || {
        let all = place.deliveries().await;
        all.first().is_some_and(|one| one.last.is_some())
    };
    eventually("the attempt is recorded", recorded).await;
    let (attempt, _) = place.deliveries().await.remove(0).last.unwrap();
    assert_eq!(attempt.status, None);
    assert_eq!(attempt.error.as_deref(), Some("no answer in time"));
}

pub(crate) async fn a_receiver_that_has_too_much_to_do_is_left_alone_for_a_while(place: Place) {
    let receiver = Receiver::new(|n| match n {
        0 => Reply::Header(429, "retry-after", "2".into()),
        _ => Reply::Status(200),
    })
    .await;
    let other = Receiver::taking().await;
    let endpoints = vec![
        receiver.endpoint("busy", &Event::ALL),
        other.endpoint("other", &Event::ALL),
    ];
    let running = place.run(endpoints, QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let recorded = async || {
        let all = place.deliveries().await;
        let busy = all.iter().find(|one| one.endpoint == "busy");
        busy.is_some_and(|one| one.last.is_some())
    };
    eventually("the attempt is recorded", recorded).await;
    for n in 2..5 {
        place.end(n, Then::Succeed).await;
    }
    // Who is not busy waits for nothing.
    other.wait_for(4).await;
    let arrived = receiver.wait_for(5).await;
    running.stop().await.unwrap();
    let pause = arrived[1].at - arrived[0].at;
    assert!(pause >= Duration::from_millis(1900), "{pause:?}");
    assert_eq!(receiver.ids().len(), 4);
}
