//! A store in a cluster and behind a Sentinel, on real servers.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

mod opening;

use onboarding::State;
use redis_fixture::{Cluster, Sentinel};
use store::{
    Advanced, Then,
    conformance::sample::{accept, advance, claim, claim_one, done, register, signup, wide},
};

use opening::{Opening, at_last};

/// One onboarding from signup to success, by two handles.
async fn one_goes_through(opening: &Opening, n: u64) {
    let (producer, store) = (opening.open().await, opening.open().await);
    accept(&producer, vec![signup("acme", n)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let advanced = advance(&store, &held, done(0, &held.permit, Then::Permit)).await;
    let Advanced::Permitted(permit) = advanced else {
        panic!("a permit was due: {advanced:?}");
    };
    advance(&store, &held, done(1, &permit, Then::Succeed)).await;
    let found = producer.get(held.lease.id).await.expect("read");
    assert_eq!(found.expect("there").state, State::Succeeded);
}

#[tokio::test]
async fn a_cluster_holds_a_store() {
    let cluster = Cluster::start(&[]);
    for name in ["one", "two", "three", "four"] {
        let url = format!("redis://{}?cluster=true&name={name}", cluster.addresses());
        let opening = Opening::at(url);
        one_goes_through(&opening, 1).await;
        let store = opening.open().await;
        accept(&store, (10..700).map(|n| signup("globex", n)).collect()).await;
        assert_eq!(store.tally().await.expect("counted").total(), 691);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_has_goes_on_after_a_failover() {
    let mut sentinel = Sentinel::start(&[]);
    let url = format!(
        "redis://{}?sentinel={}&name=made-up",
        sentinel.address(),
        Sentinel::PRIMARY
    );
    let opening = Opening::at(url);
    let store = opening.open().await;
    accept(&store, (0..600).map(|n| signup("acme", n)).collect()).await;
    tokio::task::block_in_place(|| {
        sentinel.copy();
        sentinel.fail_over();
    });
    let tally = at_last(|| store.tally()).await;
    assert_eq!(tally.total(), 600);
    register(&store, "one", &["acme"], wide()).await;
    assert_eq!(claim(&store, "one", 600).await.len(), 600);
    one_goes_through(&opening, 1000).await;
}
