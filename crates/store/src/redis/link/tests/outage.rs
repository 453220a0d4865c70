use crate::redis::script::Code;
use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tracing_subscriber::fmt::MakeWriter;

use redis_fixture::Server;

use super::*;

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines_with(&self, text: &str) -> usize {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|line| line.contains(text))
            .count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_killed_server_fails_calls_in_time_is_told_once_and_is_used_again_when_it_is_back() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_max_level(tracing::Level::INFO)
        .finish();
    // With one subscriber alone, what a thread without it logs first is never heard by anybody.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut server = Server::start(&["appendonly yes", "appendfsync always"]);
    let link = link(&server.url()).await;
    assert_eq!(counted(&link).await.expect("it runs"), Value::Int(1));
    link.changed().await;

    server.kill();
    // Those under way are cut off; those after them wait a little for a connection.
    for _ in 0..2 {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let link = Arc::clone(&link);
            calls.spawn(async move {
                let began = Instant::now();
                (counted(&link).await, began.elapsed())
            });
        }
        while let Some(call) = calls.join_next().await {
            let (answer, took) = call.expect("no panic");
            assert!(
                matches!(answer, Err(Error::Unavailable { .. })),
                "{answer:?}"
            );
            assert!(took < Duration::from_secs(4), "took {took:?}");
        }
    }
    assert_eq!(log.lines_with("lost the Redis"), 1);
    assert_eq!(log.lines_with("answers again"), 0);

    // The restarted server has the data, and not the script.
    server.restart();
    assert_eq!(counted_at_last(&link).await, Value::Int(2));
    link.changed().await;
    assert_eq!(log.lines_with("lost the Redis"), 1);
    assert_eq!(log.lines_with("answers again"), 1);
    assert_eq!(log.lines_with("WARN"), 2);
}

#[tokio::test]
async fn a_server_that_is_stopped_fails_calls_in_time_and_is_used_again_when_it_goes_on() {
    let server = Server::start(&["appendonly yes"]);
    let link = link(&server.url()).await;
    assert_eq!(counted(&link).await.expect("it runs"), Value::Int(1));
    server.pause();
    let began = Instant::now();
    let answer = counted(&link).await;
    server.resume();
    assert!(
        matches!(answer, Err(Error::Unavailable { .. })),
        "{answer:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(4));
    // The lost answer's write was or was not done.
    let Value::Int(next) = counted_at_last(&link).await else {
        panic!("a count");
    };
    assert!((2..=3).contains(&next), "{next}");
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_given_to_it_again() {
    let server = Server::start(&[]);
    let link = link(&server.url()).await;
    assert_eq!(counted(&link).await.expect("it runs"), Value::Int(1));
    server.ask(&["FUNCTION", "FLUSH"]).expect("flushed");
    assert_eq!(counted(&link).await.expect("it runs"), Value::Int(2));
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_a_passing_failure_and_its_promotion_heals_it() {
    let primary = Server::start(&[]);
    let server = Server::start(&[]);
    let link = link(&server.url()).await;
    counted(&link).await.expect("it runs");
    let port = primary.port().to_string();
    server
        .ask(&["REPLICAOF", "127.0.0.1", &port])
        .expect("demoted");
    let answer = counted(&link).await;
    assert!(
        matches!(answer, Err(Error::Unavailable { .. })),
        "{answer:?}"
    );
    server.ask(&["REPLICAOF", "NO", "ONE"]).expect("promoted");
    counted_at_last(&link).await;
}

#[tokio::test]
async fn an_answer_that_is_no_passing_one_is_told_with_its_text() {
    let server = Server::start(&["maxmemory 100mb"]);
    let link = link(&server.url()).await;
    let broken = Code::of("return redis.error_reply('ERR our own mistake')");
    let said = link.run(&broken, NONE, NONE).await;
    assert!(
        matches!(&said, Err(Error::Corrupt { message, .. }) if message.contains("our own mistake")),
        "{said:?}"
    );
    server
        .ask(&["CONFIG", "SET", "maxmemory", "1"])
        .expect("full");
    let said = counted(&link).await;
    assert!(
        matches!(&said, Err(Error::Unavailable { message, .. }) if message.contains("maxmemory")),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_server_that_comes_back_evicting_is_not_written_to() {
    let mut server = Server::start(&["appendonly yes"]);
    let link = link(&server.url()).await;
    counted(&link).await.expect("it runs");
    server.kill();
    let file = server.folder().join("redis.conf");
    let lines = std::fs::read_to_string(&file).expect("its configuration");
    std::fs::write(&file, lines + "maxmemory-policy allkeys-lru\n").expect("changed");
    server.restart();
    let end = Instant::now() + SOON;
    loop {
        match counted(&link).await {
            Err(error)
                if error
                    .unfit()
                    .is_some_and(|why| why.0.contains("allkeys-lru")) =>
            {
                break;
            }
            Err(Error::Unavailable { .. }) if Instant::now() < end => {}
            other => panic!("{other:?}"),
        }
    }
    let set = ["CONFIG", "SET", "maxmemory-policy", "noeviction"];
    server.ask(&set).expect("mended");
    let end = Instant::now() + SOON;
    while counted(&link).await.is_err() {
        assert!(Instant::now() < end, "it heals");
    }
}

#[tokio::test]
async fn a_hundred_callers_share_one_connection_that_ends_with_the_link() {
    let server = Server::start(&[]);
    let clients = || {
        let list = server.ask(&["CLIENT", "LIST"]).expect("told");
        // The one that asks is among them.
        list.lines().filter(|line| line.contains("addr=")).count() - 1
    };
    let link = link(&server.url()).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let link = Arc::clone(&link);
        calls.spawn(async move { counted(&link).await.expect("it runs") });
    }
    calls.join_all().await;
    assert_eq!(clients(), 1);
    link.changed().await;
    assert_eq!(clients(), 2);
    drop(link);
    let end = Instant::now() + SOON;
    while clients() > 0 {
        assert!(Instant::now() < end, "they end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_that_would_forget_is_warned_of_with_the_remedy() {
    for (lines, warnings) in [(&[][..], 1), (&["appendonly yes"][..], 0)] {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
        // With one subscriber alone, what a thread without it logs first is never heard by anybody.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let _guard = tracing::subscriber::set_default(subscriber);
        let server = Server::start(lines);
        let _link = link(&server.url()).await;
        assert_eq!(log.lines_with("appendonly yes"), warnings, "{lines:?}");
        assert_eq!(log.lines_with("WARN"), warnings, "{lines:?}");
    }
}

/// What a call is answered, with its kind in front and its cause behind.
async fn said(link: &Link) -> String {
    match counted(link).await {
        Ok(_) => "done".to_owned(),
        Err(error @ Error::Unavailable { .. }) => {
            let unfit = error.unfit().map(ToString::to_string);
            format!("unavailable: {}", unfit.unwrap_or_default())
        }
        Err(other) => panic!("{other}"),
    }
}

async fn until_said(link: &Link, what: &str) {
    let end = Instant::now() + SOON;
    loop {
        let now = said(link).await;
        if now.contains(what) {
            return;
        }
        assert!(Instant::now() < end, "{what} is not said: {now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_made_unfit_while_it_is_used_is_not_used_until_that_is_mended() {
    let policy = |policy| ["CONFIG", "SET", "maxmemory-policy", policy];
    for (spoil, mend, says) in [
        (
            &policy("allkeys-lru")[..],
            &policy("noeviction")[..],
            "CONFIG SET maxmemory-policy noeviction",
        ),
        (
            // Of nobody, so that it keeps its data.
            &["REPLICAOF", "127.0.0.1", "1"][..],
            &["REPLICAOF", "NO", "ONE"][..],
            "is a replica now",
        ),
    ] {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
        // With one subscriber alone, what a thread without it logs first is never heard by anybody.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let _guard = tracing::subscriber::set_default(subscriber);
        let server = Server::start(&["appendonly yes"]);
        let link = link(&server.url()).await;
        assert_eq!(said(&link).await, "done");
        server.ask(spoil).expect("set");
        until_said(&link, says).await;
        // It is known, and nobody waits for a person.
        let began = Instant::now();
        assert!(said(&link).await.contains(says));
        assert!(began.elapsed() < Duration::from_secs(1));
        server.ask(mend).expect("set");
        until_said(&link, "done").await;
        assert_eq!(log.lines_with("answers again"), 1);
        assert_eq!(log.lines_with("WARN"), 2, "told once");
    }
}

#[tokio::test]
async fn a_file_that_is_turned_off_is_warned_of_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    // With one subscriber alone, what a thread without it logs first is never heard by anybody.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start(&["appendonly yes"]);
    let link = link(&server.url()).await;
    let told = "writes no append-only file any more";
    server
        .ask(&["CONFIG", "SET", "appendonly", "no"])
        .expect("set");
    let end = Instant::now() + SOON;
    while log.lines_with(told) == 0 {
        assert!(Instant::now() < end, "it is warned of");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(said(&link).await, "done");
    assert_eq!(log.lines_with("WARN"), 1);
}
