//! Rules that the compiler does not know: sizes, and what must not be in the tree.

use std::{fs, process::Command};

/// Past this many lines a newcomer does not know any more which room to enter.
const LINES_MAX: usize = 600;

/// The files that git tracks, or would.
pub(crate) fn tracked() -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .map_err(|error| format!("git cannot be started: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = names.split('\0').filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

/// Checks every file that git tracks.
pub(crate) fn check() -> Result<(), String> {
    let mut wrong = Vec::new();
    for name in tracked()? {
        // Deleted but not yet committed, or not text: nothing to read.
        let Ok(text) = fs::read_to_string(&name) else {
            continue;
        };
        if name.ends_with(".rs") && text.lines().count() > LINES_MAX {
            wrong.push(format!(
                "{name}: more than {LINES_MAX} lines; split it by what lives there"
            ));
        }
        for (at, line) in text.lines().enumerate() {
            if name.ends_with(".rs") && has_leftover(line) {
                wrong.push(format!(
                    "{name}:{}: something is left open: {}",
                    at + 1,
                    line.trim()
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

/// Marks of unfinished work. Written apart, so that this line is none itself.
fn has_leftover(line: &str) -> bool {
    [
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
        concat!("unimpl", "emented!("),
    ]
    .iter()
    .any(|mark| line.contains(mark))
}
