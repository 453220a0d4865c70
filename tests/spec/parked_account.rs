//! The promise: an account whose key is refused is parked; its onboardings wait, use nothing up and
//! go on after `accounts resume`; other accounts do not notice.
//!
//! The method: the simulator takes other keys for one account, or answers one request with 401.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    Ended, Place, Resources, Signup, Simulator, StoreKind, exactly_once, lines_of, resources,
};

const OF_ACME: usize = 150;
const OF_GLOBEX: usize = 5;

/// The keys that the simulator takes: acme's is not the one in the accounts file.
fn other_keys() -> Vec<Value> {
    vec![
        json!({"account_sid": "acme", "api_key": "key", "api_token": "another"}),
        json!({"account_sid": "globex", "api_key": "key", "api_token": "token"}),
    ]
}

fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    let place = Place::new(simulator, &["acme", "globex"]).kept_in(kind);
    place.settings("concurrency = 16\n");
    let of = |account: &str, n| Signup::new(account, "everything", n);
    let mut signups: Vec<Signup> = (0..OF_ACME).map(|n| of("acme", n)).collect();
    signups.extend((OF_ACME..OF_ACME + OF_GLOBEX).map(|n| of("globex", n)));
    place.write("signups.jsonl", &lines_of(&signups));
    place
}

fn onboard(place: &Place) -> Ended {
    place.run(&["onboard", "signups.jsonl", "--out", "out", "--json"])
}

on_both_stores!(
    a_refused_key_blocks_only_its_account_and_uses_nothing_up,
    a_401_between_two_steps_repeats_nothing_that_was_done,
);

fn a_refused_key_blocks_only_its_account_and_uses_nothing_up(kind: StoreKind) {
    let simulator = Simulator::start();
    simulator.accept_only(&other_keys());
    let place = place(&simulator, kind);

    let ended = onboard(&place).with(1);
    // It knows when there is nothing left to wait for.
    assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
    let summary = ended.record("summary");
    assert_eq!(summary["blocked"], json!(OF_ACME));
    assert_eq!(summary["succeeded"], json!(OF_GLOBEX));
    for record in ended.records_of("onboarding") {
        let blocked = record["account"] == "acme";
        let state = if blocked { "blocked" } else { "succeeded" };
        assert_eq!(record["state"], state, "{record}");
        if blocked {
            let steps = record["steps"].as_array().expect("steps");
            assert!(steps.iter().all(|step| step["attempts"] == 0), "{record}");
        }
    }
    // Only what was in hand when the first answer came was sent.
    let refused = simulator.requests_of("acme").len();
    assert!((1..=16).contains(&refused), "{refused} requests");
    assert_eq!(resources(&simulator.state()["globex"]).trunks, OF_GLOBEX);
    assert!(ended.stderr.contains("acme"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("accounts resume acme"),
        "{}",
        ended.stderr
    );

    // Nothing is sent for it until it is resumed, by whatever command.
    let drained = place.run(&["work", "--drain", "--json"]).with(1);
    assert_eq!(drained.record("summary")["blocked"], json!(OF_ACME));
    let _ = onboard(&place).with(1);
    assert_eq!(simulator.requests_of("acme").len(), refused);

    // Resumed without the cause removed, it is parked again.
    let _ = place.run(&["accounts", "resume", "acme"]).with(0);
    let _ = onboard(&place).with(1);
    assert!(simulator.requests_of("acme").len() <= 2 * 16);

    simulator.accept_any_key();
    let _ = place.run(&["accounts", "resume", "acme"]).with(0);
    let ended = onboard(&place).with(0);
    let succeeded = &ended.record("summary")["succeeded"];
    assert_eq!(succeeded, &json!(OF_ACME + OF_GLOBEX));
    let wanted = Resources {
        settings: 0,
        ..Resources::EVERYTHING
    };
    let found = resources(&simulator.state()["acme"]);
    assert_eq!(found, wanted.times(OF_ACME));
    assert_eq!(place.handoffs("out").len(), OF_ACME + OF_GLOBEX);
}

fn a_401_between_two_steps_repeats_nothing_that_was_done(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme", "globex"]).kept_in(kind);
    let signups = [
        Signup::new("acme", "retell", 1).with("direction", "both"),
        Signup::new("globex", "retell", 2).with("direction", "both"),
    ];
    place.write("signups.jsonl", &lines_of(&signups));
    simulator.break_with(&[
        json!({"account": "acme", "path": "/credentials$", "nth": 1, "status": 401}),
    ]);
    let first = onboard(&place).with(1);
    assert_eq!(first.record("summary")["blocked"], 1);
    assert_eq!(first.record("summary")["succeeded"], 1);

    let _ = place.run(&["accounts", "resume", "acme"]).with(0);
    let _ = onboard(&place).with(0);
    let log = simulator.requests_of("acme");
    let steps = simulator.requests_of("globex").len();
    assert_eq!(log.len(), steps + 1, "{log:#?}");
    let handoffs = place.handoffs("out");
    let handoff = handoffs.iter().find(|it| it["account"] == "acme");
    let wanted = Resources {
        whitelisted_ips: 0,
        settings: 0,
        ..Resources::EVERYTHING
    };
    let wrong = exactly_once(
        &simulator.state()["acme"],
        handoff.expect("a handoff"),
        wanted,
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
