//! Pages lose nothing and repeat nothing, and their cursors are ours.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::server::{Server, answer, signup};

#[tokio::test]
async fn pages_of_any_size_hold_everything_once() {
    for server in Server::each().await {
        let mut signups: Vec<Value> = (0..130).map(signup).collect();
        for (at, signup) in signups.iter_mut().enumerate() {
            if at % 3 == 0 {
                signup["account"] = json!("globex");
            }
        }
        server.enqueue(json!(signups)).await;
        for (filter, limit, expected) in [
            ("", 1, 130),
            ("", 7, 130),
            ("", 200, 130),
            ("account=globex&", 10, 44),
            ("account=acme&state=queued&partner=livekit&", 50, 86),
            ("state=failed&", 50, 0),
        ] {
            let mut seen = BTreeSet::new();
            let mut cursor = String::new();
            let mut asked = 0;
            loop {
                let path = format!("/v1/onboardings?{filter}limit={limit}{cursor}");
                let page = answer(server.get(&path)).await;
                assert_eq!(page.status, 200, "{path}: {}", page.text);
                let items = page.json["items"].as_array().unwrap();
                assert!(items.len() <= limit, "{path}");
                for item in items {
                    assert!(
                        seen.insert(item["id"].as_str().unwrap().to_owned()),
                        "{path}"
                    );
                }
                asked += 1;
                assert!(asked <= 140, "{path} ends");
                match page.json["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(seen.len(), expected, "{filter} {limit}");
        }
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_its_list_and_its_filter() {
    let server = Server::start().await;
    server
        .enqueue(json!((0..3).map(signup).collect::<Vec<_>>()))
        .await;
    let page = answer(server.get("/v1/onboardings?limit=1")).await;
    let next = page.json["next"].as_str().unwrap();
    let other_end = if next.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{other_end}", &next[..next.len() - 1]);
    for path in [
        format!("/v1/onboardings?limit=1&state=queued&cursor={next}"),
        format!("/v1/batches?cursor={next}"),
        format!("/v1/deliveries?cursor={next}"),
        format!("/v1/onboardings?limit=1&cursor={changed}"),
        format!("/v1/onboardings?limit=1&cursor={}", "A".repeat(2000)),
        "/v1/onboardings?cursor=".to_owned(),
    ] {
        let refused = answer(server.get(&path)).await;
        refused.is_problem(400, "invalid_parameter", &path);
    }
    let path = format!("/v1/onboardings?limit=2&cursor={next}");
    let rest = answer(server.get(&path)).await;
    assert_eq!(rest.json["items"].as_array().unwrap().len(), 2);
    assert_eq!(rest.json["next"], Value::Null);
}

#[tokio::test]
async fn batches_are_paged_the_newest_first() {
    for server in Server::each().await {
        for n in 0..5 {
            server
                .enqueue(json!([signup(2 * n), signup(2 * n + 1)]))
                .await;
        }
        let mut numbers = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = answer(server.get(&format!("/v1/batches?limit=2{cursor}"))).await;
            let items = page.json["items"].as_array().unwrap();
            numbers.extend(items.iter().map(|item| item["number"].as_u64().unwrap()));
            match page.json["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(numbers.len(), 5);
        assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    }
}
