//! The promise: a kill or a person's hand at the wrong moment, while an earlier request may still be
//! processed, leaves one of each, and nothing is removed that is the last of its kind or somebody else's.
//!
//! The method: fault rules keep a request back; meanwhile the process is killed, or somebody changes
//! something at Exotel or in the store.

use serde_json::{Value, json};
use tests::{Place, Signup, Simulator, StoreKind, lines_of, until};

const SETTINGS: &str = "request_timeout_ms = 700\nconnect_timeout_ms = 400\nsettling_ms = 1500\n\
                        late_check_ms = 3000\nlease_ms = 1500\naccount_probe_ms = 0\n";

fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    let place = Place::new(simulator, &["acme"]).kept_in(kind);
    place.settings(SETTINGS);
    let signup = Signup::new("acme", "five_steps", 1).with("key", "crm-1");
    place.write("signups.jsonl", &lines_of(&[signup]));
    place
}

/// The trunks of the account, and how much of each kind its first one has.
fn trunks(simulator: &Simulator) -> Vec<Value> {
    let state = simulator.state();
    state["acme"]["trunks"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn ids(simulator: &Simulator, kind: &str) -> Vec<String> {
    let mut trunks = trunks(simulator);
    assert!(!trunks.is_empty(), "there is no trunk");
    let listed = trunks[0][kind].as_array_mut().expect("a list").drain(..);
    listed
        .map(|it| it["id"].as_str().expect("an id").to_owned())
        .collect()
}

fn own(place: &Place) -> Value {
    place
        .run(&["status", "crm-1", "--json"])
        .with(0)
        .record("onboarding")
}

fn until_is_sent(simulator: &Simulator, method: &str, path: &str, times: usize) {
    until("the request is sent", || {
        let all = simulator.requests();
        let sent = all
            .iter()
            .filter(|it| it.method == method && it.path.ends_with(path));
        (sent.count() >= times).then_some(())
    });
}

fn until_checked(place: &Place) {
    until("every late check was made", || {
        let _ = place.run(&["work", "--drain"]);
        (place.tally()["late_checks_left"] == 0).then_some(())
    });
}

on_both_stores!(
    a_kill_in_the_middle_of_a_repeat_waits_for_the_repeat_as_well,
    what_was_under_way_at_a_kill_is_found_after_a_cancel,
    a_copy_that_became_the_only_one_is_not_removed,
);

fn a_kill_in_the_middle_of_a_repeat_waits_for_the_repeat_as_well(kind: StoreKind) {
    for (path, list) in [
        ("/destination-uris", "destinations"),
        ("/credentials", "credentials"),
    ] {
        let simulator = Simulator::start();
        simulator.append_credentials();
        let place = place(&simulator, kind);
        let rule = |nth: u64| json!({"method": "POST", "path": format!("{path}$"), "nth": nth});
        let (mut lost, mut kept_back) = (rule(1), rule(2));
        lost["reset_before"] = json!(true);
        kept_back["hold_ms"] = json!(600_000);
        kept_back["late_ms"] = json!(1_000);
        simulator.break_with(&[lost, kept_back]);
        let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
        let worker = place.start(&["work"]);
        until_is_sent(&simulator, "POST", path, 2);
        worker.kill();
        let _ = place.run(&["work", "--drain"]).with(0);
        assert_eq!(own(&place)["state"], "succeeded");
        simulator.process_pending();
        assert_eq!(
            ids(&simulator, list).len(),
            1,
            "{path}: {:#?}",
            simulator.requests()
        );
    }
}

fn what_was_under_way_at_a_kill_is_found_after_a_cancel(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let rule =
        json!({"method": "POST", "path": "/trunks$", "nth": 1, "hold_ms": 600_000, "late_ms": 500});
    simulator.break_with(&[rule]);
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let worker = place.start(&["work"]);
    until_is_sent(&simulator, "POST", "/trunks", 1);
    let _ = place.run(&["accounts", "park", "acme"]).with(0);
    worker.kill();
    // A worker takes it back and must not run it.
    let next = place.start(&["work"]);
    until("it waits for its account", || {
        (own(&place)["state"] == "blocked").then_some(())
    });
    let _ = place.run(&["cancel", "crm-1"]).with(0);
    next.signal(rustix::process::Signal::TERM);
    let _ = next.wait();
    assert_eq!(own(&place)["state"], "cancelled");
    let _ = place.run(&["accounts", "resume", "acme"]).with(0);
    until_checked(&place);
    let found = own(&place)["steps"][0]["result"]["trunk_sid"].clone();
    assert_eq!(found, trunks(&simulator)[0]["trunk_sid"], "{}", own(&place));
    // Another signup of its number, and a retry that has to wait for that one: it says what is there.
    let other = Signup::new("acme", "five_steps", 1).with("key", "crm-2");
    place.write("other.jsonl", &lines_of(&[other]));
    let _ = place.run(&["onboard", "other.jsonl"]).with(0);
    let _ = place.run(&["retry", "crm-1"]).with(0);
    let _ = place.run(&["work", "--drain"]);
    let sid = found.as_str().expect("a SID");
    let message = own(&place)["error"]["message"].clone();
    assert!(
        message.as_str().is_some_and(|it| it.contains(sid)),
        "{message}"
    );
}

fn a_copy_that_became_the_only_one_is_not_removed(kind: StoreKind) {
    let simulator = Simulator::start();
    simulator.append_credentials();
    let place = place(&simulator, kind);
    let kinds = [
        ("/destination-uris", "destinations"),
        ("/credentials", "credentials"),
    ];
    let rules = kinds.map(|(path, _)| {
        json!({"method": "POST", "path": format!("{path}$"), "nth": 1, "reset_before": true, "late_ms": 600_000})
    });
    simulator.break_with(&rules);
    let _ = place.run(&["onboard", "signups.jsonl"]).with(0);
    let on_record = kinds.map(|(_, list)| (list, ids(&simulator, list)));
    simulator.process_pending();
    let sid = trunks(&simulator)[0]["trunk_sid"]
        .as_str()
        .expect("a SID")
        .to_owned();
    for ((list, kept), (path, _)) in on_record.iter().zip(kinds) {
        assert_eq!(ids(&simulator, list).len(), 2, "{list}");
        let path = format!("trunks/{sid}{path}?id={}", kept[0]);
        simulator.ask_as_somebody("DELETE", "acme", &path, &Value::Null);
        assert_eq!(ids(&simulator, list).len(), 1, "{list}");
    }
    until_checked(&place);
    for (_, list) in kinds {
        assert_eq!(
            ids(&simulator, list).len(),
            1,
            "{list}: {:#?}",
            simulator.requests()
        );
    }
}

#[test]
fn a_trunk_that_got_another_number_while_it_was_removed_stays() {
    let simulator = Simulator::start();
    let place = place(&simulator, StoreKind::Sqlite);
    let other = simulator.create_trunk("acme", "somebodys");
    let number = |it: &str| json!({ "phone_number": it });
    let numbers = |trunk: &str| format!("trunks/{trunk}/phone-numbers");
    simulator.ask_as_somebody("POST", "acme", &numbers(&other), &number("+918000000001"));
    let busy =
        json!({"method": "DELETE", "path": "/trunks", "nth": 1, "status": 429, "retry_after": 3});
    simulator.break_with(&[busy]);
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let worker = place.start(&["work", "--drain"]);
    until("the trunk is to be removed", || {
        let all = simulator.requests();
        all.iter().any(|it| it.method == "DELETE").then_some(())
    });
    let ours = trunks(&simulator)
        .iter()
        .filter_map(|it| it["trunk_sid"].as_str().map(str::to_owned))
        .find(|sid| *sid != other)
        .expect("our trunk");
    simulator.ask_as_somebody("POST", "acme", &numbers(&ours), &number("+918000099999"));
    let _ = worker.wait().with(1);
    assert_eq!(trunks(&simulator).len(), 2);
    let message = own(&place)["error"]["message"].clone();
    let message = message.as_str().expect("why it failed");
    assert!(
        message.contains("was not removed: it has number mapping"),
        "{message}"
    );
    assert!(
        message.contains(&format!("Left on Exotel's side: trunk {ours}")),
        "{message}"
    );
}
