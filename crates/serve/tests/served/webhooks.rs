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

/// All that are listed as refused.
async fn refused(server: &Server) -> Vec<Value> {
    let listed = answer(server.get("/v1/refused")).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    listed.json["items"].as_array().unwrap().clone()
}

/// How many refused signups of webhooks were counted.
async fn counted(server: &Server) -> String {
    let metrics = answer(server.get("/metrics")).await;
    let series = "trunkline_signups_total{source=\"webhook\",outcome=\"refused\"} ";
    let line = metrics.text.lines().find_map(|l| l.strip_prefix(series));
    line.expect("counted from the start").to_owned()
}

#[tokio::test]
async fn a_signed_message_that_is_refused_is_listed_and_counted_until_it_is_accepted() {
    for server in Server::each().await {
        let now = Timestamp::now();
        assert_eq!(counted(&server).await, "0");
        let wrong = json!({"data": {"account": "acme", "partner": "livekit", "number": "0801"}});
        let odd = "account=acme".to_owned();
        for _ in 0..2 {
            let no = answer(deliver(&server, PATH, SECRET, "msg-1", now, &wrong)).await;
            no.is_problem(422, "invalid_signups", "number");
        }
        let no = answer(deliver_text(&server, PATH, SECRET, "msg-2", now, odd)).await;
        no.is_problem(400, "invalid_body", "no JSON");
        assert_eq!(counted(&server).await, "3");

        let listed = refused(&server).await;
        assert_eq!(listed.len(), 2, "{listed:?}");
        let (last, first) = (&listed[0], &listed[1]);
        assert_eq!(last["message"], "msg-2");
        assert_eq!(
            (&last["status"], &last["attempts"]),
            (&json!(400), &json!(1))
        );
        assert_eq!(first["type"], "refused");
        assert_eq!(
            (&first["sender"], &first["message"]),
            (&json!("crm"), &json!("msg-1"))
        );
        assert_eq!(
            (&first["status"], &first["attempts"]),
            (&json!(422), &json!(2))
        );
        let problem = &first["problems"][0];
        assert_eq!(problem["pointer"], "/data/number");
        assert_eq!(problem["field"], "number");
        for member in ["first_at", "last_at"] {
            let at = first[member].as_str().unwrap();
            assert!(at.parse::<Timestamp>().is_ok(), "{at}");
        }
        let own = answer(server.get("/v1/refused?sender=crm&limit=1")).await;
        assert_eq!(own.json["items"].as_array().unwrap().len(), 1);
        let next = own.json["next"].as_str().unwrap();
        let rest = format!("/v1/refused?sender=crm&limit=1&cursor={next}");
        assert_eq!(answer(server.get(&rest)).await.json["items"][0], *first);
        let nobody = answer(server.get("/v1/refused?sender=nobody")).await;
        assert_eq!(nobody.json["items"], json!([]));

        // The mapping was mended, or the sender was: nothing is left to be done.
        for id in ["msg-1", "msg-2"] {
            let taken = answer(deliver(&server, PATH, SECRET, id, now, &signup(1))).await;
            assert_eq!(taken.status, 202, "{}", taken.text);
        }
        assert_eq!(refused(&server).await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn nothing_is_kept_of_who_has_no_secret() {
    let server = Server::start().await;
    let other = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCEh";
    let body = json!({"account": "acme"});
    let sent = deliver(&server, PATH, other, "msg-1", Timestamp::now(), &body);
    answer(sent)
        .await
        .is_problem(401, "bad_signature", "a stranger");
    assert_eq!(refused(&server).await, [] as [Value; 0]);
    assert_eq!(counted(&server).await, "0");
}

#[tokio::test]
async fn the_same_message_id_with_other_signups_is_refused_and_nothing_is_dropped() {
    for server in Server::each().await {
        let now = Timestamp::now();
        let body = json!({"type": "signup", "data": signup(1)});
        let first = answer(deliver(&server, PATH, SECRET, "msg-1", now, &body)).await;
        assert_eq!(first.status, 202, "{}", first.text);
        // Written anew for another attempt: other bytes, the same signup.
        let anew = format!(
            "{{ \"attempt\": 2, \"data\": {{\"partner\": \"livekit\",\n \"number\": {}, \"account\": \"acme\"}} }}",
            signup(1)["number"]
        );
        let again = answer(deliver_text(&server, PATH, SECRET, "msg-1", now, anew)).await;
        assert_eq!(again.status, 200, "{}", again.text);
        assert_eq!(again.json["type"], "duplicate");
        assert_eq!(again.json["onboardings"], first.json["onboardings"]);
        assert_eq!(refused(&server).await, [] as [Value; 0]);

        for other in [json!([signup(2)]), json!([signup(1), signup(2)])] {
            let no = answer(deliver(&server, PATH, SECRET, "msg-1", now, &other)).await;
            no.is_problem(409, "message_id_reused", "other signups");
            assert!(no.json["detail"].as_str().unwrap().contains("msg-1"));
        }
        let listed = refused(&server).await;
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (&listed[0]["message"], &listed[0]["status"]),
            (&json!("msg-1"), &json!(409))
        );
        assert_eq!(listed[0]["attempts"], 2);
        assert_eq!(counted(&server).await, "3");
        // Under its own id it is taken.
        let own = answer(deliver(&server, PATH, SECRET, "msg-2", now, &signup(2))).await;
        assert_eq!(own.status, 202, "{}", own.text);
    }
}

#[tokio::test]
async fn a_refused_message_is_judged_by_what_it_says_when_it_comes_again() {
    for server in Server::each().await {
        let now = Timestamp::now();
        let wrong = json!({"account": "acme", "partner": "nobody", "number": "+918000000001"});
        let no = answer(deliver(&server, PATH, SECRET, "msg-1", now, &wrong)).await;
        no.is_problem(422, "invalid_signups", "partner");
        // Other signups than before, and nothing was accepted under the id.
        let taken = answer(deliver(&server, PATH, SECRET, "msg-1", now, &signup(5))).await;
        assert_eq!(taken.status, 202, "{}", taken.text);
    }
}
