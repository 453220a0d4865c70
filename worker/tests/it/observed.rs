//! What an observer is told.
#![expect(
    clippy::unwrap_used,
    reason = "a lock that is poisoned has failed its test before"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use store::Limits;
use worker::{Event, Observer};

use crate::world::{World, full_signup, settings, sid};

/// Writes down what it is told, without times.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn event(&self, event: Event<'_>) {
        let note = match event {
            Event::Claimed { epoch, .. } => format!("claimed {epoch}"),
            Event::Request {
                call,
                failure,
                status,
                duration,
                ..
            } => {
                assert!(duration > Duration::ZERO && duration < Duration::from_secs(60));
                let failure = failure.map_or("ok".to_owned(), |class| format!("{class:?}"));
                format!("request {call} {failure} {}", status.unwrap_or_default())
            }
            Event::PermitWait {
                waited, granted, ..
            } => {
                assert!(waited > Duration::ZERO);
                format!("waited {granted}")
            }
            Event::Step { step, outcome, .. } => {
                format!("step {} {}", step.as_str(), outcome.as_str())
            }
            Event::Released { why, .. } => format!("released {}", why.as_str()),
            Event::LeaseLost { .. } => "lost".to_owned(),
            Event::Broken { .. } => "broken".to_owned(),
            Event::Finished { state, .. } => format!("finished {state}"),
            Event::Closed { .. } => "closed".to_owned(),
            Event::Parked { .. } => "parked".to_owned(),
            Event::Settling { .. } => "settling".to_owned(),
            Event::Outage { .. } => "outage".to_owned(),
            Event::Resumed { .. } => "resumed".to_owned(),
            Event::SurplusRemoved { .. } | _ => "something else".to_owned(),
        };
        self.0.lock().unwrap().push(note);
    }
}

impl Notes {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_and_step_is_told_with_what_it_came_to() {
    let world = World::new().await;
    let nth = |path: &str, fault: serde_json::Value| {
        let mut rule = fault;
        rule["method"] = json!("POST");
        rule["path"] = json!(format!("{path}$"));
        rule["nth"] = json!(1);
        rule
    };
    let faults = json!([
        nth("/phone-numbers", json!({"status": 429, "retry_after": 1})),
        nth("/whitelisted-ips", json!({"status": 503, "after": true})),
        nth("/settings", json!({"status": 200, "inner_code": 400})),
    ]);
    world.put("faults", &faults).await;
    world.enqueue(vec![full_signup("acme", 1)]).await;
    let notes = Arc::new(Notes::default());
    let other = Arc::new(Notes::default());
    let mut settings = settings("w");
    settings.observer = Some(Arc::new((Arc::clone(&notes), Arc::clone(&other))));
    world.drain(settings, vec![world.account("acme")]).await;
    let expected = [
        "claimed 1",
        "request create_trunk ok 200",
        "step create_trunk done",
        "request map_number Throttled { retry_after: Some(1s) } 429",
        "closed",
        "released later",
        "step map_number put_back",
        "claimed 2",
        "request map_number ok 200",
        "step map_number done",
        "request whitelist_ip Unknown 503",
        "request trunks_page ok 200",
        "released later",
        "step whitelist_ip unknown",
        "claimed 3",
        "request whitelisted_ips_page ok 200",
        "step whitelist_ip adopted",
        // Whatever is adopted leaves the next step in doubt.
        "request credentials_page ok 200",
        "settling",
        "released later",
        "step create_credentials put_back",
        "claimed 4",
        "request credentials_page ok 200",
        "request create_credentials ok 200",
        "step create_credentials done",
        "request map_destination ok 200",
        "step map_destination done",
        "request set_caller_id Refused 200",
        "step set_caller_id failed",
        "finished failed",
    ];
    assert_eq!(notes.all(), expected);
    assert_eq!(other.all(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_permit_says_for_how_long_and_what_is_put_back_says_why() {
    let world = World::new().await;
    // A duplicate is looked up at once, under the same lease.
    let fault = json!([{
        "method": "POST", "path": "/whitelisted-ips$", "account": sid("acme"), "nth": 1,
        "status": 409, "after": true,
    }]);
    world.put("faults", &fault).await;
    world.enqueue(vec![full_signup("acme", 1)]).await;
    let notes = Arc::new(Notes::default());
    let mut settings = settings("w");
    settings.observer = Some(Arc::clone(&notes) as Arc<dyn Observer>);
    let one_at_a_time = Limits {
        requests_per_window: 1,
        window: Duration::from_millis(100),
        in_flight: 1,
        burst: 1,
    };
    let account = world.account_with("acme", one_at_a_time);
    world.drain(settings, vec![account]).await;
    let notes = notes.all();
    let waited = notes.iter().position(|note| note == "waited true").unwrap();
    assert_eq!(notes[waited - 1], "request whitelist_ip Duplicate 409");
    assert_eq!(notes[waited + 1], "request whitelisted_ips_page ok 200");
    assert!(
        notes.iter().any(|note| note == "released no_permit"),
        "{notes:#?}"
    );
    assert_eq!(notes.last().unwrap(), "finished succeeded");
    assert!(!notes.iter().any(|note| note == "lost"), "{notes:#?}");
}
