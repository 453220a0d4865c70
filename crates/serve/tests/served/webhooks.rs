//! Signups that come as signed webhooks are taken once.

use jiff::{Timestamp, ToSpan};
use onboarding::Secret;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use webhook::signature::{SigningKey, sign};

use crate::server::{SECRET, Server, answer, signup};

/// A message as the sender delivers it.
fn deliver(
    server: &Server,
    path: &str,
    secret: &str,
    id: &str,
    at: Timestamp,
    body: &Value,
) -> RequestBuilder {
    deliver_text(server, path, secret, id, at, body.to_string())
}

/// The same, of whatever text.
fn deliver_text(
    server: &Server,
    path: &str,
    secret: &str,
    id: &str,
    at: Timestamp,
    body: String,
) -> RequestBuilder {
    let key = SigningKey::parse(&Secret::new(secret)).unwrap();
    server
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.as_second().to_string())
        .header("webhook-signature", sign(&[key], id, at, body.as_bytes()))
        .body(body)
}

const PATH: &str = "/v1/webhooks/signups";

#[tokio::test]
async fn a_message_is_taken_once_however_often_it_is_delivered() {
    for server in Server::each().await {
        for (path, id) in [(PATH, "msg-1"), ("/v1/webhooks/signups/crm", "msg-2")] {
            let body = json!({"type": "signup", "data": signup(1)});
            let now = Timestamp::now();
            let first = answer(deliver(&server, path, SECRET, id, now, &body)).await;
            assert_eq!(first.status, 202, "{}", first.text);
            assert_eq!(first.json["type"], "enqueued");
            let later = now + 1.second();
            let again = answer(deliver(&server, path, SECRET, id, later, &body)).await;
            assert_eq!(again.status, 200, "{}", again.text);
            assert_eq!(again.json["type"], "duplicate");
            assert_eq!(again.json["onboardings"], first.json["onboardings"]);
        }
        let all = answer(server.get("/v1/onboardings")).await;
        assert_eq!(all.json["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_no_sender_signed_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let now = Timestamp::now();
    let other = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCEh";
    let crm = "/v1/webhooks/signups/crm";
    let nobody = "/v1/webhooks/signups/nobody";
    for (case, request) in [
        (
            "another secret",
            deliver(&server, PATH, other, "a", now, &signup(1)),
        ),
        (
            "another sender",
            deliver(&server, nobody, SECRET, "a", now, &signup(1)),
        ),
        (
            "a replay",
            deliver(&server, PATH, SECRET, "a", now - 1.hour(), &signup(1)),
        ),
        (
            "the future",
            deliver(&server, PATH, SECRET, "a", now + 1.hour(), &signup(1)),
        ),
        (
            "another body",
            deliver(&server, crm, SECRET, "a", now, &signup(1)).body("not JSON"),
        ),
        ("no headers", server.request(Method::POST, PATH).body("{}")),
        ("a token instead", server.post(PATH).json(&signup(1))),
    ] {
        answer(request).await.is_problem(401, "bad_signature", case);
    }
    let none = answer(server.get("/v1/onboardings")).await;
    assert_eq!(none.json["items"], json!([]));
}

#[tokio::test]
async fn a_signed_message_that_can_be_read_in_two_ways_is_not_taken() {
    let server = Server::start().await;
    for (case, body) in [
        (
            "a name twice",
            r#"{"account":"acme","account":"globex","partner":"livekit","number":"+918000000001"}"#,
        ),
        (
            "a name twice, inside",
            r#"{"data":{"account":"acme","partner":"livekit","number":"+918000000001","number":"+918000000002"}}"#,
        ),
        ("no JSON", "account=acme"),
    ] {
        let sent = deliver_text(
            &server,
            PATH,
            SECRET,
            "a",
            Timestamp::now(),
            body.to_owned(),
        );
        answer(sent).await.is_problem(400, "invalid_body", case);
    }
    let none = answer(server.get("/v1/onboardings")).await;
    assert_eq!(none.json["items"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_told_in_its_senders_words() {
    let server = Server::start().await;
    let now = Timestamp::now();
    let body = json!({"data": {"account": "acme", "partner": "livekit", "number": "0801"}});
    let refused = answer(deliver(&server, PATH, SECRET, "a", now, &body)).await;
    refused.is_problem(422, "invalid_signups", "number");
    assert_eq!(
        refused.json["errors"][0]["pointer"], "/data/number",
        "{}",
        refused.text
    );
    // A refusal is not kept: the same message is taken once it can be.
    let right = json!({"data": signup(1)});
    let taken = answer(deliver(&server, PATH, SECRET, "a", now, &right)).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let odd = answer(deliver(&server, PATH, SECRET, "b", now, &json!(7))).await;
    assert!(odd.status.is_client_error(), "{}", odd.text);
}
