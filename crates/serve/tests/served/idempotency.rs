//! The same request again gets the same answer again, whatever came between.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;

use crate::server::{Server, answer, signup};

#[tokio::test]
async fn the_same_key_and_body_get_the_first_answer_again() {
    for server in Server::each().await {
        let send = || {
            let request = server.post("/v1/onboardings").json(&signup(1));
            answer(request.header("idempotency-key", "order-1"))
        };
        let first = send().await;
        assert_eq!(first.status, 202, "{}", first.text);
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = send().await;
        assert_eq!(again.status, 202);
        assert_eq!(again.text, first.text, "accepted, and not a duplicate");
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    for server in Server::each().await {
        let send = |n| {
            let request = server.post("/v1/onboardings").json(&signup(n));
            answer(request.header("idempotency-key", "order-1"))
        };
        assert_eq!(send(1).await.status, 202);
        let refused = send(2).await;
        refused.is_problem(422, "idempotency_key_reused", "another body");
        assert_eq!(send(1).await.status, 202);
        let all = answer(server.get("/v1/onboardings")).await;
        assert_eq!(all.json["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_crash_between_question_and_answer_duplicates_nothing() {
    for server in Server::each().await {
        let body = signup(1).to_string();
        let digest: [u8; 32] = Sha256::digest(&body).into();
        let scope = "token:writer:POST /v1/onboardings";
        let day = Duration::from_secs(86_400);
        let send = |key: &'static str| {
            let request = server
                .post("/v1/onboardings")
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body.clone());
            answer(request)
        };
        // It was remembered, and nothing was accepted.
        server
            .store
            .remember(scope, "early", digest, day)
            .await
            .unwrap();
        let repeated = send("early").await;
        assert_eq!(repeated.status, 202, "{}", repeated.text);
        assert_eq!(repeated.json["accepted"], 1);
        // It was accepted, and no answer was recorded.
        server
            .store
            .remember(scope, "late", digest, day)
            .await
            .unwrap();
        let repeated = send("late").await;
        assert_eq!(repeated.status, 202);
        assert_eq!(repeated.json["duplicates"], 1);
        let all = answer(server.get("/v1/onboardings")).await;
        assert_eq!(all.json["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn requests_with_one_key_at_once_get_one_answer() {
    let server = Server::start().await;
    let all = (0..20).map(|_| {
        let request = server.post("/v1/onboardings").json(&signup(1));
        let request = request.header("idempotency-key", "order-1");
        tokio::spawn(async move { answer(request).await })
    });
    let mut texts = Vec::new();
    for one in all.collect::<Vec<_>>() {
        let one = one.await.unwrap();
        assert_eq!(one.status, 202, "{}", one.text);
        texts.push(one.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let server = Server::start().await;
    let unknown = json!({"account": "acme", "partner": "livekti", "number": "+918000000001"});
    let send = || {
        let request = server.post("/v1/onboardings").json(&unknown);
        answer(request.header("idempotency-key", "order-1"))
    };
    send().await.is_problem(422, "invalid_signups", "first");
    let again = send().await;
    again.is_problem(422, "invalid_signups", "again");
    assert_eq!(again.header("idempotency-replayed"), "");
}
