//! The record of an onboarding.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there or the test fails"
)]

use onboarding::{Fault, State, StepRecord, StepState};
use records::{OnboardingRecord, Parked};
use serde_json::{Value, json};
use store::Onboarding;

use crate::shelf::{Shelf, at, onboarding, status};

fn record(own: &Onboarding, parked: &Parked) -> Value {
    serde_json::to_value(OnboardingRecord::of(own, parked)).unwrap()
}

fn fault() -> Fault {
    Fault {
        code: "number_not_found".to_owned(),
        message: "map_number: the account has no such number".to_owned(),
    }
}

#[test]
fn the_fields_are_those_of_the_contract_in_its_order() {
    let (own, _) = onboarding();
    let text = serde_json::to_string(&OnboardingRecord::of(&own, &Parked::default())).unwrap();
    let beginning = format!(
        r#"{{"type":"onboarding","id":"{}","key":"acme/livekit/+918000000001","account":"acme","partner":"livekit","number":"+918000000001","direction":"outbound","state":"queued","steps":[{{"name":"create_trunk","state":"pending","attempts":0,"result":null,"error":null}},"#,
        own.id
    );
    assert!(text.starts_with(&beginning), "{text}");
    let end = r#"],"error":null,"created_at":"2025-11-21T14:15:00.000Z","updated_at":"2025-11-21T14:15:00.007Z"}"#;
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_failed_one_names_its_step_and_the_step_has_the_error_too() {
    let (mut own, _) = onboarding();
    own.state = State::Failed;
    own.fault = Some((fault(), Some(1)));
    own.journal.set(
        1,
        StepRecord {
            state: StepState::Failed,
            attempts: 3,
            error: Some(fault()),
            ..StepRecord::default()
        },
    );
    let record = record(&own, &Parked::default());
    let error = json!({"code": "number_not_found", "message": fault().message});
    assert_eq!(
        record["steps"][1],
        json!({"name": "map_number", "state": "failed", "attempts": 3, "result": null, "error": error})
    );
    assert_eq!(
        record["error"],
        json!({"code": "number_not_found", "message": fault().message, "step": "map_number"})
    );
}

#[tokio::test]
async fn a_blocked_one_says_why_its_account_is_parked_and_what_to_do() {
    let mut acme = status("acme");
    acme.parked = Some(store::Stopped {
        reason: "the key is wrong".to_owned(),
        since: at(0),
    });
    let shelf = Shelf {
        accounts: vec![acme, status("globex")],
        ..Shelf::default()
    };
    let parked = Parked::read(&shelf).await.unwrap();
    let (mut own, _) = onboarding();
    own.fault = Some((fault(), Some(1)));
    own.state = State::Blocked;
    assert_eq!(
        record(&own, &parked)["error"],
        json!({
            "code": "account_parked",
            "message": "the key is wrong; then run `trunkline accounts resume acme`",
            "step": null,
        })
    );
    // One that goes on has what it had.
    own.state = State::Running;
    assert_eq!(record(&own, &parked)["error"]["code"], "number_not_found");
}
