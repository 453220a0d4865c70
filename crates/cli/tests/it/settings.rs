//! Settings: every mistake is told with its place and its remedy, and nothing is changed.

use crate::home::{Home, THREE};

/// What is written in the file, and what the answer has to contain: line and remedy.
const BAD_FILES: &[(&str, &[&str])] = &[
    (
        "lease_ms = 5",
        &[
            "trunkline.toml:1: lease_ms: 5",
            "1000 to 3600000",
            "milliseconds",
        ],
    ),
    (
        "lease_ms = 3600001",
        &["lease_ms: 3600001", "1000 to 3600000"],
    ),
    ("lease_ms = -1", &["lease_ms: -1", "whole number"]),
    (
        "lease_ms = 1.5",
        &["lease_ms: a number with a point", "whole number"],
    ),
    (
        "lease_ms = \"15000\"",
        &["lease_ms: \"15000\"", "whole number"],
    ),
    (
        "lease_ms = 99999999999999999999",
        &["trunkline.toml:1", "lease_ms"],
    ),
    (
        "lease_seconds = 15",
        &["trunkline.toml:1: lease_seconds", "no such key", "lease_ms"],
    ),
    ("concurrency = 0", &["concurrency: 0", "1 to 4096"]),
    ("concurrency = 4097", &["concurrency: 4097", "1 to 4096"]),
    (
        "concurrency = true",
        &["concurrency: true or false", "1 to 4096"],
    ),
    (
        "request_timeout_ms = 0",
        &["request_timeout_ms: 0", "100 to 600000"],
    ),
    (
        "connect_timeout_ms = 0",
        &["connect_timeout_ms: 0", "50 to 600000"],
    ),
    (
        "settling_ms = 600001",
        &["settling_ms: 600001", "0 to 600000"],
    ),
    (
        "late_check_ms = 86400001",
        &["late_check_ms: 86400001", "0 to 86400000"],
    ),
    (
        "proxy = \"http://me:KEEPOUT@proxy.example.com:3128\"",
        &["proxy: this is no way out", "HTTPS_PROXY"],
    ),
    (
        "proxy = \"socks5://KEEPOUT\"",
        &["proxy", "\"environment\""],
    ),
    ("proxy = true", &["proxy", "\"none\""]),
    (
        "retry_first_ms = 0",
        &["retry_first_ms: 0", "10 to 3600000"],
    ),
    ("retry_max_ms = 9", &["retry_max_ms: 9", "10 to 3600000"]),
    ("attempts_max = 0", &["attempts_max: 0", "1 to 100"]),
    (
        "never_sent_attempts_max = 0",
        &["never_sent_attempts_max: 0", "1 to 10000"],
    ),
    (
        "shutdown_timeout_ms = 1",
        &["shutdown_timeout_ms: 1", "100 to 3600000"],
    ),
    (
        "progress_interval_ms = 1",
        &["progress_interval_ms: 1", "100 to 3600000"],
    ),
    ("log = \"xml\"", &["log: \"xml\"", "text or json"]),
    (
        "log_level = \"loud=very\"",
        &["log_level", "error, warn, info, debug or trace"],
    ),
    ("store = 1", &["store: 1", "write a text"]),
    ("store = \"\"", &["store: \"\"", "write a text"]),
    ("store = \"trunkline.db\"", &["store", "sqlite:PATH"]),
    (
        "store = \"redis://:KEEPOUT@localhost/0\"",
        &["must not hold a password", "store_password"],
    ),
    (
        "store = \"rediss://localhost\"",
        &["--sandbox", "`trunkline sandbox`", "base_url"],
    ),
    (
        "store = \"postgres://me:KEEPOUT@localhost/0\"",
        &["sqlite:PATH", "redis://HOST"],
    ),
    (
        "store_password = \"KEEPOUT\"",
        &["store_password", "{ env = \"VARIABLE\" }"],
    ),
    (
        "keep_finished_days = 0",
        &["keep_finished_days", "1 to 3650 (days)"],
    ),
    ("store = \"sqlite:\"", &["names no file"]),
    ("accounts = \"\"", &["accounts: \"\"", "write a path"]),
    ("recipes = []", &["recipes: a list", "write a path"]),
    (
        "\n\nsecret_key = \"KEEPOUT\"",
        &["trunkline.toml:3: secret_key", "{ env = \"VARIABLE\" }"],
    ),
    ("secret_key = {}", &["secret_key: name exactly one place"]),
    (
        "secret_key = { env = \"A\", file = \"b\" }",
        &["secret_key: name exactly one place"],
    ),
    (
        "secret_key = { env = \"A-B\" }",
        &["secret_key.env", "letters, digits and _"],
    ),
    (
        "secret_key = { env = \"TRUNKLINE_KEY\" }",
        &["secret_key.env", "another name"],
    ),
    (
        "secret_key = { vault = \"x\" }",
        &["secret_key.vault", "env, file"],
    ),
    (
        "secret_key = { env = \"NOT_SET\" }",
        &["secret_key", "NOT_SET", "set it"],
    ),
    (
        "secret_key = { file = \"not-there\" }",
        &["secret_key", "not-there", "correct the path"],
    ),
    ("listen = 8484", &["listen", "127.0.0.1:8484"]),
    (
        "listen = \"localhost:8484\"",
        &["listen: \"localhost:8484\"", "127.0.0.1:8484"],
    ),
    ("worker_listen = \"\"", &["worker_listen", "127.0.0.1:8484"]),
    (
        "public_url = \"https://me:KEEPOUT@host\"",
        &["public_url", "without a user"],
    ),
    (
        "otlp_endpoint = \"grpc://host\"",
        &["otlp_endpoint", "http://"],
    ),
    (
        "trusted_proxies = [\"localhost\"]",
        &["trusted_proxies", "[\"127.0.0.1\"]"],
    ),
    (
        "trusted_proxies = [\"0.0.0.0/0\"]",
        &["trusted_proxies", "[\"10.244.0.0/16\"]"],
    ),
    (
        "trusted_proxies = [1]",
        &["trusted_proxies", "IP addresses"],
    ),
    ("connections_max = 9", &["connections_max", "10 to 100000"]),
    (
        "event_clients_max = 4096",
        &[
            "event_clients_max = 4096 (trunkline.toml:1)",
            "connections_max = 4096 (the default)",
        ],
    ),
    ("log = ", &["trunkline.toml:1", "not TOML"]),
    (
        "log = \"text\"\nlog = \"json\"",
        &["trunkline.toml:2", "not TOML"],
    ),
    (
        "lease_ms = 13000",
        &[
            "lease_ms = 13000 (trunkline.toml:1)",
            "request_timeout_ms = 10000 (the default)",
        ],
    ),
    (
        "request_timeout_ms = 5000\nshutdown_timeout_ms = 4000",
        &[
            "shutdown_timeout_ms = 4000 (trunkline.toml:2)",
            "request_timeout_ms = 5000 (trunkline.toml:1)",
        ],
    ),
    (
        "connect_timeout_ms = 10000",
        &[
            "connect_timeout_ms = 10000 (trunkline.toml:1)",
            "request_timeout_ms = 10000 (the default)",
        ],
    ),
    (
        "retry_first_ms = 100\nretry_max_ms = 99",
        &[
            "retry_first_ms = 100 (trunkline.toml:1)",
            "retry_max_ms = 99 (trunkline.toml:2)",
        ],
    ),
];

#[test]
fn every_mistake_in_the_settings_file_is_refused_with_its_place_and_remedy() {
    for (text, wanted) in BAD_FILES {
        let home = Home::new();
        home.write("trunkline.toml", text).write("three.csv", THREE);
        let ran = home.run(&["enqueue", "three.csv", "--sandbox"]);
        assert_eq!(ran.status, 2, "{text}: {}", ran.stderr);
        for part in *wanted {
            assert!(
                ran.stderr.contains(part),
                "{text}: no \"{part}\" in {}",
                ran.stderr
            );
        }
        assert!(!ran.stderr.contains("KEEPOUT"), "{text}: {}", ran.stderr);
        let left = home.files();
        assert!(
            !left.contains(&"trunkline.db".to_owned()),
            "{text}: {left:?}"
        );
    }
}

#[test]
fn every_mistake_in_the_environment_is_refused_with_the_variable() {
    for (name, value, wanted) in [
        ("TRUNKLINE_LEASE_MS", "soon", "TRUNKLINE_LEASE_MS: \"soon\""),
        ("TRUNKLINE_LEASE_MS", "", "TRUNKLINE_LEASE_MS: \"\""),
        (
            "TRUNKLINE_LEASE_MS",
            "13000",
            "lease_ms = 13000 (TRUNKLINE_LEASE_MS)",
        ),
        (
            "TRUNKLINE_LEASE",
            "15000",
            "TRUNKLINE_LEASE: there is no such setting",
        ),
        (
            "TRUNKLINE_PORT",
            "8484",
            "TRUNKLINE_PORT: there is no such setting",
        ),
        (
            "TRUNKLINE_PORT_8484_TPC",
            "tcp://10.0.0.1:8484",
            "TRUNKLINE_PORT_8484_TPC: there is no such setting",
        ),
        ("TRUNKLINE_LOG", "xml", "TRUNKLINE_LOG: \"xml\""),
        (
            "TRUNKLINE_SECRET_KEY",
            "KEEPOUT",
            "TRUNKLINE_SECRET_KEY__ENV",
        ),
        (
            "TRUNKLINE_SECRET_KEY__ENV",
            "a b",
            "TRUNKLINE_SECRET_KEY__ENV",
        ),
        ("TRUNKLINE_CONFIG", "nowhere.toml", "nowhere.toml"),
        ("TRUNKLINE_STORE", "mysql:KEEPOUT", "sqlite:PATH"),
    ] {
        let ran = Home::new().with(name, value).run(&["recipes", "list"]);
        let ran = if name == "TRUNKLINE_STORE" {
            Home::new().with(name, value).run(&["status"])
        } else {
            ran
        };
        let ran = ran.ends(2);
        assert!(
            ran.stderr.contains(wanted),
            "{name}={value}: {}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("KEEPOUT"), "{}", ran.stderr);
    }
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_passed_over() {
    let mut home = Home::new();
    for service in ["TRUNKLINE", "TRUNKLINE_SERVE"] {
        for (name, value) in [
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "8484"),
            ("SERVICE_PORT_HTTP_API", "8484"),
            ("PORT", "tcp://10.0.0.1:8484"),
            ("PORT_8484_TCP", "tcp://10.0.0.1:8484"),
            ("PORT_8484_TCP_PROTO", "tcp"),
            ("PORT_8484_TCP_PORT", "8484"),
            ("PORT_8484_TCP_ADDR", "10.0.0.1"),
            ("PORT_53_UDP_ADDR", "10.0.0.1"),
        ] {
            home = home.with(&format!("{service}_{name}"), value);
        }
    }
    home.write("three.csv", THREE);
    home.run(&["plan", "three.csv", "--sandbox"]).ends(0);
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once_also_as_records() {
    let home = Home::new().with("TRUNKLINE_CONCURRENCY", "none");
    home.write("trunkline.toml", "lease_ms = 5\ncolour = true\n");
    let ran = home.run(&["--json", "status"]).ends(2);
    let problems = ran.of_type("problem");
    assert_eq!(problems.len(), 3, "{}", ran.stdout);
    for problem in &problems {
        let fields: Vec<&String> = problem.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["field", "file", "line", "message", "type"]);
    }
    let of = |field: &str| problems.iter().find(|it| it["field"] == field).unwrap();
    assert_eq!(of("lease_ms")["line"], 1);
    assert_eq!(of("colour")["line"], 2);
    assert_eq!(of("colour")["file"], "trunkline.toml");
    assert!(of("TRUNKLINE_CONCURRENCY")["file"].is_null());
}

#[test]
fn options_win_over_the_environment_and_that_over_the_file() {
    let home = Home::new().with("TRUNKLINE_STORE", "sqlite:environment.db");
    home.write("trunkline.toml", "store = \"sqlite:file.db\"\n")
        .write("three.csv", THREE);
    let enqueue = ["enqueue", "three.csv", "--sandbox"];
    home.run(&enqueue).ends(0);
    assert!(home.files().contains(&"environment.db".to_owned()));
    home.run(&[&["--store", "sqlite:option.db"], &enqueue[..]].concat())
        .ends(0);
    assert!(home.files().contains(&"option.db".to_owned()));
    assert!(!home.files().contains(&"file.db".to_owned()));
}

#[test]
fn paths_in_a_file_start_at_its_folder() {
    let home = Home::new();
    std::fs::create_dir(home.path("etc")).unwrap();
    home.write("etc/trunkline.toml", "store = \"sqlite:own.db\"\n")
        .write("three.csv", THREE);
    home.run(&[
        "--config",
        "etc/trunkline.toml",
        "enqueue",
        "three.csv",
        "--sandbox",
    ])
    .ends(0);
    assert!(home.path("etc/own.db").exists());
}

#[test]
fn the_example_file_is_accepted_as_it_is() {
    let home = Home::new();
    let example = include_str!("../../../../trunkline.example.toml");
    home.write("trunkline.toml", example);
    home.run(&["recipes", "list"]).ends(0);
}

#[test]
fn problems_of_the_file_come_in_the_order_of_its_lines_and_broken_ones_once() {
    let home = Home::new();
    home.write(
        "trunkline.toml",
        "retry_max_ms = 1\nlease_ms = = 3\nconcurrency = 0\n\ncolour = 1\nattempts_max = 0\n",
    );
    let ran = home.run(&["--json", "list"]).ends(2);
    let problems = ran.of_type("problem");
    let lines: Vec<i64> = problems
        .iter()
        .map(|problem| problem["line"].as_i64().unwrap())
        .collect();
    assert_eq!(lines, [1, 2, 3, 5, 6], "{}", ran.stdout);
    assert!(problems[1]["field"].is_null(), "{}", ran.stdout);
}

#[test]
fn a_store_that_is_no_database_is_refused_for_what_it_is() {
    let home = Home::new();
    home.write("three.csv", THREE)
        .write("short", "x")
        .write("long", &"nothing of that kind\n".repeat(9));
    std::fs::create_dir(home.path("dir")).unwrap();
    let before = home.files();
    for (name, what) in [
        ("short", "no SQLite database"),
        ("long", "no SQLite database"),
        ("dir", "is a folder"),
    ] {
        let store = format!("sqlite:{name}");
        for args in [
            &["enqueue", "three.csv", "--sandbox"][..],
            &["status"],
            &["plan", "three.csv", "--sandbox"],
        ] {
            let ran = home.run(&[&["--store", &store], args].concat()).ends(2);
            assert!(
                ran.stderr.contains(what) && ran.stderr.contains("sqlite:PATH"),
                "{}",
                ran.stderr
            );
            assert!(!ran.stderr.contains("secret_key"), "{}", ran.stderr);
        }
    }
    assert_eq!(home.files(), before);
}
