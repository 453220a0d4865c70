//! The promise: every command line in the README is one that the binary takes.
//!
//! The method: each line of a code fence that begins with `trunkline`, or with `cargo run` and the
//! binary's arguments, is given to the binary with `--help` at its end: what it does not know is
//! refused before the help is shown.

use std::{fs, path::Path};

use tests::{Ended, Place};

/// The arguments of the command lines in `text`.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            lines.extend(arguments(line.trim_start_matches("$ ")));
        }
    }
    lines
}

fn arguments(line: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let rest = match *words.first()? {
        "trunkline" => words.get(1..)?,
        // Other programs of the workspace are not the binary.
        "cargo" if words.get(1) == Some(&"run") && !words.contains(&"--example") => {
            let dashes = words.iter().position(|word| *word == "--")?;
            words.get(dashes + 1..)?
        }
        _ => return None,
    };
    // What follows is the shell's.
    let end = |word: &&&str| !matches!(**word, "|" | "&&" | ">" | "2>" | "<" | "&" | "#" | ";");
    let rest = rest.iter().take_while(end);
    Some(rest.map(|word| (*word).to_owned()).collect())
}

fn help(place: &Place, arguments: &[String]) -> Ended {
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    words.push("--help");
    place.run(&words)
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_command_line_of_the_readme_is_taken_by_the_binary() {
    let text = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    let lines = command_lines(&text);
    assert!(lines.len() >= 2, "{lines:?}");
    let place = Place::bare();
    let wrong: Vec<String> = lines
        .iter()
        .map(|line| help(&place, line))
        .filter(|ended| ended.code != Some(0))
        .map(|ended| format!("{}: {}", ended.what, ended.stderr))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_command_line_of_the_other_pages_is_taken_by_the_binary() {
    let place = Place::bare();
    let mut pages = vec![
        root().join("CONTRIBUTING.md"),
        root().join("recipes/README.md"),
    ];
    let docs = fs::read_dir(root().join("docs")).expect("there are docs");
    pages.extend(docs.map(|entry| entry.expect("readable").path()));
    let mut wrong = Vec::new();
    for page in pages {
        let Ok(text) = fs::read_to_string(&page) else {
            continue;
        };
        for line in command_lines(&text) {
            let ended = help(&place, &line);
            if ended.code != Some(0) {
                wrong.push(format!(
                    "{}: {}: {}",
                    page.display(),
                    ended.what,
                    ended.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_command_line_that_is_wrong_is_told_from_a_right_one() {
    let place = Place::bare();
    let text = "```sh\n$ trunkline onboard a.csv --sandbox | less\n\
                cargo run --release -- work --drain --concurrency 4  # until done\n\
                trunkline onboard a.csv --no-such-option\ntrunkline no-such-command\n\
                trunkline work --concurrency many\nls\n```\ntrunkline not in a fence\n";
    let codes: Vec<Option<i32>> = command_lines(text)
        .iter()
        .map(|line| help(&place, line).code)
        .collect();
    assert_eq!(codes, [Some(0), Some(0), Some(2), Some(2), Some(2)]);
}
