//! SIGTERM: the requests in flight are finished, every lease is given back.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::home::{Simulator, THREE, finish, live, until};

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_its_requests_and_gives_its_leases_back() {
    for name in ["-TERM", "-INT"] {
        let home = live();
        let simulator = Simulator::start(&home, &["--latency-ms", "300"]);
        home.accounts_at(&simulator, &["acme"])
            .write("three.csv", THREE);
        home.run(&["enqueue", "three.csv"]).ends(0);
        let child = home.command(&["work"]).spawn().unwrap();
        until("requests are in flight", || simulator.requests() > 0);
        signal(name, child.id());
        let ran = finish(child).ends(0);
        assert!(ran.stderr.contains("stopping"), "{}", ran.stderr);
        let sent = simulator.requests();
        let tally = &home.run(&["--json", "status"]).ends(0).of_type("tally")[0];
        assert_eq!(tally["running"], 0, "every lease is given back");
        let onboardings = home.run(&["--json", "list"]).ends(0).records();
        let steps = onboardings
            .iter()
            .flat_map(|it| it["steps"].as_array().unwrap());
        let done = steps.filter(|step| step["state"] == "done").count();
        assert_eq!(done, sent, "every request that was sent is recorded");

        // The next one goes on at once, without reading anything back.
        home.run(&["work", "--drain"]).ends(0);
        let log = simulator.control("GET", "requests", "").to_string();
        assert!(!log.contains("\"GET\""), "{log}");
    }
}

#[test]
fn onboard_that_is_told_to_stop_says_what_is_left_and_ends_with_1() {
    let home = live();
    let simulator = Simulator::start(&home, &["--latency-ms", "300"]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    let child = home
        .command(&["--json", "onboard", "three.csv"])
        .spawn()
        .unwrap();
    until("requests are in flight", || simulator.requests() > 0);
    signal("-TERM", child.id());
    let ran = finish(child).ends(1);
    assert_eq!(ran.of_type("summary")[0]["total"], 3);
    assert!(ran.stderr.contains("not finished"), "{}", ran.stderr);
    home.run(&["onboard", "three.csv"]).ends(0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = live();
    let simulator = Simulator::start(&home, &["--latency-ms", "8000"]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    home.run(&["enqueue", "three.csv"]).ends(0);
    let mut child = home.command(&["work"]).spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
    until("the worker sends", || {
        let accounts = home.run(&["--json", "accounts", "list"]).of_type("account");
        accounts.iter().any(|account| account["running"] != 0)
    });
    let begun = Instant::now();
    signal("-TERM", child.id());
    // It says so when the first was taken.
    assert!(lines.next().unwrap().unwrap().contains("stopping"));
    signal("-TERM", child.id());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn onboard_that_waits_for_standard_input_stops_at_a_signal() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"]);
    let mut command = home.command(&["onboard", "-"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    until("it has the store", || {
        home.path("trunkline.db.worker").exists()
    });
    signal("-TERM", child.id());
    let ran = finish(child).ends(1);
    drop(stdin);
    assert!(
        ran.stderr.contains("before anything was accepted"),
        "{}",
        ran.stderr
    );
}
