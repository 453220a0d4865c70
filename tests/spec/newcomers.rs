//! The promise: an account that comes while a worker runs is served without starting it again: one that
//! the accounts file gains, and in the sandbox one that a signup names first.
//!
//! The method: a worker is started first; the accounts come after it.

use std::fs;

use serde_json::json;
use tests::{Place, Resources, Signup, Simulator, StoreKind, lines_of, resources, until};

on_both_stores!(an_account_that_the_file_gains_is_served_by_a_running_worker);

fn until_succeeded(place: &Place, count: usize) {
    until("they have succeeded", || {
        (place.tally()["succeeded"] == json!(count)).then_some(())
    });
}

/// The accounts file with a copy of `acme` under another name.
fn with_another(place: &Place, name: &str) -> String {
    let text = fs::read_to_string(place.path("accounts.toml")).unwrap();
    format!("{text}\n{}", text.replace("acme", name))
}

fn an_account_that_the_file_gains_is_served_by_a_running_worker(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]).kept_in(kind);
    let first = Signup::new("acme", "five_steps", 1);
    let second = Signup::new("globex", "five_steps", 2);
    place.write("first.jsonl", &lines_of(&[first]));
    place.write("second.jsonl", &lines_of(&[second]));
    let worker = place.start(&["work"]);
    let _ = place.run(&["enqueue", "first.jsonl"]).with(0);
    until_succeeded(&place, 1);
    let _ = place.run(&["enqueue", "second.jsonl"]).with(2);

    // A mistake in the file is told and disturbs nobody.
    let good = with_another(&place, "globex");
    place.write("accounts.toml", &good.replace("EXOTEL_KEY", "NOT_SET"));
    until("it tells of the mistake", || {
        (worker.said("NOT_SET") > 0).then_some(())
    });
    place.write("accounts.toml", &good);
    let _ = place.run(&["enqueue", "second.jsonl"]).with(0);
    until_succeeded(&place, 2);
    let state = simulator.state();
    for account in ["acme", "globex"] {
        assert_eq!(resources(&state[account]), Resources::ONE_EACH, "{account}");
    }
    assert_eq!(worker.said("NOT_SET"), 1, "{}", worker.stderr());
}

#[test]
fn an_account_that_a_signup_names_first_is_served_by_a_running_sandbox() {
    let place = Place::bare();
    let worker = place.start(&["work", "--sandbox"]);
    until("it has taken the worker's place", || {
        place.path("trunkline.db.worker").exists().then_some(())
    });
    for (n, account) in ["acme", "globex", "initech"].into_iter().enumerate() {
        let signup = Signup::new(account, "five_steps", n);
        place.write("signups.jsonl", &lines_of(&[signup]));
        let _ = place
            .run(&["enqueue", "signups.jsonl", "--sandbox"])
            .with(0);
        until_succeeded(&place, n + 1);
    }
    drop(worker);
}
