//! Where a batch comes from, and the trace that it came with.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there or the test fails"
)]

use std::time::Duration;

use onboarding::TraceContext;
use producer::{About, Accounts, Source, accept, enqueue, plan};
use serde_json::{Value, json};
use store::{BatchNumber, Inspect, Limits, Work, WorkerName};

use crate::{
    catcher::Catcher,
    desk::{Desk, builtin},
};

fn about(source: Option<&str>) -> About {
    About {
        source: source.map(str::to_owned),
        trace: TraceContext::new([1; 16], [2; 8], 1),
    }
}

fn items(count: u64) -> Vec<Value> {
    let partners = ["livekit", "rapida"];
    (0..count)
        .map(|n| {
            let partner = partners[n as usize % 2];
            json!({"account": "acme", "partner": partner, "number": format!("+9180{n:08}")})
        })
        .collect()
}

/// The same as a file, and as items.
async fn both(count: u64, about: About) -> [Catcher; 2] {
    let desk = builtin(Accounts::Any);
    let (of_file, of_items) = (Catcher::default(), Catcher::default());
    let items = items(count);
    let text = serde_json::to_vec(&items).unwrap();
    let source = Source::from_reader("input", None, std::io::Cursor::new(text));
    let report = enqueue(vec![source], &desk, about.clone(), &of_file, |_| {}).await;
    let taken = accept(&items, "input", about, &desk, &of_items).await;
    assert_eq!(report.unwrap(), taken.unwrap().report);
    [of_file, of_items]
}

#[tokio::test]
async fn every_onboarding_goes_on_with_the_trace_that_it_came_with() {
    for store in both(3, about(None)).await {
        let told = store.told();
        assert_eq!(told.candidates.len(), 3);
        let given = about(None).trace;
        assert!(given.is_some() && told.candidates.iter().all(|own| own.new.trace == given));
    }
}

#[tokio::test]
async fn a_batch_is_described_where_it_says_where_it_comes_from_and_only_there() {
    let long = format!("{}\n{}.csv", "a".repeat(150), "\u{e9}".repeat(150));
    for (source, told) in [
        (None, None),
        (Some("signups.csv"), Some("signups.csv".to_owned())),
        (Some("a\u{1b}[2Jb"), Some("a [2Jb".to_owned())),
        (
            Some(long.as_str()),
            Some(format!(
                "{} ... {}.csv",
                "a".repeat(97),
                "\u{e9}".repeat(46)
            )),
        ),
    ] {
        for store in both(2, about(source)).await {
            let sources = store.told().sources;
            assert_eq!(sources, told.iter().cloned().collect::<Vec<_>>());
            assert!(sources.iter().all(|source| source.len() <= 200));
        }
    }
}

#[tokio::test]
async fn the_number_of_the_batch_is_told() {
    let desk = builtin(Accounts::Any);
    for (source, batch) in [(None, None), (Some("form"), Some(BatchNumber(7)))] {
        let store = Catcher::default();
        let taken = accept(&items(1), "request", about(source), &desk, &store).await;
        assert_eq!(taken.unwrap().report.batch, batch);
    }
}

#[tokio::test]
async fn a_store_gets_chunks_of_a_bounded_length_and_each_recipe_once() {
    for store in both(2500, About::default()).await {
        let told = store.told();
        assert_eq!(told.chunks, [1000, 1000, 500]);
        let mut recipes = told.recipes.clone();
        recipes.sort();
        recipes.dedup();
        assert_eq!((recipes.len(), told.recipes.len()), (2, 2));
        let used = |own: &store::Candidate| recipes.contains(&own.new.recipe);
        assert!(told.candidates.iter().all(used));
    }
}

#[tokio::test]
async fn a_worker_gets_the_trace_and_people_the_batch() {
    let (desk, known) = (Desk::new(), builtin(Accounts::Any));
    let store = desk.store.as_ref();
    let about = about(Some("the form"));
    let taken = accept(&items(3), "request", about.clone(), &known, store).await;
    let batches = store.batches(None, 10).await.unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(
        (batches[0].source.as_str(), batches[0].accepted),
        ("the form", 3)
    );
    assert_eq!(taken.unwrap().report.batch, Some(batches[0].number));
    // The same again brings nothing new, and so no batch.
    let again = accept(&items(3), "request", about.clone(), &known, store).await;
    assert_eq!(again.unwrap().report.batch, None);
    let worker = WorkerName("worker".to_owned());
    let served = [("acme".parse().unwrap(), Limits::per_minute(200, 50))];
    store.register(&worker, &served).await.unwrap();
    let (lease, timeout) = (Duration::from_secs(60), Duration::from_secs(5));
    let claimed = store.claim(&worker, 3, lease, timeout).await.unwrap();
    assert!(!claimed.claims.is_empty());
    for claim in claimed.claims {
        assert_eq!(claim.trace, about.trace);
    }
}

#[tokio::test]
async fn an_upload_is_planned_and_then_enqueued_from_the_same_file() {
    let (desk, known) = (Desk::new(), builtin(Accounts::Any));
    let rows = "account,partner,number\nacme,livekit,+918000000001\nacme,rapida,+918000000002\n";
    let path = desk.file("upload", rows);
    let upload = |name: &str| {
        let file = std::fs::File::open(&path).unwrap();
        vec![Source::from_reader(name, None, file)]
    };
    let limits = |_: &_| Limits::per_minute(200, 50);
    let reading = known.clone();
    let sources = upload("signups.csv");
    // Reading waits for the disk.
    let planned = tokio::task::spawn_blocking(move || {
        let mut seen = Vec::new();
        let report = plan(sources, &reading, limits, |own| seen.push(own.line));
        (report, seen)
    });
    let (report, seen) = planned.await.unwrap();
    assert_eq!((report.unwrap().requests, seen), (6, vec![2, 3]));
    assert!(desk.all().await.is_empty());
    let sources = upload("signups.csv");
    let store = desk.store.as_ref();
    let enqueued = enqueue(sources, &known, about(Some("signups.csv")), store, |_| {}).await;
    assert_eq!(enqueued.unwrap().accepted, 2);
    assert_eq!(
        store.batches(None, 10).await.unwrap()[0].source,
        "signups.csv"
    );
}
