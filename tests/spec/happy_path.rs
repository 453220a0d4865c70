//! The promise: a file of signups becomes working trunks with one request per step, and running it
//! again sends nothing.
//!
//! The method: the binary against a simulator whose log of requests is counted.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};
use tests::{
    Ended, Place, Resources, Signup, Simulator, StoreKind, exactly_once, lines_of, resources,
};

/// Signups of built-in recipes: digest outbound; inbound; both; an ACL of two addresses.
fn signups() -> Vec<Signup> {
    vec![
        Signup::new("acme", "retell", 1)
            .with("direction", "outbound")
            .with("key", "crm-1"),
        Signup::new("acme", "retell", 2).with("direction", "inbound"),
        Signup::new("globex", "retell", 3)
            .with("direction", "both")
            .with("caller_id", "+918000000003"),
        Signup::new("globex", "vapi", 4).with("trunk_name", "vapi_out"),
    ]
}

fn steps_of(record: &Value) -> usize {
    record["steps"].as_array().expect("steps").len()
}

fn onboard(place: &Place) -> Ended {
    place.run(&["onboard", "signups.jsonl", "--out", "out", "--json"])
}

on_both_stores!(
    the_happy_path_sends_one_request_per_step_and_a_second_run_sends_none,
    a_larger_batch_leaves_one_set_of_resources_per_signup,
);

fn the_happy_path_sends_one_request_per_step_and_a_second_run_sends_none(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme", "globex"]).kept_in(kind);
    place.write("signups.jsonl", &lines_of(&signups()));

    let first = onboard(&place).with(0);
    let records = first.records_of("onboarding");
    assert_eq!(records.len(), 4, "{}", first.stdout);
    assert!(records.iter().all(|record| record["state"] == "succeeded"));
    let steps: usize = records.iter().map(steps_of).sum();
    let log = simulator.requests();
    assert_eq!(log.len(), steps, "{log:#?}");
    assert!(log.iter().all(|request| request.method == "POST"));
    let summary = first.record("summary");
    assert_eq!(summary["requests"], json!(steps));
    assert_eq!(summary["succeeded"], 4);

    let before = simulator.state();
    let second = onboard(&place).with(0);
    assert_eq!(simulator.requests().len(), steps, "{}", second.stdout);
    assert_eq!(simulator.state(), before);
    assert_eq!(second.record("summary")["requests"], 0);
    assert_eq!(second.record("summary")["succeeded"], 4);
}

#[test]
fn every_handoff_says_what_the_simulator_has_and_is_for_its_owner_only() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]);
    let signup = Signup::new("acme", "everything", 1).with("caller_id", "+918000000001");
    place.write("signups.jsonl", &lines_of(&[signup]));
    let _ = onboard(&place).with(0);

    let handoffs = place.handoffs("out");
    assert_eq!(handoffs.len(), 1);
    let handoff = &handoffs[0];
    let wrong = exactly_once(&simulator.state()["acme"], handoff, Resources::EVERYTHING);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let password = handoff["credentials"]["password"].as_str().unwrap();
    assert_eq!(password.len(), 24, "{password}");
    assert!(password.chars().all(|c| c.is_ascii_alphanumeric()));
    assert_eq!(handoff["partner_settings"]["password"], password);
    let path = place
        .path("out")
        .join(format!("{}.json", handoff["id"].as_str().unwrap()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&place.path("out")), 0o700);
    assert_eq!(mode(&place.path("trunkline.db")), 0o600);
    assert_eq!(mode(&place.path("trunkline.db.key")), 0o600);
}

#[test]
fn a_handoff_file_that_is_lost_is_written_again_by_the_same_command() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]);
    let signup = Signup::new("acme", "everything", 1);
    place.write("signups.jsonl", &lines_of(&[signup]));
    let _ = onboard(&place).with(0);
    let first = place.handoffs("out");
    fs::remove_dir_all(place.path("out")).unwrap();
    let _ = onboard(&place).with(0);
    assert_eq!(place.handoffs("out"), first);
}

#[test]
fn signups_in_csv_json_lines_and_an_array_and_on_stdin_are_the_same_signups() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]);
    let csv = "account,partner,number\nacme,retell,+918000000001\nacme,retell,+918000000002\n";
    place.write("signups.csv", csv);
    let rows: Vec<Signup> = (1..=2).map(|n| Signup::new("acme", "retell", n)).collect();
    let lines = lines_of(&rows);
    place.write("signups.jsonl", &lines);
    place.write(
        "signups.json",
        &format!("[{}]", lines.trim().replace('\n', ",")),
    );
    let first = place.run(&["enqueue", "signups.csv", "--json"]).with(0);
    assert_eq!(first.record("enqueued")["accepted"], 2);
    for file in ["signups.jsonl", "signups.json", "signups.csv"] {
        let again = place.run(&["enqueue", file, "--json"]).with(0);
        let told = again.record("enqueued");
        assert_eq!(
            (&told["accepted"], &told["duplicates"]),
            (&json!(0), &json!(2))
        );
    }
    let mut command = place.command(&["enqueue", "-", "--json"]);
    command.stdin(fs::File::open(place.path("signups.csv")).unwrap());
    let piped = place.launch(command).wait().with(0);
    assert_eq!(piped.record("enqueued")["duplicates"], 2);
}

#[test]
fn the_example_signups_all_succeed_in_the_sandbox_and_again_without_a_request() {
    let place = Place::bare();
    place.settings("");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/signups.csv");
    let examples = examples.to_str().unwrap();
    let rows = fs::read_to_string(examples).unwrap().lines().count() - 1;
    assert!(rows >= 40, "{rows} examples");
    let run = || place.run(&["onboard", examples, "--sandbox", "--out", "out", "--json"]);

    let first = run().with(0);
    let records = first.records_of("onboarding");
    assert_eq!(records.len(), rows);
    let summary = first.record("summary");
    assert_eq!(summary["succeeded"], json!(rows));
    let steps: usize = records.iter().map(steps_of).sum();
    assert_eq!(summary["requests"], json!(steps));
    assert_eq!(place.handoffs("out").len(), rows);
    // The simulator's file has the passwords that were sent to it.
    let kept = fs::metadata(place.path("trunkline.db.sandbox")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);

    let second = run().with(0);
    assert_eq!(second.record("summary")["requests"], 0);
    assert_eq!(second.record("summary")["succeeded"], json!(rows));
}

fn a_larger_batch_leaves_one_set_of_resources_per_signup(kind: StoreKind) {
    let simulator = Simulator::start();
    let accounts = ["acme", "globex", "initech"];
    let place = Place::new(&simulator, &accounts).kept_in(kind);
    let rows: Vec<Signup> = (0..150)
        .map(|n| {
            Signup::new(accounts[n % 3], "everything", n).with("caller_id", &format!("+9180{n:08}"))
        })
        .collect();
    place.write("signups.jsonl", &lines_of(&rows));
    let ended = onboard(&place).with(0);
    assert_eq!(ended.record("summary")["succeeded"], 150);
    let state = simulator.state();
    for account in accounts {
        let found = resources(&state[account]);
        assert_eq!(found, Resources::EVERYTHING.times(50), "{account}");
    }
}
