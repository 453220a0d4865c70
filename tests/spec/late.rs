//! The promise: what Exotel processes late is waited for, looked for once more, and told.
//!
//! The method: the first request for a destination is answered by a gateway's 504, and processed when
//! its repeat has long been done. What the commands say meanwhile, and what the next ones do.

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{Ended, Place, Signup, Simulator, StoreKind, lines_of, until};

/// Long enough to be seen, and after the repeat.
const SETTINGS: &str = "request_timeout_ms = 500\nconnect_timeout_ms = 400\nsettling_ms = 1000\n\
                        late_check_ms = 4000\nprogress_interval_ms = 100\n";

/// The first request for a destination, processed so long after its 504.
fn late(late_ms: u64) -> Value {
    json!({
        "method": "POST", "path": "/destination-uris$", "nth": 1,
        "status": 504, "body": "html", "late_ms": late_ms,
    })
}

fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    let place = Place::new(simulator, &["acme"]).kept_in(kind);
    place.settings(SETTINGS);
    let signup = Signup::new("acme", "five_steps", 1).with("key", "crm-1");
    place.write("signups.jsonl", &lines_of(&[signup]));
    place
}

fn destinations(simulator: &Simulator) -> usize {
    let there = &simulator.state()["acme"]["trunks"][0]["destinations"];
    there.as_array().map_or(0, Vec::len)
}

fn late_checks_left(place: &Place) -> Value {
    place.tally()["late_checks_left"].clone()
}

/// The destination that was made late is there beside its repeat, and the check is to be made.
fn doubled(simulator: &Simulator, place: &Place, first: &[&str]) -> Ended {
    simulator.break_with(&[late(2_500)]);
    let ended = place.run(first).with(0);
    let left = "1 late check is left: an earlier request may still take effect; the next run begins \
                with them";
    assert!(ended.stderr.contains(left), "{}", ended.stderr);
    assert_eq!(late_checks_left(place), 1);
    let text = place.run(&["status"]).with(0).stdout;
    assert!(text.contains("1 to be checked once more"), "{text}");
    until("it was processed late", || {
        (destinations(simulator) == 2).then_some(())
    });
    ended
}

on_both_stores!(
    what_waits_until_an_earlier_request_is_certain_is_named,
    a_finished_file_that_is_run_again_makes_the_late_checks_that_are_due_and_nothing_else,
    a_drained_worker_begins_with_the_late_checks_that_are_due,
);

fn what_waits_until_an_earlier_request_is_certain_is_named(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    place.settings(&SETTINGS.replace("settling_ms = 1000", "settling_ms = 600000"));
    simulator.break_with(&[late(600_000)]);
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let program = place.start(&["onboard", "signups.jsonl"]);
    let step = until("a step waits", || {
        let own = place.list().pop()?;
        let steps = own["steps"].as_array()?.clone();
        steps
            .into_iter()
            .find(|step| step["settles_at"].is_string())
    });
    assert_eq!(
        (&step["name"], &step["state"]),
        (&json!("map_destination"), &json!("unknown"))
    );
    let at = step["settles_at"].as_str().expect("a time");
    let left = at.parse::<Timestamp>().expect("RFC 3339") - Timestamp::now();
    assert!((1..=601).contains(&left.get_seconds()), "{at}");
    let said = "1 waiting until an earlier request is certain, ";
    until("progress names it", || {
        (program.said(said) > 0).then_some(())
    });
    let text = place.run(&["status", "crm-1"]).with(0).stdout;
    assert!(
        text.contains("an earlier request may still be processed; certain at "),
        "{text}"
    );
    // The steps before are done and have no such time.
    let own = place
        .run(&["status", "crm-1", "--json"])
        .with(0)
        .record("onboarding");
    assert_eq!(own["steps"][0].get("settles_at"), None);
    program.kill();
}

fn a_finished_file_that_is_run_again_makes_the_late_checks_that_are_due_and_nothing_else(
    kind: StoreKind,
) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let command = ["onboard", "signups.jsonl", "--json"];
    let ended = doubled(&simulator, &place, &command);
    let waiting = Signup::new("acme", "five_steps", 2).with("key", "crm-2");
    place.write("other.jsonl", &lines_of(&[waiting]));
    let _ = place.run(&["enqueue", "other.jsonl"]).with(0);

    let mut requests = 0;
    until("no late check is left", || {
        let again = place.run(&command).with(0);
        requests += again.record("summary")["requests"].as_u64()?;
        (late_checks_left(&place) == 0).then_some(())
    });
    assert_eq!(destinations(&simulator), 1);
    assert!(requests > 0, "the requests of the check are counted");
    let all = u64::try_from(simulator.requests().len()).unwrap();
    let before = ended.record("summary")["requests"].as_u64();
    assert_eq!(Some(all - requests), before);
    let states: Vec<Value> = place.list().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["succeeded", "queued"], "nothing else was run");
    assert_eq!(
        simulator.state()["acme"]["trunks"].as_array().map(Vec::len),
        Some(1)
    );
}

fn a_drained_worker_begins_with_the_late_checks_that_are_due(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let drain = ["work", "--drain", "--json"];
    let _ = doubled(&simulator, &place, &drain);
    until("no late check is left", || {
        let _ = place.run(&drain).with(0);
        (late_checks_left(&place) == 0).then_some(())
    });
    assert_eq!(destinations(&simulator), 1);
    let _ = place.run(&["verify", "--all"]).with(0);
}
