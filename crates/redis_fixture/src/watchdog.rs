//! What ends a server when we do.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

/// Reads until its input ends, which is when its writer is gone; then kills and cleans up. It waits
/// a little for the server's end, so that nothing is written into a folder that is being removed.
/// A Ctrl-C goes to it as well as to us: it must outlive us to do its work.
const SCRIPT: &str = "trap '' INT TERM HUP
while read -r _; do :; done
kill -9 \"$1\" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 \"$1\" 2>/dev/null || break; sleep 0.1; done
rm -rf -- \"$2\"";

/// A watch over one server process.
#[derive(Debug)]
pub(crate) struct Watchdog(Child);

impl Watchdog {
    /// Watches this process and its folder. The write end of the pipe is in the returned value.
    pub(crate) fn over(pid: u32, folder: &Path) -> Self {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog", &pid.to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
        Self(child)
    }
}

impl Drop for Watchdog {
    /// Calls it off: whoever drops it ends the server by its own handle. Killed first, the pipe
    /// ends later, so that it never sees an end.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
