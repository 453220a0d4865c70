//! The store was lost and the same signup is run again: what is there is adopted, but for
//! credentials, whose password was lost too. They are replaced only if a person says so.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has nothing to show"
)]

use onboarding::{CREDENTIALS_LIVE, OnboardingId, Secret, SipPassword};
use serde_json::{Value, json};
use store::Operate;

use crate::world::{World, full_signup, settings};

/// Everything is there, and the same signup is accepted anew, with another password.
async fn again(faults: &Value) -> (World, OnboardingId) {
    let mut world = World::new().await;
    world.enqueue(vec![full_signup("acme", 1)]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    world.lose_the_store();
    let mut again = full_signup("acme", 1);
    let secret = Secret::new("another0madeup0password0");
    again.password = Some(SipPassword::from_secret(secret));
    let id = world.enqueue(vec![again]).await[0];
    world.put("faults", faults).await;
    (world, id)
}

/// The run stops at the credentials and changes nothing; a person allows to replace them.
async fn stops_and_is_allowed(world: &World, id: OnboardingId, name: &str) {
    let before = world.trunks("acme").await;
    drain(world).await;
    let (code, message) = world.fault(id).await;
    assert_eq!(code, CREDENTIALS_LIVE, "{name}: {message}");
    assert!(
        message.contains("--replace-credentials"),
        "{name}: {message}"
    );
    assert!(message.contains("trunkline handoff"), "{name}: {message}");
    assert_eq!(world.trunks("acme").await, before, "{name}");
    // A plain retry is no permission.
    world.store.retry(id, false).await.unwrap();
    drain(world).await;
    assert_eq!(world.fault(id).await.0, CREDENTIALS_LIVE, "{name}");
    assert_eq!(world.trunks("acme").await, before, "{name}");
    world.store.retry(id, true).await.unwrap();
}

async fn drain(world: &World) {
    let accounts = vec![world.account("acme")];
    world.drain(settings("w2"), accounts).await;
}

fn rule(method: &str, path: &str, what: &Value) -> Value {
    let mut rule = json!({"method": method, "path": path});
    let members = what.as_object().unwrap().clone();
    rule.as_object_mut().unwrap().extend(members);
    rule
}

const CREDENTIALS: &str = "/credentials$";
const ONE: &str = "/credentials/[^/]*$";

fn refusals() -> [Value; 5] {
    [
        json!({"status": 403}),
        json!({"status": 404}),
        json!({"status": 405}),
        json!({"status": 405, "body": "html"}),
        json!({"status": 200, "inner_code": 403}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_adopted_once_and_credentials_are_replaced_only_if_a_person_says_so() {
    let once =
        |path: &str, fault: &str| json!({"method": "POST", "path": path, "nth": 1, fault: true});
    let cases = [
        json!([]),
        json!([once("/trunks$", "reset_before")]),
        json!([once("/trunks$", "reset_after")]),
        json!([once(CREDENTIALS, "reset_before")]),
        json!([once(CREDENTIALS, "reset_after")]),
        json!([
            once("/trunks$", "reset_before"),
            once(CREDENTIALS, "reset_after")
        ]),
        json!([
            once("/trunks$", "reset_before"),
            once("/destination-uris$", "reset_after")
        ]),
        json!([{"method": "DELETE", "path": CREDENTIALS, "nth": 1, "reset_before": true}]),
        json!([{"method": "DELETE", "path": CREDENTIALS, "nth": 1, "reset_after": true}]),
    ];
    for faults in cases {
        let (world, id) = again(&faults).await;
        stops_and_is_allowed(&world, id, &faults.to_string()).await;
        drain(&world).await;
        world
            .assert_exactly_one(&faults.to_string(), "acme", id)
            .await;
        let journal = world.onboarding(id).await.journal;
        assert!(journal.records()[0].adopted, "{faults}");
        assert!(journal.records()[4].adopted, "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_exotel_does_not_delete_get_our_password() {
    for refusal in refusals() {
        for lost in [None, Some("reset_before"), Some("reset_after")] {
            let mut faults = vec![rule("DELETE", CREDENTIALS, &refusal)];
            if let Some(lost) = lost {
                faults.push(rule("PUT", ONE, &json!({"nth": 1, lost: true})));
            }
            let (world, id) = again(&json!(faults)).await;
            stops_and_is_allowed(&world, id, &json!(faults).to_string()).await;
            drain(&world).await;
            let name = json!(faults).to_string();
            world.assert_exactly_one(&name, "acme", id).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_an_unknown_password_are_never_called_ours() {
    for refusal in refusals() {
        for lost in ["reset_before", "reset_after"] {
            let faults = json!([
                rule("DELETE", CREDENTIALS, &refusal),
                rule("PUT", ONE, &refusal),
                rule("POST", CREDENTIALS, &json!({"every": 2, lost: true})),
            ]);
            let (world, id) = again(&faults).await;
            stops_and_is_allowed(&world, id, &faults.to_string()).await;
            for round in 0..3 {
                drain(&world).await;
                let (code, message) = world.fault(id).await;
                assert_eq!(code, CREDENTIALS_LIVE, "{faults} {round}: {message}");
                assert!(message.contains("cannot be replaced"), "{message}");
                world.store.retry(id, true).await.unwrap();
            }
            world.delete("faults").await;
            drain(&world).await;
            let name = faults.to_string();
            world.assert_exactly_one(&name, "acme", id).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_only_claims_success_is_not_believed() {
    let faults = json!([{"method": "DELETE", "path": CREDENTIALS, "status": 200}]);
    let (world, id) = again(&faults).await;
    stops_and_is_allowed(&world, id, "claimed").await;
    drain(&world).await;
    let (code, message) = world.fault(id).await;
    assert_eq!(code, CREDENTIALS_LIVE);
    assert!(message.contains("lists them still"), "{message}");
    world.delete("faults").await;
    world.store.retry(id, true).await.unwrap();
    drain(&world).await;
    world.assert_exactly_one("claimed", "acme", id).await;
}
