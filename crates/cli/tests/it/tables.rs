//! The tables of the settings file: every mistake is told with its place and its remedy, and what may
//! be a secret is not repeated.

use crate::home::Home;

const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

/// What is written in the file, the fields that are told with their lines, and what else is said.
type Bad = (
    &'static str,
    &'static [(&'static str, i64)],
    &'static [&'static str],
);

const BAD: &[Bad] = &[
    ("tokens = 1", &[("tokens", 1)], &["[tokens.NAME]"]),
    ("[tokens]\ncrm = 1", &[("tokens.crm", 2)], &["[tokens.crm]"]),
    (
        "[tokens.crm]",
        &[("tokens.crm.sha256", 1), ("tokens.crm.scope", 1)],
        &["trunkline tokens new", "read", "write"],
    ),
    (
        "[tokens.crm]\nsha256 = \"tl_KEEPOUT\"\nscope = \"all\"\nrequests_per_minute = 0",
        &[
            ("tokens.crm.sha256", 2),
            ("tokens.crm.scope", 3),
            ("tokens.crm.requests_per_minute", 4),
        ],
        &["looks like the token itself", "1 to 1000000"],
    ),
    (
        "[tokens.crm]\nsha265 = \"DIGEST\"\nscope = \"read\"",
        &[("tokens.crm.sha256", 1), ("tokens.crm.sha265", 2)],
        &["did you mean sha256?"],
    ),
    (
        "[tokens.\"a b\"]\nsha256 = \"DIGEST\"\nscope = \"read\"",
        &[("tokens.a b", 1)],
        &["1 to 64 letters"],
    ),
    (
        "[tokens.a]\nsha256 = \"DIGEST\"\nscope = \"read\"\n[tokens.b]\nsha256 = \"DIGEST\"\nscope = \"write\"",
        &[("tokens.b.sha256", 4)],
        &["[tokens.a] too"],
    ),
    (
        "[tokens.a]\nsha256 = \"DIGEST\"\nscope = \"read\"\nlease_ms = 20000",
        &[("tokens.a.lease_ms", 4)],
        &["move it above the first"],
    ),
    (
        "[senders.billing]\nsecrets = [\"KEEPOUT\"]\ntolerance_seconds = 9\nfields = 1",
        &[
            ("senders.billing.secrets", 2),
            ("senders.billing.tolerance_seconds", 3),
            ("senders.billing.fields", 4),
        ],
        &[
            "do not stand in this file",
            "10 to 3600",
            "[senders.billing.fields]",
        ],
    ),
    (
        "[senders.billing]\nsecrets = []\nwhen = { \"/type\" = [] }\n[senders.billing.fields]\naccount = \"data\"\nnubmer = \"/n\"\npartner = { map = {} }",
        &[
            ("senders.billing.fields.number", 1),
            ("senders.billing.secrets", 2),
            ("senders.billing.when./type", 3),
            ("senders.billing.fields.account", 5),
            ("senders.billing.fields.nubmer", 6),
            ("senders.billing.fields.partner", 7),
        ],
        &[
            "JSON Pointer",
            "did you mean number?",
            "no value would do",
            "it is missing",
        ],
    ),
    (
        "[senders.billing]\nsecrets = [{ env = \"A\" }]\nitems = \"rows\"\n[senders.billing.fields]\naccount = \"/a~2\"\nnumber = { value = \"12\" }\npartner = { value = 1 }\n\"inputs.\" = \"/x\"",
        &[
            ("senders.billing.items", 3),
            ("senders.billing.fields.account", 5),
            ("senders.billing.fields.number", 6),
            ("senders.billing.fields.partner.value", 7),
            ("senders.billing.fields.inputs.", 8),
        ],
        &["~0 for ~"],
    ),
    (
        "[endpoints.crm]\nurl = 1\nsecrets = [{ vault = \"KEEPOUT\" }]\nevents = [\"succeeded\", \"cancelled\"]\nallow_private = \"yes\"\naccept_redirects = 1",
        &[
            ("endpoints.crm.url", 2),
            ("endpoints.crm.secrets.vault", 3),
            ("endpoints.crm.secrets", 3),
            ("endpoints.crm.events", 4),
            ("endpoints.crm.allow_private", 5),
            ("endpoints.crm.accept_redirects", 6),
        ],
        &["succeeded, failed, blocked", "true or false"],
    ),
    (
        "[endpoints.crm]\nevents = []",
        &[
            ("endpoints.crm.url", 1),
            ("endpoints.crm.secrets", 1),
            ("endpoints.crm.events", 2),
        ],
        &["https://", "{ env = "],
    ),
    ("[tokenz.a]", &[("tokenz", 1)], &["did you mean tokens?"]),
];

#[test]
fn every_mistake_in_a_table_is_refused_at_once_with_its_line_and_remedy() {
    for (text, fields, said) in BAD {
        let home = Home::new();
        home.write("trunkline.toml", &text.replace("DIGEST", DIGEST));
        let ran = home.run(&["--json", "tokens", "list"]).ends(2);
        let told: Vec<(String, i64)> = ran
            .of_type("problem")
            .iter()
            .map(|problem| {
                let field = problem["field"].as_str().unwrap().to_owned();
                (field, problem["line"].as_i64().unwrap())
            })
            .collect();
        let told: Vec<(&str, i64)> = told.iter().map(|(f, l)| (f.as_str(), *l)).collect();
        assert_eq!(told, *fields, "{text}: {}", ran.stderr);
        for part in *said {
            assert!(
                ran.stderr.contains(part),
                "{text}: no \"{part}\" in {}",
                ran.stderr
            );
        }
        assert!(!ran.stderr.contains("KEEPOUT"), "{text}: {}", ran.stderr);
        assert!(!ran.stdout.contains("KEEPOUT"), "{text}: {}", ran.stdout);
    }
}

#[test]
fn tables_of_every_kind_are_taken_as_the_example_shows_them() {
    let example = include_str!("../../../../trunkline.example.toml");
    let (settings, tables) = example.split_once("# Below stand tables").unwrap();
    // What is a comment there is an example of a table, sentences aside.
    let uncommented: String = tables
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    for head in [
        "[tokens.crm]",
        "[senders.billing.fields]",
        "[endpoints.crm]",
    ] {
        assert!(uncommented.contains(head), "{uncommented}");
    }
    let home = Home::new();
    home.write("trunkline.toml", &format!("{settings}\n{uncommented}"));
    let ran = home.run(&["--json", "tokens", "list"]).ends(0);
    assert_eq!(ran.of_type("token")[0]["name"], "crm", "{}", ran.stdout);
}

#[test]
fn variables_make_no_tables() {
    let home = Home::new().with("TRUNKLINE_TOKENS", "x");
    let ran = home.run(&["tokens", "list"]).ends(2);
    assert!(ran.stderr.contains("TRUNKLINE_TOKENS"), "{}", ran.stderr);
}

#[test]
fn serve_tells_of_every_secret_that_is_not_there_or_is_none_before_it_makes_a_store() {
    let home = Home::new()
        .with("SHORT", "whsec_S0VFUE9VVA==")
        .with("INSIDE", "https://KEEPOUT@127.0.0.1/KEEPOUT");
    home.write(
        "trunkline.toml",
        "[senders.billing]\nsecrets = [\n{ env = \"SHORT\" },\n{ file = \"not-there\" }]\n\
         [endpoints.crm]\nurl = { env = \"INSIDE\" }\nsecrets = [{ env = \"NOT_SET\" }]\n",
    );
    let ran = home.run(&["--json", "serve", "--sandbox"]).ends(2);
    let told: Vec<(String, i64)> = ran
        .of_type("problem")
        .iter()
        .map(|problem| {
            let field = problem["field"].as_str().unwrap().to_owned();
            (field, problem["line"].as_i64().unwrap_or_default())
        })
        .collect();
    let told: Vec<(&str, i64)> = told.iter().map(|(f, l)| (f.as_str(), *l)).collect();
    let wanted = [
        ("tokens", 0),
        ("senders.billing.secrets", 3),
        ("senders.billing.secrets", 4),
        ("endpoints.crm.secrets", 7),
    ];
    assert_eq!(told, wanted, "{}", ran.stderr);
    for part in [
        "trunkline tokens new",
        "SHORT",
        "not-there",
        "NOT_SET",
        "24",
    ] {
        assert!(ran.stderr.contains(part), "no {part} in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("KEEPOUT"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("S0VFUE9VVA"), "{}", ran.stderr);
    assert_eq!(home.files(), ["trunkline.toml"]);
}
