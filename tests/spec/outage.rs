//! The promise: a Redis that is stopped, killed, restarted or failed over stops nothing for good,
//! and loses nothing that was accepted; workers say so once.
//!
//! The method: real workers and real Redis servers of the test's own, which are broken while there
//! is work under way.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    Cluster, Place, Program, Sentinel, Server, Signup, Simulator, csv_of, lines_of,
    repeats_on_trunks, until, until_within, wrong_records,
};

const ACCOUNTS: [&str; 4] = ["acme", "globex", "initech", "umbrella"];

/// Of the settings that places begin with.
const LEASE: Duration = Duration::from_millis(4000);

fn place(simulator: &Simulator, url: &str) -> Place {
    let place = Place::new(simulator, &ACCOUNTS).on_redis(url);
    place.settings("log_level = \"info\"\nconcurrency = 16\n");
    place
}

fn enqueue(place: &Place, count: usize) {
    let signups: Vec<Signup> = (0..count)
        .map(|n| Signup::new(ACCOUNTS[n % ACCOUNTS.len()], "five_steps", n))
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    let told = place.run(&["enqueue", "signups.jsonl", "--json"]).with(0);
    assert_eq!(told.record("enqueued")["accepted"], json!(count));
}

fn workers(place: &Place, count: usize) -> Vec<Program> {
    (0..count).map(|_| place.start(&["work"])).collect()
}

fn until_requests(simulator: &Simulator, count: usize) {
    until("work is under way", || {
        (simulator.requests().len() >= count).then_some(())
    });
}

fn until_all_succeeded(place: &Place, count: usize) {
    let pause = Duration::from_millis(200);
    until_within(tests::PATIENCE, pause, "all have succeeded", || {
        let tally = place.tally();
        assert_eq!(tally["failed"], 0, "{tally}");
        (tally["succeeded"] == json!(count)).then_some(())
    });
}

fn assert_exactly_once(simulator: &Simulator, place: &Place, count: usize) {
    let records = place.list();
    assert_eq!(records.len(), count);
    let mut wrong = wrong_records(&simulator.state(), &records);
    wrong.extend(repeats_on_trunks(&simulator.requests()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines of a log that a person sees unless more is asked for.
fn warnings(worker: &Program) -> Vec<String> {
    let stderr = worker.stderr();
    let loud = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    stderr.lines().filter(loud).map(Into::into).collect()
}

fn survives_an_outage(break_it: impl FnOnce(&mut Server), mend: impl FnOnce(&mut Server)) {
    let simulator = Simulator::slow(20, 60);
    let mut redis = Server::with_aof();
    let place = place(&simulator, &redis.url());
    enqueue(&place, 300);
    let workers = workers(&place, 2);
    until_requests(&simulator, 200);
    break_it(&mut redis);
    let since = Instant::now();
    until(
        "every lease has ended, and every worker has noticed",
        || {
            let noticed = |worker: &Program| worker.said("lost the Redis") > 0;
            let over = since.elapsed() > LEASE * 3 / 2;
            (over && workers.iter().all(noticed)).then_some(())
        },
    );
    mend(&mut redis);
    until_all_succeeded(&place, 300);
    assert_exactly_once(&simulator, &place, 300);
    for worker in &workers {
        let log = worker.stderr();
        assert_eq!(worker.said("lost the Redis"), 1, "{log}");
        assert_eq!(worker.said("the Redis answers again"), 1, "{log}");
        // What cannot be done meanwhile is said too, but not again and again.
        let warnings = warnings(worker);
        assert!(warnings.len() <= 6, "{warnings:#?}");
    }
}

#[test]
fn a_redis_that_hangs_for_longer_than_a_lease_is_waited_for_and_told_of_once() {
    survives_an_outage(|redis| redis.pause(), |redis| redis.resume());
}

#[test]
fn a_redis_that_is_down_for_longer_than_a_lease_is_waited_for_and_told_of_once() {
    survives_an_outage(Server::kill, Server::restart);
}

const ROWS: usize = 8_000;

fn bytes_taken_in(redis: &Server) -> u64 {
    let info = redis.ask(&["INFO", "stats"]).unwrap_or_default();
    let mut lines = info.lines();
    let found = lines.find_map(|line| line.trim().strip_prefix("total_net_input_bytes:"));
    found.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// How many there are: none or all.
fn total(place: &Place, when: &str) -> u64 {
    let total = place.tally()["total"].as_u64().unwrap();
    assert!(total == 0 || total == ROWS as u64, "{when}: {total}");
    total
}

#[test]
fn a_redis_that_is_killed_while_signups_are_accepted_has_all_or_none_and_the_same_again_completes_it()
 {
    let simulator = Simulator::start();
    let input = csv_of(ROWS, &ACCOUNTS);
    let whole = {
        let redis = Server::with_aof();
        let place = place(&simulator, &redis.url());
        place.write("signups.csv", &input);
        let before = bytes_taken_in(&redis);
        let _ = place.run(&["enqueue", "signups.csv"]).with(0);
        bytes_taken_in(&redis) - before
    };
    let mut met = 0;
    for eighth in [1, 5, 7] {
        let mut redis = Server::with_aof();
        let place = place(&simulator, &redis.url());
        place.write("signups.csv", &input);
        let when = format!("killed after {eighth}/8 of {whole} bytes");
        let wanted = bytes_taken_in(&redis) + whole * eighth / 8;
        let mut producer = place.start(&["enqueue", "signups.csv", "--json"]);
        until("so much was sent", || {
            let enough = bytes_taken_in(&redis) >= wanted;
            (enough || !producer.runs()).then_some(())
        });
        met += usize::from(producer.runs());
        redis.kill();
        let since = Instant::now();
        until("it has been away for a while", || {
            let over = since.elapsed() > Duration::from_secs(3);
            (over || !producer.runs()).then_some(())
        });
        redis.restart();
        let ended = producer.wait();
        match ended.code {
            Some(0) => assert_eq!(total(&place, &when), ROWS as u64, "{when}"),
            Some(1) => assert!(
                ended.stderr.contains("redis://"),
                "{when}: {}",
                ended.stderr
            ),
            other => panic!("{when}: it ended with {other:?}: {}", ended.stderr),
        }
        let again = place.run(&["enqueue", "signups.csv", "--json"]).with(0);
        let told = again.record("enqueued");
        assert_eq!(told["total"], json!(ROWS), "{when}");
        assert_eq!(total(&place, &when), ROWS as u64, "{when}");
    }
    assert!(met > 0, "no kill met a running producer");
}

/// How much of its changes a primary has made, and how much of them its replica has.
fn offsets(primary: &Server) -> (u64, u64) {
    let info = primary.ask(&["INFO", "replication"]).unwrap_or_default();
    let after = |name: &str| {
        let (_, rest) = info.split_once(name)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let of = |name: &str| after(name).unwrap_or_else(|| panic!("{name} in {info}"));
    (of("master_repl_offset:"), of(",offset="))
}

#[test]
fn a_failover_loses_nothing_that_the_replica_had() {
    let simulator = Simulator::slow(20, 60);
    let mut sentinel = Sentinel::start(&["appendonly yes", "appendfsync always"]);
    let url = format!(
        "redis://{}?sentinel={}",
        sentinel.address(),
        Sentinel::PRIMARY
    );
    let place = place(&simulator, &url);
    enqueue(&place, 300);
    let (accepted, _) = offsets(sentinel.primary());
    let _workers = workers(&place, 3);
    until_requests(&simulator, 200);
    until("the replica has what was accepted", || {
        (offsets(sentinel.primary()).1 >= accepted).then_some(())
    });
    sentinel.fail_over();
    until_all_succeeded(&place, 300);
    assert_exactly_once(&simulator, &place, 300);
}

#[test]
fn a_cluster_runs_the_main_job_with_several_workers_and_again_without_a_request() {
    let simulator = Simulator::start();
    let cluster = Cluster::start(&["appendonly yes", "appendfsync always"]);
    let url = format!("redis://{}?cluster=true", cluster.addresses());
    let place = place(&simulator, &url);
    let signups: Vec<Signup> = (0..60)
        .map(|n| Signup::new(ACCOUNTS[n % ACCOUNTS.len()], "five_steps", n))
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    let _workers = workers(&place, 2);
    let onboard = || place.run(&["onboard", "signups.jsonl", "--out", "out", "--json"]);
    let first = onboard().with(0).record("summary");
    assert_eq!(first["succeeded"], 60);
    assert_exactly_once(&simulator, &place, 60);
    let handed: Vec<Value> = place.handoffs("out");
    assert_eq!(handed.len(), 60);
    let sent = simulator.requests().len();
    assert_eq!(sent, 5 * 60);
    assert_eq!(onboard().with(0).record("summary")["requests"], 0);
    assert_eq!(simulator.requests().len(), sent);
}
