//! The promise: an account's limits hold for all processes together: its connections, its pause after
//! a 429.
//!
//! The method: three workers on one Redis, and one on a file beside two dozen commands, and a simulator
//! that answers slowly and counts.

use serde_json::json;
use tests::{Place, Program, Signup, Simulator, StoreKind, lines_of, until};

const WORKERS: usize = 3;

fn enqueue(place: &Place, accounts: &[&str], count: usize) {
    let signups: Vec<Signup> = (0..count)
        .map(|n| Signup::new(accounts[n % accounts.len()], "five_steps", n))
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
}

fn workers(place: &Place) -> Vec<Program> {
    (0..WORKERS).map(|_| place.start(&["work"])).collect()
}

fn until_all_succeeded(place: &Place, count: usize) {
    until("all have succeeded", || {
        (place.tally()["succeeded"] == json!(count)).then_some(())
    });
}

#[test]
fn a_429_that_one_worker_sees_stops_all_until_its_retry_after_has_passed() {
    let simulator = Simulator::slow(20, 60);
    let accounts = ["acme", "globex"];
    let place = Place::new(&simulator, &accounts).kept_in(StoreKind::Redis);
    place.settings("concurrency = 8\n");
    let limit = json!({"account": "acme", "nth": 40, "status": 429, "retry_after": 3});
    simulator.break_with(&[limit]);
    enqueue(&place, &accounts, 240);
    let _workers = workers(&place);
    until_all_succeeded(&place, 240);

    let log = simulator.requests();
    let of = |account: &str| {
        log.iter()
            .filter(|it| it.account == account)
            .collect::<Vec<_>>()
    };
    let acme = of("acme");
    let refused: Vec<u64> = acme
        .iter()
        .filter(|it| it.status == Some(429))
        .map(|it| it.at_ms)
        .collect();
    assert_eq!(refused.len(), 1, "a closed account asks for nothing");
    // What was under way then, and the time that the answer takes, half a second with all.
    let (from, to) = (refused[0] + 500, refused[0] + 3_000);
    let between = |at: u64| (from..to).contains(&at);
    let meanwhile = acme.iter().filter(|it| between(it.at_ms)).count();
    assert_eq!(meanwhile, 0, "requests while the account was closed");
    assert!(acme.iter().any(|it| it.at_ms >= to), "nothing came after");
    let others = of("globex").iter().filter(|it| between(it.at_ms)).count();
    assert!(others > 0, "another account was stopped too");
}

#[test]
fn workers_together_never_open_more_connections_than_an_account_may_have() {
    let simulator = Simulator::slow(60, 100);
    let accounts = ["acme"];
    let limits = "requests_per_minute = 1000000, connections = 50";
    let place = Place::with_limits(&simulator, &accounts, limits).kept_in(StoreKind::Redis);
    place.settings("concurrency = 24\n");
    enqueue(&place, &accounts, 300);
    let _workers = workers(&place);
    until_all_succeeded(&place, 300);
    let stats = simulator.stats();
    let most = stats["acme"]["max_connections"].as_u64().unwrap();
    // Nearly as many as may be in flight at once, which is 40, were; idle ones beside them are
    // within the rest.
    assert!((35..=50).contains(&most), "{stats:#}");
}

/// Commands beside the worker, each a process with a connection of its own.
const VERIFYING: usize = 16;
const CHECKING: usize = 8;

#[test]
fn a_worker_and_commands_beside_it_never_open_more_connections_than_an_account_may_have() {
    let simulator = Simulator::slow(200, 400);
    let limits = "requests_per_minute = 1000000, connections = 50";
    let place = Place::with_limits(&simulator, &["acme"], limits);
    place.settings("concurrency = 64\n");
    enqueue(&place, &["acme"], 20);
    let _ = place.run(&["work", "--drain"]).with(0);
    let done = place.list();
    let more: Vec<Signup> = (100..500)
        .map(|n| Signup::new("acme", "five_steps", n))
        .collect();
    place.write("more.jsonl", &lines_of(&more));
    let _ = place.run(&["enqueue", "more.jsonl"]).with(0);
    let worker = place.start(&["work"]);
    until("the worker has its connections open", || {
        (simulator.stats()["acme"]["max_connections"].as_u64() >= Some(38)).then_some(())
    });
    let verify = |n: usize| {
        let id = done[n]["id"].as_str().expect("an id");
        place.start(&["verify", id])
    };
    let check = |_| place.start(&["accounts", "check", "acme"]);
    let beside: Vec<Program> = (0..VERIFYING)
        .map(verify)
        .chain((0..CHECKING).map(check))
        .collect();
    for program in beside {
        let _ = program.wait().with(0);
    }
    drop(worker);
    let stats = simulator.stats();
    let most = stats["acme"]["max_connections"].as_u64().unwrap();
    assert!((40..=50).contains(&most), "{stats:#}");
}
