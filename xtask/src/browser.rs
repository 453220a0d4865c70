//! What the test of the dashboard needs: a Chromium, and the libraries of the script that drives it.
//!
//! The browser is the system's; the libraries, at the versions of the lock file, are under `target`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::servers::{apt_install, run, target};

/// The oldest Node that the libraries work with.
const OLDEST_NODE: u32 = 18;

/// The browser under the names that it has on the `PATH`. The test looks for the same.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What the libraries are told by.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs what is missing.
pub(crate) fn install() -> Result<(), String> {
    let missing = |what: &str, why: &str| {
        format!(
            "the test of the dashboard needs {what} and there is none: {why}. Install it; \
             TRUNKLINE_TEST_CHROMIUM can name a browser"
        )
    };
    if env::var_os("TRUNKLINE_TEST_CHROMIUM").is_none() && !BROWSERS.iter().any(|own| answers(own))
    {
        apt_install("chromium").map_err(|why| missing("a Chromium", &why))?;
    }
    if !answers("node") || !answers("npm") {
        let both = apt_install("nodejs").and_then(|()| apt_install("npm"));
        both.map_err(|why| missing("Node and npm", &why))?;
    }
    match node() {
        Some(major) if major >= OLDEST_NODE => libraries(),
        Some(major) => Err(format!(
            "the test of the dashboard needs Node {OLDEST_NODE} or later, and this one is {major}"
        )),
        None => Err(missing("Node", "the one that is there does not start")),
    }
}

fn answers(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

/// The major version: `v20.20.2`.
fn node() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Brings the libraries in, unless those of this lock file are there.
fn libraries() -> Result<(), String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/browser");
    let to = target().join("test-browser");
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let read = |path: PathBuf| fs::read(&path).map_err(|error| told(&path, error));
    // Written last, so that half of them are brought in anew.
    let done = to.join("installed.json");
    let lock = read(from.join("package-lock.json"))?;
    if fs::read(&done).is_ok_and(|own| own == lock) {
        return Ok(());
    }
    fs::create_dir_all(&to).map_err(|error| told(&to, error))?;
    for file in FILES {
        let path = to.join(file);
        fs::write(&path, read(from.join(file))?).map_err(|error| told(&path, error))?;
    }
    let place = to.display().to_string();
    run(&[
        "npm",
        "ci",
        "--prefix",
        &place,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ])?;
    fs::write(&done, lock).map_err(|error| told(&done, error))
}
