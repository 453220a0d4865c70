//! A question that is asked again is answered as it was; on Redis.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

mod cutting;
mod opening;

use std::time::Duration;

use redis_fixture::Server;
use store::{Error, Remembered};

use cutting::cutting;
use opening::{Opening, PATIENCE};

const KEEP: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_handles_remember_the_same_questions_and_give_the_same_answers() {
    let opening = Opening::of(Server::shared(), "answers-two");
    let (one, two) = (opening.open().await, opening.open().await);
    let asked = one.remember("ci", "k", [1; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::New);
    let asked = two.remember("ci", "k", [1; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::Unanswered);
    let first = two.answer("ci", "k", b"first").await.expect("kept");
    let second = one.answer("ci", "k", b"second").await.expect("kept");
    assert_eq!((first, second), (b"first".to_vec(), b"first".to_vec()));
    let asked = one.remember("ci", "k", [1; 32], KEEP).await;
    let first = Remembered::Answered(b"first".to_vec());
    assert_eq!(asked.expect("asked"), first);
    let asked = one.remember("ci", "k", [2; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::Other);
    // Scope and key do not run together.
    for (scope, key) in [("c", "ik"), ("cik", ""), ("", "cik")] {
        let asked = one.remember(scope, key, [1; 32], KEEP).await;
        assert_eq!(asked.expect("asked"), Remembered::New, "{scope} {key}");
    }
}

#[tokio::test]
async fn a_question_whose_answer_got_lost_on_the_way_is_still_new() {
    let server = Server::shared();
    let url = cutting(server.port(), "remember").await;
    let store = Opening::at(format!("{url}?name=answers-cut")).open().await;
    let asked = store.remember("ci", "k", [1; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::New);
    let asked = store.remember("ci", "k", [1; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::Unanswered);
}

#[tokio::test]
async fn a_question_is_forgotten_when_its_time_is_over_and_nothing_of_it_stays() {
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").open().await;
    let keep = Duration::from_millis(300);
    let asked = store.remember("ci", "k", [1; 32], keep).await;
    assert_eq!(asked.expect("asked"), Remembered::New);
    store.answer("ci", "k", b"first").await.expect("kept");
    let forgotten = async {
        let first = Remembered::Answered(b"first".to_vec());
        while store
            .remember("ci", "k", [1; 32], keep)
            .await
            .expect("asked")
            == first
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let forgotten = tokio::time::timeout(PATIENCE, forgotten).await;
    forgotten.expect("its time is over");
    // An answer that comes too late is given and not kept.
    let late = store.answer("ci", "late", b"late").await.expect("answered");
    assert_eq!(late, b"late");
    let gone = async {
        while !server
            .ask(&["KEYS", "*answer*"])
            .expect("listed")
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("all goes");
}

#[tokio::test]
async fn what_was_remembered_survives_kill_9_of_the_server() {
    let mut server = Server::with_aof();
    let opening = Opening::of(&server, "made-up");
    let store = opening.open().await;
    store
        .remember("ci", "a", [1; 32], KEEP)
        .await
        .expect("asked");
    store
        .remember("ci", "b", [1; 32], KEEP)
        .await
        .expect("asked");
    store.answer("ci", "b", b"yes").await.expect("kept");
    server.kill();
    server.restart();
    let store = opening.open().await;
    let asked = store.remember("ci", "a", [1; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::Unanswered);
    let asked = store.remember("ci", "b", [1; 32], KEEP).await;
    let yes = Remembered::Answered(b"yes".to_vec());
    assert_eq!(asked.expect("asked"), yes);
}

#[tokio::test]
async fn what_is_remembered_or_laid_out_waits_for_the_disk_where_the_server_can_tell() {
    let Some(server) = Server::newer(&["appendonly yes", "appendfsync always"]) else {
        return;
    };
    let store = Opening::of(&server, "made-up").open().await;
    let waits = || -> u64 {
        let stats = server.ask(&["INFO", "commandstats"]).expect("answered");
        let line = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_waitaof"));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    };
    assert_eq!(waits(), 0);
    let asked = store.remember("ci", "k", [1; 32], KEEP).await;
    assert_eq!(asked.expect("asked"), Remembered::New);
    assert_eq!(waits(), 1);
    store.answer("ci", "k", b"yes").await.expect("kept");
    assert_eq!(waits(), 2);
    let laid = store.lay_out(None, "a", Vec::new()).await;
    assert!(laid.expect("laid out"));
    assert_eq!(waits(), 3);
}

#[tokio::test]
async fn a_full_server_remembers_nothing_new_and_still_answers_what_it_knows() {
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").open().await;
    store
        .remember("ci", "k", [1; 32], KEEP)
        .await
        .expect("asked");
    server
        .ask(&["CONFIG", "SET", "maxmemory", "1"])
        .expect("set");
    let refused = store.remember("ci", "other", [1; 32], KEEP).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    store.answer("ci", "k", b"yes").await.expect("kept");
    server
        .ask(&["CONFIG", "SET", "maxmemory", "0"])
        .expect("set");
    let asked = store.remember("ci", "k", [1; 32], KEEP).await;
    let yes = Remembered::Answered(b"yes".to_vec());
    assert_eq!(asked.expect("asked"), yes);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused() {
    let store = Opening::of(Server::shared(), "answers-long").open().await;
    store
        .remember("ci", "k", [1; 32], KEEP)
        .await
        .expect("asked");
    let long = vec![b'x'; 1024 * 1024 + 1];
    let refused = store.answer("ci", "k", &long).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    let kept = store.answer("ci", "k", &long[1..]).await.expect("kept");
    assert_eq!(kept.len(), 1024 * 1024);
}
