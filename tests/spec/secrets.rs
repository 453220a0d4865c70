//! The promise: API keys and tokens and SIP passwords are found in handoff files, and nowhere else.
//!
//! The method: planted keys and the generated passwords are searched for, byte by byte, in every
//! file that the binary wrote in its folder: its output and its logs at the most talkative level in
//! both forms, through faults of every kind; the store, its write-ahead log and its shared memory,
//! also as a kill leaves them; what a Redis
//! has on its disk; process arguments.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tests::{KEY as STORE_KEY, Place, Program, Server, Signup, Simulator, lines_of, until};

pub(crate) const KEY: &str = "planted0key0A7f31c9e";
pub(crate) const TOKEN: &str = "planted0token0B58d2e4a06c";

/// What must not be found: the planted ones, as they are and as they travel, and the passwords.
fn forbidden(passwords: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<String> = vec![
        KEY.into(),
        TOKEN.into(),
        // Three alignments of base 64 for what stands somewhere in a longer text.
        BASE64_STANDARD.encode(format!("{KEY}:{TOKEN}")),
        BASE64_STANDARD.encode(KEY).trim_end_matches('=').to_owned(),
        BASE64_STANDARD
            .encode(TOKEN)
            .trim_end_matches('=')
            .to_owned(),
        STORE_KEY.into(),
    ];
    all.extend(passwords.iter().cloned());
    all.into_iter()
        .map(|text| (text.clone(), text.into_bytes()))
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every file of the place that has one of them, handoff files aside.
fn leaks(place: &Place, forbidden: &[(String, Vec<u8>)]) -> Vec<String> {
    leaks_in(place.folder(), &place.path("out"), forbidden)
}

/// Every file in a folder that has one of them, those in `out` aside.
pub(crate) fn leaks_in(folder: &Path, out: &Path, forbidden: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut all = Vec::new();
    files(folder, &mut all);
    let mut found = Vec::new();
    for path in all.iter().filter(|path| !path.starts_with(out)) {
        let Ok(bytes) = fs::read(path) else { continue };
        for (text, wanted) in forbidden {
            if has(&bytes, wanted) {
                found.push(format!("{text} is in {}", path.display()));
            }
        }
    }
    found
}

pub(crate) fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}

fn passwords(place: &Place) -> Vec<String> {
    let handoffs = place.handoffs("out");
    let password = |handoff: &Value| handoff["credentials"]["password"].as_str().map(Into::into);
    handoffs.iter().filter_map(password).collect()
}

const ACCOUNTS: usize = 12;

fn place(simulator: &Simulator) -> Place {
    let names: Vec<String> = (0..ACCOUNTS).map(|n| format!("acc{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = Place::new(simulator, &names)
        .env("EXOTEL_KEY", KEY)
        .env("EXOTEL_TOKEN", TOKEN)
        // Also with everything that the libraries would say.
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1");
    let signups: Vec<Signup> = names
        .iter()
        .enumerate()
        .map(|(n, account)| {
            Signup::new(account, "everything", n)
                .with("key", account)
                .with("caller_id", &format!("+9180{n:08}"))
        })
        .collect();
    place.write("signups.jsonl", &lines_of(&signups));
    place.settings("log_level = \"trace\"\n");
    place
}

/// A fault of every kind, each at the step that sends the password, and some before.
fn break_everything(simulator: &Simulator) {
    let at = |n: usize, path: &str, fault: Value| {
        let mut rule =
            json!({"account": format!("acc{n}"), "method": "POST", "path": path, "nth": 1});
        rule.as_object_mut()
            .unwrap()
            .extend(fault.as_object().unwrap().clone());
        rule
    };
    let credentials = "/credentials$";
    simulator.break_with(&[
        at(0, credentials, json!({"reset_before": true})),
        at(1, credentials, json!({"reset_after": true})),
        at(2, credentials, json!({"truncate": true})),
        at(3, credentials, json!({"html": true, "after": true})),
        at(4, credentials, json!({"status": 500})),
        at(5, credentials, json!({"status": 409})),
        at(6, credentials, json!({"status": 429, "body": "html"})),
        at(7, credentials, json!({"status": 400})),
        at(8, "/trunks$", json!({"status": 401})),
        at(9, credentials, json!({"status": 401})),
        at(10, credentials, json!({"delay_ms": 2500})),
    ]);
}

fn command_lines(id: u32) -> Vec<u8> {
    fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default()
}

#[test]
fn keys_tokens_and_passwords_are_found_in_handoff_files_alone() {
    for form in ["text", "json"] {
        let simulator = Simulator::start();
        let place = place(&simulator);
        break_everything(&simulator);

        // Killed while credentials are being made, so that the store's files are as a crash
        // leaves them.
        let command = [
            "onboard",
            "signups.jsonl",
            "--out",
            "out",
            "--json",
            "--log",
            form,
        ];
        let program = place.start(&command);
        until("credentials are being made", || {
            let log = simulator.requests();
            let made = log.iter().filter(|it| it.path.ends_with("/credentials"));
            (made.count() >= 6).then_some(())
        });
        let arguments = command_lines(program.id());
        program.kill();
        assert!(place.path("trunkline.db-wal").exists());
        let crashed = place.path("as_the_kill_left_it");
        fs::create_dir(&crashed).unwrap();
        for name in ["trunkline.db", "trunkline.db-wal", "trunkline.db-shm"] {
            fs::copy(place.path(name), crashed.join(name)).unwrap();
        }

        let _ = place.run(&command);
        let failed = ["acc7", "acc8", "acc9"];
        let _ = place.run(&["accounts", "resume", "--all"]);
        let _ = place.run(&["retry", "--all"]);
        let _ = place.run(&command).with(0);
        let passwords = passwords(&place);
        assert_eq!(passwords.len(), ACCOUNTS);

        for arguments in [
            vec!["list", "--json"],
            vec!["list"],
            vec!["status", failed[0], "--json"],
            vec!["status", failed[1]],
            vec!["handoff", failed[0], failed[2]],
            vec!["handoff", failed[0], "--json"],
            vec!["plan", "signups.jsonl", "--json"],
            vec!["accounts", "list", "--json"],
            vec!["accounts", "check"],
            vec!["verify", "--all", "--json"],
            vec!["cancel", failed[0]],
            vec!["work", "--drain"],
        ] {
            let _ = place.run(&arguments);
        }
        let leaks = leaks(&place, &forbidden(&passwords));
        assert!(leaks.is_empty(), "log {form}: {leaks:#?}");
        for (text, wanted) in forbidden(&passwords) {
            assert!(!has(&arguments, &wanted), "{text} is in the arguments");
        }
        // The logs were as talkative as they were meant to be.
        let said = |n: usize| fs::read_to_string(place.path(&format!("{n}.stderr"))).unwrap();
        assert!((0..2).any(|n| said(n).contains("TRACE")), "{}", said(1));
    }
}

#[test]
fn keys_tokens_and_passwords_are_not_found_in_a_redis_either_nor_in_the_logs_of_its_workers() {
    let simulator = Simulator::start();
    let redis = Server::with_aof();
    // Every command with its arguments, as an administrator may log them.
    redis
        .ask(&["CONFIG", "SET", "slowlog-log-slower-than", "0"])
        .unwrap();
    redis
        .ask(&["CONFIG", "SET", "slowlog-max-len", "100000"])
        .unwrap();
    let place = place(&simulator).on_redis(&redis.url());
    place.settings("log_level = \"trace\"\n");
    break_everything(&simulator);
    let mut workers: Vec<Program> = (0..3).map(|_| place.start(&["work"])).collect();
    let command = ["onboard", "signups.jsonl", "--out", "out", "--json"];
    let program = place.start(&command);
    until("credentials are being made", || {
        let log = simulator.requests();
        let made = log.iter().filter(|it| it.path.ends_with("/credentials"));
        (made.count() >= 6).then_some(())
    });
    let ids: Vec<u32> = workers.iter().chain([&program]).map(Program::id).collect();
    let arguments: Vec<u8> = ids.into_iter().flat_map(command_lines).collect();
    workers.remove(0).kill();
    let _ = program.wait();
    let _ = place.run(&["accounts", "resume", "--all"]);
    let _ = place.run(&["retry", "--all"]);
    let _ = place.run(&command).with(0);
    let forbidden = forbidden(&passwords(&place));
    assert!(forbidden.len() > ACCOUNTS);

    redis.ask(&["SAVE"]).unwrap();
    let dumps = redis.folder();
    let mut leaks = leaks_in(dumps, Path::new("none"), &forbidden);
    leaks.extend(self::leaks(&place, &forbidden));
    let commands = redis.ask(&["SLOWLOG", "GET", "-1"]).unwrap();
    let info = redis.ask(&["CLIENT", "LIST"]).unwrap();
    for (text, wanted) in &forbidden {
        for (place, said) in [
            ("the arguments", arguments.as_slice()),
            ("what the Redis was asked", commands.as_bytes()),
            ("what the Redis knows of its clients", info.as_bytes()),
        ] {
            if has(said, wanted) {
                leaks.push(format!("{text} is in {place}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    // What was searched has what it is meant to have.
    let mut all = Vec::new();
    files(dumps, &mut all);
    let held: Vec<u8> = all
        .iter()
        .flat_map(|path| fs::read(path).unwrap())
        .collect();
    assert!(has(&held, place.store_name().as_bytes()));
    assert!(
        ["EVALSHA", "FCALL"].iter().any(|it| commands.contains(it)),
        "{commands}"
    );
    assert!(workers[0].stderr().contains("TRACE"));
}

#[test]
fn the_search_finds_what_is_there() {
    let simulator = Simulator::start();
    let place = place(&simulator);
    let command = ["onboard", "signups.jsonl", "--out", "out"];
    let _ = place.run(&command).with(0);
    let passwords = passwords(&place);
    let shown = place.run(&["handoff", "acc0", "--show-secrets", "--json"]);
    assert_eq!(
        shown.with(0).record("handoff")["credentials"]["password"],
        json!(
            place
                .handoffs("out")
                .iter()
                .find(|it| it["key"] == "acc0")
                .expect("a handoff")["credentials"]["password"]
        )
    );
    assert_eq!(leaks(&place, &forbidden(&passwords)).len(), 1);
}

#[test]
fn a_token_that_is_written_into_the_accounts_file_is_refused_without_being_repeated() {
    let place = Place::bare();
    place.write(
        "accounts.toml",
        &format!(
            "[accounts.acme]\naccount_sid = \"acme\"\nregion = \"in\"\n\
             api_key = {{ env = \"EXOTEL_KEY\" }}\napi_token = \"{TOKEN}\"\n"
        ),
    );
    place.write(
        "signups.jsonl",
        &lines_of(&[Signup::new("acme", "retell", 1)]),
    );
    for command in ["onboard", "enqueue", "plan"] {
        let refused = place.run(&[command, "signups.jsonl", "--json"]).with(2);
        assert!(!refused.stdout.contains(TOKEN), "{}", refused.stdout);
        assert!(!refused.stderr.contains(TOKEN), "{}", refused.stderr);
        assert_eq!(
            refused.record("problem")["field"],
            "accounts.acme.api_token"
        );
    }
}

#[test]
fn a_key_with_an_odd_character_is_not_repeated_in_what_is_said_of_it() {
    let simulator = Simulator::start();
    for odd in [
        "planted\u{e9}odd0token",
        "planted:odd0token",
        "planted\nodd0token",
    ] {
        let place = place(&simulator)
            .env("EXOTEL_KEY", odd)
            .env("EXOTEL_TOKEN", odd);
        let _ = place.run(&["onboard", "signups.jsonl"]);
        let _ = place.run(&["accounts", "check"]);
        let leaks = leaks(&place, &[("the token".into(), b"odd0token".to_vec())]);
        assert!(leaks.is_empty(), "{odd:?}: {leaks:#?}");
    }
}
