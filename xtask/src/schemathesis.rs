//! Schemathesis, which asks the served API what its own description allows and forbids. It lives in
//! a Python environment of its own under `target`, made once for each version.

use std::{fs, path::Path};

use crate::servers::{run, target};

/// The version that the tests run.
const REQUIREMENTS: &str = "tests/schemathesis/requirements.txt";

/// Installs it where it is missing or another version.
pub(crate) fn install() -> Result<(), String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let place = target().join("test-tools").join("schemathesis");
    let mark = place.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let why = |error: String| {
        format!(
            "the tests of the API's description need schemathesis, by Python 3 with venv and pip: {error}"
        )
    };
    let place_text = place.display().to_string();
    run(&["python3", "-m", "venv", "--clear", &place_text]).map_err(why)?;
    let pip = place.join("bin/pip").display().to_string();
    let list = requirements.display().to_string();
    run(&[
        &pip,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        &list,
    ])
    .map_err(why)?;
    fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
}
