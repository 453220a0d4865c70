//! Every kind of fault: what the client sees, and whether the request was processed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Got, World, field, trunk_body};

async fn create(world: &World, name: &str) -> reqwest::Result<Got> {
    world
        .try_call("POST", "trunks", Some(trunk_body(name)))
        .await
}

async fn trunks(world: &World) -> u64 {
    world.state().await["counts"]["trunks"].as_u64().unwrap()
}

#[tokio::test]
async fn an_injected_answer_has_the_shape_of_its_code() {
    let world = field().await;
    // What to do; HTTP status, outer, inner and error code; trunks made.
    let table = [
        (json!({"status": 500}), [500, 500, 500, 500], 0),
        (
            json!({"status": 503, "after": true}),
            [503, 503, 503, 503],
            1,
        ),
        (json!({"status": 400}), [400, 400, 400, 1002], 0),
        (json!({"status": 401}), [401, 401, 401, 1010], 0),
        (json!({"status": 403}), [403, 403, 403, 1003], 0),
        (json!({"status": 404}), [404, 404, 404, 1000], 0),
        (json!({"status": 409}), [409, 409, 409, 1008], 0),
        (
            json!({"status": 200, "inner_code": 409}),
            [200, 200, 409, 1008],
            0,
        ),
        (
            json!({"inner_code": 409, "after": true}),
            [200, 200, 409, 1008],
            1,
        ),
        (json!({"status": 429}), [429, 429, 429, 1030], 0),
        (
            json!({"status": 200, "inner_code": 429}),
            [200, 200, 429, 1030],
            0,
        ),
        (json!({"status": 415}), [415, 415, 415, 1011], 0),
    ];
    for (rule, codes, made) in table {
        world.delete("/_sandbox/state").await;
        world.rules(json!([rule])).await;
        let got = create(&world, "outbound").await.unwrap();
        assert_eq!(got.codes(), codes, "{rule}");
        assert_eq!(got.json()["response"]["status"], "failure", "{rule}");
        assert_eq!(trunks(&world).await, made, "{rule}");
    }
}

#[tokio::test]
async fn a_gateway_answers_html_or_nothing_before_or_after_processing() {
    let world = field().await;
    let table = [
        (json!({"html": true}), 502, "text/html", 0),
        (
            json!({"html": true, "status": 504, "after": true}),
            504,
            "text/html",
            1,
        ),
        (json!({"status": 429, "body": "html"}), 429, "text/html", 0),
        (json!({"status": 429, "body": "empty"}), 429, "", 0),
    ];
    for (rule, status, content_type, made) in table {
        world.delete("/_sandbox/state").await;
        world.rules(json!([rule])).await;
        let got = create(&world, "outbound").await.unwrap();
        assert_eq!(got.status, status, "{rule}");
        let sent = got
            .headers
            .get("content-type")
            .map_or("", |v| v.to_str().unwrap());
        assert_eq!(sent, content_type, "{rule}");
        assert_eq!(
            got.text.contains("<html>"),
            content_type == "text/html",
            "{rule}"
        );
        assert_eq!(got.text.is_empty(), content_type.is_empty(), "{rule}");
        assert_eq!(trunks(&world).await, made, "{rule}");
    }
}

#[tokio::test]
async fn retry_after_is_sent_as_seconds_or_as_it_was_given() {
    let world = field().await;
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    for (given, sent) in [
        (json!(7), Some("7")),
        (json!(date), Some(date)),
        (Value::Null, None),
    ] {
        world
            .rules(json!([{"status": 429, "retry_after": given}]))
            .await;
        let got = create(&world, "outbound").await.unwrap();
        assert_eq!(
            got.headers.get("retry-after").map(|v| v.to_str().unwrap()),
            sent
        );
    }
}

#[tokio::test]
async fn a_cut_connection_leaves_what_was_processed() {
    let world = field().await;
    let table = [
        (json!({"reset_before": true}), 0, Value::Null),
        (json!({"reset_after": true}), 1, Value::Null),
        (json!({"truncate": true}), 1, json!(200)),
    ];
    for (rule, made, status) in table {
        world.delete("/_sandbox/state").await;
        world.rules(json!([rule])).await;
        create(&world, "outbound")
            .await
            .expect_err("the answer must not arrive whole");
        world.delete("/_sandbox/faults").await;
        assert_eq!(trunks(&world).await, made, "{rule}");
        let logged = &world.requests().await[0];
        assert_eq!(logged["status"], status, "{rule}");
        assert_eq!(
            logged["fault"],
            *rule.as_object().unwrap().keys().next().unwrap()
        );
    }
}

/// The bytes that a client gets until the connection ends, and how it ended.
async fn raw(world: &World, request: &str) -> (String, std::io::Result<()>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(world.running.addr())
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).await.map(drop);
    (String::from_utf8(bytes).unwrap(), ended)
}

#[tokio::test]
async fn a_truncated_answer_is_half_of_the_body_and_a_reset_is_a_reset() {
    let world = field().await;
    let request = "GET /v2/accounts/acme1/trunks HTTP/1.1\r\nhost: x\r\n\
                   authorization: Basic a2V5OnRva2Vu\r\n\r\n";
    world.rules(json!([{"truncate": true}])).await;
    let (text, ended) = raw(&world, request).await;
    ended.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2, "{text}");
    for rule in [json!({"reset_before": true}), json!({"reset_after": true})] {
        world.rules(json!([rule])).await;
        let (text, ended) = raw(&world, request).await;
        assert_eq!(text, "");
        assert_eq!(
            ended.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionReset,
            "{rule}"
        );
    }
}

#[tokio::test]
async fn a_delay_holds_the_answer_back_and_joins_other_actions() {
    let world = field().await;
    for (rule, arrives) in [
        (json!({"delay_ms": 60}), true),
        (json!({"delay_ms": 60, "status": 500}), true),
        (json!({"delay_ms": 60, "reset_after": true}), false),
    ] {
        world.rules(json!([rule])).await;
        let started = Instant::now();
        assert_eq!(create(&world, "outbound").await.is_ok(), arrives, "{rule}");
        assert!(started.elapsed() >= Duration::from_millis(60), "{rule}");
    }
}

#[tokio::test]
async fn a_rule_meets_only_the_requests_that_it_names() {
    let world = field().await;
    let table = [
        (json!({"method": "post"}), true),
        (json!({"method": "GET"}), false),
        (json!({"path": "/trunks$"}), true),
        (json!({"path": "phone-numbers"}), false),
        (json!({"account": "acme1"}), true),
        (json!({"account": "globex1"}), false),
        (
            json!({"method": "POST", "path": "trunks", "account": "globex1"}),
            false,
        ),
        (json!({"nth": 1}), true),
        (json!({"nth": 2}), false),
        (json!({"every": 1}), true),
        (json!({"every": 2}), false),
        (json!({"probability": 1.0, "seed": 3}), true),
        (json!({"probability": 0.0}), false),
    ];
    for (mut rule, met) in table {
        world.delete("/_sandbox/state").await;
        rule["status"] = json!(500);
        world.rules(json!([rule])).await;
        let got = create(&world, "outbound").await.unwrap();
        assert_eq!(got.status == 500, met, "{rule}");
    }
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused_by_its_number_and_field() {
    let world = field().await;
    let table = [
        (
            json!({"status": 500, "colour": 1}),
            "rule 1: colour: is no field",
        ),
        (
            json!({"status": 42}),
            "rule 1: status: must be a whole number from 200 to 599",
        ),
        (
            json!({"status": "500"}),
            "rule 1: status: must be a whole number",
        ),
        (
            json!({"status": 500, "path": "("}),
            "rule 1: path: must be a regular expression",
        ),
        (
            json!({"status": 500, "method": 1}),
            "rule 1: method: must be a text",
        ),
        (
            json!({"status": 500, "nth": 0}),
            "rule 1: nth: must be a whole number from 1",
        ),
        (
            json!({"status": 500, "nth": 1, "every": 2}),
            "rule 1: nth, every, probability",
        ),
        (
            json!({"status": 500, "probability": 1.5}),
            "rule 1: probability: must be",
        ),
        (
            json!({"status": 500, "seed": 1}),
            "rule 1: seed: goes with probability",
        ),
        (
            json!({"reset_before": 1}),
            "rule 1: reset_before: must be true or false",
        ),
        (
            json!({"reset_before": true, "truncate": true}),
            "rule 1: reset_before, reset_after",
        ),
        (
            json!({"status": 500, "reset_after": true}),
            "only one of them",
        ),
        (
            json!({"truncate": true, "after": true}),
            "rule 1: after: goes with",
        ),
        (
            json!({"truncate": true, "retry_after": 1}),
            "rule 1: retry_after: goes with",
        ),
        (
            json!({"status": 429, "retry_after": -1}),
            "rule 1: retry_after: must be whole seconds",
        ),
        (
            json!({"status": 429, "retry_after": "a\nb"}),
            "rule 1: retry_after: must fit",
        ),
        (
            json!({"status": 429, "body": "xml"}),
            "rule 1: body: must be json, html or empty",
        ),
        (
            json!({"html": true, "body": "json"}),
            "rule 1: body: must be html",
        ),
        (
            json!({"html": true, "inner_code": 409}),
            "rule 1: inner_code: goes with a JSON body",
        ),
        (
            json!({"delay_ms": 600_001}),
            "rule 1: delay_ms: must be a whole number",
        ),
        (
            json!({"late_ms": 1}),
            "rule 1: late_ms: goes with a request that is not processed in time",
        ),
        (
            json!({"late_ms": 1, "delay_ms": 1}),
            "rule 1: late_ms: goes",
        ),
        (
            json!({"late_ms": 1, "reset_after": true}),
            "rule 1: late_ms: goes",
        ),
        (
            json!({"late_ms": 1, "status": 504, "after": true}),
            "rule 1: late_ms: goes",
        ),
        (
            json!({"late_ms": 600_001, "status": 504}),
            "rule 1: late_ms: must be a whole number",
        ),
        (json!({"omit": "id"}), "rule 1: omit: must be a list"),
        (json!({"omit": []}), "rule 1: omit: must be a list"),
        (json!({"omit": [1]}), "rule 1: omit: must be a list"),
        (json!({"echo": {}}), "rule 1: echo: must be an object"),
        (json!({"echo": ["id"]}), "rule 1: echo: must be an object"),
        (
            json!({"echo": {"id": 1}, "status": 200}),
            "rule 1: echo: goes with the answer of a request that was processed",
        ),
        (
            json!({"foreign": {}, "reset_after": true}),
            "rule 1: foreign: goes with",
        ),
        (json!({"omit": ["id"], "html": true}), "rule 1: omit: goes"),
        (json!({"date": true}), "rule 1: date: must be a text"),
        (json!({"date": "a\nb"}), "rule 1: date: must fit"),
        (
            json!({"date": false, "reset_before": true}),
            "rule 1: date: goes with an answer",
        ),
        (
            json!({"leak": {"to": "/a", "as": "rot13"}}),
            "rule 1: leak: must be {\"to\"",
        ),
        (
            json!({"leak": {"to": "/a", "as": "hex"}, "reset_after": true}),
            "rule 1: leak: goes with an answer",
        ),
        (json!({"method": "GET"}), "rule 1: it does nothing"),
        (json!("x"), "rule 1: must be an object"),
    ];
    for (rule, problem) in table {
        let rules = json!([{"status": 500, "path": "never"}, rule]);
        let got = world.put("/_sandbox/faults", rules).await;
        let text = got.json()["error"].as_str().unwrap().to_owned();
        assert!(
            got.status == 400 && text.contains(problem),
            "{rule}: {text}"
        );
    }
    // None of them came into force.
    assert_eq!(create(&world, "outbound").await.unwrap().status, 200);
}
