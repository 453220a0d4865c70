//! The promise: a secret that cannot be read makes its account unusable and no other, everybody who looks
//! is told why, and once it is there its onboardings go on. Where no worker runs and work waits, that is
//! said, too.
//!
//! The method: of two accounts at the simulator one has its token in a file that is moved away.

use std::fs;

use serde_json::{Value, json};
use tests::{
    Ended, Place, Resources, Signal, Signup, Simulator, StoreKind, lines_of, resources, until,
};

on_both_stores!(
    a_secret_that_cannot_be_read_stops_its_account_and_no_other,
    work_that_waits_while_no_worker_runs_is_said_to_whoever_looks,
);

/// The accounts `acme` and `globex`, a signup of each, and the token of `globex` in a file.
fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    let place = Place::new(simulator, &["acme", "globex"]).kept_in(kind);
    let text = fs::read_to_string(place.path("accounts.toml")).unwrap();
    let (acme, globex) = text.split_once("[accounts.globex]").unwrap();
    let globex = globex.replace("env = \"EXOTEL_TOKEN\"", "file = \"globex_token\"");
    place.write("accounts.toml", &format!("{acme}[accounts.globex]{globex}"));
    let signups = [
        Signup::new("acme", "five_steps", 1),
        Signup::new("globex", "five_steps", 2),
    ];
    place.write("signups.jsonl", &lines_of(&signups));
    place
}

fn account(place: &Place, name: &str) -> Value {
    let listed = place.run(&["accounts", "list", "--json"]).with(0);
    let all = listed.records_of("account");
    let own = all.into_iter().find(|own| own["name"] == name);
    own.expect("it is listed")
}

fn says(ended: &Ended, what: &str) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains(what), "{}: {said}", ended.what);
}

fn a_secret_that_cannot_be_read_stops_its_account_and_no_other(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let onboarded = place.run(&["onboard", "signups.jsonl", "--json"]).with(1);
    says(&onboarded, "globex_token");
    let summary = onboarded.record("summary");
    let came = ["total", "succeeded", "blocked", "failed"].map(|name| summary[name].clone());
    assert_eq!(came, [2, 1, 1, 0].map(|count| json!(count)));

    let _ = place.run(&["accounts", "check", "acme"]).with(0);
    let checked = place.run(&["accounts", "check", "--json"]).with(1);
    let checked = checked.records_of("account_check");
    assert_eq!(checked[0]["works"], true);
    assert_eq!(checked[1]["error"]["code"], "unusable");
    says(
        &place.run(&["accounts", "check", "globex"]).with(2),
        "globex_token",
    );
    let _ = place.run(&["verify", "--all"]).with(0);
    let _ = place.run(&["plan", "signups.jsonl"]).with(0);
    says(&place.run(&["work", "--drain"]).with(1), "globex_token");

    let worker = place.start(&["work"]);
    let why = until("the worker has said what it cannot serve", || {
        let why = account(&place, "globex")["unusable"].clone();
        why.as_str().map(ToOwned::to_owned)
    });
    assert!(
        why.contains("globex_token") && why.contains("accounts.toml"),
        "{why}"
    );
    assert_eq!(account(&place, "acme")["unusable"], Value::Null);
    says(&place.run(&["status"]).with(0), "globex_token");
    let later = lines_of(&[Signup::new("globex", "five_steps", 3)]);
    place.write("later.jsonl", &later);
    says(
        &place.run(&["enqueue", "later.jsonl"]).with(0),
        "globex_token",
    );

    place.write("globex_token", "token");
    until("they have succeeded", || {
        (place.tally()["succeeded"] == json!(3)).then_some(())
    });
    until("nothing is said against it any more", || {
        account(&place, "globex")["unusable"]
            .is_null()
            .then_some(())
    });
    let state = simulator.state();
    assert_eq!(resources(&state["globex"]), Resources::ONE_EACH.times(2));
    drop(worker);
}

fn work_that_waits_while_no_worker_runs_is_said_to_whoever_looks(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let remedy = "no worker is running";
    let enqueued = place.run(&["enqueue", "signups.jsonl"]).with(0);
    for ended in [
        enqueued,
        place.run(&["status"]).with(0),
        place.run(&["accounts", "list"]).with(0),
    ] {
        says(&ended, remedy);
        says(&ended, "start `trunkline work`");
    }
    assert_eq!(place.tally()["workers_running"], 0);
    let worker = place.start(&["work"]);
    until("the worker is heard of", || {
        (place.tally()["workers_running"] == json!(1)).then_some(())
    });
    let status = place.run(&["status"]).with(0);
    assert!(!status.stderr.contains(remedy), "{}", status.stderr);
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
    assert_eq!(place.tally()["workers_running"], 0);
}
