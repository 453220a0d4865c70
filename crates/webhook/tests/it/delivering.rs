//! What is told to whom.

use std::collections::BTreeSet;

use records::RefusedProblem;
use serde_json::json;
use store::{DeliveryState, NewRefused, Then, conformance::sample::failure};
use webhook::{Event, Pace};

use crate::{
    place::{Place, QUICK, eventually},
    receiver::{Receiver, Reply},
};

pub(crate) async fn a_success_is_told_once_and_its_signature_verifies(place: Place) {
    let receiver = Receiver::taking().await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    let id = place.end(1, Then::Succeed).await;

    let arrived = receiver.wait_for(1).await.remove(0);
    assert!(arrived.verifies(), "{:?}", arrived.headers);
    assert_eq!(arrived.path, "/planted-path");
    let header = |name: &str| arrived.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/json");
    assert!(header("user-agent").starts_with("trunkline/"));
    let message = arrived.json();
    assert_eq!(message["type"], "onboarding.succeeded");
    // For receivers that see no headers.
    assert_eq!(message["id"], json!(arrived.id));
    assert_eq!(message["data"]["type"], "onboarding");
    assert_eq!(message["data"]["id"], json!(id));
    assert_eq!(message["data"]["state"], "succeeded");
    assert_eq!(message["data"]["steps"][0]["name"], "create_trunk");
    let at = message["timestamp"].as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    assert!(!message.to_string().contains("planted"), "{message}");

    let delivery = place.only(DeliveryState::Delivered).await;
    assert_eq!(delivery.id.as_str(), arrived.id);
    assert_eq!((delivery.endpoint.as_str(), delivery.attempts), ("crm", 1));
    let (attempt, _) = delivery.last.unwrap();
    assert_eq!((attempt.status, attempt.error), (Some(204), None));
    running.stop().await.unwrap();
    assert_eq!(receiver.arrived().len(), 1);
}

pub(crate) async fn each_endpoint_is_told_what_it_asked_for(place: Place) {
    let (good, bad) = (Receiver::taking().await, Receiver::taking().await);
    let both = Receiver::taking().await;
    let _running = place.run(
        vec![
            good.endpoint("good", &[Event::Succeeded]),
            bad.endpoint("bad", &[Event::Failed]),
            both.endpoint("both", &[Event::Succeeded, Event::Failed]),
        ],
        QUICK,
    );
    place.begun().await;
    place.end(1, Then::Succeed).await;
    place.end(2, failure()).await;
    place.end(3, Then::Succeed).await;

    both.wait_for(3).await;
    good.wait_for(2).await;
    let failed = bad.wait_for(1).await.remove(0).json();
    assert_eq!(failed["type"], "onboarding.failed");
    assert_eq!(failed["data"]["error"]["code"], "made_up");
    let delivered = async || {
        let all = place.deliveries().await;
        all.len() == 6 && all.iter().all(|one| one.state == DeliveryState::Delivered)
    };
    eventually("all are delivered", delivered).await;
    assert_eq!((good.arrived().len(), bad.arrived().len()), (2, 1));
}

pub(crate) async fn a_receiver_that_fails_gets_the_same_message_again_signed_anew(place: Place) {
    let receiver = Receiver::new(|n| Reply::Status([500, 404, 200][n.min(2)])).await;
    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;

    let delivery = place.only(DeliveryState::Delivered).await;
    assert_eq!(delivery.attempts, 3);
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 3);
    assert_eq!(receiver.ids().len(), 1);
    assert!(
        arrived
            .iter()
            .all(|one| one.body == arrived[0].body && one.verifies())
    );
}

pub(crate) async fn a_redirect_is_a_failure_and_is_not_followed(place: Place) {
    let elsewhere = Receiver::taking().await;
    let target = elsewhere.url.clone();
    let receiver = Receiver::new(move |n| match n {
        0 => Reply::Header(302, "location", target.clone()),
        1 => Reply::Header(307, "location", target.clone()),
        _ => Reply::Status(200),
    })
    .await;
    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let delivery = place.only(DeliveryState::Delivered).await;
    assert_eq!(delivery.attempts, 3);
    assert_eq!(elsewhere.arrived().len(), 0);
}

pub(crate) async fn a_redirect_is_taken_and_not_followed_where_the_endpoint_says_so(place: Place) {
    let elsewhere = Receiver::taking().await;
    let target = elsewhere.url.clone();
    let receiver = Receiver::new(move |_| Reply::Header(302, "location", target.clone())).await;
    let endpoint = receiver.endpoint("sheet", &Event::ALL);
    let _running = place.run(vec![endpoint.accepting_redirects(true)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let delivery = place.only(DeliveryState::Delivered).await;
    assert_eq!(delivery.attempts, 1);
    assert_eq!(delivery.last.unwrap().0.status, Some(302));
    assert_eq!(elsewhere.arrived().len(), 0);
}

pub(crate) async fn a_receiver_that_is_gone_is_not_tried_again(place: Place) {
    let receiver = Receiver::new(|_| Reply::Status(410)).await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let delivery = place.only(DeliveryState::GivenUp).await;
    assert_eq!((delivery.attempts, delivery.next_at), (1, None));
    let (attempt, _) = delivery.last.unwrap();
    assert_eq!(attempt.status, Some(410));
    running.stop().await.unwrap();
    assert_eq!(receiver.arrived().len(), 1);
}

pub(crate) async fn an_endless_answer_is_not_read_to_its_end(place: Place) {
    let receiver = Receiver::new(|_| Reply::Endless).await;
    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    place.only(DeliveryState::Delivered).await;
}

pub(crate) async fn a_delivery_is_sent_again_when_a_person_wants_it(place: Place) {
    let receiver = Receiver::new(|n| Reply::Status(if n == 0 { 410 } else { 200 })).await;
    let _running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let given_up = place.only(DeliveryState::GivenUp).await;
    assert!(place.store.resend(&given_up.id).await.unwrap());
    place.only(DeliveryState::Delivered).await;
    assert!(place.store.resend(&given_up.id).await.unwrap());
    let arrived = receiver.wait_for(3).await;
    assert_eq!(receiver.ids().len(), 1);
    assert!(arrived.iter().all(|one| one.verifies()));
}

pub(crate) async fn who_is_new_is_told_of_what_happens_from_then_on(place: Place) {
    // Nobody is told of these.
    place.end(1, Then::Succeed).await;
    let nobody = place.run(Vec::new(), QUICK);
    place.begun().await;
    let before = place.store.laid_out().await.unwrap();
    place.end(2, Then::Succeed).await;
    let passed = async || place.store.laid_out().await.unwrap() != before;
    eventually("the mark passes it", passed).await;

    // Beside the one that has none.
    let receiver = Receiver::taking().await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    let told = place.end(3, Then::Succeed).await;
    assert_eq!(
        receiver.wait_for(1).await[0].json()["data"]["id"],
        json!(told)
    );
    nobody.stop().await.unwrap();
    running.stop().await.unwrap();
    assert_eq!(receiver.arrived().len(), 1);
}

pub(crate) async fn who_has_no_endpoints_skips_nothing_for_others(place: Place) {
    let first = Receiver::taking().await;
    let running = place.run(vec![first.endpoint("first", &Event::ALL)], QUICK);
    place.begun().await;
    running.stop().await.unwrap();

    let missed = place.end(1, Then::Succeed).await;
    // It looks at least once before it stops.
    let nobody = place.run(Vec::new(), QUICK);
    nobody.stop().await.unwrap();

    let second = Receiver::taking().await;
    let endpoints = vec![
        first.endpoint("first", &Event::ALL),
        second.endpoint("second", &Event::ALL),
    ];
    let running = place.run(endpoints, QUICK);
    for receiver in [&first, &second] {
        let arrived = receiver.wait_for(1).await;
        assert_eq!(arrived[0].json()["data"]["id"], json!(missed));
    }
    running.stop().await.unwrap();
    assert_eq!((first.arrived().len(), second.arrived().len()), (1, 1));
}

pub(crate) async fn a_mark_of_another_version_stops_nobody(place: Place) {
    let odd = "made-up of another version";
    assert!(place.store.lay_out(None, odd, Vec::new()).await.unwrap());
    place.end(1, Then::Succeed).await;
    let mark = async || place.store.laid_out().await.unwrap();
    place.run(Vec::new(), QUICK).stop().await.unwrap();
    assert_eq!(mark().await.as_deref(), Some(odd));

    let receiver = Receiver::taking().await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    eventually("it goes on", async || mark().await.as_deref() != Some(odd)).await;
    let told = place.end(2, Then::Succeed).await;
    assert_eq!(
        receiver.wait_for(1).await[0].json()["data"]["id"],
        json!(told)
    );
    running.stop().await.unwrap();
}

pub(crate) async fn a_slow_endpoint_delays_no_other(place: Place) {
    let fast = Receiver::taking().await;
    let slow = Receiver::new(|_| Reply::Held).await;
    let endpoints = vec![
        slow.endpoint("slow", &Event::ALL),
        fast.endpoint("fast", &Event::ALL),
    ];
    let running = place.run(
        endpoints,
        Pace {
            hold: QUICK.hold * 2,
            ..QUICK
        },
    );
    place.begun().await;
    for n in 0..100 {
        place.end(n, Then::Succeed).await;
    }
    // All of it, while the other one has not answered a single one.
    fast.wait_for(100).await;
    let in_flight = slow.wait_for(8).await.len();
    assert_eq!(in_flight, 8);
    slow.open();
    slow.wait_for(100).await;
    running.stop().await.unwrap();
    assert_eq!((slow.ids().len(), fast.ids().len()), (100, 100));
    assert_eq!(fast.arrived().len(), 100);
}

pub(crate) async fn deliveries_of_an_endpoint_that_is_not_configured_here_wait(place: Place) {
    let receiver = Receiver::new(|_| Reply::Status(500)).await;
    let running = place.run(vec![receiver.endpoint("crm", &Event::ALL)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    receiver.wait_for(1).await;
    running.stop().await.unwrap();

    let running = place.run(vec![receiver.endpoint("other", &Event::ALL)], QUICK);
    let put_back = async || {
        let last = place.deliveries().await.remove(0).last;
        last.is_some_and(|(attempt, _)| {
            attempt
                .error
                .is_some_and(|error| error.contains("no endpoint of this name"))
        })
    };
    eventually("it is put back", put_back).await;
    running.stop().await.unwrap();
    assert_eq!(place.deliveries().await[0].state, DeliveryState::Waiting);
    let to: BTreeSet<String> = receiver.ids();
    assert_eq!(to.len(), 1);
}

pub(crate) async fn signups_that_were_refused_are_told_of_once(place: Place) {
    let (told, not_told) = (Receiver::taking().await, Receiver::taking().await);
    let _running = place.run(
        vec![
            told.endpoint("crm", &Event::ALL),
            not_told.endpoint("billing", &[Event::Succeeded]),
        ],
        QUICK,
    );
    place.begun().await;
    let refused = |message: &str| NewRefused {
        sender: "forms".to_owned(),
        message: message.to_owned(),
        status: 422,
        problems: RefusedProblem::written([RefusedProblem {
            pointer: "/answers/did".to_owned(),
            field: "number".to_owned(),
            message: "it is empty, and every signup needs number".to_owned(),
        }]),
    };
    for _ in 0..3 {
        place.store.refuse(refused("msg-1")).await.unwrap();
    }
    place.end(1, Then::Succeed).await;
    told.wait_for(2).await;
    not_told.wait_for(1).await;
    let all: Vec<_> = told.arrived().iter().map(|one| one.json()).collect();
    assert_eq!(all.len(), 2, "{all:?}");
    let message = all.iter().find(|one| one["type"] == "signup.refused");
    let message = message.unwrap();
    assert_eq!(message["data"]["type"], "refused");
    assert_eq!(message["data"]["sender"], "forms");
    assert_eq!(message["data"]["message"], "msg-1");
    assert_eq!(message["data"]["problems"][0]["pointer"], "/answers/did");
    let deliveries = place.deliveries().await;
    let own = deliveries.iter().find(|one| one.event == "signup.refused");
    assert_eq!(own.unwrap().onboarding, None);
    assert_eq!(message["id"], json!(own.unwrap().id.as_str()));
}
