//! Dependencies go one way.

use std::process::Command;

use serde_json::Value;

/// Which of our crates each may use. What is not named here may use anything and be used by none.
const ARROWS: &[(&str, &[&str])] = &[
    ("onboarding", &[]),
    ("exotel", &["onboarding"]),
    ("store", &["onboarding"]),
    // Two readings of Exotel's documents: what one misreads must not hide in the other.
    ("sandbox", &[]),
    // Knows servers, not stores.
    ("redis_fixture", &[]),
    ("producer", &["onboarding", "store"]),
    ("worker", &["onboarding", "store", "exotel"]),
    ("records", &["onboarding", "store"]),
    ("webhook", &["onboarding", "store", "records"]),
    ("telemetry", &["onboarding", "store", "exotel", "worker"]),
    (
        "serve",
        &[
            "onboarding",
            "store",
            "records",
            "producer",
            "webhook",
            "telemetry",
        ],
    ),
    (
        "dashboard",
        &["onboarding", "store", "records", "producer", "serve"],
    ),
    (
        "cli",
        &[
            "onboarding",
            "exotel",
            "store",
            "sandbox",
            "producer",
            "worker",
            "records",
            "webhook",
            "telemetry",
            "serve",
            "dashboard",
        ],
    ),
];

/// Compares the table with what cargo knows. Dependencies of tests do not count.
pub(crate) fn check() -> Result<(), String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .map_err(|error| format!("cargo metadata cannot be started: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata cannot be read: {error}"))?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let ours: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        for used in used_by(package, &ours) {
            if let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name)
                && !allowed.contains(&used)
            {
                wrong.push(format!("{name} must not depend on {used}"));
            }
            if !ARROWS.iter().any(|(known, _)| *known == used) {
                wrong.push(format!(
                    "{name} depends on {used}, which is for nobody to use"
                ));
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn used_by<'a>(package: &Value, ours: &[&'a str]) -> Vec<&'a str> {
    let dependencies = package["dependencies"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| {
            let name = dependency["name"].as_str()?;
            ours.iter().copied().find(|known| *known == name)
        })
        .collect()
}
