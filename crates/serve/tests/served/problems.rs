//! Whatever is wrong is told as a problem, all of it at once.

use std::sync::Arc;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::server::{Server, answer, signup};

type Ask = fn(&Server) -> RequestBuilder;

/// What is asked, and the status and code of the answer.
const TABLE: &[(&str, Ask, u16, &str)] = &[
    (
        "an unknown path",
        |s| s.get("/v1/nothing"),
        404,
        "not_found",
    ),
    ("the root", |s| s.get("/v1"), 404, "not_found"),
    (
        "an unknown onboarding",
        |s| s.get("/v1/onboardings/nobody"),
        404,
        "not_found",
    ),
    (
        "an id that is none",
        |s| s.get("/v1/onboardings/%20"),
        404,
        "not_found",
    ),
    (
        "an id that is no text",
        |s| s.get("/v1/onboardings/%ff"),
        404,
        "not_found",
    ),
    (
        "an unknown account",
        |s| s.post("/v1/accounts/nobody/resume"),
        404,
        "not_found",
    ),
    (
        "a delivery that is none",
        |s| s.post("/v1/deliveries/x/resend"),
        404,
        "not_found",
    ),
    (
        "another method",
        |s| {
            s.request(Method::DELETE, "/v1/onboardings")
                .bearer_auth(crate::server::WRITE)
        },
        405,
        "method_not_allowed",
    ),
    (
        "another method without a token",
        |s| s.request(Method::PUT, "/healthz"),
        405,
        "method_not_allowed",
    ),
    (
        "what nobody can answer with",
        |s| s.get("/v1/onboardings").header("accept", "image/png"),
        406,
        "not_acceptable",
    ),
    (
        "a compressed body",
        |s| {
            s.post("/v1/onboardings")
                .header("content-encoding", "gzip")
                .json(&signup(1))
        },
        415,
        "unsupported_media_type",
    ),
    (
        "a name twice in one object",
        |s| {
            s.post("/v1/onboardings")
                .header("content-type", "application/json")
                .body(r#"[{"account":"acme","partner":"livekit","number":"+918000000001","number":"+918000000002"}]"#)
        },
        400,
        "invalid_body",
    ),
    (
        "an unknown parameter",
        |s| s.get("/v1/onboardings?colour=red"),
        400,
        "invalid_parameter",
    ),
    (
        "a repeated parameter",
        |s| s.get("/v1/onboardings?limit=1&limit=2"),
        400,
        "invalid_parameter",
    ),
    (
        "an unknown state",
        |s| s.get("/v1/onboardings?state=done"),
        400,
        "invalid_parameter",
    ),
    (
        "a limit of nothing",
        |s| s.get("/v1/onboardings?limit=0"),
        400,
        "invalid_parameter",
    ),
    (
        "a limit beyond the most",
        |s| s.get("/v1/onboardings?limit=201"),
        400,
        "invalid_parameter",
    ),
    (
        "a made up cursor",
        |s| s.get("/v1/onboardings?cursor=AAAA"),
        400,
        "invalid_parameter",
    ),
    (
        "an account that is none",
        |s| s.get("/v1/onboardings?account=a%20b"),
        400,
        "invalid_parameter",
    ),
    (
        "a batch that is none",
        |s| s.get("/v1/onboardings?batch=-1"),
        400,
        "invalid_parameter",
    ),
    (
        "a flag that is none",
        |s| s.get("/v1/onboardings/x/handoff?show_secrets=yes"),
        400,
        "invalid_parameter",
    ),
    (
        "an onboarding that is none",
        |s| s.get("/v1/events?onboarding=a%20b"),
        400,
        "invalid_parameter",
    ),
    (
        "another media type",
        |s| {
            s.post("/v1/onboardings")
                .header("content-type", "text/csv")
                .body("a,b")
        },
        415,
        "unsupported_media_type",
    ),
    (
        "no media type",
        |s| s.post("/v1/onboardings").body("{}"),
        415,
        "unsupported_media_type",
    ),
    (
        "no JSON",
        |s| json_body(s, "account=acme"),
        400,
        "invalid_body",
    ),
    (
        "half a JSON",
        |s| json_body(s, "[{\"account\":"),
        400,
        "invalid_body",
    ),
    ("nothing", |s| json_body(s, ""), 400, "invalid_body"),
    ("an empty list", |s| json_body(s, "[]"), 400, "invalid_body"),
    ("a number", |s| json_body(s, "7"), 422, "invalid_signups"),
    (
        "an unknown account",
        |s| {
            json_body(
                s,
                r#"{"account":"nobody","partner":"livekit","number":"+918000000001"}"#,
            )
        },
        422,
        "invalid_signups",
    ),
    (
        "an empty idempotency key",
        |s| {
            s.post("/v1/onboardings")
                .header("idempotency-key", "")
                .json(&signup(1))
        },
        400,
        "invalid_parameter",
    ),
    (
        "a panic",
        |s| s.request(Method::GET, "/panic"),
        500,
        "internal",
    ),
];

fn json_body(server: &Server, body: &'static str) -> RequestBuilder {
    server
        .post("/v1/onboardings")
        .header("content-type", "application/json")
        .body(body)
}

#[tokio::test]
async fn whatever_is_wrong_is_answered_with_a_problem() {
    let server = Server::start().await;
    for (case, ask, status, code) in TABLE {
        let refused = answer(ask(&server)).await;
        refused.is_problem(*status, code, case);
        assert_eq!(
            refused.header("x-content-type-options"),
            "nosniff",
            "{case}"
        );
        assert_eq!(refused.header("cache-control"), "no-store", "{case}");
        let policy = refused.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{case}");
        if *status == 405 {
            assert!(!refused.header("allow").is_empty(), "{case}");
        }
    }
}

#[tokio::test]
async fn every_problem_of_every_signup_is_told_with_its_place() {
    let server = Server::start().await;
    let signups = json!([
        signup(1),
        {"account": "acme", "partner": "livekit", "number": "0801"},
        {"account": "nobody", "partner": "livekti", "number": "+918000000002", "colour": "red"},
        {"partner": "livekit", "number": 7, "direction": "inbound", "inputs": {"livekit_sip_subdomain": "!"}},
    ]);
    let refused = answer(server.post("/v1/onboardings").json(&signups)).await;
    refused.is_problem(422, "invalid_signups", "all");
    let errors = refused.json["errors"].as_array().unwrap();
    let places: Vec<&str> = errors
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    for expected in [
        "/1/number",
        "/2/account",
        "/2/colour",
        "/2/partner",
        "/3/account",
        "/3/number",
        "/3/inputs/livekit_sip_subdomain",
    ] {
        assert!(places.contains(&expected), "{expected}: {}", refused.text);
    }
    assert!(places.iter().all(|place| !place.starts_with("/0")));
    let none = answer(server.get("/v1/onboardings")).await;
    assert_eq!(none.json["items"], json!([]), "nothing was accepted");

    let one = json!({"account": "acme", "partner": "livekit", "number": "0801"});
    let refused = answer(server.post("/v1/onboardings").json(&one)).await;
    assert_eq!(refused.json["errors"][0]["pointer"], "/number");
}

#[tokio::test]
async fn a_request_has_the_id_that_it_brought_or_one_of_its_own() {
    let server = Server::start().await;
    let ask = |id: &str| server.get("/v1/recipes").header("x-request-id", id);
    assert_eq!(answer(ask("crm-7")).await.header("x-request-id"), "crm-7");
    for unfit in ["", "a b", "a\"b", &"x".repeat(129)] {
        let made = answer(ask(unfit)).await;
        assert_eq!(made.header("x-request-id").len(), 32, "{unfit}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_a_503_that_says_when_to_ask_again() {
    let redis = redis_fixture::Server::start(&[]);
    let store = store::redis::RedisStore::open(store::redis::RedisOptions {
        place: store::redis::RedisPlace::parse(&redis.url()).unwrap(),
        key: store::SealingKey::generate().0,
        world: store::World::Live,
        keep_finished: std::time::Duration::from_secs(60),
    });
    let store = store.await.unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let server = Server::on(store, folder, crate::server::Options::default()).await;
    assert_eq!(answer(server.get("/readyz")).await.status, 200);
    drop(redis);
    let refused = answer(server.post("/v1/onboardings").json(&signup(1))).await;
    refused.is_problem(503, "store_unavailable", "enqueue");
    assert!(!refused.header("retry-after").is_empty());
    assert!(!refused.text.contains("127.0.0.1"), "{}", refused.text);
    let not_ready = crate::events::until(async || {
        let asked = answer(server.get("/readyz")).await;
        (asked.status == 503).then_some(asked)
    });
    not_ready
        .await
        .is_problem(503, "store_unavailable", "ready");
    assert_eq!(answer(server.get("/healthz")).await.status, 200, "it lives");
}

#[tokio::test]
async fn what_is_said_of_an_error_names_no_place_of_ours() {
    let server = Server::start().await;
    let broken: Arc<Value> = Arc::new(json!({"account": "acme"}));
    let refused = answer(server.post("/v1/onboardings").json(&*broken)).await;
    assert!(!refused.text.contains("store.db"), "{}", refused.text);
}
