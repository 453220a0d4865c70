//! The promise: who follows the README from top to bottom in one empty folder gets what it says.
//!
//! The method: every line of its console blocks is run in their order, with the built binary, in one
//! folder that has the examples in it. The simulator stands for Exotel where the README says "Against
//! Exotel". A line of a kind that this test does not know fails it.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tests::{Place, Program, Serving, Simulator, ask, until};

/// Where the README's repository is.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The commands of the console blocks, comments cut off, lines that go on joined.
fn commands(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let (mut console, mut goes_on) = (false, false);
    for line in text.lines() {
        if line.starts_with("```") {
            console = line == "```console";
        } else if console && (goes_on || line.starts_with("$ ")) {
            let part = line
                .trim_start_matches("$ ")
                .split("  # ")
                .next()
                .unwrap_or_default();
            let whole = part.trim().trim_end_matches('\\').trim();
            match all.last_mut() {
                Some(last) if goes_on => *last = format!("{last} {whole}"),
                _ => all.push(whole.to_owned()),
            }
            goes_on = line.ends_with('\\');
        }
    }
    all
}

/// The text of the first block of this kind.
fn block(text: &str, kind: &str) -> String {
    let (_, rest) = text
        .split_once(&format!("```{kind}\n"))
        .expect("there is such a block");
    rest.split("```").next().unwrap_or_default().to_owned()
}

/// The folder, and what runs in it.
struct Walk {
    place: Place,
    simulator: Simulator,
    readme: String,
    token: Option<String>,
    serving: Option<Serving>,
    background: Vec<Program>,
}

impl Walk {
    fn new() -> Self {
        let place = Place::bare()
            .env("ACME_EXOTEL_KEY", "key")
            .env("ACME_EXOTEL_TOKEN", "token");
        fs::remove_dir_all(place.path("recipes")).unwrap();
        fs::remove_file(place.path("trunkline.toml")).unwrap();
        fs::create_dir(place.path("examples")).unwrap();
        for example in fs::read_dir(Path::new(ROOT).join("examples")).unwrap() {
            let example = example.unwrap();
            let name = Path::new("examples").join(example.file_name());
            fs::copy(example.path(), place.folder().join(name)).unwrap();
        }
        Self {
            place,
            simulator: Simulator::start(),
            readme: fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap(),
            token: None,
            serving: None,
            background: Vec::new(),
        }
    }

    fn line(&mut self, line: &str) {
        // A token, an address and JSON have no blanks where it is split.
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            // It builds and installs what this test runs, or runs this test.
            ["cargo", "install", ..] | ["cargo", "xtask", "test"] => {}
            ["cargo", "run", "--release", "--", arguments @ ..] => self.first_steps(arguments),
            ["cp", from, to] => self.copy(from, to),
            ["trunkline", "tokens", "new", ..] => self.token(&words[1..]),
            ["trunkline", "serve", arguments @ .., "&"] => {
                let arguments = [&["serve", "--json"], arguments].concat();
                self.serving = Some(Serving::of(self.place.start(&arguments)));
            }
            ["trunkline", arguments @ .., "&"] => {
                self.background.push(self.place.start(arguments));
            }
            ["trunkline", arguments @ ..] => {
                let _ = self.place.run(arguments).with(0);
            }
            ["curl", ..] => self.curl(line),
            _ => panic!("this test does not know how to follow: {line}"),
        }
    }

    /// The first command, and what the README says of a second run.
    fn first_steps(&self, arguments: &[&str]) {
        let run = || {
            let ended = self.place.run(arguments).with(0);
            ended.stderr + &ended.stdout
        };
        let (first, second): (String, String) = (run(), run());
        for says in self.readme.lines().filter(|line| line.starts_with("46 ")) {
            // The time differs.
            let says = says.split(" in ").next().unwrap_or_default();
            assert!(first.contains(says), "{says}: {first}");
        }
        for says in ["0 accepted, 46 there before", "; 0 requests in "] {
            assert!(second.contains(says), "{says}: {second}");
        }
    }

    /// Puts a file in place, and fills in what a person has to.
    fn copy(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.place.path(from)).expect("the example is there");
        let base_url = format!("base_url = \"{}\"", self.simulator.base_url());
        let text = text.replacen("region = \"in\"", &base_url, 1);
        self.place.write(to, &text);
        self.place.write("signups.csv", &block(&self.readme, "csv"));
    }

    /// Makes the token, and puts the table where the README says.
    fn token(&mut self, arguments: &[&str]) {
        let made = self.place.run(arguments).with(0).stdout;
        let (token, table) = made.split_once('\n').expect("a token and its table");
        self.token = Some(token.to_owned());
        // Another program may have the usual port.
        self.place.write(
            "trunkline.toml",
            &format!("listen = \"127.0.0.1:0\"\n{table}"),
        );
    }

    fn curl(&self, line: &str) {
        let address = self.serving.as_ref().expect("it serves").address();
        let path = line
            .split("127.0.0.1:8484")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let (_, body) = line.split_once("-d '").expect("a body");
        let body = body.trim_end_matches('\'');
        let bearer = format!("Bearer {}", self.token.as_ref().expect("a token"));
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "order-4711"),
        ];
        let answer = ask(address, "POST", path.expect("a path"), &headers, body);
        let mut answered: Value = answer.expect("an answer").json();
        answered["onboardings"][0]["id"] = json!("onb_...");
        let said = self
            .readme
            .lines()
            .find(|it| it.starts_with("{\"type\":\"enqueued\""));
        let said: Value = serde_json::from_str(said.expect("its answer")).unwrap();
        assert_eq!(answered, said);
        let key = said["onboardings"][0]["key"]
            .as_str()
            .expect("a key")
            .to_owned();
        until("the worker has done it", || {
            let status = ["status", &key, "--sandbox", "--json"];
            let own = self.place.run(&status).with(0).record("onboarding");
            (own["state"] == "succeeded").then_some(())
        });
    }
}

#[test]
fn the_readme_can_be_followed_from_top_to_bottom_in_one_empty_folder() {
    let mut walk = Walk::new();
    let lines = commands(&walk.readme);
    assert!(lines.len() >= 14, "{lines:#?}");
    for line in &lines {
        walk.line(line);
    }
    // What was made at Exotel is what its part of the README says, and has its handoff.
    let signups = block(&walk.readme, "csv").lines().count() - 1;
    let state = walk.simulator.state();
    assert_eq!(
        state["acme1"]["trunks"].as_array().map(Vec::len),
        Some(signups)
    );
    assert_eq!(walk.place.handoffs("handoffs").len(), signups);
}
