//! The alerts as Prometheus's own tool reads them, and their tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::servers::target;

/// Checks the rules and runs their tests. Without the tool they are left out, which is said and is
/// no failure.
pub(crate) fn test() -> Result<(), String> {
    let tool = match tool() {
        Ok(tool) => tool,
        Err(why) => {
            eprintln!(
                "xtask: the tests of the alerts are left out, for want of a promtool: {why}. \
                 One on the PATH is used."
            );
            return Ok(());
        }
    };
    let run = |arguments: &[&str]| {
        eprintln!("xtask: promtool {}", arguments.join(" "));
        let status = Command::new(&tool).args(arguments).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(format!("failed: promtool {}", arguments.join(" "))),
            Err(error) => Err(format!("{}: {error}", tool.display())),
        }
    };
    run(&["check", "rules", "deploy/prometheus/alerts.yaml"])?;
    run(&["test", "rules", "deploy/prometheus/alerts.test.yaml"])
}

fn answers(tool: &Path) -> bool {
    Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The one on the `PATH`, or the one out of Debian's package, unpacked under `target` once. That
/// needs no rights and installs nothing.
fn tool() -> Result<PathBuf, String> {
    let usual = PathBuf::from("promtool");
    if answers(&usual) {
        return Ok(usual);
    }
    let folder = target().join("test-tools").join("prometheus");
    let tool = folder.join("usr/bin/promtool");
    if answers(&tool) {
        return Ok(tool);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let run = |line: &str| {
        let done = Command::new("sh")
            .args(["-c", line])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if done.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err(format!("`{line}` failed"))
        }
    };
    run("apt-get download prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb")?;
    if answers(&tool) {
        Ok(tool)
    } else {
        Err("the one that was unpacked does not start".to_owned())
    }
}
