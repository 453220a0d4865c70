//! The promise: nothing is acknowledged into a database file that is not at its path any more, and one
//! file is never used by two paths.
//!
//! The method: `serve` and `work` run, and files are put in place, renamed and removed under them; one
//! file under two names, and mounted by itself.

use std::{fs, process::Command};

use serde_json::{Value, json};
use tests::{Place, Program, Serving, Signup, Simulator, TOKENS, lines_of, until};

fn signup(n: usize) -> String {
    json!({"account": "acme", "partner": "five_steps", "number": format!("+9180{n:08}")})
        .to_string()
}

/// Posts one and returns the status, and the problem's code if it is one.
fn post(serving: &Serving, n: usize) -> (u16, Value) {
    let answer = serving.ask("POST", "/v1/onboardings", &signup(n));
    (answer.status, answer.json()["code"].clone())
}

fn is_gone(worker: Program) {
    let ended = worker.wait().with(1);
    let why = "the database file was replaced under this process; start again";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
}

/// What an operator does to the files of a running Trunkline, and what that is.
type Replacing = (&'static str, fn(&Place));

const REPLACED: [Replacing; 4] = [
    ("a backup is put in place", |place| {
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(place.path(&format!("trunkline.db{suffix}"))).unwrap();
        }
        fs::rename(place.path("backup.db"), place.path("trunkline.db")).unwrap();
    }),
    ("the file is renamed", |place| {
        fs::rename(place.path("trunkline.db"), place.path("old.db")).unwrap();
    }),
    ("the log is removed", |place| {
        fs::remove_file(place.path("trunkline.db-wal")).unwrap();
    }),
    (
        "a backup is written over the file and the logs are removed",
        |place| {
            for suffix in ["-wal", "-shm"] {
                fs::remove_file(place.path(&format!("trunkline.db{suffix}"))).unwrap();
            }
            fs::copy(place.path("backup.db"), place.path("trunkline.db")).unwrap();
        },
    ),
];

#[test]
fn nothing_is_accepted_into_a_file_that_was_replaced_and_its_worker_stops() {
    for (what, replace) in REPLACED {
        let simulator = Simulator::start();
        let place = Place::new(&simulator, &["acme"]).with_tables(TOKENS);
        let serving = Serving::start(&place);
        let worker = place.start(&["work"]);
        assert_eq!(post(&serving, 1).0, 202);
        until("it is worked on", || {
            (place.tally()["succeeded"] == 1).then_some(())
        });
        let backup = place.path("backup.db");
        let sqlite = place.database();
        let backed_up = sqlite.execute("VACUUM INTO ?1", [backup.to_str()]);
        backed_up.unwrap();
        drop(sqlite);

        replace(&place);
        assert_eq!(post(&serving, 2), (503, json!("store_replaced")), "{what}");
        assert_eq!(post(&serving, 3), (503, json!("store_replaced")), "{what}");
        let list = serving.ask("GET", "/v1/onboardings", "");
        assert_eq!(list.status, 503, "{what}: {}", list.text());
        until("it is not ready", || {
            let ready = serving.ask_with("GET", "/readyz", &[], "");
            let code = ready.json()["code"].clone();
            (ready.status == 503 && code == "store_replaced").then_some(())
        });
        is_gone(worker);
        let _ = serving.stop().with(0);

        // Nothing that was answered with 202 after it is missing, for there was none.
        if what.contains("backup") {
            let numbers: Vec<Value> = place.list().iter().map(|it| it["number"].clone()).collect();
            assert_eq!(json!(numbers), json!(["+918000000001"]), "{what}");
            let serving = Serving::start(&place);
            assert_eq!(post(&serving, 2).0, 202, "{what}");
        }
    }
}

#[test]
fn one_file_is_not_used_under_two_names() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]);
    place.write(
        "one.jsonl",
        &lines_of(&[Signup::new("acme", "five_steps", 1)]),
    );
    let _ = place.run(&["enqueue", "one.jsonl"]).with(0);
    let mut worker = place.start(&["work"]);
    until("it works", || {
        (place.tally()["succeeded"] == 1).then_some(())
    });
    fs::hard_link(place.path("trunkline.db"), place.path("other.db")).unwrap();
    for arguments in [
        &["work", "--store", "sqlite:other.db"][..],
        &["enqueue", "one.jsonl", "--store", "sqlite:other.db"],
        &["status", "--store", "sqlite:other.db"],
        &["status"],
    ] {
        let refused = place.run(arguments).with(2);
        assert!(refused.stderr.contains("hard links"), "{}", refused.stderr);
    }
    assert!(worker.runs());
    fs::remove_file(place.path("other.db")).unwrap();
    let _ = place.run(&["status"]).with(0);

    // A symbolic link leads to the same log.
    std::os::unix::fs::symlink(place.path("trunkline.db"), place.path("link.db")).unwrap();
    let refused = place.run(&["work", "--store", "sqlite:link.db"]).with(2);
    assert!(
        refused.stderr.contains("has a worker"),
        "{}",
        refused.stderr
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_mounted_by_itself_is_refused() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]);
    place.write(
        "one.jsonl",
        &lines_of(&[Signup::new("acme", "five_steps", 1)]),
    );
    let _ = place.run(&["enqueue", "one.jsonl"]).with(0);
    place.write("mounted.db", "");
    fs::create_dir(place.path("mounted")).unwrap();
    let mounted = |what: &str, store: &str| {
        let binary = tests::binary();
        let status = format!("{} status --store {store}", binary.display());
        let mut command = Command::new("unshare");
        command.current_dir(place.folder());
        command.args([
            "-rm",
            "sh",
            "-c",
            &format!("{what} || exit 77; exec {status}"),
        ]);
        place.launch(command).wait()
    };
    let alone = mounted("mount --bind trunkline.db mounted.db", "sqlite:mounted.db");
    if alone.code == Some(77) || alone.stderr.contains("unshare") {
        eprintln!(
            "left out: this machine does not let its users mount: {}",
            alone.stderr
        );
        return;
    }
    let alone = alone.with(2);
    assert!(
        alone.stderr.contains("mount its folder"),
        "{}",
        alone.stderr
    );
    // Its folder brings the log along.
    let _ = mounted("mount --bind . mounted", "sqlite:mounted/trunkline.db").with(0);
}
