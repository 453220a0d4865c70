//! Signups that are sent are accepted once, all or none.

use serde_json::{Value, json};

use crate::server::{Server, answer, signup};

#[tokio::test]
async fn one_signup_is_accepted_and_found_by_id_and_by_key() {
    for server in Server::each().await {
        let mut one = signup(1);
        one["key"] = json!("crm/4711?#\u{e9}");
        let taken = answer(server.post("/v1/onboardings").json(&one)).await;
        assert_eq!(taken.status, 202, "{}", taken.text);
        let id = taken.json["onboardings"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            taken.json,
            json!({"type": "enqueued", "accepted": 1, "duplicates": 0, "total": 1,
                   "onboardings": [{"id": id, "key": "crm/4711?#\u{e9}"}]})
        );
        assert_eq!(taken.header("location"), format!("/v1/onboardings/{id}"));
        let by_id = answer(server.get(&format!("/v1/onboardings/{id}"))).await;
        assert_eq!(by_id.status, 200);
        assert_eq!(by_id.json["type"], "onboarding");
        assert_eq!(by_id.json["state"], "queued");
        assert_eq!(by_id.json["steps"][0]["name"], "create_trunk");
        let by_key = answer(server.get("/v1/onboardings/crm%2F4711%3F%23%C3%A9")).await;
        assert_eq!(by_key.json, by_id.json);
        let again = server.enqueue(one).await;
        assert_eq!(
            (&again["accepted"], &again["duplicates"]),
            (&json!(0), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_list_is_accepted_in_its_order_and_is_a_batch() {
    for server in Server::each().await {
        let signups: Vec<Value> = (0..1000).map(signup).collect();
        let taken = server.enqueue(json!(signups)).await;
        assert_eq!(taken["accepted"], 1000);
        for (at, own) in taken["onboardings"].as_array().unwrap().iter().enumerate() {
            let key = format!("acme/livekit/+9180{at:08}");
            assert_eq!(own["key"], key);
        }
        let batches = answer(server.get("/v1/batches")).await;
        let batch = &batches.json["items"][0];
        assert_eq!(batch["accepted"], 1000, "{}", batches.text);
        assert_eq!(batch["open"], 1000);
        assert_eq!(batch["source"], "API, token writer");
        let path = format!("/v1/onboardings?batch={}&limit=1", batch["number"]);
        let of_batch = answer(server.get(&path)).await;
        assert_eq!(
            of_batch.json["items"][0]["key"],
            "acme/livekit/+918000000000"
        );
    }
}

#[tokio::test]
async fn a_number_that_another_onboarding_has_is_accepted_with_a_warning_that_names_it() {
    for server in Server::each().await {
        let mut one = signup(1);
        one["key"] = json!("first");
        let taken = server.enqueue(one.clone()).await;
        assert_eq!(taken["warnings"], Value::Null, "{taken}");
        one["key"] = json!("later");
        let single = server.enqueue(one.clone()).await;
        assert_eq!(single["warnings"][0]["pointer"], "/number", "{single}");
        one["key"] = json!("third");
        one["account"] = json!("globex");
        let list = server.enqueue(json!([signup(2), one])).await;
        let warnings = list["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{list}");
        assert_eq!(warnings[0]["pointer"], "/1/number");
        let message = warnings[0]["message"].as_str().unwrap();
        for words in ["+918000000001", "\"first\"", "onb_"] {
            assert!(message.contains(words), "{words}: {message}");
        }
    }
}

#[tokio::test]
async fn the_same_key_with_other_content_is_refused_and_names_the_field() {
    let server = Server::start().await;
    let mut one = signup(1);
    one["key"] = json!("crm-1");
    server.enqueue(one.clone()).await;
    one["number"] = json!("+918000000002");
    let refused = answer(server.post("/v1/onboardings").json(&one)).await;
    refused.is_problem(422, "invalid_signups", "clash");
    assert_eq!(
        refused.json["errors"][0]["pointer"], "/number",
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn single_signups_are_no_batches() {
    let server = Server::start().await;
    server.enqueue(signup(1)).await;
    let batches = answer(server.get("/v1/batches")).await;
    assert_eq!(batches.json, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn signups_of_many_connections_at_once_are_each_accepted_once() {
    let server = Server::start().await;
    let all = (0..200_u32).map(|n| {
        // Each comes twice.
        let request = server.post("/v1/onboardings").json(&signup(n / 2));
        tokio::spawn(async move { answer(request).await })
    });
    let mut accepted = 0;
    for one in all.collect::<Vec<_>>() {
        let one = one.await.unwrap();
        assert_eq!(one.status, 202, "{}", one.text);
        accepted += one.json["accepted"].as_u64().unwrap();
    }
    assert_eq!(accepted, 100);
}
