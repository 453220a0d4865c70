//! The promise: the same signup twice is one onboarding; the same key with other content is refused,
//! naming the field that differs; a store that was lost is no reason for a second trunk.
//!
//! The method: one signup is accepted, then variants of it are offered.

use serde_json::{Value, json};
use tests::{
    Collection, Ended, Place, Request, Resources, Signup, Simulator, StoreKind, exactly_once,
    lines_of, repeats_without_a_read, resources,
};

fn first() -> Signup {
    Signup::new("acme", "everything", 1)
        .with("key", "crm-1")
        .with("caller_id", "+918000000001")
}

fn onboard(place: &Place) -> Ended {
    place.run(&["onboard", "signups.jsonl", "--out", "out", "--json"])
}

on_both_stores!(
    the_same_key_with_other_content_is_refused_naming_the_field_and_changes_nothing,
    without_keys_the_same_account_partner_and_number_are_one_onboarding,
    after_a_lost_store_the_same_file_adopts_what_is_there_and_replaces_no_live_credentials,
    live_credentials_are_replaced_when_a_person_says_so_and_only_those,
    after_a_lost_store_a_chosen_name_is_left_alone_and_the_error_says_whose_it_is,
);

fn the_same_key_with_other_content_is_refused_naming_the_field_and_changes_nothing(
    kind: StoreKind,
) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme", "globex"]).kept_in(kind);
    place.write("signups.jsonl", &lines_of(&[first()]));
    let _ = onboard(&place).with(0);
    let (before, state, sent) = (place.list(), simulator.state(), simulator.requests().len());

    let others = [
        ("account", first().with("account", "globex")),
        ("partner", first().with("partner", "retell")),
        ("number", first().with("number", "+918000000002")),
        ("trunk_name", first().with("trunk_name", "mine")),
        ("user_name", first().with("user_name", "mine")),
        ("caller_id", first().with("caller_id", "+918000000003")),
        ("mode", first().with("mode", "pstn")),
    ];
    for (field, other) in others {
        // A good row before it is not accepted either.
        let good = Signup::new("globex", "everything", 9);
        place.write("other.jsonl", &lines_of(&[good, other]));
        for command in ["enqueue", "onboard"] {
            let refused = place.run(&[command, "other.jsonl", "--json"]).with(2);
            let problems = refused.records_of("problem");
            let named = |problem: &Value| problem["field"] == field && problem["line"] == 2;
            assert!(
                problems.iter().any(named),
                "{command} with another {field}: {}",
                refused.stdout
            );
        }
    }
    assert_eq!(place.list(), before);
    assert_eq!(simulator.state(), state);
    assert_eq!(simulator.requests().len(), sent);
}

fn without_keys_the_same_account_partner_and_number_are_one_onboarding(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]).kept_in(kind);
    let signup = Signup::new("acme", "everything", 1);
    place.write(
        "signups.jsonl",
        &lines_of(&[signup.clone(), signup.clone()]),
    );
    let ended = onboard(&place).with(0);
    assert_eq!(ended.record("summary")["total"], 1, "{}", ended.stdout);
    place.write(
        "signups.jsonl",
        &lines_of(&[signup.with("caller_id", "+918000000003")]),
    );
    let refused = onboard(&place).with(2);
    assert_eq!(refused.record("problem")["field"], "caller_id");
    assert_eq!(resources(&simulator.state()["acme"]).trunks, 1);
}

fn after_a_lost_store_the_same_file_adopts_what_is_there_and_replaces_no_live_credentials(
    kind: StoreKind,
) {
    // Lost after all steps, and after each of the first few, in both of the simulator's worlds.
    let cells = [7, 1, 2, 3, 4, 5].map(|done| [(done, true), (done, false)]);
    for (done, documented) in cells.into_iter().flatten() {
        let simulator = if documented {
            Simulator::documented()
        } else {
            Simulator::start()
        };
        let place = Place::new(&simulator, &["acme"]).kept_in(kind);
        place.settings(
            "request_timeout_ms = 60000\nshutdown_timeout_ms = 60000\nlease_ms = 100000\n",
        );
        place.write("signups.jsonl", &lines_of(&[first()]));
        if done == 7 {
            let _ = onboard(&place).with(0);
        } else {
            let nth_post = json!({"method": "POST", "nth": done + 1, "hold_ms": 600_000});
            simulator.break_with(&[nth_post]);
            let program = place.start(&["onboard", "signups.jsonl"]);
            tests::until("so many steps are done", || {
                let last = simulator.requests().pop()?;
                last.held.then_some(())
            });
            program.kill();
            simulator.mend();
        }
        place.lose_the_store();

        let mut ended = onboard(&place);
        if done >= 4 {
            let before = credentials(&simulator);
            let live = ended.with(1);
            assert_eq!(live.record("summary")["credentials_live"], 1);
            assert_eq!(credentials(&simulator), before, "nothing was changed");
            let _ = replace(&place, &["--all"]).with(0);
            ended = onboard(&place);
            assert_ne!(credentials(&simulator), before);
        }
        let handoffs = place.handoffs("out");
        let handoff = handoffs
            .first()
            .unwrap_or_else(|| panic!("lost after {done} steps: no handoff\n{}", ended.stdout));
        let log = simulator.requests();
        let wrong = exactly_once(&simulator.state()["acme"], handoff, Resources::EVERYTHING);
        assert!(
            wrong.is_empty(),
            "lost after {done} steps: {wrong:#?}\n{log:#?}"
        );
        let _ = ended.with(0);
        // A destination is added without a word to those that are there: it is looked for first.
        let added = |it: &&Request| it.makes(Collection::Destinations) && it.processed;
        assert_eq!(
            log.iter().filter(added).count(),
            1,
            "lost after {done} steps"
        );
    }
}

/// The credentials that the account has, with their passwords.
fn credentials(simulator: &Simulator) -> Value {
    simulator.state()["acme"]["trunks"][0]["credentials"].take()
}

fn replace(place: &Place, which: &[&str]) -> Ended {
    let command = ["retry", "--replace-credentials", "--yes", "--json"];
    place.run(&[&command, which].concat())
}

fn live_credentials_are_replaced_when_a_person_says_so_and_only_those(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme", "globex"]).kept_in(kind);
    let other = Signup::new("globex", "everything", 2).with("key", "crm-2");
    place.write("signups.jsonl", &lines_of(&[first()]));
    let _ = onboard(&place).with(0);
    place.lose_the_store();
    let refused = json!({"method": "POST", "account": "globex", "path": "/trunks$", "status": 400});
    simulator.break_with(&[refused]);
    place.write("signups.jsonl", &lines_of(&[first(), other]));
    let ended = onboard(&place).with(1);
    let summary = ended.record("summary");
    assert_eq!(
        (&summary["failed"], &summary["credentials_live"]),
        (&json!(2), &json!(1))
    );
    let note = "1 stopped because their credentials are in use with a password that this store does \
                not have";
    assert!(ended.stderr.contains(note), "{}", ended.stderr);
    let before = credentials(&simulator);

    // Nobody can be asked here, and one that failed for something else has nothing to replace.
    let unasked = place
        .run(&["retry", "--replace-credentials", "crm-1"])
        .with(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let without = place.run(&["retry", "crm-1", "--yes"]).with(2);
    assert!(
        without.stderr.contains("--replace-credentials"),
        "{}",
        without.stderr
    );
    let wrong = replace(&place, &["crm-1", "crm-2"]).with(2);
    let problem = wrong.record("problem");
    let message = problem["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("crm-2") && message.contains("credentials_live"),
        "{message}"
    );
    let states = || {
        place
            .list()
            .iter()
            .map(|it| it["state"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(), ["failed", "failed"]);

    // A retry without the word changes nothing.
    let _ = place.run(&["retry", "crm-1"]).with(0);
    let again = onboard(&place).with(1);
    assert_eq!(again.record("summary")["credentials_live"], 1);
    assert_eq!(credentials(&simulator), before);

    let retried = replace(&place, &["--all"]).with(0).records_of("onboarding");
    assert_eq!(retried.len(), 1, "{retried:?}");
    assert_eq!(
        (&retried[0]["key"], &retried[0]["state"]),
        (&json!("crm-1"), &json!("queued"))
    );
    let ended = onboard(&place).with(1);
    assert_eq!(ended.record("summary")["succeeded"], 1);
    assert_eq!(ended.record("summary")["credentials_live"], json!(null));
    let now = credentials(&simulator);
    let handoff = &place.handoffs("out")[0];
    assert_eq!(now.as_array().map(Vec::len), Some(1));
    assert_eq!(now[0]["password"], handoff["credentials"]["password"]);
    assert_ne!(now[0]["id"], before[0]["id"]);
    let nothing = replace(&place, &["--all"]).with(0);
    assert!(
        nothing.stderr.contains("nothing was changed"),
        "{}",
        nothing.stderr
    );
}

fn after_a_lost_store_a_chosen_name_is_left_alone_and_the_error_says_whose_it_is(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]).kept_in(kind);
    let signup = first().with("trunk_name", "main_line");
    place.write("signups.jsonl", &lines_of(&[signup]));
    let _ = onboard(&place).with(0);
    let before = simulator.state();
    let sid = before["acme"]["trunks"][0]["trunk_sid"]
        .as_str()
        .expect("a SID")
        .to_owned();
    place.lose_the_store();

    let ended = onboard(&place).with(1);
    let record = ended.record("onboarding");
    assert_eq!(record["error"]["code"], "trunk_name_taken");
    let message = record["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("main_line") && message.contains(&sid),
        "{message}"
    );
    assert_eq!(simulator.state(), before);
    let wrong = repeats_without_a_read(&simulator.requests()[8..]);
    assert!(wrong.is_empty(), "{wrong:?}");
}
