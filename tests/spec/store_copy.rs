//! The promise: `store copy` moves everything to another store, whatever kills it; each onboarding is
//! still run exactly once, and nobody works on a store that has left or is not whole.
//!
//! The method: a database file with onboardings in every state, of which one was in flight when its
//! worker was killed; copies that are killed while they are under way; the other store worked off.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tests::{
    Collection, Ended, PATIENCE, Place, Resources, Server, Signup, Simulator, StoreKind, csv_of,
    exactly_once, lines_of, repeats_without_a_read, until, until_within,
};

on_both_stores!(
    a_copy_that_is_killed_goes_on_and_everything_arrives_once,
    what_was_in_flight_is_read_back_and_no_window_is_exceeded,
);

/// How many wait besides: enough for a copy to be killed in the middle.
const BULK: usize = 1500;

/// Between two looks that start a process.
const LOOK: Duration = Duration::from_millis(100);

const FROM: &str = "sqlite:trunkline.db";
const ACCOUNTS: [&str; 6] = ["acme", "globex", "initech", "umbrella", "hooli", "stark"];

/// The same place with another store, and that one's URL.
fn with_another_store(place: Place, kind: StoreKind) -> (Place, String) {
    let place = match kind {
        StoreKind::Sqlite => place,
        StoreKind::Redis => place.on_redis(&Server::shared().url()),
    };
    if kind == StoreKind::Sqlite {
        place.settings("store = \"sqlite:moved.db\"\n");
        return (place, "sqlite:moved.db".into());
    }
    let settings = fs::read_to_string(place.path("trunkline.toml")).unwrap();
    let line = settings
        .lines()
        .find_map(|line| line.strip_prefix("store = "));
    let to = line
        .expect("it names its store")
        .trim_matches('"')
        .to_owned();
    (place, to)
}

fn everything(account: &str, n: usize) -> Signup {
    // Numbers apart from those of the bulk.
    Signup::new(account, "everything", 900_000 + n)
        .with("caller_id", "+918000000099")
        .with("key", account)
}

fn list(place: &Place, store: &str) -> Vec<Value> {
    place
        .run(&["list", "--store", store, "--json"])
        .with(0)
        .records()
}

fn total(place: &Place) -> Option<u64> {
    let shown = place.run(&["status", "--json"]);
    let records = shown.records_of("tally");
    records.first()?["total"].as_u64()
}

fn refused(place: &Place, arguments: &[&str], wanted: &str) {
    let ran: Ended = place.run(arguments).with(2);
    assert!(ran.stderr.contains(wanted), "{arguments:?}: {}", ran.stderr);
}

/// One onboarding in each state, by account.
fn every_state(simulator: &Simulator, place: &Place) {
    simulator.accept_only(&ACCOUNTS.map(|account| {
        let token = if account == "initech" {
            "another"
        } else {
            "token"
        };
        json!({"account_sid": account, "api_key": "key", "api_token": token})
    }));
    simulator.break_with(&[
        json!({"account": "globex", "path": "/credentials$", "nth": 1, "status": 400}),
        json!({"account": "umbrella", "status": 429, "retry_after": 3600}),
    ]);
    let signups: Vec<Signup> = ["acme", "globex", "initech", "umbrella"]
        .iter()
        .enumerate()
        .map(|(n, account)| everything(account, n))
        .collect();
    place.write("states.jsonl", &lines_of(&signups));
    let _ = place.run(&["enqueue", "states.jsonl"]).with(0);
    let worker = place.start(&["work"]);
    until("each is where it is wanted", || {
        let states: Vec<Value> = place
            .list()
            .iter()
            .map(|own| own["state"].clone())
            .collect();
        let closed = simulator.requests_of("umbrella").len() == 1;
        (closed && json!(states) == json!(["succeeded", "failed", "blocked", "queued"]))
            .then_some(())
    });
    worker.signal(tests::Signal::TERM);
    let _ = worker.wait().with(0);
    let _ = place.run(&["cancel", "umbrella"]).with(0);
}

fn a_copy_that_is_killed_goes_on_and_everything_arrives_once(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &ACCOUNTS);
    every_state(&simulator, &place);
    place.write("bulk.csv", &csv_of(BULK, &["hooli", "stark"]));
    let _ = place.run(&["enqueue", "bulk.csv"]).with(0);
    let all = BULK as u64 + 4;
    let (place, to) = with_another_store(place, kind);
    let copy = ["store", "copy", FROM, &to, "--json"];

    let mut arrived = 0;
    for _ in 0..2 {
        let under_way = place.start(&copy);
        arrived = until("more has arrived", || {
            total(&place).filter(|now| *now > arrived)
        });
        under_way.kill();
        if arrived == all {
            break;
        }
        // Nobody works on either while it is under way.
        refused(&place, &["enqueue", "bulk.csv"], "store copy");
        refused(&place, &["work", "--drain"], "store copy");
        refused(
            &place,
            &["enqueue", "bulk.csv", "--store", FROM],
            "store copy",
        );
        refused(&place, &["work", "--drain", "--store", FROM], "store copy");
        refused(&place, &["retry", "globex", "--store", FROM], "store copy");
        assert_eq!(list(&place, FROM).len() as u64, all);
    }
    let copied = place.run(&copy).with(0).record("copied");
    let counts = [
        "total",
        "queued",
        "succeeded",
        "failed",
        "blocked",
        "cancelled",
    ];
    let counts = counts.map(|name| copied[name].as_u64().unwrap());
    assert_eq!(counts, [all, BULK as u64, 1, 1, 1, 1], "{copied}");
    assert!(copied["skipped"].as_u64() >= Some(arrived), "{copied}");
    assert_eq!(list(&place, FROM), list(&place, &to));

    left_for_good(&place, &copy, all);
    all_of_it_runs_once(&simulator, &place);
}

fn left_for_good(place: &Place, copy: &[&str], all: u64) {
    // The first is left for good, and copying again copies nothing.
    refused(place, &["work", "--drain", "--store", FROM], "was moved to");
    refused(
        place,
        &["enqueue", "bulk.csv", "--store", FROM],
        "was moved to",
    );
    refused(
        place,
        &["accounts", "resume", "--all", "--store", FROM],
        "was moved to",
    );
    refused(
        place,
        &["store", "copy", FROM, "sqlite:third.db"],
        "was moved to",
    );
    let again = place.run(copy).with(0).record("copied");
    assert_eq!(again["skipped"], all, "{again}");
    let told = place.run(&["enqueue", "bulk.csv", "--json"]).with(0);
    assert_eq!(told.record("enqueued")["duplicates"], BULK);
}

fn all_of_it_runs_once(simulator: &Simulator, place: &Place) {
    // The bulk runs at once: nothing had been sent for its accounts.
    let worker = place.start(&["work"]);
    until_within(PATIENCE, LOOK, "the bulk is done", || {
        (place.tally()["succeeded"] == BULK as u64 + 1).then_some(())
    });
    worker.signal(tests::Signal::TERM);
    let _ = worker.wait().with(0);
    let made = simulator.requests();
    let made = made.iter().filter(|it| it.makes(Collection::Trunks));
    assert_eq!(
        made.filter(|it| ["hooli", "stark"].contains(&it.account.as_str()))
            .count(),
        BULK
    );
    let blocked = place.run(&["status", "initech"]).with(0).stdout;
    assert!(
        blocked.contains("is blocked") && blocked.contains("resume initech"),
        "{blocked}"
    );
    let shown = place.run(&["handoff", "acme", "--show-secrets", "--json"]);
    let handoff = shown.with(0).record("handoff");
    let wrong = exactly_once(&simulator.state()["acme"], &handoff, Resources::EVERYTHING);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn what_was_in_flight_is_read_back_and_no_window_is_exceeded(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::with_limits(&simulator, &["acme"], "requests_per_minute = 200");
    simulator.break_with(&[json!({"path": "/credentials$", "nth": 1, "delay_ms": 1200})]);
    place.write("signups.jsonl", &lines_of(&[everything("acme", 1)]));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let worker = place.start(&["work"]);
    until("the request is in flight", || {
        let last = simulator.requests().pop()?;
        (last.makes(Collection::Credentials) && last.status.is_none()).then_some(())
    });
    refused(
        &place,
        &["store", "copy", FROM, "sqlite:other.db"],
        "has a worker",
    );
    worker.kill();
    let (place, to) = with_another_store(place, kind);
    let copied = place.run(&["store", "copy", FROM, &to, "--json"]).with(0);
    assert_eq!(copied.record("copied")["queued"], 1);

    let worker = place.start(&["work", "--drain", "--json"]);
    let _ = worker.wait().with(0);
    let shown = place.run(&["handoff", "acme", "--show-secrets", "--json"]);
    let handoff = shown.with(0).record("handoff");
    let log = simulator.requests();
    let mut wrong = exactly_once(&simulator.state()["acme"], &handoff, Resources::EVERYTHING);
    wrong.extend(repeats_without_a_read(&log));
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What the first store had sent counts for a minute after its answer; so long nothing is sent.
    let written = log
        .iter()
        .position(|it| it.makes(Collection::Credentials))
        .unwrap();
    let pause = log[written + 1].at_ms - log[written].at_ms;
    assert!(pause >= 60_000, "the next request came after {pause} ms");
}
