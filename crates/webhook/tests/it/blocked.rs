//! An account that is parked, with a long line.

use std::{collections::BTreeSet, time::Duration};

use store::{
    DeliveryState, Then,
    conformance::sample::{self, account, signup},
};
use webhook::{Event, Pace};

use crate::{
    place::{Place, QUICK, eventually},
    receiver::Receiver,
};

const LONG: usize = 1300;

async fn line(place: &Place, length: usize) -> BTreeSet<String> {
    let signups: Vec<_> = (0..length as u64).map(|n| signup("acme", n)).collect();
    let ids = signups.iter().map(|one| one.new.id.to_string()).collect();
    sample::accept(&place.store, signups).await;
    ids
}

fn told(receiver: &Receiver) -> BTreeSet<String> {
    let arrived = receiver.arrived();
    let ids = arrived.iter().map(|one| {
        let message = one.json();
        assert_eq!(message["type"], "onboarding.blocked");
        assert_eq!(message["data"]["state"], "blocked");
        assert_eq!(message["data"]["error"]["code"], "account_parked");
        message["data"]["id"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

pub(crate) async fn all_that_waits_for_a_parked_account_is_told_of_across_crashes(place: Place) {
    let receiver = Receiver::taking().await;
    let endpoint = || vec![receiver.endpoint("crm", &Event::ALL)];
    let pace = Pace {
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(2),
        hold: Duration::from_secs(7),
        ..QUICK
    };
    let running = place.run(endpoint(), pace);
    place.begun().await;
    let ids = line(&place, LONG).await;
    sample::accept(&place.store, vec![signup("birch", 1)]).await;
    place
        .store
        .park_account(&account("acme"), "made up")
        .await
        .unwrap();
    let within = async || {
        let mark = place.store.laid_out().await.unwrap();
        mark.is_some_and(|mark| mark.starts_with("within "))
    };
    eventually("a page is laid out", within).await;
    running.crash().await;

    let both = [place.run(endpoint(), pace), place.run(endpoint(), pace)];
    let all = async || told(&receiver) == ids;
    eventually("all have arrived", all).await;
    for running in both {
        running.stop().await.unwrap();
    }
    // Only what the crash cut may have arrived twice.
    assert_eq!(receiver.ids().len(), LONG);
    assert!(
        receiver.arrived().len() <= LONG + 8,
        "{}",
        receiver.arrived().len()
    );
}

pub(crate) async fn what_a_worker_still_holds_is_told_of_when_it_lets_go(place: Place) {
    let receiver = Receiver::taking().await;
    let running = place.run(vec![receiver.endpoint("crm", &[Event::Blocked])], QUICK);
    place.begun().await;
    let ids = line(&place, 3).await;
    let claim = sample::claim_one(&place.store, "worker").await;
    place
        .store
        .park_account(&account("acme"), "made up")
        .await
        .unwrap();
    let release = Then::Release {
        delay: Duration::ZERO,
    };
    let advance = sample::only(&claim.permit, release);
    place.store.advance(&claim.lease, advance).await.unwrap();
    receiver.wait_for(3).await;
    let delivered = async || {
        let all = place.deliveries().await;
        all.iter().all(|one| one.state == DeliveryState::Delivered)
    };
    eventually("all are delivered", delivered).await;
    running.stop().await.unwrap();
    assert_eq!(told(&receiver), ids);
}
