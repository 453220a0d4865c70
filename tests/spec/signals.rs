//! The promise: SIGTERM and SIGINT finish the request in flight, give leases back and exit; a
//! second one exits at once. Being stopped past a lease's end does no harm.
//!
//! The method: a request whose answer the simulator holds back, and signals sent while it is seen
//! in flight.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{
    Collection, Place, Program, Resources, Signal, Signup, Simulator, StoreKind, exactly_once,
    lines_of, repeats_without_a_read, until,
};

/// Nothing but the signal ends a request.
const PATIENT: &str =
    "request_timeout_ms = 60000\nshutdown_timeout_ms = 60000\nlease_ms = 100000\n";

fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    let place = Place::new(simulator, &["acme"]).kept_in(kind);
    place.settings(PATIENT);
    let signup = Signup::new("acme", "everything", 1).with("caller_id", "+918000000001");
    place.write("signups.jsonl", &lines_of(&[signup]));
    place
}

fn in_flight(simulator: &Simulator, collection: Collection) {
    until("the request is in flight", || {
        let last = simulator.requests().pop()?;
        (last.makes(collection) && last.status.is_none()).then_some(())
    });
}

fn told(program: &Program) {
    until("it says that it stops", || {
        program.stderr().contains("stopping").then_some(())
    });
}

fn finish(simulator: &Simulator, place: &Place) {
    let command = ["onboard", "signups.jsonl", "--out", "out", "--json"];
    let ended = place.run(&command).with(0);
    let handoffs = place.handoffs("out");
    assert_eq!(handoffs.len(), 1, "{}", ended.stderr);
    let mut wrong = exactly_once(
        &simulator.state()["acme"],
        &handoffs[0],
        Resources::EVERYTHING,
    );
    wrong.extend(repeats_without_a_read(&simulator.requests()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every write but the first takes long enough to be met in flight.
fn slow_numbers() -> serde_json::Value {
    json!({"method": "POST", "path": "/phone-numbers$", "delay_ms": 1500})
}

on_both_stores!(
    the_first_signal_finishes_the_request_in_flight_and_leaves_no_doubt,
    a_worker_that_was_stopped_past_its_lease_goes_on_without_doubling,
);

fn the_first_signal_finishes_the_request_in_flight_and_leaves_no_doubt(kind: StoreKind) {
    for (signal, arguments) in [
        (Signal::TERM, vec!["onboard", "signups.jsonl", "--json"]),
        (Signal::INT, vec!["onboard", "signups.jsonl", "--json"]),
        (Signal::TERM, vec!["work", "--json"]),
        (Signal::INT, vec!["work", "--drain", "--json"]),
    ] {
        let simulator = Simulator::start();
        let place = place(&simulator, kind);
        let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
        simulator.break_with(&[slow_numbers()]);
        let program = place.start(&arguments);
        in_flight(&simulator, Collection::Numbers);
        program.signal(signal);
        let ended = program.wait();
        let what = format!("{signal:?} to {arguments:?}: {}", ended.stderr);
        // Something is left, except where nobody asked for an end.
        let left = i32::from(arguments != ["work", "--json"]);
        assert_eq!(ended.code, Some(left), "{what}");

        let log = simulator.requests();
        assert_eq!(log.len(), 2, "{what}: {log:#?}");
        assert_eq!(log[1].status, Some(200), "{what}");
        let records = place.list();
        assert_eq!(records[0]["state"], "queued", "{what}");
        assert_eq!(records[0]["steps"][1]["state"], "done", "{what}");

        simulator.mend();
        finish(&simulator, &place);
        let log = simulator.requests();
        let reads_back = |collection| log.iter().filter(|it| it.lists(collection)).count();
        // The recipe's last step, verify, reads each list once.
        for collection in [
            Collection::Numbers,
            Collection::WhitelistedIps,
            Collection::Credentials,
            Collection::Destinations,
        ] {
            assert_eq!(reads_back(collection), 1, "{what}: {collection:?}");
        }
        assert_eq!(reads_back(Collection::Trunks), 0, "{what}");
    }
}

#[test]
fn a_second_signal_exits_at_once_and_the_next_run_reads_back() {
    for signal in [Signal::TERM, Signal::INT] {
        let simulator = Simulator::start();
        let place = place(&simulator, StoreKind::Sqlite);
        let hold = json!({"method": "POST", "path": "/phone-numbers$", "delay_ms": 600_000});
        simulator.break_with(&[hold]);
        let program = place.start(&["onboard", "signups.jsonl", "--json"]);
        in_flight(&simulator, Collection::Numbers);
        program.signal(signal);
        told(&program);
        program.signal(signal);
        let ended = program.wait();
        let status = 128 + signal.as_raw();
        assert_eq!(ended.code, Some(status), "{}", ended.stderr);
        simulator.mend();
        finish(&simulator, &place);
        let log = simulator.requests();
        let writes = log.iter().filter(|it| it.makes(Collection::Numbers));
        assert_eq!(writes.count(), 1, "it was found, not sent again: {log:#?}");
    }
}

#[test]
fn a_signal_while_the_input_is_read_accepts_nothing() {
    let simulator = Simulator::start();
    let place = place(&simulator, StoreKind::Sqlite);
    let mut command = place.command(&["onboard", "-", "--json"]);
    command.stdin(std::process::Stdio::piped());
    let mut program = place.launch(command);
    let stdin = program.stdin().expect("piped");
    until("it has taken the worker's place", || {
        place.path("trunkline.db.worker").exists().then_some(())
    });
    // The handlers are set before the place is taken.
    program.signal(Signal::TERM);
    let ended = program.wait();
    drop(stdin);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(place.tally()["total"], 0);
    assert!(simulator.requests().is_empty());
}

fn a_worker_that_was_stopped_past_its_lease_goes_on_without_doubling(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let lease = Duration::from_millis(1500);
    place.settings("lease_ms = 1500\nrequest_timeout_ms = 1000\nconnect_timeout_ms = 500\n");
    for collection in Collection::ONCE {
        // Its answer comes while the process is stopped, or not at all.
        simulator.break_with(&[json!({
            "method": "POST", "path": format!("{}$", collection.suffix()), "nth": 1, "delay_ms": 400,
        })]);
        let program = place.start(&["onboard", "signups.jsonl", "--out", "out", "--json"]);
        in_flight(&simulator, collection);
        program.signal(Signal::STOP);
        let stopped = Instant::now();
        until("the lease has ended", || {
            (stopped.elapsed() > lease * 2).then_some(())
        });
        program.signal(Signal::CONT);
        let ended = program.wait().with(0);
        let handoffs = place.handoffs("out");
        let account = &simulator.state()["acme"];
        let mut wrong = exactly_once(account, &handoffs[0], Resources::EVERYTHING);
        wrong.extend(repeats_without_a_read(&simulator.requests()));
        assert!(
            wrong.is_empty(),
            "{collection:?}: {wrong:#?}\n{}",
            ended.stderr
        );

        // The next round begins with nothing.
        place.lose_the_store();
        simulator.forget();
    }
}
