//! The promise: a number is one onboarding's, whatever its account. Another signup of it is warned of
//! wherever it is planned or accepted, and fails before anything is sent, naming the one that has it.
//!
//! The method: a number moves to another platform, under another key, by every way in.

use serde_json::{Value, json};
use tests::{Place, Serving, Signup, Simulator, StoreKind, TOKENS, lines_of, resources};

const WARNED: &str = "+918000000001 is the number of the onboarding \"first\"";

on_both_stores!(
    a_number_of_another_onboarding_is_warned_of_by_every_way_in_and_costs_no_request,
    a_number_goes_on_with_another_onboarding_once_the_first_is_cancelled,
);

fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    let place = Place::new(simulator, &["acme", "globex"])
        .kept_in(kind)
        .with_tables(TOKENS);
    let first = Signup::new("acme", "five_steps", 1).with("key", "first");
    place.write("first.jsonl", &lines_of(&[first]));
    let later = Signup::new("globex", "five_steps", 1).with("key", "later");
    place.write("later.jsonl", &lines_of(&[later]));
    place
}

fn a_number_of_another_onboarding_is_warned_of_by_every_way_in_and_costs_no_request(
    kind: StoreKind,
) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let _ = place.run(&["onboard", "first.jsonl"]).with(0);

    let planned = place.run(&["plan", "later.jsonl", "--json"]).with(0);
    assert!(planned.stderr.contains(WARNED), "{}", planned.stderr);
    let warnings = planned.record("plan")["warnings"].to_string();
    assert!(warnings.contains("first"), "{warnings}");
    // Its own number is its own.
    let own = place.run(&["plan", "first.jsonl"]).with(0);
    assert!(!own.stderr.contains("is the number of"), "{}", own.stderr);

    let enqueued = place.run(&["enqueue", "later.jsonl", "--json"]).with(0);
    assert_eq!(enqueued.record("enqueued")["accepted"], 1);
    assert!(enqueued.stderr.contains(WARNED), "{}", enqueued.stderr);

    let serving = Serving::start(&place);
    let body = json!({"account": "acme", "partner": "everything", "number": "+918000000001", "key": "third"});
    let answer = serving.ask("POST", "/v1/onboardings", &body.to_string());
    assert_eq!(answer.status, 202, "{}", answer.text());
    let warning = &answer.json()["warnings"][0];
    assert_eq!(warning["pointer"], "/number", "{warning}");
    assert!(
        warning["message"].to_string().contains("first"),
        "{warning}"
    );

    let fourth = Signup::new("acme", "five_steps", 1).with("key", "fourth");
    place.write("fourth.jsonl", &lines_of(&[fourth]));
    let ended = place.run(&["onboard", "fourth.jsonl", "--json"]).with(1);
    assert!(ended.stderr.contains(WARNED), "{}", ended.stderr);
    let failed = ended.record("onboarding");
    assert_eq!(failed["error"]["code"], "number_in_use", "{failed}");
    assert!(
        failed["error"]["message"].to_string().contains("first"),
        "{failed}"
    );

    let _ = place.run(&["work", "--drain"]).with(1);
    assert_eq!(place.tally()["failed"], 3);
    let state = simulator.state();
    assert_eq!(resources(&state["acme"]).trunks, 1);
    assert_eq!(simulator.requests_of("globex").len(), 0);
    assert_eq!(state["globex"], Value::Null);
}

fn a_number_goes_on_with_another_onboarding_once_the_first_is_cancelled(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let _ = place.run(&["enqueue", "first.jsonl"]).with(0);
    let _ = place.run(&["enqueue", "later.jsonl"]).with(0);
    let refused = json!({"account": "acme", "method": "POST", "path": "/trunks$", "status": 400});
    simulator.break_with(&[refused]);
    let _ = place.run(&["work", "--drain"]).with(1);
    let _ = place.run(&["retry", "later"]).with(0);
    let _ = place.run(&["work", "--drain"]).with(1);
    assert_eq!(
        simulator.requests_of("globex").len(),
        0,
        "it is still there"
    );
    let _ = place.run(&["cancel", "first"]).with(0);
    let _ = place.run(&["retry", "later"]).with(0);
    let _ = place.run(&["work", "--drain"]).with(0);
    assert_eq!(resources(&simulator.state()["globex"]).numbers, 1);
}
