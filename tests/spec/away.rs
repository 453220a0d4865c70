//! The promise: a Redis that is away, full, or has forgotten scripts and connections is told of in
//! words, ends no worker, and keeps nobody from stopping.
//!
//! The method: a Redis of the test's own is broken under commands that run, or before they start.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{
    Place, Program, Server, Signal, Signup, Simulator, lines_of, repeats_on_trunks, until,
    wrong_records,
};

fn place(simulator: &Simulator, redis: &Server) -> Place {
    let place = Place::new(simulator, &["acme", "globex"]).on_redis(&redis.url());
    place.settings("log_level = \"info\"\nconcurrency = 16\n");
    place
}

fn signups(count: usize) -> String {
    let signup = |n| Signup::new(["acme", "globex"][n % 2], "five_steps", n);
    lines_of(&(0..count).map(signup).collect::<Vec<_>>())
}

fn enqueue(place: &Place, count: usize) {
    place.write("signups.jsonl", &signups(count));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
}

fn until_requests(simulator: &Simulator, count: usize) {
    until("work is under way", || {
        (simulator.requests().len() >= count).then_some(())
    });
}

fn until_all_succeeded(place: &Place, count: usize) {
    until("all have succeeded", || {
        (place.tally()["succeeded"] == json!(count)).then_some(())
    });
}

fn assert_exactly_once(simulator: &Simulator, place: &Place, count: usize) {
    let records = place.list();
    assert_eq!(records.len(), count);
    let mut wrong = wrong_records(&simulator.state(), &records);
    wrong.extend(repeats_on_trunks(&simulator.requests()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn until_said(program: &Program, what: &str) {
    until(&format!("it says: {what}"), || {
        (program.said(what) > 0).then_some(())
    });
}

#[test]
fn a_worker_starts_before_its_redis_and_begins_when_it_answers() {
    let simulator = Simulator::start();
    let mut redis = Server::with_aof();
    let place = place(&simulator, &redis);
    enqueue(&place, 4);
    redis.kill();
    let worker = place.start(&["work", "--drain", "--json"]);
    until_said(&worker, "waiting until it answers");
    redis.restart();
    let ended = worker.wait().with(0);
    assert_eq!(ended.record("summary")["succeeded"], 4);
    assert_exactly_once(&simulator, &place, 4);
}

#[test]
fn commands_that_look_or_enqueue_say_soon_that_the_redis_is_away() {
    let simulator = Simulator::start();
    let mut redis = Server::start(&[]);
    let place = place(&simulator, &redis);
    place.write("signups.jsonl", &signups(2));
    for hangs in [true, false] {
        if hangs {
            redis.pause();
        } else {
            redis.kill();
        }
        for arguments in [
            vec!["enqueue", "signups.jsonl", "--json"],
            vec!["status", "--json"],
            vec!["list"],
            vec!["retry", "--all"],
        ] {
            let ended = place.run(&arguments).with(1);
            let what = format!("{arguments:?}, hangs: {hangs}: {}", ended.stderr);
            assert!(
                ended.took < Duration::from_secs(10),
                "{:?} {what}",
                ended.took
            );
            assert!(ended.stderr.contains("redis://127.0.0.1"), "{what}");
        }
        if hangs {
            redis.resume();
        }
    }
}

#[test]
fn a_worker_whose_redis_is_away_still_ends_when_it_is_asked_to() {
    for hangs in [true, false] {
        let simulator = Simulator::slow(20, 60);
        let mut redis = Server::with_aof();
        let place = place(&simulator, &redis);
        enqueue(&place, 100);
        let worker = place.start(&["work"]);
        until_requests(&simulator, 50);
        if hangs {
            redis.pause();
        } else {
            redis.kill();
        }
        until_said(&worker, "lost the Redis");
        worker.signal(Signal::TERM);
        let asked = Instant::now();
        let ended = worker.wait();
        // The requests' longest time, the leases', and a few seconds.
        assert!(
            asked.elapsed() < Duration::from_secs(15),
            "{:?}",
            asked.elapsed()
        );
        let what = format!("hangs: {hangs}: {:?} {}", ended.code, ended.stderr);
        assert!(matches!(ended.code, Some(0 | 1)), "{what}");
        if hangs {
            redis.resume();
        } else {
            redis.restart();
        }
        let _ = place.run(&["work", "--drain"]).with(0);
        assert_exactly_once(&simulator, &place, 100);
    }
}

#[test]
fn a_full_redis_refuses_signups_whole_and_brings_what_it_has_to_its_end() {
    let simulator = Simulator::slow(5, 20);
    let redis = Server::with_aof();
    let place = place(&simulator, &redis);
    enqueue(&place, 200);
    let worker = place.start(&["work"]);
    until_requests(&simulator, 100);
    redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    place.write("more.jsonl", &signups(300));
    let refused = place.run(&["enqueue", "more.jsonl"]).with(1);
    assert!(refused.stderr.contains("memory"), "{}", refused.stderr);
    until_all_succeeded(&place, 200);
    assert_eq!(place.tally()["total"], 200);
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    let _ = place.run(&["enqueue", "more.jsonl"]).with(0);
    until_all_succeeded(&place, 300);
    assert_exactly_once(&simulator, &place, 300);
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
}

#[test]
fn a_redis_that_forgets_its_scripts_and_its_clients_disturbs_nothing() {
    let simulator = Simulator::slow(5, 20);
    let redis = Server::with_aof();
    let place = place(&simulator, &redis);
    enqueue(&place, 200);
    let _workers = [place.start(&["work"]), place.start(&["work"])];
    for n in 1..=8 {
        until_requests(&simulator, n * 100);
        redis.ask(&["SCRIPT", "FLUSH"]).unwrap();
        redis.ask(&["FUNCTION", "FLUSH"]).unwrap();
        redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
        redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
    }
    until_all_succeeded(&place, 200);
    assert_exactly_once(&simulator, &place, 200);
}

#[test]
fn several_workers_drain_a_store_together_and_all_end() {
    let simulator = Simulator::slow(5, 20);
    let redis = Server::with_aof();
    let place = place(&simulator, &redis);
    enqueue(&place, 200);
    let workers: Vec<Program> = (0..3)
        .map(|_| place.start(&["work", "--drain", "--json"]))
        .collect();
    let mut succeeded = 0;
    for worker in workers {
        let summary = worker.wait().with(0).record("summary");
        let own = summary["succeeded"].as_u64().unwrap();
        assert!(own > 0, "one did nothing: {summary}");
        succeeded += own;
    }
    assert_eq!(succeeded, 200);
    assert_exactly_once(&simulator, &place, 200);
}
