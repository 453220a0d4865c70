//! The test runner.

use std::process::Command;

use crate::servers::{run, target};

/// The version that is built where none is installed.
const VERSION: &str = "0.9.143";

/// Where [`install`] puts it, for the `PATH`; `None` where there is one already.
fn place() -> Option<String> {
    let there = Command::new(env!("CARGO"))
        .args(["nextest", "--version"])
        .output();
    if there.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let place = target().join("test-tools").join("nextest");
    Some(place.display().to_string())
}

/// Builds it where it is missing, which takes minutes, once. Returns the `PATH` to run it with.
pub(crate) fn install() -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let Some(place) = place() else {
        return Ok(path);
    };
    let cargo = env!("CARGO");
    run(&[
        cargo,
        "install",
        "--locked",
        "--version",
        VERSION,
        "--root",
        &place,
        "cargo-nextest",
    ])
    .map_err(|error| format!("the tests run with cargo-nextest: {error}"))?;
    Ok(format!("{place}/bin:{path}"))
}
