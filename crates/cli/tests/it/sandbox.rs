//! `--sandbox`: the whole job without an account or a file.

use crate::home::{Home, THREE, finish, until};

#[test]
fn every_example_signup_becomes_a_trunk_and_verifies() {
    let home = Home::of_one_store();
    home.write(
        "signups.csv",
        include_str!("../../../../examples/signups.csv"),
    );
    let ran = home
        .run(&["--json", "onboard", "signups.csv", "--sandbox"])
        .ends(0);
    let summary = &ran.of_type("summary")[0];
    assert_eq!(summary["total"], summary["succeeded"]);
    assert!(summary["total"].as_u64().unwrap() >= 40);
    let ran = home
        .run(&["--json", "verify", "one-that-is-not-there"])
        .ends(2);
    assert!(ran.stderr.contains("one-that-is-not-there"));
    let id = &home.run(&["--json", "list"]).ends(0).records()[0]["key"];
    home.run(&["verify", id.as_str().unwrap()]).ends(0);
}

#[test]
fn what_was_made_outlives_a_kill_and_the_same_command_goes_on() {
    let home = Home::of_one_store();
    home.write(
        "signups.csv",
        include_str!("../../../../examples/signups.csv"),
    );
    let args = ["--json", "onboard", "signups.csv", "--sandbox"];
    let mut child = home.command(&args).spawn().unwrap();
    let mut seen = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut seen).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = home.run(&args).ends(0);
    let summary = &ran.of_type("summary")[0];
    assert_eq!(summary["total"], summary["succeeded"]);
    let first: serde_json::Value = serde_json::from_str(&seen).unwrap();
    home.run(&["verify", first["key"].as_str().unwrap()])
        .ends(0);
}

#[test]
fn the_sandbox_serves_until_it_is_told_to_stop() {
    let home = Home::of_one_store();
    let child = home
        .command(&[
            "sandbox",
            "--listen",
            "127.0.0.1:0",
            "--profile",
            "documented",
        ])
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    // Its first line comes when it serves; a signal before that would end it unprepared.
    let mut child = child;
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    let killed = std::process::Command::new("kill")
        .arg(&id)
        .status()
        .unwrap();
    assert!(killed.success());
    finish(child).ends(0);
    home.run(&["sandbox", "--listen", "192.0.2.1:80"]).ends(2);
}

#[test]
fn accounts_of_the_file_need_no_secret_in_the_sandbox() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE).write(
        "accounts.toml",
        "[accounts.acme]\naccount_sid = \"acme9\"\nregion = \"sg\"\n\
         api_key = { env = \"NOT_SET\" }\napi_token = { file = \"nowhere\" }\n",
    );
    home.run(&["onboard", "three.csv", "--sandbox"]).ends(0);
    let ran = home.run(&["--json", "handoff", "one"]).ends(0);
    assert_eq!(ran.records()[0]["trunk"]["domain"], "acme9.pstn.exotel.com");
    until("the store is free", || true);
}

#[test]
fn what_the_simulator_made_is_in_a_store_of_its_own_and_is_found() {
    let home = Home::new();
    home.write("signups.csv", THREE);
    home.run(&["onboard", "signups.csv", "--sandbox"]).ends(0);
    assert!(home.path("trunkline.sandbox.db").exists());
    assert!(!home.path("trunkline.db").exists());
    for command in [
        &["status"][..],
        &["list"],
        &["retry", "--all"],
        &["handoff", "one"],
        &["cancel", "one"],
        &["verify", "--all"],
        &["doctor", "--restored"],
    ] {
        let ran = home.run(command).ends(2);
        let says = "sqlite:trunkline.sandbox.db is there, and --sandbox opens it";
        assert!(ran.stderr.contains(says), "{command:?}: {}", ran.stderr);
        assert!(!home.path("trunkline.db").exists(), "{command:?}");
    }
    let listed = home.run(&["--json", "list", "--sandbox"]).ends(0);
    assert_eq!(listed.of_type("onboarding").len(), 3);
    home.run(&["verify", "--all", "--sandbox"]).ends(0);
    home.run(&["status", "--sandbox"]).ends(0);
    // And the other way round.
    let live = home.write("more.csv", "").path("trunkline.db");
    std::fs::rename(home.path("trunkline.sandbox.db"), live).unwrap();
    let ran = home.run(&["status", "--sandbox"]).ends(2);
    let says = "sqlite:trunkline.db is there, and leave --sandbox out to open it";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
}
