//! The promise: one worker per store file, a second one is told so; everything else works beside it
//! from other processes, on a file and on Redis.
//!
//! The method: `work` runs, and the other commands are run while the simulator keeps it where it is
//! wanted.

use serde_json::{Value, json};
use tests::{
    Collection, Place, Resources, Signal, Signup, Simulator, StoreKind, exactly_once, lines_of,
    repeats_without_a_read, until,
};

fn enqueue(place: &Place, signup: Signup) -> String {
    let key = signup.field("account").to_owned();
    place.write("one.jsonl", &lines_of(&[signup.with("key", &key)]));
    let told = place.run(&["enqueue", "one.jsonl", "--json"]).with(0);
    assert_eq!(told.record("enqueued")["accepted"], 1);
    key
}

fn everything(account: &str, n: usize) -> Signup {
    Signup::new(account, "everything", n).with("caller_id", "+918000000099")
}

fn record(place: &Place, key: &str) -> Value {
    place
        .run(&["status", key, "--json"])
        .with(0)
        .record("onboarding")
}

fn until_state(place: &Place, key: &str, state: &str) -> Value {
    until(&format!("{key} is {state}"), || {
        let record = record(place, key);
        (record["state"] == state).then_some(record)
    })
}

fn exactly_one(simulator: &Simulator, place: &Place, key: &str) {
    let shown = place.run(&["handoff", key, "--show-secrets", "--json"]);
    let handoff = shown.with(0).record("handoff");
    let mut wrong = exactly_once(&simulator.state()[key], &handoff, Resources::EVERYTHING);
    wrong.extend(repeats_without_a_read(&simulator.requests_of(key)));
    assert!(wrong.is_empty(), "{key}: {wrong:#?}");
}

const ACCOUNTS: [&str; 5] = ["acme", "globex", "initech", "umbrella", "hooli"];

#[test]
fn a_second_worker_is_refused_and_told_why_and_the_first_goes_on() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &ACCOUNTS);
    let worker = place.start(&["work"]);
    let key = enqueue(&place, everything("acme", 1));
    let _ = until_state(&place, &key, "succeeded");

    place.write("two.jsonl", &lines_of(&[everything("globex", 2)]));
    for arguments in [
        vec!["work"],
        vec!["work", "--drain"],
        vec!["onboard", "two.jsonl"],
    ] {
        let refused = place.run(&arguments).with(2);
        assert!(
            refused.stderr.contains("worker") && refused.stderr.contains("trunkline.db"),
            "{arguments:?}: {}",
            refused.stderr
        );
    }
    // What was refused changed nothing.
    assert_eq!(place.tally()["total"], 1);

    let key = enqueue(&place, everything("globex", 2));
    let _ = until_state(&place, &key, "succeeded");
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
    // The place is free again.
    let _ = place.run(&["work", "--drain"]).with(0);
}

on_both_stores!(
    other_processes_enqueue_list_cancel_retry_and_resume_beside_a_worker,
    producers_that_enqueue_the_same_at_once_accept_it_once,
);

fn other_processes_enqueue_list_cancel_retry_and_resume_beside_a_worker(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &ACCOUNTS).kept_in(kind);
    place.settings("request_timeout_ms = 60000\nshutdown_timeout_ms = 60000\nlease_ms = 100000\n");
    simulator.accept_only(&ACCOUNTS.map(|account| {
        let token = if account == "initech" {
            "another"
        } else {
            "token"
        };
        json!({"account_sid": account, "api_key": "key", "api_token": token})
    }));
    simulator.break_with(&[
        json!({"account": "acme", "path": "/phone-numbers$", "method": "POST", "nth": 1, "delay_ms": 3000}),
        json!({"account": "globex", "path": "/credentials$", "nth": 1, "status": 400}),
        json!({"account": "umbrella", "status": 429, "retry_after": 3600}),
    ]);
    let worker = place.start(&["work"]);
    let keys = [1, 2, 3, 4].map(|n| enqueue(&place, everything(ACCOUNTS[n - 1], n)));
    let [slow, failing, refused, closed] = &keys;

    // One in flight is cancelled as soon as its answer is recorded.
    until("its request is in flight", || {
        let last = simulator.requests_of(slow).pop()?;
        (last.makes(Collection::Numbers) && last.status.is_none()).then_some(())
    });
    let _ = place.run(&["cancel", slow]).with(0);
    let cancelled = until_state(&place, slow, "cancelled");
    assert_eq!(cancelled["steps"][1]["state"], "done", "{cancelled}");
    assert_eq!(simulator.requests_of(slow).len(), 2);

    // One that failed is tried again; what was done stays done.
    let failed = until_state(&place, failing, "failed");
    assert_eq!(failed["error"]["step"], "create_credentials", "{failed}");
    let _ = place.run(&["retry", failing]).with(0);
    let _ = until_state(&place, failing, "succeeded");
    exactly_one(&simulator, &place, failing);

    // One of a parked account goes on when the account is resumed.
    let _ = until_state(&place, refused, "blocked");
    simulator.accept_any_key();
    let _ = place.run(&["accounts", "resume", refused]).with(0);
    let _ = until_state(&place, refused, "succeeded");
    exactly_one(&simulator, &place, refused);

    // One that waits is cancelled at once.
    let _ = until_state(&place, closed, "queued");
    let _ = place.run(&["cancel", closed]).with(0);
    assert_eq!(record(&place, closed)["state"], "cancelled");

    // And one that was cancelled goes on where it was.
    let _ = place.run(&["retry", slow]).with(0);
    let _ = until_state(&place, slow, "succeeded");
    exactly_one(&simulator, &place, slow);

    let states: Vec<Value> = place
        .list()
        .iter()
        .map(|record| json!([record["key"], record["state"]]))
        .collect();
    let wanted = json!([
        [slow, "succeeded"],
        [failing, "succeeded"],
        [refused, "succeeded"],
        [closed, "cancelled"],
    ]);
    assert_eq!(json!(states), wanted);
    let tally = place.tally();
    assert_eq!(
        (&tally["succeeded"], &tally["cancelled"]),
        (&json!(3), &json!(1))
    );
    let accounts = place.run(&["accounts", "list", "--json"]).with(0);
    assert_eq!(accounts.records_of("account").len(), ACCOUNTS.len());
    let failed = place.run(&["list", "--state", "failed", "--json"]).with(0);
    assert!(failed.records().is_empty(), "{}", failed.stdout);

    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
}

fn producers_that_enqueue_the_same_at_once_accept_it_once(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &ACCOUNTS).kept_in(kind);
    let signups: Vec<Signup> = (0..300)
        .map(|n| Signup::new(ACCOUNTS[n % 5], "retell", n))
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    let running: Vec<_> = (0..4)
        .map(|_| place.start(&["enqueue", "signups.jsonl", "--json"]))
        .collect();
    let accepted: u64 = running
        .into_iter()
        .map(|program| program.wait().with(0).record("enqueued")["accepted"].clone())
        .map(|accepted| accepted.as_u64().expect("a number"))
        .sum();
    assert_eq!(accepted, 300);
    assert_eq!(place.tally()["queued"], 300);
    let _ = place.run(&["work", "--drain"]).with(0);
    assert_eq!(place.tally()["succeeded"], 300);
    let trunks = simulator.requests();
    let made = trunks.iter().filter(|it| it.makes(Collection::Trunks));
    assert_eq!(made.count(), 300);
}
