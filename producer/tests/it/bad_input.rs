//! Bad input is refused whole, with file, line, field and what would be right, and changes nothing.

use onboarding::AccountName;
use producer::{Error, Format, Source, plan};
use store::Limits;

use crate::{
    desk::{Desk, accounts, builtin, source},
    refusals,
};

const CSV: Format = Format::Csv;
const LINES: Format = Format::JsonLines;
const ARRAY: Format = Format::JsonArray;

/// What is accepted before, so that there is something to clash with.
const BEFORE: &str = "account,partner,number,direction,key,trunk_name
acme,livekit,+918000000001,outbound,crm-1,front_desk
acme,rapida,+918000000002,outbound,,
";

#[tokio::test]
async fn every_bad_input_is_refused_with_its_place_and_remedy_and_changes_nothing() {
    let desk = Desk::new();
    desk.enqueue(vec![source(CSV, BEFORE)]).await.unwrap();
    let (before, bytes) = (desk.snapshot().await, desk.bytes());
    let cases = refusals::alone();
    let (of_input, clashes) = (cases.len(), refusals::clashes());
    assert!(of_input + clashes.len() >= 60);
    let mut wrong = Vec::new();
    for (at, (name, format, text, line, field, remedy)) in
        cases.into_iter().chain(clashes).enumerate()
    {
        let (problems, _) = desk.refusal(vec![source(format, text)]).await;
        let found = problems.iter().any(|problem| {
            problem.file == "input"
                && problem.line == line
                && problem.field == field
                && problem.message.contains(remedy)
        });
        if !found {
            wrong.push(format!("{name}: {:?}", &problems[..problems.len().min(3)]));
        }
        assert!(desk.snapshot().await == before, "{name}");
        // To find a clash the store writes and rolls back, which its log may show.
        assert!(at >= of_input || desk.bytes() == bytes, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn one_mistake_is_one_problem_and_each_wrong_address_is_one() {
    let desk = Desk::new();
    let inputs = |list: &str| {
        format!(
            r#"[{{"account":"acme","partner":"pipecat","number":"+918000000009","inputs":{{"source_ips":{list}}}}}]"#
        )
    };
    for (format, text, count) in [
        (ARRAY, "[1,2]".to_owned(), 2),
        (LINES, "1\n\"x\"\n".to_owned(), 2),
        (CSV, "{}\n{}\n{}\n".to_owned(), 1),
        (ARRAY, inputs("5"), 1),
        (ARRAY, inputs("[5]"), 1),
        (
            ARRAY,
            inputs(r#"["10.0.0.1","x","44.0.0.0/8","::1","203.0.113.1"]"#),
            5,
        ),
    ] {
        let (problems, more) = desk.refusal(vec![source(format, text.as_str())]).await;
        assert_eq!((problems.len(), more), (count, 0), "{text}: {problems:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_refused_with_their_cell_or_line() {
    let desk = Desk::new();
    let before = desk.snapshot().await;
    for (format, text, line, remedy) in [
        (
            CSV,
            &b"account,partner,number\nacme,live\xffkit,+918000000009\n"[..],
            2,
            "cell 2",
        ),
        (
            CSV,
            b"account,partner,number\n\xc3,\xa9,+918000000009\n",
            2,
            "cell 1",
        ),
        (CSV, b"account,partner,num\xe9ro\n", 1, "cell 3"),
        (CSV, b"\xff\xfea\0c\0c\0", 1, "UTF-16"),
        (
            LINES,
            b"{\"account\":\"acme\",\n{\"account\":\"\xff\"}\n",
            2,
            "not UTF-8",
        ),
        (ARRAY, b"[{\"account\":\n\n\"\xff\"}]", 3, "not UTF-8"),
    ] {
        let (problems, _) = desk.refusal(vec![source(format, text)]).await;
        let found = problems
            .iter()
            .any(|p| p.line == line && p.message.contains(remedy));
        assert!(found, "{remedy}: {problems:?}");
    }
    assert!(desk.snapshot().await == before);
}

#[tokio::test]
async fn a_bad_row_in_the_last_file_refuses_all_files() {
    let desk = Desk::new();
    let before = desk.snapshot().await;
    let rows: String = (0..5000)
        .map(|n| format!("acme,livekit,+91800000{n:04}\n"))
        .collect();
    let good = desk.file("good.csv", format!("account,partner,number\n{rows}"));
    let bad = desk.file("bad.jsonl", "{}\n");
    let with_files = desk.snapshot().await;
    let sources = || vec![Source::from_argument(&good), Source::from_argument(&bad)];
    let (problems, more) = desk.refusal(sources()).await;
    assert_eq!((problems.len(), more), (3, 0));
    assert!(
        problems
            .iter()
            .all(|p| p.file == bad.display().to_string() && p.line == 1)
    );
    assert!(desk.snapshot().await == with_files);
    assert_eq!(before.0, with_files.0);
}

#[tokio::test]
async fn a_thousand_problems_are_listed_and_the_rest_is_counted() {
    let desk = Desk::new();
    let text = format!(
        "account,partner,number\n{}",
        "acme,livekit,12\n".repeat(2500)
    );
    let (problems, more) = desk.refusal(vec![source(CSV, text)]).await;
    assert_eq!((problems.len(), more), (1000, 1500));
    assert_eq!((problems[0].line, problems[999].line), (2, 1001));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let desk = Desk::new();
    let missing = Source::from_argument("no-such-folder/signups.csv");
    let error = desk.enqueue(vec![missing]).await.unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    assert!(
        error.to_string().contains("no-such-folder/signups.csv"),
        "{error}"
    );
}

#[test]
fn the_beginning_of_a_good_file_is_accepted_or_refused_and_never_panics() {
    let desk = builtin(accounts());
    let csv = "\u{feff}account,partner,number,inputs.livekit_url\r\nacme,livekit,+918000000001,\"https://a.livekit.cloud\"\r\nacme,livekit,+918000000002,\r\n";
    let lines = "{\"account\":\"acme\",\"partner\":\"pipecat\",\"number\":\"+918000000001\",\n\"inputs\":{\"source_ips\":[\"44.248.146.11\"]},\"key\":\"\\u00e9\"}\n";
    let line = lines.replacen('\n', "", 1);
    let array = format!("[{lines},{lines}]");
    for (format, text) in [(CSV, csv), (LINES, &line), (ARRAY, &array)] {
        for end in 0..text.len() {
            for format in [Some(format), None] {
                let cut = &text.as_bytes()[..end];
                let sources = vec![source(format, cut)];
                let limits = |_: &AccountName| Limits::per_minute(200, 50);
                match plan(sources, &desk, limits, |_| {}) {
                    Ok(report) => assert!(report.total <= 2),
                    Err(error) => assert!(matches!(error, Error::Input { .. }), "{error}"),
                }
            }
        }
    }
}
