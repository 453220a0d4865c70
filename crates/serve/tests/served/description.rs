//! The description is what is served, and what is kept beside the documents.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::json;
use tokio::process::Command;

use crate::server::{Server, WRITE, answer, signup};

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

/// Where `cargo xtask servers` puts schemathesis.
fn schemathesis() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| manifest.join("../../target"), PathBuf::from)
        .join("test-tools/schemathesis/bin/schemathesis")
}

/// Asks everything that the description allows and forbids, of a server that has something to tell.
#[tokio::test]
async fn schemathesis_finds_nothing_that_the_description_does_not_say() {
    let server = Server::start().await;
    server
        .enqueue(json!((0..5).map(signup).collect::<Vec<_>>()))
        .await;
    let program = schemathesis();
    assert!(
        program.exists(),
        "{} is missing; install it with `cargo xtask servers`",
        program.display()
    );
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/schemathesis/schemathesis.toml"
    );
    let folder = tempfile::TempDir::new().unwrap();
    let ran = Command::new(program)
        .args(["--config-file", rules, "run", "--no-color"])
        .args(["-H", &format!("Authorization: Bearer {WRITE}")])
        .arg(format!("http://{}/openapi.json", server.address))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}\n{complained}");
}
