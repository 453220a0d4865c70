//! Tokens: made, shown once, kept nowhere.

use sha2::{Digest, Sha256};

use crate::home::Home;

#[test]
fn a_new_token_is_shown_once_with_the_table_that_lets_it_in_and_kept_nowhere() {
    let home = Home::new();
    let ran = home
        .run(&["tokens", "new", "crm", "--scope", "write"])
        .ends(0);
    let (token, table) = ran.stdout.split_once("\n\n").unwrap();
    assert!(token.starts_with("tl_") && token.len() == 46, "{token}");
    assert!(ran.stderr.contains("this once"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(token), "{}", ran.stderr);
    assert_eq!(home.files(), Vec::<String>::new());

    home.write("trunkline.toml", table);
    let ran = home.run(&["--json", "tokens", "list"]).ends(0);
    let listed = &ran.of_type("token")[0];
    let digest = Sha256::digest(token.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(listed["sha256"], hex.as_str());
    assert_eq!(listed["scope"], "write");
    assert_eq!(listed["requests_per_minute"], 600);
    assert!(!ran.stdout.contains(token), "{}", ran.stdout);
}

#[test]
fn a_new_token_as_a_record_has_everything_that_its_table_needs() {
    let home = Home::new();
    let ran = home.run(&["--json", "tokens", "new", "watch"]).ends(0);
    let record = &ran.of_type("token")[0];
    let fields: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "name",
            "requests_per_minute",
            "scope",
            "sha256",
            "token",
            "type"
        ]
    );
    assert_eq!(record["scope"], "read", "no more than was asked for");
}

#[test]
fn a_name_that_is_taken_or_is_none_is_refused() {
    let home = Home::new();
    let made = home.run(&["tokens", "new", "crm"]).ends(0);
    home.write("trunkline.toml", made.stdout.split_once("\n\n").unwrap().1);
    let ran = home.run(&["tokens", "new", "crm"]).ends(2);
    assert!(ran.stderr.contains("crm-2"), "{}", ran.stderr);
    for name in ["", "a b", "a.b", "../x"] {
        home.run(&["tokens", "new", name]).ends(2);
    }
    home.run(&["tokens", "new", "x", "--scope", "all"]).ends(2);
}
