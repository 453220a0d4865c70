//! Tasks of the project: `cargo xtask test`, `servers`, `check`, `containers` and `bench`.
#![expect(
    clippy::print_stderr,
    reason = "a task talks to the person who started it"
)]

mod arrows;
mod browser;
mod compose;
mod containers;
mod deploy;
mod fields;
mod named_tests;
mod nextest;
#[cfg(test)]
mod prepare;
mod promtool;
mod schemathesis;
mod servers;
mod sources;
mod watched;

use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask test    install what the tests need (a redis-server, schemathesis, promtool, a
                    Chromium and what drives it, where there is none) and run every one:
                    unit, conformance, end to end, documentation
cargo xtask servers install what the tests need, and no more
cargo xtask check   format, lints, documentation, dependency arrows, sizes
cargo xtask containers
                    build the image and run the commands of deploy/README.md, where
                    `docker info` works
cargo xtask bench [NAME...]
                    measure; writes nothing, prints what docs/benchmarks.md records";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match task.as_str() {
        "test" => test(&rest),
        "servers" => install(),
        "check" => check(),
        "containers" => containers::walk(),
        "bench" => bench(&rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs cargo with these arguments.
fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    eprintln!("xtask: cargo {}", arguments.join(" "));
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("failed: cargo {}", arguments.join(" ")))
    }
}

/// What the tests need besides the toolchain.
fn install() -> Result<(), String> {
    servers::install()?;
    browser::install()?;
    schemathesis::install()
}

/// Runs every test.
fn test(rest: &[String]) -> Result<(), String> {
    install()?;
    // The end-to-end tests run the real binary.
    cargo(&["build", "--locked", "--package", "cli"], &[])?;
    promtool::test()?;
    let path = nextest::install()?;
    let mut arguments = vec!["nextest", "run", "--locked", "--workspace"];
    arguments.extend(rest.iter().map(String::as_str));
    cargo(&arguments, &[("PATH", &path)])?;
    cargo(&["test", "--locked", "--workspace", "--doc"], &[])
}

fn check() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    let lints = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    cargo(&lints, &[])?;
    let docs = [
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    cargo(&docs, &[("RUSTDOCFLAGS", "--deny warnings")])?;
    arrows::check()?;
    deploy::check()?;
    compose::check()?;
    named_tests::check()?;
    fields::check()?;
    watched::check()?;
    sources::check()
}

fn bench(rest: &[String]) -> Result<(), String> {
    cargo(
        &[
            "build",
            "--locked",
            "--release",
            "--package",
            "cli",
            "--package",
            "bench",
        ],
        &[],
    )?;
    let mut arguments = vec![
        "run",
        "--locked",
        "--release",
        "--quiet",
        "--package",
        "bench",
        "--",
    ];
    arguments.extend(rest.iter().map(String::as_str));
    cargo(&arguments, &[])
}
