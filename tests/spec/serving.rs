//! The promise: `serve` says where it serves as soon as it can be asked, refuses to start where nobody
//! could ask, waits for its store, tells whether it is ready, and ends as it is asked to.
//!
//! The method: the real server on a free port, on both stores; a Redis of the test's own where one is
//! broken.

use std::{io::Write, net::TcpStream};

use tests::{Place, Server, Serving, Signal, StoreKind, TOKEN, TOKENS, until};

fn place(kind: StoreKind) -> Place {
    let place = Place::bare().kept_in(kind).with_tables(TOKENS);
    place.write("accounts.toml", ACCOUNTS);
    place
}

/// Nothing is sent to it. Made up, as everything in it.
const ACCOUNTS: &str = r#"
[accounts.acme]
account_sid = "acme1"
region = "in"
api_key = { env = "NOT_SET" }
api_token = { env = "NOT_SET" }
"#;

on_both_stores!(it_answers_once_it_says_where_it_serves_and_ends_with_0,);

fn it_answers_once_it_says_where_it_serves_and_ends_with_0(kind: StoreKind) {
    for signal in [Signal::TERM, Signal::INT] {
        let place = place(kind);
        // Without the accounts' keys: it sends nothing to Exotel.
        let serving = Serving::start(&place);
        for path in ["/healthz", "/readyz"] {
            let answer = serving.ask_with("GET", path, &[], "");
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
        let nowhere = serving.ask_with("GET", "/nowhere", &[], "");
        assert_eq!(nowhere.status, 404, "{}", nowhere.text());
        let address = serving.address().to_string();
        let probed = place.run(&["probe", &address, "--json"]).with(0);
        assert_eq!(probed.record("probe")["ready"], true);
        serving.program().signal(signal);
        let ended = serving.wait().with(0);
        let probed = place.run(&["probe", &address]).with(1);
        assert_eq!(probed.stdout, "not ready\n");
        assert_eq!(ended.records_of("serving").len(), 1);
    }
}

/// Without them an older SQLite of another process, as that of a backup, takes itself for the last at
/// its end and removes the log that the server goes on writing to.
#[test]
#[cfg(target_os = "linux")]
fn it_keeps_its_locks_on_the_database_for_as_long_as_it_runs() {
    let place = place(StoreKind::Sqlite);
    for time in ["first", "second"] {
        let serving = Serving::start(&place);
        let file = std::fs::metadata(place.path("trunkline.db")).expect("the store");
        let own = format!(" {} ", serving.program().id());
        let inode = format!(":{} ", std::os::unix::fs::MetadataExt::ino(&file));
        let locks = std::fs::read_to_string("/proc/locks").expect("Linux tells locks");
        let held = |line: &&str| line.contains(&own) && line.contains(&inode);
        assert!(locks.lines().any(|line| held(&line)), "{time}: {locks}");
        let _ = serving.stop().with(0);
    }
}

#[test]
fn probes_and_scrapes_that_go_well_write_no_line_at_info() {
    let place = place(StoreKind::Sqlite);
    place.settings("log = \"json\"\nlog_level = \"info\"\n");
    let serving = Serving::start(&place);
    for path in ["/healthz", "/readyz", "/metrics", "/v1/accounts"] {
        assert_eq!(serving.ask("GET", path, "").status, 200, "{path}");
    }
    // The last line of an answer may be written after the answer was read.
    until("the request is in the log", || {
        (serving.program().said("/v1/accounts") > 0).then_some(())
    });
    let log = serving.stop().with(0).stderr;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!(!log.contains(path), "{path}: {log}");
    }
}

#[test]
fn it_refuses_to_start_where_nobody_could_ask_and_says_how_to_make_a_token() {
    let place = Place::bare();
    place.write("accounts.toml", ACCOUNTS);
    let refused = place.run(&["serve", "--listen", "127.0.0.1:0"]).with(2);
    assert!(
        refused.stderr.contains("trunkline tokens new"),
        "{}",
        refused.stderr
    );
    assert!(!place.has_store(), "nothing was changed");
}

#[test]
fn an_address_that_is_taken_or_reached_by_others_is_told_of() {
    let place = place(StoreKind::Sqlite);
    let serving = Serving::start(&place);
    let taken = serving.address().to_string();
    let refused = place.run(&["serve", "--listen", &taken, "--json"]).with(2);
    let problem = refused.record("problem");
    assert_eq!(problem["field"], "listen");
    assert!(problem["message"].to_string().contains(&taken), "{problem}");

    let open = place.start(&["serve", "--listen", "0.0.0.0:0", "--json"]);
    until("it warns", || {
        open.stderr().contains("without TLS").then_some(())
    });
    drop(open);
    place.settings("public_url = \"https://trunkline.example.com\"\n");
    let behind = place.start(&["serve", "--listen", "0.0.0.0:0", "--json"]);
    until("it serves", || {
        behind.stdout().contains("serving").then_some(())
    });
    behind.signal(Signal::TERM);
    let ended = behind.wait().with(0);
    assert!(!ended.stderr.contains("without TLS"), "{}", ended.stderr);
}

#[test]
fn a_server_that_starts_before_its_redis_serves_when_that_answers_and_is_not_ready_without_it() {
    let mut redis = Server::with_aof();
    let place = Place::bare().on_redis(&redis.url()).with_tables(TOKENS);
    place.write("accounts.toml", ACCOUNTS);
    redis.kill();
    let early = place.start(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    until("it says that it waits", || {
        (early.said("waiting until it answers") > 0).then_some(())
    });
    early.signal(Signal::TERM);
    let ended = early.wait().with(0);
    assert_eq!(ended.stdout, "");

    redis.restart();
    let serving = Serving::start(&place);
    assert_eq!(serving.ask_with("GET", "/readyz", &[], "").status, 200);
    redis.pause();
    until("it is not ready", || {
        (serving.ask_with("GET", "/readyz", &[], "").status == 503).then_some(())
    });
    // It lives all the same: nothing is gained by starting it again.
    assert_eq!(serving.ask_with("GET", "/healthz", &[], "").status, 200);
    redis.resume();
    until("it is ready again", || {
        (serving.ask_with("GET", "/readyz", &[], "").status == 200).then_some(())
    });
}

#[test]
fn a_second_signal_ends_it_at_once_whatever_is_in_flight() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = place(StoreKind::Sqlite);
        let serving = Serving::start(&place);
        // A request whose body never comes.
        let mut stream = TcpStream::connect(serving.address()).unwrap();
        let head = "POST /v1/onboardings HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n";
        write!(
            stream,
            "{head}content-type: application/json\r\nauthorization: Bearer {TOKEN}\r\n\r\n{{"
        )
        .unwrap();
        assert_eq!(serving.ask_with("GET", "/healthz", &[], "").status, 200);
        serving.program().signal(signal);
        until("it says that it stops", || {
            (serving.program().said("stopping") > 0).then_some(())
        });
        serving.program().signal(signal);
        let ended = serving.wait();
        assert_eq!(ended.code, Some(128 + signal.as_raw()), "{}", ended.stderr);
    }
}
