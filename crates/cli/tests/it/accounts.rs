//! The accounts file: every mistake is told with its line and its remedy, and no secret is.

use crate::home::{Home, Simulator, THREE, live};

const GOOD: &str = "[accounts.acme]\naccount_sid = \"acme1\"\nregion = \"in\"\n\
    api_key = { env = \"KEY\" }\napi_token = { env = \"TOKEN\" }\n";

/// A line in place of (or after) those of the good account, and what the answer has to contain.
const BAD: &[(&str, &str, &[&str])] = &[
    (
        "account_sid = \"acme1\"",
        "",
        &["accounts.toml:1: accounts.acme.account_sid", "missing"],
    ),
    (
        "account_sid = \"acme1\"",
        "account_sid = \"a/b\"",
        &["accounts.toml:2: accounts.acme.account_sid", "API settings"],
    ),
    (
        "account_sid = \"acme1\"",
        "account_sid = 7",
        &["accounts.toml:2", "1 to 64"],
    ),
    (
        "region = \"in\"",
        "",
        &["accounts.acme.region", "\"sg\" (Singapore)", "base_url"],
    ),
    (
        "region = \"in\"",
        "region = \"us\"",
        &["accounts.toml:3: accounts.acme.region", "sg (Singapore)"],
    ),
    (
        "region = \"in\"",
        "region = 1",
        &["accounts.toml:3", "a text in quotes"],
    ),
    (
        "region = \"in\"",
        "base_url = \"http://api.example\"",
        &["accounts.toml:3: accounts.acme.base_url", "https"],
    ),
    (
        "region = \"in\"",
        "base_url = \"https://k:KEEPOUT@api.example\"",
        &["accounts.toml:3", "credentials"],
    ),
    (
        "region = \"in\"",
        "base_url = \"https://api.in.exotel.com/v2\"",
        &["accounts.toml:3: accounts.acme.base_url", "it has a path"],
    ),
    (
        "region = \"in\"",
        "base_url = \"nonsense\"",
        &["accounts.toml:3", "base_url"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nbase_url = \"https://api.example\"",
        &["accounts.toml:4", "remove one"],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "",
        &["accounts.acme.api_key", "missing", "{ env = \"VARIABLE\" }"],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "api_key = \"KEEPOUT\"",
        &[
            "accounts.toml:4: accounts.acme.api_key",
            "secrets do not stand in this file",
        ],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "api_key = { env = \"KEY\", file = \"x\" }",
        &["accounts.toml:4", "exactly one"],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "api_key = { value = \"KEEPOUT\" }",
        &["accounts.toml:4", "env, file"],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "api_key = { env = \"NOT_SET\" }",
        &[
            "accounts.toml:4: accounts.acme.api_key",
            "NOT_SET is not set",
        ],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "api_key = { env = \"EMPTY\" }",
        &["accounts.toml:4", "EMPTY is empty"],
    ),
    (
        "api_key = { env = \"KEY\" }",
        "api_key = { env = \"TRUNKLINE_KEY\" }",
        &["accounts.toml:4", "another name"],
    ),
    (
        "api_token = { env = \"TOKEN\" }",
        "api_token = { file = \"nowhere\" }",
        &["accounts.toml:5: accounts.acme.api_token", "nowhere"],
    ),
    (
        "api_token = { env = \"TOKEN\" }",
        "api_token = { file = 7 }",
        &["accounts.toml:5", "path"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nedge = \"host\"",
        &["accounts.toml:4: accounts.acme.edge", "transport = \"tls\""],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nedge = { host = \"a.example\" }",
        &["edge.port", "edge.transport", "missing"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nedge = { host = \"a.example\", port = 0, transport = \"udp\" }",
        &["edge.port", "1 to 65535", "edge.transport", "tls or tcp"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nlimits = { requests_per_minute = 0 }",
        &[
            "accounts.toml:4: accounts.acme.limits.requests_per_minute",
            "1 to 1000000",
        ],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nlimits = { connections = 1001 }",
        &["limits.connections", "1 to 1000"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nlimits = { per_second = 3 }",
        &["limits.per_second", "requests_per_minute, connections"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nsignalling_ips = \"x\"",
        &["signalling_ips", "list"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\nsignalling_ips = [\"10.0.0.1\"]",
        &["accounts.toml:4: accounts.acme.signalling_ips", "private"],
    ),
    (
        "region = \"in\"",
        "region = \"in\"\ncolour = \"red\"",
        &["accounts.toml:4: accounts.acme.colour", "no such key"],
    ),
    (
        "[accounts.acme]",
        "[account.acme]",
        &["accounts.toml:1: account", "no such key"],
    ),
    (
        "[accounts.acme]",
        "[accounts.\"a b\"]",
        &["accounts.toml:1", "not an account name"],
    ),
    (
        "[accounts.acme]",
        "[accounts.acme",
        &["accounts.toml:1", "not TOML"],
    ),
];

#[test]
fn every_mistake_in_the_accounts_file_is_refused_with_its_place_and_remedy() {
    for (good, bad, wanted) in BAD {
        let home = live().with("EMPTY", " ");
        home.write("accounts.toml", &GOOD.replace(good, bad))
            .write("three.csv", THREE);
        let ran = home.run(&["onboard", "three.csv"]).ends(2);
        for part in *wanted {
            assert!(
                ran.stderr.contains(part),
                "{bad}: no \"{part}\" in {}",
                ran.stderr
            );
        }
        assert!(!ran.stderr.contains("KEEPOUT"), "{bad}: {}", ran.stderr);
        assert_eq!(home.files(), ["accounts.toml", "three.csv"], "{bad}");
    }
}

#[test]
fn all_problems_of_the_file_are_told_at_once_in_the_order_of_its_lines() {
    let home = live();
    home.write(
        "accounts.toml",
        "[accounts.one]\nregion = \"us\"\n[accounts.two]\naccount_sid = \"two1\"\nregion = \"in\"\n",
    );
    let ran = home.run(&["--json", "accounts", "list"]).ends(2);
    let lines: Vec<i64> = ran
        .of_type("problem")
        .iter()
        .map(|problem| problem["line"].as_i64().unwrap())
        .collect();
    // one: no SID, no key, no token, wrong region; two: no key, no token.
    assert_eq!(lines, [1, 1, 1, 2, 3, 3]);
}

#[test]
fn without_an_accounts_file_the_answer_says_how_to_go_on() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    let ran = home.run(&["onboard", "three.csv"]).ends(2);
    assert!(ran.stderr.contains("--sandbox"), "{}", ran.stderr);
    let named = [
        "--accounts",
        "other.toml",
        "enqueue",
        "three.csv",
        "--sandbox",
    ];
    let ran = home.run(&named).ends(2);
    assert!(ran.stderr.contains("other.toml"), "{}", ran.stderr);
}

#[test]
fn a_signup_of_an_account_that_no_file_names_is_refused() {
    let home = live();
    home.write("accounts.toml", &GOOD.replace("acme", "globex"))
        .write("three.csv", THREE);
    let ran = home.run(&["--json", "enqueue", "three.csv"]).ends(2);
    let problems = ran.of_type("problem");
    assert_eq!(problems.len(), 3);
    assert_eq!(problems[0]["field"], "account");
    assert_eq!(problems[0]["line"], 2);
}

#[test]
fn check_tells_a_right_key_from_a_wrong_one_and_shows_neither() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme", "globex"]);
    simulator.control(
        "PUT",
        "accounts",
        r#"{"acme1": {"api_key": "key-KEEPOUT", "api_token": "token-KEEPOUT"}}"#,
    );
    let ran = home.run(&["--json", "accounts", "check", "acme"]).ends(0);
    assert_eq!(ran.of_type("account_check")[0]["works"], true);
    let ran = home.run(&["--json", "accounts", "check"]).ends(1);
    let checks = ran.of_type("account_check");
    assert_eq!(checks[1]["name"], "globex");
    assert_eq!(checks[1]["error"]["code"], "unauthorized");
    assert!(!format!("{ran:?}").contains("KEEPOUT"));
    home.run(&["accounts", "check", "nobody"]).ends(2);
}

/// `docker --env-file` keeps the quotes that a shell takes away.
#[test]
fn a_credential_in_quotes_is_refused_at_the_start_with_the_remedy() {
    let simulator_home = live();
    let simulator = Simulator::start(&simulator_home, &[]);
    for quoted in ["\"key-KEEPOUT\"", "'key-KEEPOUT'", " \"key-KEEPOUT\"\n"] {
        let home = live().with("QUOTED_KEY", quoted);
        let account = format!(
            "[accounts.acme]\naccount_sid = \"acme1\"\nbase_url = \"{}\"\napi_key = {{ env = \"QUOTED_KEY\" }}\napi_token = {{ env = \"QUOTED_KEY\" }}\n",
            simulator.base_url
        );
        home.write("accounts.toml", &account);
        let ran = home.run(&["accounts", "check"]).ends(2);
        let said = &ran.stderr;
        assert!(said.contains("QUOTED_KEY has quotes around"), "{said}");
        assert!(
            said.contains("--env-file") && said.contains("remove them"),
            "{said}"
        );
        assert!(!format!("{ran:?}").contains("KEEPOUT"));
    }
    assert_eq!(simulator.requests(), 0);
}

#[test]
fn list_shows_each_account_and_no_secret() {
    let home = live();
    home.write("accounts.toml", GOOD);
    let ran = home.run(&["--json", "accounts", "list"]).ends(0);
    let account = &ran.of_type("account")[0];
    assert_eq!(account["name"], "acme");
    assert_eq!(account["base_url"], "https://api.in.exotel.com");
    assert_eq!(account["limits"]["requests_per_minute"], 200);
    assert!(account["parked"].is_null());
    assert!(!ran.stdout.contains("KEEPOUT"));
}

#[test]
fn one_account_under_two_names_is_refused_because_each_would_take_the_whole_allowance() {
    let home = live();
    let table = |name: &str, place: &str| {
        GOOD.replace("[accounts.acme]", &format!("[accounts.{name}]"))
            .replace("region = \"in\"", place)
    };
    let region = "region = \"in\"";
    let at = |url: &str| format!("base_url = \"{url}\"");
    for (other, status) in [
        (region.to_owned(), 2),
        (at("https://API.in.exotel.com/"), 2),
        (at("https://api.in.exotel.com:443"), 2),
        (at("https://api.in.exotel.com."), 2),
        (at("https://api.in.exotel.com:8443"), 0),
        ("region = \"sg\"".to_owned(), 0),
    ] {
        home.write(
            "accounts.toml",
            &(table("zeta", region) + &table("acme", &other)),
        );
        let ran = home.run(&["accounts", "list"]).ends(status);
        let told = ran.stderr.contains(
            "accounts.toml:6: accounts.acme: this is the account that [accounts.zeta] on line 1",
        );
        assert_eq!(told, status == 2, "{other}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains("one account, one name"), told);
    }
}

#[test]
fn a_file_that_names_no_account_will_do_in_the_sandbox_only() {
    for text in ["", "# none yet\n", "[accounts]\n"] {
        let home = live();
        home.write("accounts.toml", text).write("three.csv", THREE);
        let ran = home.run(&["enqueue", "three.csv"]).ends(2);
        assert!(
            ran.stderr.contains("names no account"),
            "{text:?}: {}",
            ran.stderr
        );
        home.run(&["enqueue", "three.csv", "--sandbox"]).ends(0);
    }
    let home = Home::of_one_store();
    home.write("accounts.toml", "account = 1\n")
        .write("three.csv", THREE);
    home.run(&["enqueue", "three.csv", "--sandbox"]).ends(2);
}

#[test]
fn a_store_of_the_sandbox_is_looked_at_in_the_sandbox() {
    let home = Home::of_one_store();
    home.write("three.csv", THREE);
    home.run(&["onboard", "three.csv", "--sandbox"]).ends(0);
    let ran = home.run(&["--json", "accounts", "list"]).ends(0);
    let account = &ran.of_type("account")[0];
    assert_eq!(account["name"], "acme");
    assert!(account["base_url"].is_null(), "it is not at Exotel's");
    let ran = home.run(&["--json", "accounts", "check", "acme"]).ends(0);
    assert_eq!(ran.of_type("account_check")[0]["works"], true);
}

#[test]
fn the_example_file_has_one_account_that_is_enough_and_others_that_can_be_taken_in() {
    const EXAMPLE: &str = include_str!("../../../../examples/accounts.toml");
    let home = Home::of_one_store();
    home.write("accounts.toml", EXAMPLE);
    let names = |home: &Home| {
        let listed = home
            .run(&["--json", "accounts", "list", "--sandbox"])
            .ends(0);
        let records = listed.of_type("account");
        let name = |record: &serde_json::Value| record["name"].as_str().unwrap().to_owned();
        records.iter().map(name).collect::<Vec<String>>()
    };
    assert_eq!(names(&home), ["acme"]);
    let (one, others) = EXAMPLE.split_once("# More accounts").unwrap();
    let commented = others
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("# #"));
    let others: Vec<&str> = commented
        .map(|line| line.trim_start_matches('#').trim_start())
        .collect();
    home.write("accounts.toml", &format!("{one}{}", others.join("\n")));
    assert_eq!(names(&home), ["acme", "globex", "initech", "umbrella"]);
}
