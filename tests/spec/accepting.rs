//! The promise: once `enqueue` has answered, nothing loses what it accepted; before that, a kill
//! leaves all of the input or nothing of it.
//!
//! The method: SIGKILL while the input is fed, while the store is written (told by the size of
//! its files), and at the moment the answer appears; then the store is counted.

use std::{fs, io::Write, process::Stdio};

use serde_json::json;
use tests::{Place, Server, Simulator, csv_of, until};

const ROWS: usize = 4_000;

fn place() -> Place {
    let simulator = Simulator::start();
    // Nothing is sent, so the simulator may end here.
    Place::new(&simulator, &["acme", "globex"])
}

/// How many onboardings there are, and that no more than a whole input is.
fn count(place: &Place, when: &str) -> usize {
    if !place.has_store() {
        return 0;
    }
    let ended = place.run(&["status", "--json"]);
    if ended.code == Some(2) {
        // Killed before the store had its tables.
        assert!(
            ended.stdout.contains("nothing in"),
            "{when}: {}",
            ended.stdout
        );
        return 0;
    }
    let total = ended.with(0).record("tally")["total"].as_u64().unwrap();
    let total = usize::try_from(total).unwrap();
    assert!(total == 0 || total == ROWS, "{when}: {total} of {ROWS}");
    total
}

/// The same input again completes it, whatever was there.
fn complete(place: &Place, there: usize, when: &str) {
    let again = place.run(&["enqueue", "signups.csv", "--json"]).with(0);
    let told = again.record("enqueued");
    assert_eq!(told["total"], json!(ROWS), "{when}");
    assert_eq!(told["duplicates"], json!(there), "{when}");
    assert_eq!(count(place, when), ROWS, "{when}");
}

#[test]
fn a_kill_while_signups_are_read_accepts_none_of_them() {
    let input = csv_of(ROWS, &["acme", "globex"]);
    for percent in [0, 1, 30, 60, 99] {
        let when = format!("killed after {percent} % of the input");
        let place = place();
        place.write("signups.csv", &input);
        let mut command = place.command(&["enqueue", "-", "--json"]);
        command.stdin(Stdio::piped());
        let mut program = place.launch(command);
        let mut stdin = program.stdin().expect("piped");
        let part = &input.as_bytes()[..input.len() * percent / 100];
        stdin.write_all(part).unwrap();
        stdin.flush().unwrap();
        until("the store is there", || {
            place.path("trunkline.db").exists().then_some(())
        });
        program.kill();
        assert_eq!(count(&place, &when), 0, "{when}");
        complete(&place, 0, &when);
    }
}

#[test]
fn a_kill_while_the_store_is_written_accepts_all_or_nothing() {
    let input = csv_of(ROWS, &["acme", "globex"]);
    let size = |place: &Place| {
        let of = |name: &str| fs::metadata(place.path(name)).map_or(0, |file| file.len());
        of("trunkline.db") + of("trunkline.db-wal")
    };
    let whole = {
        let place = place();
        place.write("signups.csv", &input);
        let _ = place.run(&["enqueue", "signups.csv"]).with(0);
        size(&place)
    };
    let mut met = 0;
    for step in 0..12 {
        let place = place();
        place.write("signups.csv", &input);
        let wanted = whole * step / 12;
        let when = format!("killed at {wanted} of {whole} bytes");
        let mut program = place.start(&["enqueue", "signups.csv", "--json"]);
        let alive = until("the store has grown", || {
            let alive = program.runs();
            (size(&place) >= wanted || !alive).then_some(alive)
        });
        program.kill();
        met += usize::from(alive);
        let there = count(&place, &when);
        complete(&place, there, &when);
    }
    assert!(met > 0, "no kill met a running process");
}

#[test]
fn what_enqueue_has_answered_for_survives_a_kill_at_that_moment() {
    let input = csv_of(ROWS, &["acme", "globex"]);
    for round in 0..3 {
        let place = place();
        place.write("signups.csv", &input);
        let program = place.start(&["enqueue", "signups.csv", "--json"]);
        until("it answers", || {
            program.stdout().contains("\"enqueued\"").then_some(())
        });
        program.kill();
        assert_eq!(count(&place, &format!("round {round}")), ROWS);
    }
}

#[test]
fn a_producer_that_is_killed_while_a_redis_is_written_to_has_accepted_all_or_nothing() {
    let input = csv_of(ROWS, &["acme", "globex"]);
    // Of about half a megabyte that it sends.
    let mut met = 0;
    for kilobytes in [1, 150, 350] {
        let redis = Server::with_aof();
        let place = place().on_redis(&redis.url());
        place.write("signups.csv", &input);
        let when = format!("killed after {kilobytes} kB");
        let wanted = taken_in(&redis) + kilobytes * 1000;
        let mut program = place.start(&["enqueue", "signups.csv", "--json"]);
        let alive = until("so much was sent", || {
            let alive = program.runs();
            (taken_in(&redis) >= wanted || !alive).then_some(alive)
        });
        program.kill();
        met += usize::from(alive);
        let there = count(&place, &when);
        complete(&place, there, &when);
    }
    assert!(met > 0, "no kill met a running process");
}

/// How many bytes a Redis was sent so far.
fn taken_in(redis: &Server) -> u64 {
    let info = redis.ask(&["INFO", "stats"]).unwrap();
    let (_, rest) = info.split_once("total_net_input_bytes:").unwrap();
    rest.lines().next().unwrap().trim().parse().unwrap()
}
