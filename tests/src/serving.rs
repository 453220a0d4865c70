//! A running `trunkline serve`.

use std::{io::Result, net::SocketAddr};

use serde_json::Value;

use crate::{Answer, Ended, Place, Program, Signal, ask, until};

/// A token that may do everything; made up.
pub const TOKEN: &str = "tl_made-up-token-of-the-tests-0123456789ABCDEFG";

/// A token that may look only; made up.
pub const LOOKS_ONLY: &str = "tl_made-up-token-of-the-tests-that-only-looks-";

/// The tables that let them in.
pub const TOKENS: &str = r#"
[tokens.tests]
sha256 = "8d93384f68961a3855739bb99d2f59367627e530f408c8e40f1a0e4fdce57a02"
scope = "write"
requests_per_minute = 1000000

[tokens.watch]
sha256 = "b37956a26409622933a06017ff51e6d4b6ff29c493e80528e84ef82f8e27a489"
scope = "read"
"#;

/// The server, killed when this is dropped.
#[derive(Debug)]
pub struct Serving {
    program: Program,
    address: SocketAddr,
}

impl Serving {
    /// Starts it in a place that has [`TOKENS`], on a free port.
    #[must_use]
    pub fn start(place: &Place) -> Self {
        Self::with(place, &[])
    }

    /// Starts it with more arguments.
    ///
    /// # Panics
    /// It ends instead.
    #[must_use]
    pub fn with(place: &Place, more: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0", "--json"], more].concat();
        Self::of(place.start(&arguments))
    }

    /// Of a program that was started otherwise, with `--json`.
    ///
    /// # Panics
    /// It ends instead.
    #[must_use]
    pub fn of(mut program: Program) -> Self {
        let address = until("it serves", || {
            let told = program.stdout();
            if told.is_empty() {
                let stderr = program.stderr();
                assert!(program.runs(), "it ended: {stderr}");
            }
            // A line that is whole.
            let (line, _) = told.split_once('\n')?;
            let record: Value = serde_json::from_str(line).ok()?;
            let address = record["address"].as_str()?.strip_prefix("http://")?;
            address.parse().ok()
        });
        Self { program, address }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks as who may do everything.
    ///
    /// # Errors
    /// There was no whole answer.
    pub fn try_ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        ask(self.address, method, path, &WITH_TOKEN, body)
    }

    /// The same, where there has to be an answer.
    ///
    /// # Panics
    /// There was none.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_ask(method, path, body).expect("a whole answer")
    }

    /// Asks with these headers and no token.
    ///
    /// # Panics
    /// There was no answer.
    #[must_use]
    pub fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        ask(self.address, method, path, headers, body).expect("a whole answer")
    }

    /// Its process.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        self.program.kill();
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait(self) -> Ended {
        self.program.wait()
    }

    /// Asks it to stop and waits until it has.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.program.signal(Signal::TERM);
        self.wait()
    }
}

/// What a program sends along with JSON.
const WITH_TOKEN: [(&str, &str); 2] = [
    (
        "authorization",
        "Bearer tl_made-up-token-of-the-tests-0123456789ABCDEFG",
    ),
    ("content-type", "application/json"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_token() {
        assert_eq!(WITH_TOKEN[0].1, format!("Bearer {TOKEN}"));
    }
}
