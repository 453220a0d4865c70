//! A store that several machines share: what is refused before anything is reached, and moving to it.

use redis_fixture::Server;

use crate::home::{Home, Simulator, THREE, finish, live, until};

/// Nobody listens on port 1.
const NOBODY: &str = "redis://127.0.0.1:1";

/// 32 made-up bytes.
const KEY: &str = "cGxhbnRlZCBrZXkgb2YgdGhlIHRlc3RzLCAzMmJ5dGU=";

/// A made-up account.
const ACME: &str = "[accounts.acme]\naccount_sid = \"acme1\"\nbase_url = \"http://127.0.0.1:1\"\n\
    api_key = { env = \"KEY\" }\napi_token = { env = \"TOKEN\" }\n";

fn with_key() -> Home {
    Home::new()
        .with("STORE_KEY", KEY)
        .with("TRUNKLINE_SECRET_KEY__ENV", "STORE_KEY")
}

#[test]
fn a_redis_store_without_a_secret_key_is_refused_with_the_way_to_make_one() {
    let ran = Home::new().run(&["status", "--store", NOBODY]).ends(2);
    for part in ["secret_key", "openssl rand -base64 32"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}

#[test]
fn a_password_in_a_url_is_refused_wherever_it_comes_from_and_not_repeated() {
    let url = "redis://:KEEPOUT@127.0.0.1:1/0";
    let by_option = with_key().run(&["status", "--store", url]).ends(2);
    let by_variable = with_key()
        .with("TRUNKLINE_STORE", url)
        .run(&["list"])
        .ends(2);
    let to_copy = ["--json", "store", "copy", url, "sqlite:b.db"];
    let by_argument = with_key().run(&to_copy).ends(2);
    for ran in [by_option, by_variable, by_argument] {
        assert!(ran.stderr.contains("store_password"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("KEEPOUT") && !ran.stdout.contains("KEEPOUT"));
    }
}

#[test]
fn a_store_that_is_away_ends_a_command_at_once_and_nothing_was_changed() {
    let home = with_key().with("KEY", "k").with("TOKEN", "t");
    home.write("three.csv", THREE);
    home.write("accounts.toml", ACME);
    for args in [
        &["status"][..],
        &["list"],
        &["retry", "--all"],
        &["enqueue", "three.csv"],
        &["onboard", "three.csv"],
    ] {
        let ran = home.run(&[args, &["--store", NOBODY]].concat()).ends(1);
        assert!(ran.stderr.contains("127.0.0.1:1"), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("by itself"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_moved_is_refused_and_both_stores_stay_open() {
    let home = with_key();
    home.write("three.csv", THREE);
    home.run(&["enqueue", "three.csv", "--sandbox"]).ends(0);
    for (from, to, wanted) in [
        ("sqlite:trunkline.sandbox.db", "sqlite:b.db", "--sandbox"),
        (
            "sqlite:trunkline.sandbox.db",
            "sqlite:./trunkline.sandbox.db",
            "another store",
        ),
        ("sqlite:none.db", "sqlite:b.db", "nothing was accepted"),
        ("none.db", "sqlite:b.db", "FROM"),
        ("sqlite:trunkline.sandbox.db", "b.db", "TO"),
    ] {
        let ran = home.run(&["store", "copy", from, to]).ends(2);
        assert!(ran.stderr.contains(wanted), "{from} {to}: {}", ran.stderr);
    }
    home.run(&["enqueue", "three.csv", "--sandbox"]).ends(0);
}

fn on(redis: &Server) -> Home {
    live()
        .with("STORE_KEY", KEY)
        .with("TRUNKLINE_SECRET_KEY__ENV", "STORE_KEY")
        .with("TRUNKLINE_STORE", &redis.url())
}

#[test]
fn a_worker_whose_store_is_lost_under_it_ends_with_1_and_not_as_if_nothing_was_changed() {
    let redis = Server::start(&[]);
    let home = on(&redis);
    let simulator = Simulator::start(&home, &["--latency-ms", "200"]);
    home.accounts_at(&simulator, &["acme"])
        .write("three.csv", THREE);
    home.run(&["enqueue", "three.csv"]).ends(0);
    let worker = home.command(&["work"]).spawn().unwrap();
    until("requests are in flight", || simulator.requests() > 0);
    redis.ask(&["FLUSHALL"]).unwrap();
    let ran = finish(worker).ends(1);
    assert!(ran.stderr.contains("not there any more"), "{}", ran.stderr);
}

#[test]
fn looking_at_a_redis_without_a_store_says_so_and_makes_none() {
    let redis = Server::start(&[]);
    let home = on(&redis);
    for args in [
        &["status"][..],
        &["list"],
        &["retry", "--all"],
        &["cancel", "one"],
        &["handoff", "one"],
        &["accounts", "resume", "--all"],
    ] {
        let ran = home.run(args).ends(2);
        assert!(ran.stderr.contains("there is nothing in"), "{}", ran.stderr);
    }
    assert_eq!(redis.ask(&["DBSIZE"]).unwrap(), "0");
}

#[test]
fn signups_whose_redis_goes_away_on_the_way_may_be_given_again() {
    let mut redis = Server::with_aof();
    let home = on(&redis);
    home.write("accounts.toml", ACME);
    let mut command = home.command(&["enqueue", "-"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    until("the store is open", || {
        redis.ask(&["DBSIZE"]).unwrap() != "0"
    });
    redis.kill();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, THREE.as_bytes()).unwrap();
    drop(stdin);
    let ran = finish(child).ends(1);
    assert!(ran.stderr.contains("run the same again"), "{}", ran.stderr);
    redis.restart();
    let ran = home.run_with_stdin(&["--json", "enqueue", "-"], THREE);
    assert_eq!(ran.ends(0).of_type("enqueued")[0]["total"], 3);
}
