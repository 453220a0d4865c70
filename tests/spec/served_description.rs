//! What the served description promises, the server keeps: asked by a program that knows nothing but
//! the description.
//!
//! Schemathesis makes requests of it, right ones and wrong ones of every kind, and holds each answer
//! to what is described: statuses, media types, headers, bodies, who is let in. What is left out, and
//! why, is in `tests/schemathesis/schemathesis.toml`.

use std::{path::PathBuf, process::Command};

use tests::{Place, Serving, Simulator, StoreKind, TOKEN, TOKENS};

on_both_stores!(every_answer_is_one_that_the_description_has);

/// Where `cargo xtask servers` puts it: under cargo's target folder, as the binary is.
fn schemathesis() -> PathBuf {
    let target = tests::binary();
    let target = target.parent().and_then(|profile| profile.parent());
    let path = target
        .unwrap()
        .join("test-tools/schemathesis/bin/schemathesis");
    assert!(
        path.exists(),
        "{} is not there: run `cargo xtask servers` first, or `cargo xtask test`, which does",
        path.display()
    );
    path
}

fn every_answer_is_one_that_the_description_has(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme", "globex"]).kept_in(kind);
    place.settings(TOKENS);
    let serving = Serving::start(&place);
    // Something to be found, so that not every answer is 404.
    for n in 0..3 {
        let body = format!(
            r#"{{"account":"acme","partner":"five_steps","number":"+91800000000{n}","key":"known-{n}"}}"#
        );
        assert_eq!(serving.ask("POST", "/v1/onboardings", &body).status, 202);
    }
    let url = format!("http://{}/openapi.json", serving.address());
    let ended = Command::new(schemathesis())
        .current_dir(place.folder())
        .arg("--config-file")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/schemathesis/schemathesis.toml"
        ))
        .args(["run", &url, "--header"])
        .arg(format!("Authorization: Bearer {TOKEN}"))
        .args(["--checks", "all", "--request-timeout", "30"])
        .args(["--continue-on-failure"])
        .env("NO_COLOR", "1")
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    // A run in which nothing was asked proves nothing.
    assert!(said.contains("passed"), "{said}");
    assert!(!serving.stop().stderr.contains("panicked"), "a panic");
}
