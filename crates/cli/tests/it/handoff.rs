//! Handoffs: the password is masked on screen and in clear in files for their owner only.

use std::fs;

use serde_json::Value;

use crate::home::{Home, THREE, mode};

fn onboarded() -> Home {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    home.run(&["onboard", "three.csv", "--sandbox", "--out", "handoffs"])
        .ends(0);
    home
}

fn password(home: &Home, id: &str) -> String {
    let file: Value = serde_json::from_str(&home.read(&format!("handoffs/{id}.json"))).unwrap();
    file["credentials"]["password"].as_str().unwrap().to_owned()
}

#[test]
fn each_succeeded_onboarding_has_a_file_that_only_its_owner_reads() {
    let home = onboarded();
    assert_eq!(mode(&home.path("handoffs")), 0o700);
    let list = home.run(&["--json", "list"]).ends(0).records();
    let names: Vec<_> = fs::read_dir(home.path("handoffs")).unwrap().collect();
    assert_eq!(names.len(), 3, "no drafts are left");
    for onboarding in list {
        let id = onboarding["id"].as_str().unwrap();
        assert_eq!(mode(&home.path(&format!("handoffs/{id}.json"))), 0o600);
        let password = password(&home, id);
        assert_eq!(password.len(), 24);
        assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}

#[test]
fn a_second_run_writes_the_files_again() {
    let home = onboarded();
    let before = fs::read_dir(home.path("handoffs")).unwrap().count();
    fs::remove_dir_all(home.path("handoffs")).unwrap();
    home.run(&["onboard", "three.csv", "--sandbox", "--out", "handoffs"])
        .ends(0);
    assert_eq!(fs::read_dir(home.path("handoffs")).unwrap().count(), before);
}

#[test]
fn the_password_is_shown_only_when_asked_for() {
    let home = onboarded();
    let id = home.run(&["--json", "list"]).ends(0).records()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let secret = password(&home, &id);
    for args in [vec!["handoff", "one"], vec!["--json", "handoff", "one"]] {
        let masked = home.run(&args).ends(0);
        assert!(masked.stdout.contains("********"), "{}", masked.stdout);
        assert!(!format!("{masked:?}").contains(&secret));
        let shown = home.run(&[&args[..], &["--show-secrets"]].concat()).ends(0);
        assert!(shown.stdout.contains(&secret));
        assert!(!shown.stdout.contains("********"));
    }
    let record = &home.run(&["--json", "handoff", &id]).ends(0).records()[0];
    for field in [
        "type",
        "id",
        "key",
        "account",
        "partner",
        "number",
        "direction",
        "state",
        "trunk",
        "number_id",
        "mode",
        "dial_whom",
        "edge",
        "credentials",
        "whitelisted_ips",
        "destination",
        "caller_id",
        "partner_settings",
        "todo",
    ] {
        assert!(record.get(field).is_some(), "{field}");
    }
    let sid = record["trunk"]["sid"].as_str().unwrap();
    assert_eq!(record["dial_whom"], format!("sip:{sid}"));
}

#[test]
fn passwords_are_in_no_log_and_not_in_clear_in_the_store() {
    let home = Home::of_one_store().with("TRUNKLINE_LOG_LEVEL", "trace");
    home.write("three.csv", THREE);
    let args = [
        "--log",
        "json",
        "--json",
        "onboard",
        "three.csv",
        "--sandbox",
        "--out",
        "handoffs",
    ];
    let ran = home.run(&args).ends(0);
    for line in ran.stderr.lines().filter(|line| line.starts_with('{')) {
        let entry: Result<Value, _> = serde_json::from_str(line);
        assert!(entry.is_ok(), "{line}");
    }
    assert!(
        ran.stderr
            .lines()
            .filter(|line| line.starts_with('{'))
            .count()
            > 3
    );
    for onboarding in ran.of_type("onboarding") {
        let secret = password(&home, onboarding["id"].as_str().unwrap());
        assert!(!format!("{ran:?}").contains(&secret));
        let store = home.files();
        // The simulator's journal is Exotel's side, which knows the passwords.
        for name in store
            .iter()
            .filter(|name| name.starts_with("trunkline.db") && !name.contains("sandbox"))
        {
            let bytes = fs::read(home.path(name)).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{name}");
        }
    }
}

#[test]
fn the_stores_key_is_made_once_for_its_owner_only_and_never_over_a_lost_one() {
    let home = onboarded();
    let key = home.path("trunkline.db.key");
    assert_eq!(mode(&key), 0o600);
    let before = fs::read(&key).unwrap();
    home.run(&["status"]).ends(0);
    assert_eq!(fs::read(&key).unwrap(), before);
    fs::remove_file(&key).unwrap();
    let ran = home.run(&["status"]).ends(2);
    assert!(ran.stderr.contains("trunkline.db.key"), "{}", ran.stderr);
    home.write(
        "trunkline.db.key",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    );
    let ran = home.run(&["status"]).ends(2);
    assert!(ran.stderr.contains("another secret key"), "{}", ran.stderr);
}

#[test]
fn an_out_folder_that_cannot_be_made_is_refused_before_anything_is_accepted() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE).write("taken", "");
    let ran = home
        .run(&["onboard", "three.csv", "--sandbox", "--out", "taken"])
        .ends(2);
    assert!(ran.stderr.contains("--out"), "{}", ran.stderr);
    assert_eq!(home.files(), ["taken", "three.csv"]);
}
