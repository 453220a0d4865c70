//! The promise: a server whose database takes no writes says so, to those who ask whether it is ready
//! and to those who send signups, and what it answered with 503 is not accepted later without a word.
//!
//! The method: another program locks the database; and the database is on a small disk that is full.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use tests::{Answer, Place, Serving, TOKENS, until};

/// Nothing is sent to it. Made up, as everything in it.
const ACCOUNTS: &str = r#"
[accounts.acme]
account_sid = "acme1"
region = "in"
api_key = { env = "NOT_SET" }
api_token = { env = "NOT_SET" }
"#;

fn place() -> Place {
    let place = Place::bare().with_tables(TOKENS);
    place.write("accounts.toml", ACCOUNTS);
    place
}

fn post(serving: &Serving, n: usize) -> Answer {
    let body =
        json!({"account": "acme", "partner": "five_steps", "number": format!("+9180{n:08}")});
    serving.ask("POST", "/v1/onboardings", &body.to_string())
}

fn ready(serving: &Serving) -> Answer {
    serving.ask_with("GET", "/readyz", &[], "")
}

fn until_ready(serving: &Serving) {
    until("it is ready", || {
        (ready(serving).status == 200).then_some(())
    });
}

#[test]
fn a_server_whose_writes_wait_is_not_ready_and_accepts_nothing_later_without_a_word() {
    let place = place();
    let serving = Serving::start(&place);
    assert_eq!(post(&serving, 1).status, 202);
    let foreign = place.database();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = post(&serving, 2);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let words = until("it is not ready", || {
        let answer = ready(&serving);
        (answer.status == 503).then(|| answer.json()["detail"].clone())
    });
    let words = words.as_str().unwrap_or_default();
    assert!(words.contains("a write has waited for"), "{words}");
    assert!(!words.contains("trunkline.db"), "{words}");
    // Looking is still possible, from other processes too.
    assert_eq!(place.tally()["total"], 1);
    let listed = serving.ask("GET", "/v1/onboardings", "").json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));

    foreign.execute_batch("ROLLBACK").unwrap();
    until_ready(&serving);
    assert_eq!(post(&serving, 3).status, 202);
    let listed = place.list();
    let numbers: Vec<&Value> = listed.iter().map(|record| &record["number"]).collect();
    assert_eq!(json!(numbers), json!(["+918000000001", "+918000000003"]));
}

/// A server in a place whose database is on a disk of a megabyte, and that disk as others reach it.
fn on_a_small_disk(place: &Place) -> Option<(Serving, PathBuf)> {
    fs::create_dir(place.path("disk")).unwrap();
    let binary = tests::binary();
    let mount = "mount -t tmpfs -o size=1m none disk || exit 77";
    let small = Command::new("unshare")
        .args(["-rm", "sh", "-c", mount])
        .current_dir(place.folder())
        .status();
    if !small.is_ok_and(|status| status.success()) {
        return None;
    }
    let serve = format!(
        "{mount}; exec {} serve --listen 127.0.0.1:0 --json --store sqlite:disk/t.db",
        binary.display()
    );
    let mut command = place.command(&[]);
    let own = std::mem::replace(&mut command, Command::new("unshare"));
    command.args(["-rm", "sh", "-c", &serve]);
    command.current_dir(place.folder());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let serving = Serving::of(place.launch(command));
    let root = format!("/proc/{}/root", serving.program().id());
    let disk = place.path("disk");
    let disk = disk.strip_prefix("/").unwrap();
    Some((serving, PathBuf::from(root).join(disk)))
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_whose_disk_is_full_is_not_ready_until_there_is_room_again() {
    let place = place();
    let Some((serving, disk)) = on_a_small_disk(&place) else {
        eprintln!("left out: this machine does not let its users mount");
        return;
    };
    assert_eq!(post(&serving, 1).status, 202);
    let filler = disk.join("filler");
    // All that is left.
    drop(fs::write(&filler, vec![0; 2 * 1024 * 1024]));
    let mut n = 1;
    let refused = until("nothing more is accepted", || {
        n += 1;
        let answer = post(&serving, n);
        (answer.status != 202).then_some(answer)
    });
    assert_eq!(refused.status, 503, "{}", refused.text());
    let words = until("it is not ready", || {
        let answer = ready(&serving);
        (answer.status == 503).then(|| answer.text())
    });
    assert!(words.contains("disk is full"), "{words}");

    fs::remove_file(&filler).unwrap();
    until_ready(&serving);
    assert_eq!(post(&serving, n).status, 202);
    let listed = serving.ask("GET", "/v1/onboardings?limit=200", "").json();
    let there = listed["items"].as_array().map(Vec::len);
    assert_eq!(there, Some(n));
}

/// `trunkline enqueue` of a thousand signups under a limit of the system: what it said, and its status.
fn enqueued_under(place: &Place, limit: &str) -> (String, Option<i32>) {
    let mut command = place.command(&[]);
    let own = std::mem::replace(&mut command, Command::new("sh"));
    let program = tests::binary();
    let shell = format!("{limit}; exec {} enqueue many.csv", program.display());
    command.args(["-c", &shell]).current_dir(place.folder());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (said, output.status.code())
}

#[test]
#[cfg(target_os = "linux")]
fn a_limit_of_the_system_is_named_once_with_its_remedy_and_the_same_again_loses_nothing() {
    let place = place();
    let mut many = "account,partner,number\n".to_owned();
    for n in 0..1000 {
        many += &format!("acme,five_steps,+9180{n:08}\n");
    }
    place.write("many.csv", &many);
    for (limit, remedy, status) in [
        ("ulimit -n 14", "ulimit -n", 2),
        // In blocks of 512 or 1024 bytes: enough for the empty store, too little for the signups.
        ("ulimit -f 640", "ulimit -f", 1),
    ] {
        let (said, code) = enqueued_under(&place, limit);
        assert_eq!(code, Some(status), "{limit}: {said}");
        assert_eq!(said.matches(remedy).count(), 1, "{limit}: {said}");
        let claims = ["changed nothing", "nothing was changed", "not known"];
        let claimed: usize = claims.iter().map(|claim| said.matches(claim).count()).sum();
        assert!(claimed <= 1, "{limit}: {said}");
    }
    let (said, code) = enqueued_under(&place, "true");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.tally()["total"], 1000);
}
