//! Answers that say something else than what was done, and the clock that they tell.

use serde_json::{Value, json};

use crate::harness::{Got, World, field, trunk_body};

async fn items(world: &World, path: &str) -> Vec<Value> {
    let got = world.get(path).await;
    got.json()["response"].as_array().unwrap().clone()
}

fn date(got: &Got) -> Option<&str> {
    got.headers.get("date").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn fields_can_be_left_out_of_every_item_of_a_list() {
    let world = field().await;
    let path = format!("{}/credentials", world.trunk("outbound").await);
    let body = json!({"user_name": "agent", "password": "made_up_1", "friendly_name": "label"});
    world.post(&path, body).await.data();
    assert_eq!(
        items(&world, &path).await[0]["data"]["friendly_name"],
        "label"
    );
    world
        .rules(json!([{"method": "GET", "path": "/credentials$", "omit": ["friendly_name"]}]))
        .await;
    let listed = items(&world, &path).await;
    assert_eq!(listed[0]["data"]["user_name"], "agent");
    assert_eq!(listed[0]["data"].get("friendly_name"), None);
    let logged = world.requests().await;
    assert_eq!(logged.last().unwrap()["fault"], "omit");
    assert_eq!(logged.last().unwrap()["processed"], true);
}

#[tokio::test]
async fn an_item_that_nobody_made_can_be_put_into_a_list() {
    let world = field().await;
    world.trunk("outbound").await;
    for foreign in [
        json!({"code": 200, "status": "success", "error_data": null, "data": {"trunk_sid": 7}}),
        json!("nonsense"),
        json!([]),
    ] {
        world
            .rules(json!([{"method": "GET", "path": "/trunks$", "foreign": foreign}]))
            .await;
        let listed = items(&world, "trunks").await;
        assert_eq!((listed.len(), &listed[0]), (2, &foreign));
        assert_eq!(listed[1]["data"]["trunk_name"], "outbound");
    }
    // It is in the answer only.
    assert_eq!(world.state().await["counts"]["trunks"], 1);
}

#[tokio::test]
async fn a_success_can_be_about_something_else() {
    let world = field().await;
    let path = world.trunk("outbound").await;
    let rule = json!({"nth": 1, "echo": {"phone_number": "+918047110009", "id": 7}});
    world.rules(json!([rule])).await;
    let body = json!({"phone_number": "+918047110001"});
    let data = world
        .post(&format!("{path}/phone-numbers"), body)
        .await
        .data();
    assert_eq!(
        (&data["phone_number"], &data["id"]),
        (&json!("+918047110009"), &json!(7))
    );
    let listed = items(&world, &format!("{path}/phone-numbers")).await;
    assert_eq!(listed[0]["data"]["phone_number"], "+918047110001");

    // In a batch too; a failure has no data to change.
    let rule = json!({"echo": {"destination": "sip:other.example.com:5061"}});
    world.rules(json!([rule])).await;
    let body = json!({"destinations": [{"destination": "sip.example.com:5061"}, {}]});
    let got = world.post(&format!("{path}/destination-uris"), body).await;
    let response = &got.json()["response"];
    assert_eq!(
        response[0]["data"]["destination"],
        "sip:other.example.com:5061"
    );
    assert_eq!(response[1]["data"], Value::Null);

    // All rules that fire have their say, in their order, whatever comes after.
    world
        .rules(json!([
            {"omit": ["status"]},
            {"echo": {"trunk_name": "other", "status": "inactive"}},
            {"truncate": true}
        ]))
        .await;
    assert!(world.try_call("GET", "trunks", None).await.is_err());
    world
        .rules(json!([{"omit": ["status"]}, {"echo": {"status": "odd"}}]))
        .await;
    assert_eq!(items(&world, "trunks").await[0]["data"]["status"], "odd");
}

#[tokio::test]
async fn every_answer_tells_the_time_and_the_clock_can_be_wrong() {
    let world = field().await;
    let parse = |got: &Got| {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date(got).unwrap())
            .unwrap()
    };
    let now = jiff::Timestamp::now();
    let made = world.post("trunks", trunk_body("outbound")).await;
    let away = |time: jiff::Timestamp| time.duration_since(now).as_secs();
    assert!((-2..60).contains(&away(parse(&made))), "{:?}", made.headers);
    let created = |got: &Got| -> jiff::Timestamp {
        let data = got.data();
        data["date_created"].as_str().unwrap().parse().unwrap()
    };
    assert!((-2..60).contains(&away(created(&made))));

    let set = world
        .put("/_sandbox/clock", json!({"ahead_ms": -7_200_000}))
        .await;
    assert_eq!(set.json(), json!({"ahead_ms": -7_200_000}));
    world.rules(json!([{"nth": 2, "status": 504}])).await;
    let made = world.post("trunks", trunk_body("other")).await;
    let failed = world.get("trunks").await;
    assert_eq!(failed.status, 504);
    for time in [parse(&made), created(&made), parse(&failed)] {
        assert!((-7_202..-7_140).contains(&away(time)), "{time}");
    }
    for body in [
        json!({}),
        json!({"ahead_ms": "1"}),
        json!({"ahead_ms": 1, "x": 2}),
        json!([1]),
        json!({"ahead_ms": i64::MIN}),
    ] {
        assert_eq!(world.put("/_sandbox/clock", body).await.status, 400);
    }
    assert_eq!(
        world.get("/_sandbox/clock").await.json(),
        json!({"ahead_ms": -7_200_000})
    );
}

#[tokio::test]
async fn a_date_header_can_be_nonsense_or_missing() {
    let world = field().await;
    world
        .rules(json!([{"nth": 1, "date": "yesterday"}, {"nth": 2, "date": false, "status": 504}]))
        .await;
    assert_eq!(date(&world.get("trunks").await), Some("yesterday"));
    // Each rule counts its own matches.
    let second = world.get("trunks").await;
    assert_eq!((second.status, date(&second)), (504, None));
    assert!(date(&world.get("trunks").await).is_some());
}
