//! A log that a program reads: what ends a command is in it, and no line for people is between.

use serde_json::Value;

use crate::home::{Home, Simulator, THREE, live};

/// The records of the log; fails at a line that is none.
fn log(stderr: &str) -> Vec<Value> {
    let records = stderr.lines().map(|line| {
        let record = serde_json::from_str(line);
        record.unwrap_or_else(|_| panic!("no record: {line}"))
    });
    records.collect()
}

#[test]
fn what_ends_a_command_is_a_record_of_a_json_log_whatever_its_level() {
    for (args, variables, wanted) in [
        // Refused, by a level that shows nothing of this.
        (
            &["status", "--log", "json"][..],
            &[("TRUNKLINE_LOG_LEVEL", "worker=debug")][..],
            "there is nothing in",
        ),
        (
            &["list"],
            &[("TRUNKLINE_LOG", "json"), ("TRUNKLINE_CONCURRENCY", "many")],
            "TRUNKLINE_CONCURRENCY",
        ),
        (
            &["list", "--log", "json", "--store", "redis://127.0.0.1:1"],
            &[
                ("TRUNKLINE_SECRET_KEY__ENV", "STORE_KEY"),
                ("STORE_KEY", "cGxhbnRlZCBrZXkgb2YgdGhlIHRlc3RzLCAzMmJ5dGU="),
            ],
            "127.0.0.1:1",
        ),
    ] {
        let with = |home: Home, (name, value): &(&str, &str)| home.with(name, value);
        let ran = variables.iter().fold(Home::new(), with).run(args);
        assert_ne!(ran.status, 0);
        let records = log(&ran.stderr);
        let last = records.last().unwrap();
        assert_eq!(last["level"], "ERROR", "{last}");
        let message = last["message"].as_str().unwrap();
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn progress_is_not_written_between_the_records_of_a_json_log() {
    for (form, lines) in [("text", true), ("json", false)] {
        let home = live().with("TRUNKLINE_PROGRESS_INTERVAL_MS", "100");
        let simulator = Simulator::start(&home, &["--latency-ms", "600"]);
        home.accounts_at(&simulator, &["acme"])
            .write("three.csv", THREE);
        home.run(&["enqueue", "three.csv"]).ends(0);
        let ran = home.run(&["work", "--drain", "--log", form]).ends(0);
        assert_eq!(ran.stderr.contains("3 done, "), lines, "{}", ran.stderr);
        if form == "json" {
            log(&ran.stderr);
        }
    }
}
