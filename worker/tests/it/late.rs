//! Exotel processes a request long after its client was answered or has left: there is one of each
//! thing all the same.
//!
//! The real times are 10 s for a request, 30 s of settling and 5 minutes until the late check. Here
//! they are a tenth and less, and so is every lateness: 0.2, 1, 5, 12 and 45 s of the real ones.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has nothing to show"
)]

use std::time::{Duration, Instant};

use onboarding::{OnboardingId, State, StepState};
use serde_json::{Value, json};
use store::{Inspect, Operate, Store};
use worker::{Settings, verify_onboarding};

use crate::world::{DEADLINE, World, full_signup, settings, sid};

/// The writes, by the end of their path, in the order of the plan.
const WRITES: [&str; 6] = [
    "/trunks",
    "/phone-numbers",
    "/whitelisted-ips",
    "/credentials",
    "/destination-uris",
    "/settings",
];

const TIMEOUT: Duration = Duration::from_secs(1);
const SETTLING: Duration = Duration::from_secs(3);

/// A tenth of the real times, and of these `late_check` is what a test asks for.
fn scaled(name: &str, late_check: Duration) -> Settings {
    let mut settings = settings(name);
    settings.request_timeout = TIMEOUT;
    settings.settling = SETTLING;
    settings.late_check = late_check;
    settings
}

/// What the client sees of a request that is processed `late_ms` later.
fn late(late_ms: u64) -> [(&'static str, Value); 3] {
    [
        (
            "a gateway's 504",
            json!({"status": 504, "body": "html", "late_ms": late_ms}),
        ),
        ("a timeout", json!({"hold_ms": 600_000, "late_ms": late_ms})),
        ("a reset", json!({"reset_before": true, "late_ms": late_ms})),
    ]
}

struct Cell {
    name: String,
    account: String,
    id: OnboardingId,
}

/// One onboarding for each write and each way of being late, on an account of its own.
async fn enqueue(world: &World, lateness: &[u64], writes: &[&str]) -> Vec<Cell> {
    let mut rules = Vec::new();
    let mut names = Vec::new();
    let mut signups = Vec::new();
    for write in writes {
        for ms in lateness {
            for (seen, fault) in late(*ms) {
                let n = signups.len();
                let account = format!("late{n}");
                let mut rule = fault;
                rule["method"] = json!("POST");
                rule["path"] = json!(format!("{write}$"));
                rule["account"] = json!(sid(&account));
                rule["nth"] = json!(1);
                rules.push(rule);
                signups.push(full_signup(&account, u32::try_from(n).unwrap()));
                names.push((format!("{write} {ms} ms after {seen}"), account));
            }
        }
    }
    world.put("faults", &Value::Array(rules)).await;
    let ids = world.enqueue(signups).await;
    names
        .into_iter()
        .zip(ids)
        .map(|((name, account), id)| Cell { name, account, id })
        .collect()
}

async fn drain(world: &World, cells: &[Cell], settings: Settings) {
    let accounts = cells.iter().map(|cell| world.account(&cell.account));
    world.drain(settings, accounts.collect()).await;
}

/// Waits until the simulator has processed everything that it was sent.
async fn nothing_is_pending(world: &World) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let log = world.get("requests").await;
        let pending = log
            .as_array()
            .unwrap()
            .iter()
            .any(|request| request["pending"] == true);
        if !pending {
            return;
        }
        assert!(Instant::now() < deadline, "{log:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs until no late check is left, as the next runs of a command do.
async fn until_checked(world: &World, cells: &[Cell], settings: &Settings) {
    let deadline = Instant::now() + DEADLINE;
    while world.store.late_checks_left().await.unwrap() > 0 {
        assert!(Instant::now() < deadline, "late checks are left");
        drain(world, cells, settings.clone()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn exactly_one(world: &World, cells: &[Cell]) {
    for cell in cells {
        world
            .assert_exactly_one(&cell.name, &cell.account, cell.id)
            .await;
        let own = world.onboarding(cell.id).await;
        let trunk = &world.trunks(&cell.account).await[0];
        let places = ["numbers", "whitelisted_ips", "credentials", "destinations"];
        for (index, place) in (1..).zip(places) {
            let on_record = serde_json::to_value(&own.journal.records()[index].result).unwrap();
            assert_eq!(
                trunk[place][0]["id"], on_record["id"],
                "{}: {place}",
                cell.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_processed_before_absence_is_believed_is_there_once_at_the_end() {
    let world = World::new().await;
    // 0.2, 1, 5 and 12 s.
    let cells = enqueue(&world, &[20, 100, 500, 1200], &WRITES).await;
    let settings = scaled("w", Duration::ZERO);
    drain(&world, &cells, settings).await;
    exactly_one(&world, &cells).await;
    nothing_is_pending(&world).await;
    exactly_one(&world, &cells).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_processed_after_the_repeat_is_removed_by_the_end_or_the_late_check() {
    let world = World::new().await;
    // 45 s, and what comes when everything is done.
    let lateness = [4_500, 6_500];
    let cells = enqueue(&world, &lateness, &WRITES).await;
    let settings = scaled("w", Duration::from_secs(10));
    drain(&world, &cells, settings.clone()).await;
    for cell in &cells {
        assert_eq!(
            world.state(cell.id).await,
            State::Succeeded,
            "{}",
            cell.name
        );
    }
    nothing_is_pending(&world).await;
    until_checked(&world, &cells, &settings).await;
    exactly_one(&world, &cells).await;
    let removed = |cell: &&Cell| cell.name.starts_with("/destination-uris");
    for cell in cells.iter().filter(removed) {
        let own = world.onboarding(cell.id).await;
        assert_eq!(own.journal.records()[4].removed, 1, "{}", cell.name);
    }
    // It costs nothing when there is nothing to do any more.
    let before = world.get("requests").await.as_array().unwrap().len();
    drain(&world, &cells, settings).await;
    assert_eq!(
        world.get("requests").await.as_array().unwrap().len(),
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_processed_after_the_late_check_is_seen_by_verify() {
    let world = World::new().await;
    let cells = enqueue(&world, &[9_500], &["/destination-uris"]).await;
    let settings = scaled("w", Duration::from_millis(1));
    drain(&world, &cells, settings.clone()).await;
    until_checked(&world, &cells, &settings).await;
    nothing_is_pending(&world).await;
    for cell in &cells {
        let client = exotel::Client::new(&world.config(&cell.account)).unwrap();
        let own = world.onboarding(cell.id).await;
        let store: &dyn Store = &*world.store;
        let comparison = verify_onboarding(store, &client, &own, &settings)
            .await
            .unwrap();
        assert!(!comparison.is_as_planned(), "{}", cell.name);
        assert_eq!(comparison.extra.len(), 1, "{}: {comparison:?}", cell.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_is_created_after_a_failure_or_a_cancel_is_found() {
    let world = World::new().await;
    let cells = enqueue(&world, &[1_500], &["/trunks"]).await;
    let mut settings = scaled("w", Duration::from_secs(2));
    settings.retry.attempts = 1;
    drain(&world, &cells, settings.clone()).await;
    for cell in &cells {
        let (code, message) = world.fault(cell.id).await;
        assert_eq!(code, "attempts_exhausted", "{}", cell.name);
        assert!(message.contains("perhaps a trunk"), "{message}");
    }
    world.store.cancel(cells[0].id).await.unwrap();
    nothing_is_pending(&world).await;
    until_checked(&world, &cells, &settings).await;
    for (n, cell) in cells.iter().enumerate() {
        let own = world.onboarding(cell.id).await;
        let expected = if n == 0 {
            State::Cancelled
        } else {
            State::Failed
        };
        assert_eq!(own.state, expected, "{}", cell.name);
        let trunk = world.trunks(&cell.account).await[0]["trunk_sid"].clone();
        let found = own.journal.trunk_sid().map(ToString::to_string);
        assert_eq!(found.as_deref(), trunk.as_str(), "{}", cell.name);
        assert_eq!(own.journal.records()[0].state, StepState::Done);
        if expected == State::Failed {
            let (_, message) = world.fault(cell.id).await;
            let left = format!("Left on Exotel's side: trunk {}", found.unwrap());
            assert!(message.contains(&left), "{message}");
            assert!(!message.contains("perhaps"), "{message}");
        }
    }
    // A retry goes on with what was found.
    for cell in &cells {
        world.store.retry(cell.id, false).await.unwrap();
    }
    drain(&world, &cells, settings).await;
    exactly_one(&world, &cells).await;
}
