//! What a person or a program may do with an onboarding and an account.

use onboarding::{CREDENTIALS_LIVE, Fault, OnboardingId, StepRecord, StepState};
use serde_json::json;
use store::{
    Then,
    conformance::sample::{account, advance, claim_one, failure, only, register, wide},
};

use crate::server::{READ, Server, WRITE, answer, signup};

#[tokio::test]
async fn what_failed_is_retried_and_what_is_queued_is_not() {
    for server in Server::each().await {
        let taken = server.enqueue(signup(1)).await;
        let id = taken["onboardings"][0]["id"].as_str().unwrap().to_owned();
        let retry = || answer(server.post(&format!("/v1/onboardings/{id}/retry")));
        retry().await.is_problem(409, "wrong_state", "queued");
        register(&server.store, "w", &["acme"], wide()).await;
        let held = claim_one(&server.store, "w").await;
        retry().await.is_problem(409, "wrong_state", "running");
        advance(&server.store, &held, only(&held.permit, failure())).await;
        let failed = answer(server.get("/v1/onboardings?state=failed")).await;
        assert_eq!(failed.json["items"][0]["id"], id.as_str());
        assert!(failed.json["items"][0]["error"]["message"].is_string());
        let retried = retry().await;
        assert_eq!(retried.status, 200, "{}", retried.text);
        assert_eq!(retried.json["state"], "queued");
        answer(server.post("/v1/onboardings/nobody/retry"))
            .await
            .is_problem(404, "not_found", "nobody");
    }
}

/// Its credentials are in use, with a password that the store does not have.
async fn fail_as_live(server: &Server) -> OnboardingId {
    let held = claim_one(&server.store, "w").await;
    let fault = Fault {
        code: CREDENTIALS_LIVE.to_owned(),
        message: "made up".to_owned(),
    };
    let mut failed = only(
        &held.permit,
        Then::Fail {
            fault: fault.clone(),
            step: Some(0),
        },
    );
    let record = StepRecord {
        state: StepState::Failed,
        error: Some(fault),
        ..StepRecord::default()
    };
    failed.steps = vec![(0, record)];
    advance(&server.store, &held, failed).await;
    held.lease.id
}

#[tokio::test]
async fn credentials_in_use_are_replaced_by_a_retry_that_says_so_and_by_no_other() {
    for server in Server::each().await {
        server.enqueue(json!([signup(1), signup(2)])).await;
        register(&server.store, "w", &["acme"], wide()).await;
        let live = fail_as_live(&server).await;
        let held = claim_one(&server.store, "w").await;
        advance(&server.store, &held, only(&held.permit, failure())).await;
        let other = held.lease.id;
        let retry = |id: OnboardingId, body: &'static str| {
            let request = server.post(&format!("/v1/onboardings/{id}/retry"));
            let json = "application/json";
            answer(request.header("content-type", json).body(body))
        };
        let replaces = async |id| {
            let own = server.store.get(id).await.unwrap().unwrap();
            own.journal.records()[0].replace
        };
        let word = r#"{"replace_credentials": true}"#;
        retry(other, word)
            .await
            .is_problem(409, "wrong_state", "credentials_live");
        for wrong in [
            r#"{"replace": true}"#,
            r#"{"replace_credentials": 1}"#,
            "[",
            "7",
        ] {
            retry(live, wrong)
                .await
                .is_problem(400, "invalid_body", wrong);
        }
        let failed = answer(server.get("/v1/onboardings?state=failed")).await;
        assert_eq!(failed.json["items"].as_array().map(Vec::len), Some(2));

        for silent in ["", "null", "{}", r#"{"replace_credentials": false}"#] {
            let retried = retry(live, silent).await;
            assert_eq!(retried.status, 200, "{silent}: {}", retried.text);
            assert!(!replaces(live).await, "{silent}");
            assert_eq!(fail_as_live(&server).await, live);
        }
        let retried = retry(live, word).await;
        assert_eq!(retried.json["state"], "queued", "{}", retried.text);
        assert!(replaces(live).await);
    }
}

#[tokio::test]
async fn what_waits_is_cancelled_now_and_what_runs_soon() {
    for server in Server::each().await {
        for n in 1..=2 {
            server.enqueue(signup(n)).await;
        }
        register(&server.store, "w", &["acme"], wide()).await;
        let held = claim_one(&server.store, "w").await;
        let running = held.lease.id.to_string();
        let all = answer(server.get("/v1/onboardings?state=queued")).await;
        let waiting = all.json["items"][0]["id"].as_str().unwrap().to_owned();
        let cancel = |id: &str| answer(server.post(&format!("/v1/onboardings/{id}/cancel")));
        let now = cancel(&waiting).await;
        assert_eq!(
            (now.status.as_u16(), &now.json["state"]),
            (200, &json!("cancelled"))
        );
        cancel(&waiting)
            .await
            .is_problem(409, "wrong_state", "again");
        let soon = cancel(&running).await;
        assert_eq!(soon.status, 202, "{}", soon.text);
        assert_eq!(soon.json, json!({"type": "cancelling", "id": running}));
        advance(&server.store, &held, only(&held.permit, Then::Keep)).await;
        let told = answer(server.get(&format!("/v1/onboardings/{running}"))).await;
        assert_eq!(told.json["state"], "cancelled");
    }
}

#[tokio::test]
async fn a_parked_account_says_why_blocks_its_own_and_goes_on() {
    for server in Server::each().await {
        server.enqueue(signup(1)).await;
        register(&server.store, "w", &["acme"], wide()).await;
        let acme = account("acme");
        server
            .store
            .park_account(&acme, "the key is wrong (made up)")
            .await
            .unwrap();
        let accounts = answer(server.get("/v1/accounts")).await;
        let items = accounts.json["items"].as_array().unwrap();
        assert_eq!(items.len(), 2, "{}", accounts.text);
        assert_eq!(items[0]["name"], "acme");
        assert_eq!(items[0]["parked"]["reason"], "the key is wrong (made up)");
        assert_eq!(items[0]["waiting"], 1);
        assert_eq!(items[1]["name"], "globex");
        assert_eq!(items[1]["parked"], json!(null));
        let blocked = answer(server.get("/v1/onboardings?state=blocked")).await;
        assert_eq!(blocked.json["items"][0]["error"]["code"], "account_parked");
        for was_parked in [true, false] {
            let resumed = answer(server.post("/v1/accounts/acme/resume")).await;
            assert_eq!(
                resumed.json,
                json!({"type": "resumed", "account": "acme", "was_parked": was_parked, "was_closed": false})
            );
        }
        let day = std::time::Duration::from_secs(86_400);
        server.store.close_account(&acme, day).await.unwrap();
        for was_closed in [true, false] {
            let resumed = answer(server.post("/v1/accounts/acme/resume")).await;
            let was = (&resumed.json["was_parked"], &resumed.json["was_closed"]);
            assert_eq!(was, (&json!(false), &json!(was_closed)));
        }
        let blocked = answer(server.get("/v1/onboardings?state=blocked")).await;
        assert_eq!(blocked.json["items"], json!([]));
    }
}

#[tokio::test]
async fn a_password_is_shown_to_a_token_that_may_write_only() {
    for server in Server::each().await {
        let taken = server.enqueue(signup(1)).await;
        let id = taken["onboardings"][0]["id"].as_str().unwrap();
        let path = format!("/v1/onboardings/{id}/handoff");
        let masked = answer(server.get(&path)).await;
        assert_eq!(masked.status, 200, "{}", masked.text);
        assert_eq!(masked.json["credentials"]["password"], "********");
        let asked = |token| {
            let request =
                server.request(reqwest::Method::GET, &format!("{path}?show_secrets=true"));
            answer(request.bearer_auth(token))
        };
        asked(READ).await.is_problem(403, "forbidden", "a reader");
        let shown = asked(WRITE).await;
        let password = shown.json["credentials"]["password"].as_str().unwrap();
        assert_eq!(password.len(), 24, "{}", shown.text);
        assert_eq!(shown.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn recipes_tell_what_they_ask() {
    let server = Server::start().await;
    let recipes = answer(server.get("/v1/recipes")).await;
    let items = recipes.json["items"].as_array().unwrap();
    let livekit = items.iter().find(|item| item["name"] == "livekit").unwrap();
    assert_eq!(livekit["type"], "recipe");
    let inputs = livekit["inputs"].as_array().unwrap();
    assert!(
        inputs
            .iter()
            .any(|input| input["name"] == "livekit_sip_subdomain")
    );
}

#[tokio::test]
async fn figures_are_told_to_prometheus() {
    let server = Server::start().await;
    server
        .enqueue(json!([signup(1), signup(1), signup(2)]))
        .await;
    let figures = answer(server.get("/metrics")).await;
    assert_eq!(figures.status, 200);
    assert!(figures.header("content-type").starts_with("text/plain"));
    for line in [
        r#"trunkline_signups_total{source="api",outcome="accepted"} 2"#,
        r#"trunkline_signups_total{source="api",outcome="duplicate"} 1"#,
    ] {
        assert!(figures.text.contains(line), "{line}\n{}", figures.text);
    }
    assert!(
        figures.text.contains("route=\"/v1/onboardings\""),
        "{}",
        figures.text
    );
}
