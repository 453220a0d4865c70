//! The description is what is served, and what is kept beside the documents.

use std::{env, fs, path::Path};

use crate::server::{Server, answer};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[tokio::test]
async fn the_description_beside_the_documents_is_the_one_that_is_served() {
    let server = Server::start().await;
    let served = answer(server.get("/openapi.json")).await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), "application/json");
    let text = format!("{}\n", served.text);
    if env::var_os("UPDATE").is_some() {
        fs::write(KEPT, &text).unwrap();
    }
    let kept = fs::read_to_string(Path::new(KEPT)).unwrap_or_default();
    assert!(
        kept == text,
        "docs/openapi.json is another; write it anew with UPDATE=1 cargo test -p serve description"
    );
}

#[tokio::test]
async fn every_operation_says_what_it_may_answer() {
    let server = Server::start().await;
    let described = answer(server.get("/openapi.json")).await.json;
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let case = format!("{method} {path}");
            assert!(operation["operationId"].is_string(), "{case}");
            assert!(
                operation["description"].is_string() || operation["summary"].is_string(),
                "{case}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("500"), "{case}");
            let guarded = operation["security"].is_null();
            assert_eq!(
                responses.contains_key("401") && responses.contains_key("429"),
                guarded,
                "{case}"
            );
            for (status, response) in responses {
                if status.starts_with(['4', '5']) {
                    let content = &response["content"]["application/problem+json"];
                    assert!(content.is_object(), "{case} {status}");
                }
            }
        }
    }
}
