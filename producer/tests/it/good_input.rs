//! Good input is the same in every format, and from every place.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there or the test fails"
)]

use std::{collections::BTreeSet, path::Path};

use onboarding::Direction;
use producer::{Accounts, Format, Source};
use store::{Limits, Onboarding};

use crate::desk::{Desk, builtin, source};

const CSV: &str =
    "account,partner,number,direction,key,caller_id,inputs.source_ips,inputs.livekit_sip_subdomain
acme,livekit,+918000000001,both,crm-1,+918000000001,,bwwn08a2m4o
acme,pipecat,+918000000003,,,,44.248.146.11 44.248.146.12,
";

const LINES: &str = r#"{"account":"acme","partner":"livekit","number":"+918000000001","direction":"both","key":"crm-1","caller_id":"+918000000001","inputs":{"livekit_sip_subdomain":"bwwn08a2m4o"}}
{"inputs":{"source_ips":["44.248.146.11","44.248.146.12"]},"number":"+918000000003","partner":"pipecat","account":"acme","key":null}
"#;

fn array() -> String {
    let lines: Vec<&str> = LINES.lines().collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// What does not depend on the time.
fn content(all: Vec<Onboarding>) -> Vec<String> {
    let one = |o: Onboarding| {
        format!(
            "{} {} {} {} {} {:?} {:?} {:?}",
            o.id, o.key, o.account, o.signup, o.recipe, o.plan, o.direction, o.state
        )
    };
    all.into_iter().map(one).collect()
}

async fn accepted(source: Source) -> Vec<String> {
    let desk = Desk::new();
    let report = desk.enqueue(vec![source]).await.unwrap();
    assert_eq!(
        (report.accepted, report.duplicates, report.total),
        (2, 0, 2)
    );
    content(desk.all().await)
}

#[tokio::test]
async fn the_same_signups_are_the_same_in_every_format_and_dress() {
    let expected = accepted(source(Format::Csv, CSV)).await;
    let pretty = array()
        .replace(",\"", " ,\r\n\t\"")
        .replace(":", " : ")
        .replace("[", "[ ");
    let pretty = pretty.replace("\" : \"", "\": \"");
    for (name, format, text) in [
        ("found out", None, CSV.to_owned()),
        (
            "byte order mark",
            Some(Format::Csv),
            format!("\u{feff}{CSV}"),
        ),
        (
            "byte order mark, found out",
            None,
            format!("\u{feff}{}", array()),
        ),
        ("returns", Some(Format::Csv), CSV.replace('\n', "\r\n")),
        ("returns alone", Some(Format::Csv), CSV.replace('\n', "\r")),
        ("Excel's hint", None, format!("sep=,\r\n{CSV}")),
        (
            "columns without a name or a value",
            Some(Format::Csv),
            CSV.replace('\n', ",,\n"),
        ),
        (
            "a column that pandas named",
            Some(Format::Csv),
            CSV.replacen('\n', ",Unnamed: 8\n", 1),
        ),
        (
            "commas after the last cell",
            Some(Format::Csv),
            CSV.replace("bwwn08a2m4o\n", "bwwn08a2m4o,,\n"),
        ),
        ("no last line break", None, CSV.trim_end().to_owned()),
        ("quotes", Some(Format::Csv), CSV.replace("acme", "\"acme\"")),
        (
            "line break in quotes",
            Some(Format::Csv),
            CSV.replace(
                "44.248.146.11 44.248.146.12",
                "\"44.248.146.11\n44.248.146.12\"",
            ),
        ),
        (
            "blanks around cells",
            Some(Format::Csv),
            CSV.replace(',', " , "),
        ),
        (
            "empty lines",
            Some(Format::Csv),
            format!("\n{}\n,,,,,,,\n   \n", CSV.replace('\n', "\n\n")),
        ),
        ("lines", Some(Format::JsonLines), LINES.to_owned()),
        ("lines, found out", None, format!("\n  {LINES}")),
        ("lines with returns", None, LINES.replace('\n', "\r\n\r\n")),
        ("lines with returns alone", None, LINES.replace('\n', "\r")),
        ("array", Some(Format::JsonArray), array()),
        ("array, found out", None, format!(" \n{}", array())),
        ("pretty array", Some(Format::JsonArray), pretty),
    ] {
        assert_eq!(accepted(source(format, text)).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_file_is_read_by_its_extension() {
    let desk = Desk::new();
    let files = [
        desk.file("a.csv", CSV),
        desk.file("b.ndjson", LINES),
        desk.file("c.json", array()),
        desk.file("d", LINES),
    ];
    let report = desk
        .enqueue(files.into_iter().map(Source::from_argument).collect())
        .await
        .unwrap();
    assert_eq!((report.accepted, report.duplicates), (2, 6));
}

#[tokio::test]
async fn a_header_without_rows_and_an_empty_array_are_no_signups() {
    let desk = Desk::new();
    let before = desk.snapshot().await;
    for text in ["account,partner,number\n", "[]", "[ \n]\n"] {
        assert_eq!(
            desk.enqueue(vec![source(None, text)]).await.unwrap().total,
            0
        );
    }
    assert_eq!(desk.snapshot().await, before);
}

#[test]
fn the_example_covers_every_partner_and_direction() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/signups.csv");
    let desk = builtin(Accounts::Any);
    let mut seen: BTreeSet<(String, Direction)> = BTreeSet::new();
    let report = producer::plan(
        vec![Source::from_argument(&path)],
        &desk,
        |_| Limits::per_minute(200, 50),
        |planned| {
            let partner = planned.accepted.signup.partner.to_string();
            seen.insert((partner, planned.accepted.direction));
        },
    );
    let report = report.unwrap();
    assert!(report.total >= 40, "{}", report.total);
    assert_eq!((report.accounts.len(), report.duplicates), (4, 0));
    for recipe in desk.book().iter() {
        for direction in &recipe.directions {
            let wanted = (recipe.name.to_string(), *direction);
            assert!(seen.contains(&wanted), "{wanted:?} is missing");
        }
    }
}
