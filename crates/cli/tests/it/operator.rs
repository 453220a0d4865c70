//! Looking, retrying, cancelling, verifying.

use crate::home::{Home, Simulator, THREE, live};

fn enqueued() -> Home {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    home.run(&["enqueue", "three.csv", "--sandbox"]).ends(0);
    home
}

#[test]
fn before_there_is_a_store_every_question_is_refused_and_none_is_made() {
    let home = Home::of_one_store();
    for args in [
        &["status"][..],
        &["list"],
        &["retry", "--all"],
        &["cancel", "x"],
        &["handoff", "x"],
        &["verify", "--all"],
        &["accounts", "resume", "--all"],
    ] {
        let ran = home.run(args).ends(2);
        assert!(
            ran.stderr.contains("trunkline onboard"),
            "{args:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(home.files(), Vec::<String>::new());
}

#[test]
fn an_onboarding_is_found_by_its_id_and_by_its_key() {
    let home = enqueued();
    let by_key = home.run(&["--json", "status", "two"]).ends(0).records();
    let id = by_key[0]["id"].as_str().unwrap();
    assert_eq!(
        home.run(&["--json", "status", id]).ends(0).records(),
        by_key
    );
    let text = home.run(&["status", "two"]).ends(0).stdout;
    assert!(
        text.contains("is queued") && text.contains("create_trunk"),
        "{text}"
    );
    for unknown in ["nobody", "onb_00000000000000000000000000", "with blank", ""] {
        for command in ["status", "handoff", "retry", "cancel", "verify"] {
            let ran = home.run(&[command, unknown]).ends(2);
            let empty = ran
                .stderr
                .contains("this is empty; write the id or the key");
            assert_eq!(empty, unknown.is_empty(), "{}", ran.stderr);
        }
    }
}

#[test]
fn list_filters_and_pages_through_everything() {
    let home = Home::of_one_store();
    let mut rows = String::from("account,partner,number\n");
    for n in 0..1203 {
        let account = if n % 3 == 0 { "acme" } else { "globex" };
        rows.push_str(&format!("{account},rapida,+9180{n:08}\n"));
    }
    home.write("many.csv", &rows);
    home.run(&["enqueue", "many.csv", "--sandbox"]).ends(0);
    let count = |args: &[&str]| {
        let all = [&["--json", "list"], args].concat();
        home.run(&all).ends(0).records().len()
    };
    assert_eq!(count(&[]), 1203);
    assert_eq!(count(&["--account", "acme"]), 401);
    assert_eq!(count(&["--state", "queued", "--account", "globex"]), 802);
    assert_eq!(count(&["--state", "failed"]), 0);
    assert_eq!(count(&["--partner", "rapida"]), 1203);
    assert_eq!(count(&["--partner", "livekit"]), 0);
    let text = home.run(&["list"]).ends(0).stdout;
    assert_eq!(text.lines().count(), 1203);
    let numbers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(4))
        .collect();
    assert!(numbers.is_sorted(), "in the order of acceptance");
}

#[test]
fn list_stops_quietly_when_nobody_reads_any_more() {
    let home = enqueued();
    let mut child = home.command(&["--json", "list"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = crate::home::finish(child).ends(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn cancelled_and_retried_onboardings_go_their_ways() {
    let home = enqueued();
    home.run(&["cancel", "one", "nobody"]).ends(2);
    let one = || home.run(&["--json", "status", "one"]).ends(0).records()[0]["state"].clone();
    assert_eq!(one(), "queued", "all or none");
    let ran = home.run(&["--json", "cancel", "one"]).ends(0);
    assert_eq!(ran.of_type("onboarding")[0]["state"], "cancelled");
    home.run(&["cancel", "one"]).ends(2);
    let ran = home.run(&["retry", "two"]).ends(2);
    assert!(
        ran.stderr.contains("only failed or cancelled"),
        "{}",
        ran.stderr
    );
    let ran = home
        .run(&["--json", "work", "--drain", "--sandbox"])
        .ends(0);
    assert_eq!(ran.of_type("summary")[0]["succeeded"], 2);
    home.run(&["retry", "one"]).ends(0);
    assert_eq!(one(), "queued");
    home.run(&["work", "--drain", "--sandbox"]).ends(0);
    assert_eq!(one(), "succeeded");
    home.run(&["retry", "one"]).ends(2);
    home.run(&["cancel", "one"]).ends(2);
}

#[test]
fn status_counts_the_states_and_shows_the_accounts() {
    let home = enqueued();
    let ran = home.run(&["--json", "status"]).ends(0);
    let tally = &ran.of_type("tally")[0];
    assert_eq!(tally["queued"], 3);
    assert_eq!(tally["total"], 3);
    for state in ["running", "succeeded", "failed", "blocked", "cancelled"] {
        assert_eq!(tally[state], 0, "{state}");
    }
    assert_eq!(ran.of_type("account")[0]["waiting"], 3);
}

#[test]
fn verify_finds_what_is_missing_and_changes_nothing() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    home.run(&["onboard", "three.csv"]).ends(0);
    let ran = home.run(&["--json", "verify", "--all"]).ends(0);
    let all = ran.of_type("verification");
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one["as_planned"] == true));
    let text = home.run(&["verify", "--all"]).ends(0).stdout;
    let unseen = text.matches("changed in Exotel's console cannot be seen");
    assert_eq!(unseen.count(), 1, "{text}");
    simulator.control("DELETE", "state", "");
    let ran = home.run(&["--json", "verify", "one"]).ends(1);
    let one = &ran.of_type("verification")[0];
    assert_eq!(one["as_planned"], false);
    assert_eq!(one["steps"][0]["verdict"], "missing");
    assert!(!format!("{ran:?}").contains("KEEPOUT"));
    let log = simulator.control("GET", "requests", "").to_string();
    assert!(
        !log.contains("POST") && !log.contains("DELETE"),
        "reads only: {log}"
    );
}

#[test]
fn a_second_worker_on_the_same_store_is_told_so_before_it_accepts_anything() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    let mut first = home.command(&["work", "--sandbox"]).spawn().unwrap();
    crate::home::until("the first works", || {
        home.path("trunkline.db.sandbox").exists()
    });
    let ran = home.run(&["onboard", "three.csv", "--sandbox"]).ends(2);
    assert!(
        ran.stderr.contains("has a worker already"),
        "{}",
        ran.stderr
    );
    let ran = home.run(&["status"]).ends(0);
    assert!(
        ran.stdout.contains("total              0"),
        "{}",
        ran.stdout
    );
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_store_of_one_world_is_never_used_in_the_other() {
    let home = live().with("TRUNKLINE_STORE", "sqlite:trunkline.db");
    home.write("three.csv", THREE);
    home.run(&["enqueue", "three.csv", "--sandbox"]).ends(0);
    home.write(
        "accounts.toml",
        "[accounts.acme]\naccount_sid = \"acme1\"\nregion = \"in\"\n\
         api_key = { env = \"KEY\" }\napi_token = { env = \"TOKEN\" }\n",
    );
    for args in [
        &["work", "--drain"][..],
        &["onboard", "three.csv"],
        &["enqueue", "three.csv"],
    ] {
        let ran = home.run(args).ends(2);
        assert!(ran.stderr.contains("--sandbox"), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn draining_refuses_to_wait_for_an_account_that_no_file_names() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    home.run(&["enqueue", "three.csv"]).ends(0);
    home.accounts_at(&simulator, &["globex"]);
    let ran = home.run(&["work", "--drain"]).ends(2);
    assert!(ran.stderr.contains("acme"), "{}", ran.stderr);
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn onboard_ends_when_somebody_else_cancels_what_it_waits_for() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    let closed = r#"[{"status": 429, "retry_after": 600}]"#;
    simulator.control("PUT", "faults", closed);
    let child = home
        .command(&["--json", "onboard", "three.csv"])
        .spawn()
        .unwrap();
    crate::home::until("the account is closed and all wait", || {
        let ran = home.run(&["--json", "status"]);
        let closed = |account: &serde_json::Value| !account["closed_until"].is_null();
        ran.of_type("account").iter().any(closed) && ran.of_type("tally")[0]["queued"] == 3
    });
    home.run(&["cancel", "one", "two", "three"]).ends(0);
    let ran = crate::home::finish(child).ends(0);
    assert_eq!(ran.of_type("summary")[0]["cancelled"], 3);
    assert_eq!(ran.of_type("onboarding").len(), 3);
}

#[test]
fn verify_does_not_call_as_planned_what_was_not_made_or_cannot_be_read() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    home.run(&["enqueue", "three.csv"]).ends(0);
    let ran = home.run(&["--json", "verify", "one"]).ends(1);
    let one = &ran.of_type("verification")[0];
    assert_eq!(one["as_planned"], false);
    for step in one["steps"].as_array().unwrap() {
        assert_eq!(step["verdict"], "not_done");
    }
    let text = home.run(&["verify", "one"]).ends(1).stdout;
    assert!(
        text.contains("NOT as planned") && text.contains("is not done"),
        "{text}"
    );
}
