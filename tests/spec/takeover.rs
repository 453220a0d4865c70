//! The promise: what a killed worker held is taken over when its lease ends, and not before; a
//! worker that was stopped for longer finds its writes refused, lets go and sends nothing more.
//!
//! The method: two workers on one Redis. The first is killed or stopped while a request of it is in
//! flight; the simulator's log tells when the other one begins.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tests::{
    Collection, Place, Program, Resources, Signal, Signup, Simulator, StoreKind, exactly_once,
    lines_of, repeats_without_a_read, until,
};

/// Of the settings that places begin with.
const LEASE: Duration = Duration::from_millis(4000);

/// A worker renews its leases every quarter of their length, so that much may have passed of them
/// when it is killed. The rest is for a busy machine.
const AT_LEAST: Duration = Duration::from_millis(2500);

/// How long after a lease's end another worker may take to begin, on a busy machine.
const AT_MOST: Duration = Duration::from_millis(5500);

fn place(simulator: &Simulator) -> Place {
    let place = Place::new(simulator, &["acme", "globex"]).kept_in(StoreKind::Redis);
    place.settings("log_level = \"info\"\n");
    place
}

fn enqueue(place: &Place, account: &str) {
    // No two accounts may have one number.
    let signup = Signup::new(account, "everything", account.len())
        .with("key", account)
        .with("caller_id", "+918000000001");
    place.write("one.jsonl", &lines_of(&[signup]));
    let _ = place.run(&["enqueue", "one.jsonl"]).with(0);
}

fn in_flight(simulator: &Simulator, collection: Collection) {
    until("the request is in flight", || {
        let last = simulator.requests_of("acme").pop()?;
        (last.makes(collection) && last.status.is_none()).then_some(())
    });
}

fn until_succeeded(place: &Place, key: &str) {
    until("it has succeeded", || {
        let shown = place.run(&["status", key, "--json"]).with(0);
        (shown.record("onboarding")["state"] == "succeeded").then_some(())
    });
}

fn assert_exactly_one(simulator: &Simulator, place: &Place) {
    let shown = place.run(&["handoff", "acme", "--show-secrets", "--json"]);
    let handoff = shown.with(0).record("handoff");
    let state = simulator.state();
    let mut wrong = exactly_once(&state["acme"], &handoff, Resources::EVERYTHING);
    wrong.extend(repeats_without_a_read(&simulator.requests_of("acme")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn begun(worker: &Program) {
    until("the worker has started", || {
        (worker.said("worker started") > 0).then_some(())
    });
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

#[test]
fn what_a_killed_worker_held_is_taken_over_when_its_lease_ends_and_not_before() {
    let simulator = Simulator::start();
    let place = place(&simulator);
    let slow = json!({"method": "POST", "path": "/phone-numbers$", "nth": 1, "delay_ms": 600_000});
    simulator.break_with(&[slow]);
    let first = place.start(&["work"]);
    begun(&first);
    enqueue(&place, "acme");
    in_flight(&simulator, Collection::Numbers);
    // There all the time, and idle.
    let second = place.start(&["work"]);
    begun(&second);
    let before = simulator.requests_of("acme").len();
    first.kill();
    let killed = now_ms();
    until_succeeded(&place, "acme");

    let log = simulator.requests_of("acme");
    let next = &log[before];
    assert!(next.lists(Collection::Numbers), "{next:#?}");
    let after = Duration::from_millis(next.at_ms.saturating_sub(killed));
    assert!(after > AT_LEAST, "after {after:?} of {LEASE:?}");
    assert!(after < AT_MOST, "after {after:?} of {LEASE:?}");
    assert_exactly_one(&simulator, &place);
}

#[test]
fn a_worker_that_was_stopped_finds_its_writes_refused_and_sends_nothing_more() {
    for collection in [Collection::Trunks, Collection::Credentials] {
        let simulator = Simulator::start();
        let place = place(&simulator);
        // Its answer comes while the worker is stopped.
        simulator.break_with(&[json!({
            "method": "POST", "path": format!("{}$", collection.suffix()), "nth": 1, "delay_ms": 500,
        })]);
        let first = place.start(&["work"]);
        begun(&first);
        enqueue(&place, "acme");
        in_flight(&simulator, collection);
        first.signal(Signal::STOP);
        let second = place.start(&["work"]);
        until_succeeded(&place, "acme");
        let log = simulator.requests_of("acme");

        first.signal(Signal::CONT);
        until("it lets go", || {
            (first.said("lease lost; let go") == 1).then_some(())
        });
        // It is as good as new: alone, it does what comes next.
        second.signal(Signal::TERM);
        let _ = second.wait().with(0);
        enqueue(&place, "globex");
        until_succeeded(&place, "globex");
        assert_eq!(simulator.requests_of("acme"), log, "{collection:?}");
        assert_exactly_one(&simulator, &place);
    }
}
