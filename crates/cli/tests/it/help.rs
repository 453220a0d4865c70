//! One definition gives help, completions and manual pages.

use std::fs;

use crate::home::Home;

const COMMANDS: &[&str] = &[
    "",
    "onboard",
    "plan",
    "enqueue",
    "work",
    "serve",
    "status",
    "list",
    "retry",
    "cancel",
    "handoff",
    "verify",
    "accounts",
    "accounts list",
    "accounts check",
    "accounts park",
    "accounts resume",
    "recipes",
    "recipes list",
    "recipes show",
    "recipes check",
    "recipes new",
    "recipes schema",
    "store",
    "store copy",
    "tokens",
    "tokens new",
    "tokens list",
    "probe",
    "doctor",
    "sandbox",
    "completions",
    "man",
];

/// `UPDATE_GOLDEN=1` writes the file anew.
#[test]
fn the_help_of_every_command_is_as_recorded() {
    let home = Home::new();
    let mut all = String::new();
    for command in COMMANDS {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let ran = home.run(&args).ends(0);
        assert_eq!(ran.stderr, "", "{command}");
        all.push_str(&format!("$ trunkline {}\n{}\n", args.join(" "), ran.stdout));
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/help.golden.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, &all).unwrap();
    }
    assert_eq!(all, fs::read_to_string(golden).unwrap());
    assert_eq!(
        home.files(),
        Vec::<String>::new(),
        "help leaves nothing behind"
    );
}

#[test]
fn a_command_or_option_that_there_is_not_ends_with_2() {
    let home = Home::new();
    for args in [
        vec!["frobnicate"],
        vec!["onboard"],
        vec!["status", "--frobnicate"],
        vec!["verify", "--all", "--repair"],
        vec!["serve", "--port", "1"],
        vec!["retry"],
        vec!["retry", "a", "--all"],
        vec!["list", "--state", "done"],
        vec!["sandbox", "--latency-ms", "9-1"],
        vec![],
    ] {
        let ran = home.run(&args).ends(2);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = home.run(&["completions", shell]).ends(0);
        assert!(ran.stdout.contains("onboard"), "{shell}");
        assert!(ran.stdout.contains("show-secrets"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let home = Home::new();
    let page = home.run(&["man"]).ends(0).stdout;
    assert!(page.contains(".TH trunkline 1"), "{page}");
    home.run(&["man", "--out", "man"]).ends(0);
    for command in COMMANDS {
        let name = ["trunkline", command].join("-").replace(' ', "-");
        let page = home.read(&format!("man/{}.1", name.trim_end_matches('-')));
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let home = Home::new();
    for args in [
        &["recipes", "show", "livekit"][..],
        &["completions", "zsh"],
        &["man"],
    ] {
        let mut child = home.command(args).spawn().unwrap();
        drop(child.stdout.take());
        let ran = crate::home::finish(child).ends(0);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn only_a_slip_of_one_letter_is_answered_with_another_command() {
    let home = Home::new();
    for (typed, suggested) in [
        ("offboard", None),
        ("rotate", None),
        ("unpark", None),
        ("staus", Some("status")),
        ("lsit", Some("list")),
        ("onbord", Some("onboard")),
    ] {
        let ran = home.run(&[typed]).ends(2);
        let tip = suggested.map(|name| format!("a similar subcommand exists: '{name}'"));
        let has_tip = ran.stderr.contains("similar");
        assert_eq!(has_tip, tip.is_some(), "{}", ran.stderr);
        assert!(ran.stderr.contains(&tip.unwrap_or_default()));
    }
}
