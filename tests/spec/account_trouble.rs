//! The promise: what concerns an account stops the account, not its onboardings one by one. Nothing
//! fails for it, no attempt is counted, it costs a handful of requests, people are told once, and the
//! account goes on by itself once it works. A failure that is one onboarding's own fails that one alone.
//!
//! The method: the simulator refuses, is out, or asks for a day of quiet; pauses are short.

use serde_json::{Value, json};
use tests::{Place, Program, Request, Signup, Simulator, StoreKind, lines_of, resources, until};

const SIGNUPS: usize = 150;

fn signups(accounts: &[(&str, usize)]) -> String {
    let all: Vec<Signup> = accounts
        .iter()
        .flat_map(|(account, count)| (0..*count).map(move |_| *account))
        .enumerate()
        .map(|(n, account)| Signup::new(account, "five_steps", n))
        .collect();
    lines_of(&all)
}

fn place(simulator: &Simulator, kind: StoreKind, settings: &str) -> Place {
    let place = Place::new(simulator, &["acme", "globex"]).kept_in(kind);
    place.settings(settings);
    place
}

fn on_create(status: u16) -> Value {
    json!({"account": "acme", "method": "POST", "path": "/trunks$", "status": status})
}

/// The highest number of attempts of any step of any onboarding.
fn most_attempts(place: &Place) -> u64 {
    let all = place.list();
    let steps = all.iter().flat_map(|own| own["steps"].as_array().unwrap());
    steps
        .map(|step| step["attempts"].as_u64().unwrap())
        .max()
        .unwrap_or(0)
}

fn until_requests(simulator: &Simulator, count: usize) -> Vec<Request> {
    until("requests were sent", || {
        let log = simulator.requests_of("acme");
        (log.len() >= count).then_some(log)
    })
}

fn until_succeeded(place: &Place, count: usize) {
    until("all have succeeded", || {
        let tally = place.tally();
        assert_eq!(tally["failed"], 0, "{tally}");
        (tally["succeeded"] == json!(count)).then_some(())
    });
}

on_both_stores!(
    an_account_that_may_create_no_trunks_blocks_all_of_its_signups_with_one_request,
    an_outage_in_the_middle_fails_nothing_and_counts_no_attempt,
    one_signup_that_always_gets_500_fails_alone,
    a_429_of_a_day_is_said_where_people_look_and_a_person_opens_the_account,
    an_account_that_a_person_parks_is_left_alone_until_a_person_resumes_it,
    a_probe_brings_a_parked_account_back_and_what_people_see_does_not_flap,
);

fn an_account_that_may_create_no_trunks_blocks_all_of_its_signups_with_one_request(
    kind: StoreKind,
) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind, "");
    place.write("signups.jsonl", &signups(&[("acme", 500), ("globex", 5)]));
    simulator.break_with(&[on_create(403)]);
    let ended = place.run(&["onboard", "signups.jsonl", "--json"]).with(1);
    let summary = ended.record("summary");
    assert_eq!(summary["blocked"], 500, "{summary}");
    assert_eq!(
        (&summary["failed"], &summary["succeeded"]),
        (&json!(0), &json!(5))
    );
    assert_eq!(simulator.requests_of("acme").len(), 1);
    for words in ["may not create trunks", "SIP trunking", "good standing"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("check the SID"), "{}", ended.stderr);
    assert_eq!(most_attempts(&place), 1);

    simulator.mend();
    let _ = place.run(&["accounts", "resume", "acme"]).with(0);
    let _ = place.run(&["onboard", "signups.jsonl"]).with(0);
    assert_eq!(resources(&simulator.state()["acme"]).trunks, 500);
}

fn an_outage_in_the_middle_fails_nothing_and_counts_no_attempt(kind: StoreKind) {
    let simulator = Simulator::slow(5, 20);
    let place = place(&simulator, kind, "concurrency = 16\nattempts_max = 2\n");
    place.write("signups.jsonl", &signups(&[("acme", SIGNUPS)]));
    let onboard = place.start(&["onboard", "signups.jsonl", "--json"]);
    let before = until_requests(&simulator, 100).len();
    simulator.break_with(&[json!({"status": 503})]);
    // A minute's worth of probes: with the real pauses they would take longer.
    let probes = |log: &[Request]| {
        let tail = log.iter().rev().take_while(|own| own.method == "GET");
        tail.count()
    };
    let log = until("it is probed", || {
        let log = simulator.requests_of("acme");
        (probes(&log) >= 6).then_some(log)
    });
    // What was in flight, one read, and probes.
    let during = log.len() - before - probes(&log);
    assert!(during <= 2 * 16 + 1, "{during} of {}", log.len());
    let tally = place.tally();
    assert_eq!(
        (&tally["failed"], &tally["blocked"]),
        (&json!(0), &json!(0))
    );
    let shown = place.run(&["accounts", "list"]).with(0).stdout;
    assert!(shown.contains("Exotel does not answer"), "{shown}");
    assert!(shown.contains("tried again at"), "{shown}");
    simulator.mend();
    let ended = onboard.wait().with(0);
    assert_eq!(ended.record("summary")["succeeded"], SIGNUPS);
    assert_eq!(most_attempts(&place), 1);
    assert_eq!(resources(&simulator.state()["acme"]).trunks, SIGNUPS);
    for line in ["account closed until Exotel answers", "the account goes on"] {
        let said = ended.stderr.matches(line).count();
        assert_eq!(said, 1, "{line}: {}", ended.stderr);
    }
}

fn one_signup_that_always_gets_500_fails_alone(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind, "attempts_max = 3\n");
    let map = |path: &str, status| json!({"method": "POST", "path": path, "status": status});
    let unlucky = Signup::new("acme", "five_steps", 900).with("key", "unlucky");
    place.write("unlucky.jsonl", &lines_of(&[unlucky]));
    simulator.break_with(&[map("/phone-numbers$", 400)]);
    let _ = place.run(&["onboard", "unlucky.jsonl"]).with(1);
    let own = place.list().remove(0);
    let trunk = own["steps"][0]["result"]["trunk_sid"]
        .as_str()
        .expect("a trunk");
    simulator.break_with(&[map(&format!("{trunk}/phone-numbers$"), 500)]);
    let _ = place.run(&["retry", "unlucky"]).with(0);
    place.write("signups.jsonl", &signups(&[("acme", 40)]));
    let ended = place
        .run(&["onboard", "signups.jsonl", "unlucky.jsonl", "--json"])
        .with(1);
    let summary = ended.record("summary");
    assert_eq!(
        (&summary["succeeded"], &summary["failed"]),
        (&json!(40), &json!(1))
    );
    let failed = place.run(&["status", "unlucky", "--json"]).with(0);
    let failed = failed.record("onboarding");
    assert_eq!(failed["error"]["code"], "attempts_exhausted", "{failed}");
    assert!(!ended.stderr.contains("account closed"), "{}", ended.stderr);
}

fn a_429_of_a_day_is_said_where_people_look_and_a_person_opens_the_account(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind, "progress_interval_ms = 100\n");
    place.write("signups.jsonl", &signups(&[("acme", 5)]));
    let asks = json!({"account": "acme", "nth": 1, "status": 429, "retry_after": 86_400});
    simulator.break_with(&[asks]);
    let onboard = place.start(&["onboard", "signups.jsonl"]);
    let told = |words: &str| {
        until(words, || (onboard.said(words) > 0).then_some(()));
    };
    told("account closed: Exotel answered 429");
    told("acme is closed by Exotel until");
    for command in [&["accounts", "list"][..], &["status"]] {
        let shown = place.run(command).with(0).stdout;
        assert!(shown.contains("closed by Exotel until"), "{shown}");
        assert!(shown.contains("accounts resume acme"), "{shown}");
    }
    assert_eq!(onboard.said("account closed:"), 1, "{}", onboard.stderr());
    assert_eq!(simulator.requests_of("acme").len(), 1);
    let resumed = place.run(&["accounts", "resume", "acme"]).with(0).stdout;
    assert!(resumed.contains("acme was closed and goes on"), "{resumed}");
    let _ = onboard.wait().with(0);
    let again = place.run(&["accounts", "resume", "acme"]).with(0).stdout;
    assert!(again.contains("neither parked nor closed"), "{again}");
}

fn an_account_that_a_person_parks_is_left_alone_until_a_person_resumes_it(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind, "account_probe_ms = 16\n");
    place.write("signups.jsonl", &signups(&[("acme", 3), ("globex", 3)]));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let unknown = place.run(&["accounts", "park", "nobody"]).with(2);
    assert!(unknown.stderr.contains("nobody"), "{}", unknown.stderr);
    let park = [
        "accounts",
        "park",
        "acme",
        "--reason",
        "the bill is not paid",
    ];
    let parked = place.run(&park).with(0).stdout;
    assert!(parked.contains("acme is parked"), "{parked}");
    simulator.break_with(&[json!({"account": "globex", "path": "/trunks$", "status": 401})]);
    let worker = place.start(&["work"]);
    until("one that a worker parked is tried often", || {
        (simulator.requests_of("globex").len() >= 10).then_some(())
    });
    let drained = place.run(&["accounts", "list", "--json"]).with(0);
    let all = drained.records_of("account");
    let acme = all.iter().find(|own| own["name"] == "acme").expect("acme");
    assert_eq!(acme["parked"]["reason"], "the bill is not paid");
    assert!(acme["next_probe_at"].is_null(), "{acme}");
    assert_eq!(simulator.requests_of("acme").len(), 0);
    simulator.mend();
    let _ = place.run(&["accounts", "resume", "acme"]).with(0);
    until_succeeded(&place, 6);
    drop(worker);
}

/// Parked and tried again, as far as its log says.
fn said(worker: &Program) -> (usize, usize) {
    (
        worker.said("account parked"),
        worker.said("works again and goes on"),
    )
}

fn a_probe_brings_a_parked_account_back_and_what_people_see_does_not_flap(kind: StoreKind) {
    for (status, call) in [(401, "GET"), (403, "POST")] {
        let simulator = Simulator::start();
        let place = place(&simulator, kind, "account_probe_ms = 80\n");
        place.write("signups.jsonl", &signups(&[("acme", 20)]));
        let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
        simulator.break_with(&[json!({"account": "acme", "path": "/trunks$", "status": status})]);
        let worker = place.start(&["work"]);
        let log = until_requests(&simulator, 8);
        assert!(log[1..].iter().all(|own| own.method == call), "{log:?}");
        assert_eq!(said(&worker), (1, 0), "{}", worker.stderr());
        let blocked = place.tally()["blocked"].as_u64().unwrap();
        assert!(blocked >= 19, "all but one that tries: {blocked}");
        simulator.mend();
        until_succeeded(&place, 20);
        assert_eq!(said(&worker), (1, 1), "{}", worker.stderr());
        assert_eq!(most_attempts(&place), 1);
    }
}

#[test]
fn a_fleet_tries_an_account_by_one_worker_at_a_time_and_keeps_its_pauses() {
    let simulator = Simulator::start();
    let place = place(&simulator, StoreKind::Redis, "account_probe_ms = 400\n");
    place.write("signups.jsonl", &signups(&[("acme", 20)]));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    simulator.break_with(&[json!({"path": "/trunks$", "status": 401})]);
    let workers: Vec<Program> = (0..3).map(|_| place.start(&["work"])).collect();
    let is_probe = |own: &&Request| own.method == "GET";
    let probes = until("it is tried often", || {
        let log = simulator.requests_of("acme");
        let probes: Vec<u64> = log.iter().filter(is_probe).map(|own| own.at_ms).collect();
        (probes.len() >= 8).then_some(probes)
    });
    let gaps: Vec<u64> = probes.windows(2).map(|two| two[1] - two[0]).collect();
    // Each is at least the one before, up to the longest.
    for (at, least) in [20, 45, 90, 190, 390, 390, 390].into_iter().enumerate() {
        assert!(gaps[at] >= least, "{gaps:?}");
    }
    let parked: usize = workers.iter().map(|own| own.said("account parked")).sum();
    assert_eq!(parked, 1);
    simulator.mend();
    until_succeeded(&place, 20);
    let back = workers
        .iter()
        .map(|own| own.said("works again and goes on"));
    assert_eq!(back.sum::<usize>(), 1);
}
