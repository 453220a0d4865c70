use crate::redis::script::Code;
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use onboarding::Secret;

use redis_fixture::Server;

use super::*;
use crate::redis::failure::acl_rule;

/// What the error says, with its kind in front.
async fn refused(place: RedisPlace) -> String {
    match Link::open(&place).await {
        Ok(_) => "opened".to_owned(),
        Err(Error::Unusable { message, .. }) => format!("unusable: {message}"),
        Err(Error::Unavailable { message, .. }) => format!("unavailable: {message}"),
        Err(other) => panic!("{other}"),
    }
}

fn expect(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in: {said}");
    }
}

#[tokio::test]
async fn a_server_that_evicts_is_refused_with_the_remedy() {
    for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
        let server = Server::start(&[&format!("maxmemory-policy {policy}")]);
        let said = refused(place(&server.url())).await;
        expect(
            &said,
            &[
                "unusable",
                policy,
                "CONFIG SET maxmemory-policy noeviction",
                "redis.conf",
            ],
        );
    }
}

#[tokio::test]
async fn a_login_is_asked_for_and_a_wrong_one_is_refused_without_repeating_it() {
    let server = Server::start(&["requirepass right-horse"]);
    let none = refused(place(&server.url())).await;
    expect(&none, &["unusable", "store_password"]);

    let wrong = place(&server.url()).with_password(Secret::new("wrong-horse"));
    let said = refused(wrong).await;
    expect(&said, &["unusable", "refused the login"]);
    assert!(!said.contains("horse"), "{said}");

    let right = place(&server.url()).with_password(Secret::new("right-horse"));
    assert_eq!(refused(right).await, "opened");
}

#[tokio::test]
async fn a_replica_is_refused_with_the_name_of_its_primary() {
    let primary = Server::start(&[]);
    let line = format!("replicaof 127.0.0.1 {}", primary.port());
    let replica = Server::start(&[&line]);
    let said = refused(place(&replica.url())).await;
    expect(
        &said,
        &[
            "unusable",
            &format!("replica of 127.0.0.1:{}", primary.port()),
        ],
    );
}

#[tokio::test]
async fn what_is_no_redis_is_refused_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let said = refused(place(&format!("redis://127.0.0.1:{port}"))).await;
    expect(&said, &["unusable", "does not speak the Redis protocol"]);
}

#[tokio::test]
async fn what_the_url_says_wrong_of_a_server_is_told() {
    let server = Server::start(&["databases 4"]);
    let url = server.url();
    let table = [
        (format!("{url}/3"), "opened"),
        (format!("{url}/4"), "fewer databases"),
        (format!("{url}?cluster=true"), "leave cluster=true out"),
        (format!("{url}?sentinel=main"), "it is no Sentinel"),
        (
            url.replace("redis://", "redis://nobody@"),
            "refused the login",
        ),
    ];
    for (url, says) in table {
        let said = refused(place(&url)).await;
        assert!(said.contains(says), "{url}: {said}");
        assert!(!said.starts_with("unavailable"), "{url}: {said}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_lets_the_handshake_hang_and_the_remedy_is_told() {
    let server = Server::start(&[]);
    let said = refused(place(&server.url().replace("redis://", "rediss://"))).await;
    expect(
        &said,
        &["unavailable", "if it speaks no TLS there, use redis://"],
    );
}

#[tokio::test]
async fn nobody_there_is_a_passing_failure_told_at_once() {
    let mut server = Server::start(&[]);
    server.kill();
    let said = refused(place(&server.url())).await;
    expect(&said, &["unavailable", &server.port().to_string()]);
}

#[tokio::test]
async fn the_documented_rule_suffices_for_a_user_and_another_stores_keys_are_closed_to_it() {
    let server = Server::start(&[]);
    let rule = acl_rule("trunkline");
    let mut words = vec!["ACL", "SETUSER", "worker", "on", ">pass"];
    words.extend(rule.split(' '));
    server.ask(&words).expect("the user is made");

    let user = server.url().replace("redis://", "redis://worker@");
    let own = place(&user).with_password(Secret::new("pass"));
    let link = Link::open(&own).await.expect("the rule suffices to open");
    assert_eq!(counted(&link).await.expect("to run"), Value::Int(1));
    link.run_durable(&count(), &["{trunkline}:n"], NONE)
        .await
        .expect("to write durably");
    link.changed().await;
    let publish = Code::of("return redis.call('PUBLISH', ARGV[1], '')");
    link.run(&publish, NONE, &["{trunkline}:wake"])
        .await
        .expect("to publish");
    link.changed().await;

    let other = place(&format!("{user}?name=other")).with_password(Secret::new("pass"));
    let said = refused(other).await;
    expect(&said, &["unusable", "~{other}:*", "+info"]);
}
