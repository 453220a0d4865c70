//! The promise: people do on the dashboard what commands do. They log in, upload signups, see the
//! broken ones refused and named, watch the others become trunks, resume a parked account, retry what
//! failed, and copy a handoff; with the keyboard, with a screen reader, on a telephone, without
//! JavaScript, and without a request to anybody else.
//!
//! The method: a real Chromium, driven by `tests/browser/drive.mjs`, on the real `serve` and `work`
//! with a simulator. With `TRUNKLINE_SCREENSHOTS=FOLDER` it leaves there what it saw.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tests::{Place, Program, Serving, Simulator, TOKEN, TOKENS, until};

const OF_ACME: usize = 180;
const OF_GLOBEX: usize = 20;

/// So that it takes some seconds, and the meters show something.
const ALLOWANCE: u32 = 3000;

/// Rows that are wrong: where, the row, and the field that has to be named.
const BROKEN: [(usize, &str, &str); 5] = [
    (3, "acme,livekit,0801,bad-1,both,subdomain1", "number"),
    (
        50,
        "nobody,livekit,+918000000050,bad-2,both,subdomain1",
        "account",
    ),
    (
        51,
        "acme,nopartner,+918000000051,bad-3,both,subdomain1",
        "partner",
    ),
    (
        120,
        "acme,livekit,+918000000120,bad-4,sideways,subdomain1",
        "direction",
    ),
    (
        201,
        "acme,livekit,+918000000201,bad-5,both,",
        "inputs.livekit_sip_subdomain",
    ),
];

const HEADER: &str = "account,partner,number,key,direction,inputs.livekit_sip_subdomain";

/// 200 made-up signups, line 2 first.
fn rows() -> Vec<String> {
    let row = |n: usize| {
        let account = if n < OF_ACME { "acme" } else { "globex" };
        format!("{account},livekit,+9180{n:08},crm-{n},both,subdomain1")
    };
    (0..OF_ACME + OF_GLOBEX).map(row).collect()
}

fn csv(rows: &[String]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

/// The browser: named, or the first of those that a system may have.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("TRUNKLINE_TEST_CHROMIUM") {
        return Some(named.into());
    }
    let path = env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().find_map(|name| {
        env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    })
}

/// The libraries of the script, where `cargo xtask servers` puts them.
fn libraries() -> Option<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let libraries = target.join("test-browser");
    libraries
        .join("installed.json")
        .is_file()
        .then_some(libraries)
}

/// The script, and what it says.
struct Script {
    program: Program,
    stdin: std::process::ChildStdin,
    heard: usize,
}

impl Script {
    fn start(place: &Place, given: &Value) -> Self {
        let mut command = Command::new("node");
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/drive.mjs"))
            .stdin(Stdio::piped());
        let mut program = place.launch(command);
        let stdin = program.stdin().expect("a pipe");
        let mut script = Self {
            program,
            stdin,
            heard: 0,
        };
        script.answer(&given.to_string());
        script
    }

    fn answer(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the script listens");
    }

    /// What it needs next; `None` once it is done.
    fn next_need(&mut self) -> Option<String> {
        loop {
            let at = self.heard;
            let program = &mut self.program;
            let line = until("the browser goes on", || {
                let told = program.stdout();
                let line = told.split_inclusive('\n').nth(at).unwrap_or_default();
                if line.ends_with('\n') {
                    return Some(line.to_owned());
                }
                // It gives up by itself before its patience here ends, and says at what.
                assert!(program.runs(), "{told}{}", program.stderr());
                None
            });
            self.heard += 1;
            let said: Value = serde_json::from_str(&line).expect("a line of JSON");
            assert!(said["broken"].is_null(), "{}", self.program.stdout());
            if said["step"] == "done" {
                return None;
            }
            if let Some(need) = said["need"].as_str() {
                return Some(need.to_owned());
            }
        }
    }
}

/// The keys that the simulator takes: globex's is not the one in the accounts file.
fn other_keys() -> Vec<Value> {
    vec![
        json!({"account_sid": "acme", "api_key": "key", "api_token": "token"}),
        json!({"account_sid": "globex", "api_key": "key", "api_token": "another"}),
    ]
}

fn given(serving: &Serving, libraries: &Path, chromium: &Path) -> Value {
    let good = rows();
    let mut broken = good.clone();
    for (line, row, _) in BROKEN {
        broken[line - 2] = row.to_owned();
    }
    let problems: Vec<Value> = BROKEN
        .iter()
        .map(|(line, _, field)| json!([line.to_string(), field]))
        .collect();
    let shots = env::var_os("TRUNKLINE_SCREENSHOTS").map(PathBuf::from);
    if let Some(folder) = &shots {
        fs::create_dir_all(folder).expect("a folder for what was seen");
    }
    json!({
        "base": format!("http://{}", serving.address()),
        "token": TOKEN,
        "chromium": chromium,
        "libraries": libraries,
        "shots": shots,
        "broken": csv(&broken),
        "problems": problems,
        "good": csv(&good),
        "one": format!("{HEADER}\nacme,livekit,+918011111111,by-hand,both,subdomain1\n"),
        "key": "crm-17",
        "of_acme": OF_ACME,
        "allowance": ALLOWANCE.to_string(),
    })
}

#[test]
fn people_do_on_the_dashboard_what_commands_do() {
    let (Some(chromium), Some(libraries)) = (chromium(), libraries()) else {
        panic!(
            "this test needs a Chromium and what drives it; `cargo xtask servers` installs both"
        );
    };
    // So slow that there is something to watch.
    let simulator = Simulator::slow(20, 60);
    simulator.accept_only(&other_keys());
    // One of acme's numbers is refused, for as long as the rule is there.
    simulator.break_with(&[json!({
        "account": "acme", "method": "POST", "path": "/phone-numbers$", "nth": 7, "status": 400
    })]);
    let limits = format!("requests_per_minute = {ALLOWANCE}, connections = 50");
    let place = Place::with_limits(&simulator, &["acme", "globex"], &limits).with_tables(TOKENS);
    place.settings("concurrency = 8\n");
    let serving = Serving::start(&place);
    let mut script = Script::start(&place, &given(&serving, &libraries, &chromium));
    let mut worker = None;
    while let Some(need) = script.next_need() {
        match need.as_str() {
            "work" => worker = Some(place.start(&["work"])),
            "mend globex" => simulator.accept_any_key(),
            "mend acme" => simulator.mend(),
            "rest" => drop(worker.take()),
            other => panic!("nobody can do this: {other}"),
        }
        script.answer("done");
    }
    assert!(
        !serving.program().stderr().contains(TOKEN),
        "the token is in the log"
    );
    let tally = place.tally();
    assert_eq!(tally["succeeded"], OF_ACME + OF_GLOBEX);
    assert_eq!(tally["cancelled"], 1);
}
