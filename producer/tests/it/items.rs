//! Signups at hand keep the promises of those in files.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there or the test fails"
)]

use onboarding::OnboardingId;
use producer::{About, Accounts, Error, Format, Located, Report, Taken, accept};
use serde_json::{Map, Value, json};

use crate::{
    catcher::Catcher,
    desk::{Desk, accounts, builtin, source},
    refusals::{self, Case},
};

async fn taken(desk: &Desk, items: &[Value]) -> Result<Taken, Error> {
    let known = builtin(accounts());
    let about = About::default();
    accept(items, "input", about, &known, desk.store.as_ref()).await
}

fn problems<T: std::fmt::Debug>(result: Result<T, Error>) -> (Vec<Located>, u64) {
    match result {
        Err(Error::Input { problems, more }) => (problems, more),
        other => panic!("not refused for its content: {other:?}"),
    }
}

/// The items of a table's text, where it is one that says the same in JSON.
fn items(case: &Case) -> Option<Vec<Value>> {
    let (name, format, text, ..) = case;
    if name.starts_with("name twice") || text.len() >= producer::RECORD_BYTES_MAX {
        // A parsed object has each name once, and how long it may be is its parser's caller's rule.
        return None;
    }
    let items: Option<Vec<Value>> = match format {
        Format::JsonArray => serde_json::from_str(text).ok(),
        Format::JsonLines => text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_str(line).ok())
            .collect(),
        Format::Csv if text.contains('"') => None,
        Format::Csv => {
            let mut lines = text.lines().filter(|line| !line.trim().is_empty());
            let header: Vec<&str> = lines.next()?.split(',').collect();
            lines.map(|line| object(&header, line)).collect()
        }
    };
    items.filter(|items| !items.is_empty())
}

fn object(header: &[&str], line: &str) -> Option<Value> {
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    if cells.len() != header.len() {
        return None;
    }
    let (mut object, mut inputs) = (Map::new(), Map::new());
    for (name, cell) in header
        .iter()
        .zip(cells)
        .filter(|(_, cell)| !cell.is_empty())
    {
        match name.strip_prefix("inputs.") {
            Some(input) => inputs.insert(input.to_owned(), cell.into()),
            None => object.insert((*name).to_owned(), cell.into()),
        };
    }
    object.insert("inputs".to_owned(), inputs.into());
    Some(object.into())
}

/// The same items as a file with one on each line, so that its lines are their places.
fn file(items: &[Value]) -> String {
    let lines: Vec<String> = items.iter().map(Value::to_string).collect();
    format!("[{}]", lines.join(",\n"))
}

/// What is accepted before, so that there is something to clash with.
async fn with_some_before() -> Desk {
    let desk = Desk::new();
    let before = "account,partner,number,direction,key,trunk_name
acme,livekit,+918000000001,outbound,crm-1,front_desk
acme,rapida,+918000000002,outbound,,
";
    desk.enqueue(vec![source(Format::Csv, before)])
        .await
        .unwrap();
    desk
}

#[tokio::test]
async fn every_bad_item_is_refused_as_it_would_be_in_a_file_and_changes_nothing() {
    let desk = with_some_before().await;
    let before = desk.snapshot().await;
    let mut compared = 0;
    for case in refusals::alone().into_iter().chain(refusals::clashes()) {
        let Some(items) = items(&case) else { continue };
        let (of_file, more) = desk
            .refusal(vec![source(Format::JsonArray, file(&items))])
            .await;
        let expected: Vec<Located> = of_file.into_iter().map(in_a_list).collect();
        let found = problems(taken(&desk, &items).await);
        assert_eq!(found, (expected, more), "{}", case.0);
        assert!(desk.snapshot().await == before, "{}", case.0);
        compared += 1;
    }
    assert!(compared >= 60, "{compared}");
}

/// A problem of a file, with the place of another signup as it is told of a list.
fn in_a_list(mut problem: Located) -> Located {
    let told = "the signup on line ";
    if let Some((before, rest)) = problem.message.split_once(told) {
        let (line, rest) = rest.split_once(' ').unwrap();
        problem.message = format!("{before}signup {line} of the list {rest}");
    }
    problem
}

#[tokio::test]
async fn items_are_accepted_as_the_same_ones_in_a_file() {
    let items = [
        json!({"account": "acme", "partner": "livekit", "number": "+918000000001", "key": "crm-1"}),
        json!({"account": "globex", "partner": "rapida", "number": "+918000000002", "key": null}),
        json!({"account": "acme", "partner": "pipecat", "number": "+918000000003",
            "inputs": {"source_ips": ["44.248.146.11", "44.248.146.12"]}}),
    ];
    let of_file = Desk::new();
    let (report, heard) = of_file
        .enqueue_heard(vec![source(None, file(&items))], accounts())
        .await;
    let of_items = Desk::new();
    let taken = taken(&of_items, &items).await.unwrap();
    assert_eq!(taken.report, report.unwrap());
    let ids: Vec<OnboardingId> = taken.ids.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, heard);
    let keys: Vec<&str> = taken.ids.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "crm-1",
            "globex/rapida/+918000000002",
            "acme/pipecat/+918000000003"
        ]
    );
    let stored = |all: Vec<store::Onboarding>| -> Vec<_> {
        let one = |own: store::Onboarding| (own.id, own.key, own.signup, own.plan, own.recipe);
        all.into_iter().map(one).collect()
    };
    assert_eq!(stored(of_items.all().await), stored(of_file.all().await));
    for own in of_items.all().await {
        use store::Inspect;
        let recipe = of_items.store.recipe(&own.recipe).await.unwrap();
        assert!(recipe.is_some(), "{}", own.partner);
        let password = of_items.store.password(own.id).await.unwrap();
        assert_eq!(password.is_some(), own.plan.needs_password());
    }
}

#[tokio::test]
async fn the_same_item_twice_is_one_onboarding_and_is_told_twice() {
    let desk = Desk::new();
    let one = json!({"account": "acme", "partner": "livekit", "number": "+918000000001"});
    let twice = [one.clone(), one];
    for (accepted, duplicates) in [(1, 1), (0, 2)] {
        let taken = taken(&desk, &twice).await.unwrap();
        let report = Report {
            accepted,
            duplicates,
            total: 2,
            batch: None,
            warnings: Vec::new(),
        };
        assert_eq!((taken.report, taken.ids.len()), (report, 2));
        assert_eq!(taken.ids[0], taken.ids[1]);
    }
    assert_eq!(desk.all().await.len(), 1);
}

#[tokio::test]
async fn a_key_with_other_content_names_the_field_and_the_other_signup() {
    let desk = Desk::new();
    let one =
        json!({"account": "acme", "partner": "livekit", "number": "+918000000001", "key": "k"});
    let other =
        json!({"account": "acme", "partner": "livekit", "number": "+918000000002", "key": "k"});
    let (found, _) = problems(taken(&desk, &[one.clone(), other.clone()]).await);
    let told = (found[0].line, found[0].field.as_str());
    assert_eq!((found.len(), told), (1, (2, "number")));
    assert!(
        found[0].message.contains("signup 1 of the list"),
        "{}",
        found[0]
    );
    taken(&desk, &[one]).await.unwrap();
    let (found, _) = problems(taken(&desk, &[other]).await);
    assert_eq!((found[0].line, found[0].field.as_str()), (1, "number"));
    assert!(found[0].message.contains("accepted before"), "{}", found[0]);
}

#[tokio::test]
async fn the_problems_of_all_items_are_told_at_once_and_no_batch_is_begun() {
    let mut items = vec![json!({"account": "acme"}); 2500];
    items[2] = json!({"account": "acme", "partner": "livekit", "number": "+918000000001"});
    let store = Catcher::default();
    let known = builtin(Accounts::Any);
    let refused = accept(&items, "request", About::default(), &known, &store).await;
    let (found, more) = problems(refused);
    assert_eq!((found.len(), more), (1000, 2 * 2499 - 1000));
    let places: Vec<u64> = found.iter().take(6).map(|own| own.line).collect();
    assert_eq!(places, [1, 1, 2, 2, 4, 4]);
    assert!(found.iter().all(|own| own.file == "request"));
    assert_eq!(store.told().begun, 0);
}

#[tokio::test]
async fn no_items_are_no_signups() {
    let store = Catcher::default();
    let known = builtin(Accounts::Any);
    let taken = accept(&[], "request", About::default(), &known, &store).await;
    assert_eq!(taken.unwrap().report, Report::default());
    assert_eq!(store.told().begun, 0);
}
