//! The promise: one account's backlog, or its 429, delays nobody else; and no window of a minute
//! holds more than an account's allowance, across kills.
//!
//! The method: the order of requests in the simulator's log. A backlog of an account at its limit
//! would take minutes; what must not wait for it comes within a few requests.

use sandbox::Limits;
use serde_json::json;
use tests::{Place, Signal, Signup, Simulator, StoreKind, csv_of, lines_of, until};

on_both_stores!(
    a_signup_of_an_idle_account_starts_at_once_beside_a_large_backlog,
    an_account_that_is_closed_by_a_429_delays_no_other,
    no_window_of_a_minute_holds_more_than_the_allowance_across_kills,
);

fn a_signup_of_an_idle_account_starts_at_once_beside_a_large_backlog(kind: StoreKind) {
    let simulator = Simulator::with_limits(Limits::default());
    let limits = "requests_per_minute = 200, connections = 50";
    let place = Place::with_limits(&simulator, &["acme", "globex"], limits).kept_in(kind);
    place.settings("concurrency = 8\n");
    place.write("backlog.csv", &csv_of(2_000, &["acme"]));
    let _ = place.run(&["enqueue", "backlog.csv"]).with(0);
    let worker = place.start(&["work"]);
    // Past its burst of a tenth, the account is paced.
    until("the backlog is worked on", || {
        (simulator.requests().len() > 25).then_some(())
    });
    let before = simulator.requests_of("acme").len();
    place.write(
        "idle.jsonl",
        &lines_of(&[Signup::new("globex", "livekit", 9_999)]),
    );
    let _ = place.run(&["enqueue", "idle.jsonl"]).with(0);
    let log = until("the idle account's signup is done", || {
        let log = simulator.requests();
        let done = log.iter().filter(|it| it.account == "globex").count() == 3;
        done.then_some(log)
    });
    let ahead = log
        .iter()
        .take_while(|request| request.account != "globex")
        .count();
    // Some arrive while the process that enqueues starts.
    assert!(
        ahead < before + 15,
        "{} requests of the backlog went before it",
        ahead - before
    );
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
    let stats = simulator.stats();
    assert_eq!(stats["acme"]["refused"], 0, "{stats}");
}

fn an_account_that_is_closed_by_a_429_delays_no_other(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme", "globex", "initech"]).kept_in(kind);
    place.settings("concurrency = 4\n");
    simulator.break_with(&[
        json!({"account": "acme", "status": 429, "retry_after": 3600}),
        json!({"account": "globex", "status": 200, "inner_code": 429, "retry_after": 3600}),
    ]);
    // The closed ones come first, and there are many more of them than slots.
    let mut signups: Vec<Signup> = (0..300)
        .map(|n| Signup::new(["acme", "globex"][n % 2], "everything", n))
        .collect();
    signups.extend((300..320).map(|n| Signup::new("initech", "everything", n)));
    place.write("signups.jsonl", &lines_of(&signups));
    let _ = place.run(&["enqueue", "signups.jsonl"]).with(0);
    let worker = place.start(&["work"]);
    until("the open account's are done", || {
        let tally = place.tally();
        (tally["succeeded"] == 20).then_some(())
    });
    for account in ["acme", "globex"] {
        let sent = simulator.requests_of(account).len();
        assert!((1..=4).contains(&sent), "{sent} requests of {account}");
    }
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
    assert_eq!(place.tally()["queued"], 300);
    let attempted = |record: &serde_json::Value| {
        let steps = record["steps"].as_array().expect("steps");
        steps.iter().any(|step| step["attempts"] != 0)
    };
    let closed = |record: &&serde_json::Value| record["account"] != "initech";
    assert!(!place.list().iter().filter(closed).any(attempted));
}

fn no_window_of_a_minute_holds_more_than_the_allowance_across_kills(kind: StoreKind) {
    let limit = 20;
    let simulator = Simulator::with_limits(Limits {
        requests_per_minute: limit,
        ..Limits::default()
    });
    let limits = "requests_per_minute = 20, connections = 50";
    let place = Place::with_limits(&simulator, &["acme"], limits).kept_in(kind);
    // Three requests each; the last come after the first have left the window.
    place.write("signups.csv", &csv_of(9, &["acme"]));
    let command = ["onboard", "signups.csv", "--json"];
    for wanted in [2, 9, 17] {
        let program = place.start(&command);
        until("enough requests arrived", || {
            (simulator.requests().len() >= wanted).then_some(())
        });
        program.kill();
    }
    let ended = place.run(&command).with(0);
    assert_eq!(ended.record("summary")["succeeded"], 9);
    let stats = simulator.stats();
    assert_eq!(stats["acme"]["refused"], 0, "{stats}");
    let most = stats["acme"]["max_in_window"].as_u64().expect("a number");
    assert!(most <= u64::from(limit), "{stats}");
    let log = simulator.requests();
    let (first, last) = (log.first().expect("some"), log.last().expect("some"));
    assert!(last.at_ms - first.at_ms > 60_000, "too few for a window");
}
