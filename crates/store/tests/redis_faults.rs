//! What a server forgets, a network delays and a worker misses does not run anything twice and
//! loses nothing.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod cutting;

use std::{sync::Arc, time::Duration};

use redis_fixture::Server;
use store::{
    Advanced, Filter, SealingKey, Store, Then, World,
    conformance::sample::{
        LEASE, accept, advance, claim, claim_one, done, is_lost, narrow, offer, register, signup,
        wide,
    },
    redis::{RedisOptions, RedisPlace, RedisStore},
};

use cutting::cutting;

async fn open(url: &str, name: &str, key: &SealingKey) -> Arc<dyn Store> {
    RedisStore::open(RedisOptions {
        place: RedisPlace::parse(&format!("{url}?name={name}")).expect("a URL"),
        key: key.clone(),
        world: World::Live,
        keep_finished: Duration::from_secs(3600),
    })
    .await
    .expect("the store opens")
}

async fn store(server: &Server, name: &str) -> Arc<dyn Store> {
    open(&server.url(), name, &SealingKey::generate().0).await
}

async fn connection(server: &Server) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    let connection = client.get_multiplexed_async_connection();
    connection.await.expect("the server answers")
}

/// A copy of a request that lay in a dead connection's buffer.
#[tokio::test]
async fn a_write_that_arrives_late_does_not_give_back_what_its_holder_still_runs() {
    let store = store(Server::shared(), "late").await;
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], narrow(3)).await;
    let held = claim_one(&store, "one").await;
    let first = done(0, &held.permit, Then::Permit);
    let Advanced::Permitted(permit) = advance(&store, &held, first.clone()).await else {
        panic!("a permit was due");
    };
    let second = done(1, &permit, Then::Permit);
    let permitted = advance(&store, &held, second).await;
    assert!(matches!(permitted, Advanced::Permitted(_)), "{permitted:?}");
    let late = store.advance(&held.lease, first).await;
    assert!(is_lost(&late), "{late:?}");
    let leases = std::slice::from_ref(&held.lease);
    let lost = store.renew(leases, LEASE).await.expect("renewed");
    assert!(lost.is_empty(), "the lease was given back");
}

#[tokio::test]
async fn a_worker_that_was_away_for_hours_is_handed_its_lanes_again() {
    let server = Server::shared();
    let store = store(server, "away").await;
    register(&store, "one", &["acme"], wide()).await;
    register(&store, "two", &["acme", "beta"], wide()).await;
    let mut connection = connection(server).await;
    let groups: Vec<(Vec<u8>, f64)> = redis::cmd("ZRANGE")
        .arg("{away}:alive")
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES")
        .query_async(&mut connection)
        .await
        .expect("read");
    for (group, at) in groups {
        let mut command = redis::cmd("ZADD");
        command.arg("{away}:alive").arg(at - 3_700_000.0).arg(group);
        let _: i64 = command.query_async(&mut connection).await.expect("set");
    }
    accept(&store, vec![signup("acme", 1)]).await;
    let one = claim(&store, "one", 5).await.len();
    assert_eq!(one + claim(&store, "two", 5).await.len(), 1);
}

/// Whoever takes up accounts one by one is of a new group each time.
#[tokio::test]
async fn groups_that_a_worker_has_left_cost_the_lanes_nothing_soon() {
    let server = Server::shared();
    let store = store(server, "left").await;
    let accounts = ["acme", "beta", "cedar", "delta", "elm", "fir"];
    accept(&store, vec![signup("acme", 1), signup("acme", 2)]).await;
    for known in 1..accounts.len() {
        register(&store, "one", &accounts[..known], wide()).await;
    }
    let ask = |command: &[&str]| server.ask(command).expect("answered");
    let now = ask(&["TIME"]);
    let now: u64 = now.lines().next().expect("a time").parse().expect("s");
    for group in 1..accounts.len() {
        let group = format!("\0{}", char::from_u32(group as u32).expect("a byte"));
        let minutes_ago = format!("{}", (now - 330) * 1000);
        ask(&["ZADD", "{left}:alive", "XX", &minutes_ago, &group]);
    }
    register(&store, "one", &accounts, wide()).await;
    claim_one(&store, "one").await;
    assert_eq!(ask(&["ZCARD", "{left}:ready"]), "1");
}

/// A claim may be among what a restart or a failover loses, and with it what was sent under it.
#[tokio::test]
async fn after_a_restart_of_the_server_what_is_handed_out_is_in_doubt() {
    let mut server = Server::with_aof();
    let store = store(&server, "restarted").await;
    accept(&store, vec![signup("acme", 1), signup("acme", 2)]).await;
    register(&store, "one", &["acme"], wide()).await;
    assert!(!claim_one(&store, "one").await.verify);
    server.kill();
    server.restart();
    let claims = loop {
        match store.claim(&worker(), 1, LEASE, LEASE).await {
            Ok(claims) => break claims.claims,
            Err(error) => assert!(matches!(error, store::Error::Unavailable { .. }), "{error}"),
        }
    };
    assert!(claims[0].verify && claims[0].lease.epoch == 1);
}

fn worker() -> store::WorkerName {
    store::conformance::sample::worker("one")
}

/// Two processes with the same epoch, because the server forgot the first claim.
#[tokio::test]
async fn a_claim_that_the_server_forgot_is_held_by_its_second_holder_alone() {
    let server = Server::shared();
    let key = SealingKey::generate().0;
    let one = open(&server.url(), "forgot", &key).await;
    let two = open(&server.url(), "forgot", &key).await;
    accept(&one, vec![signup("acme", 1)]).await;
    register(&one, "one", &["acme"], wide()).await;
    let before = dump(server, "forgot").await;
    let first = claim_one(&one, "one").await;
    bring_back(server, "forgot", before).await;
    register(&two, "two", &["acme"], wide()).await;
    let second = claim_one(&two, "two").await;
    assert_eq!(first.lease.epoch, second.lease.epoch);
    let lost = one.renew(std::slice::from_ref(&first.lease), LEASE).await;
    assert_eq!(lost.expect("answered").len(), 1);
    let write = done(0, &first.permit, Then::Permit);
    assert!(is_lost(&one.advance(&first.lease, write).await));
    let write = done(0, &second.permit, Then::Permit);
    let permitted = advance(&two, &second, write).await;
    assert!(matches!(permitted, Advanced::Permitted(_)), "{permitted:?}");
}

/// A step that was recorded is not on record any more: what it made is looked for again.
#[tokio::test]
async fn a_step_that_the_server_forgot_is_read_back_and_not_passed_over() {
    let server = Server::shared();
    let store = store(server, "hole").await;
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let before = dump(server, "hole").await;
    let write = done(0, &held.permit, Then::Permit);
    let Advanced::Permitted(permit) = advance(&store, &held, write).await else {
        panic!("a permit was due");
    };
    bring_back(server, "hole", before).await;
    let write = done(1, &permit, Then::Succeed);
    assert!(is_lost(&store.advance(&held.lease, write).await));
    let again = claim_one(&store, "one").await;
    assert!(again.verify && again.journal.first_unfinished() == Some(0));
}

/// All keys of a store as they are.
async fn dump(server: &Server, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut connection = connection(server).await;
    let mut all = Vec::new();
    for key in keys(server, name).await {
        let mut command = redis::cmd("DUMP");
        command.arg(&key);
        let value: Option<Vec<u8>> = command.query_async(&mut connection).await.expect("dumped");
        all.extend(value.map(|value| (key, value)));
    }
    all
}

async fn keys(server: &Server, name: &str) -> Vec<Vec<u8>> {
    let mut command = redis::cmd("KEYS");
    command.arg(format!("{{{name}}}:*"));
    let keys = command.query_async(&mut connection(server).await).await;
    keys.expect("listed")
}

/// Makes the store what it was.
async fn bring_back(server: &Server, name: &str, all: Vec<(Vec<u8>, Vec<u8>)>) {
    let mut connection = connection(server).await;
    for key in keys(server, name).await {
        let mut command = redis::cmd("DEL");
        command.arg(key);
        let _: i64 = command.query_async(&mut connection).await.expect("gone");
    }
    for (key, value) in all {
        let mut command = redis::cmd("RESTORE");
        command.arg(key).arg(0).arg(value);
        let _: String = command.query_async(&mut connection).await.expect("back");
    }
}

#[tokio::test]
async fn a_lost_answer_while_a_batch_is_laid_down_hides_nobody() {
    let server = Server::shared();
    let url = cutting(server.port(), "stage").await;
    let store = open(&url, "cut", &SealingKey::generate().0).await;
    accept(&store, vec![signup("acme", 1)]).await;
    // The same again, with more behind it.
    let again = offer(&store, (1..=600).map(|n| signup("acme", n)).collect()).await;
    let store::Committed::Accepted {
        accepted,
        duplicates,
        ..
    } = again
    else {
        panic!("accepted");
    };
    assert_eq!((accepted, duplicates), (599, 1));
    accept(&store, (1001..=1600).map(|n| signup("acme", n)).collect()).await;
    let (mut listed, mut after) = (0, None);
    loop {
        let page = store.list(&Filter::default(), after.as_ref(), 1000).await;
        let page = page.expect("listed");
        listed += page.items.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let total = store.tally().await.expect("counted").total();
    assert_eq!((listed, total), (1200, 1200));
}
