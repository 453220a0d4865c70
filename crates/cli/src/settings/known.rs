//! The settings there are.

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Some text.
    Text,
    /// A path.
    Path,
    /// An IP address and a port.
    Address,
    /// IP addresses and ranges of them: a list in the file, elsewhere with commas between them.
    Addresses,
    /// The http or https URL of a server, without user and parameters.
    Url,
    /// How to get out: the URL of a proxy, `environment` or `none`.
    Proxy,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within these bounds.
    Number {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// `{ env }` or `{ file }`.
    Secret,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// Its key in the file; in the environment `TRUNKLINE_` and the same in capitals.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// The option that overrides it, if any.
    pub(crate) option: Option<&'static str>,
}

const fn known(name: &'static str, kind: Kind, option: Option<&'static str>) -> Known {
    Known { name, kind, option }
}

const fn number(name: &'static str, min: u64, max: u64) -> Known {
    known(name, Kind::Number { min, max }, None)
}

/// An hour. Longer waits belong to a person.
const HOUR_MS: u64 = 3_600_000;

/// A day. What is looked at later than that has been used by people since.
const DAY_MS: u64 = 24 * HOUR_MS;

/// Every setting, in the order of the example file.
pub(crate) const ALL: &[Known] = &[
    known("store", Kind::Text, Some("--store")),
    known("secret_key", Kind::Secret, None),
    known("store_password", Kind::Secret, None),
    known("sentinel_password", Kind::Secret, None),
    known("store_ca", Kind::Path, None),
    number("keep_finished_days", 1, 3650),
    number("workers_max", 1, 1000),
    known("accounts", Kind::Path, Some("--accounts")),
    known("recipes", Kind::Path, Some("--recipes")),
    known("listen", Kind::Address, Some("--listen")),
    known("public_url", Kind::Url, None),
    known("trusted_proxies", Kind::Addresses, None),
    number("connections_max", 10, 100_000),
    number("event_clients_max", 1, 100_000),
    known("worker_listen", Kind::Address, None),
    known("otlp_endpoint", Kind::Url, None),
    known("log", Kind::Word(&["text", "json"]), Some("--log")),
    known("log_level", Kind::Text, None),
    known(
        "concurrency",
        Kind::Number { min: 1, max: 4096 },
        Some("--concurrency"),
    ),
    number("lease_ms", 1_000, HOUR_MS),
    number("request_timeout_ms", 100, 600_000),
    number("connect_timeout_ms", 50, 600_000),
    number("settling_ms", 0, 600_000),
    number("late_check_ms", 0, DAY_MS),
    known("proxy", Kind::Proxy, None),
    number("retry_first_ms", 10, HOUR_MS),
    number("retry_max_ms", 10, HOUR_MS),
    number("attempts_max", 1, 100),
    number("never_sent_attempts_max", 1, 10_000),
    number("account_probe_ms", 0, HOUR_MS),
    number("shutdown_timeout_ms", 100, HOUR_MS),
    number("progress_interval_ms", 100, HOUR_MS),
];

/// The setting called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.name == name)
}

impl Known {
    /// Whether `variable` would hold this secret itself instead of its place.
    pub(crate) fn is_bare_secret(&self, variable: &str) -> bool {
        self.kind == Kind::Secret && variable == self.variable()
    }

    fn variable(&self) -> String {
        format!("TRUNKLINE_{}", self.name.to_ascii_uppercase())
    }

    /// Its environment variable; a secret has one for each form.
    pub(crate) fn variables(&self) -> Vec<String> {
        let name = self.variable();
        if self.kind == Kind::Secret {
            vec![format!("{name}__ENV"), format!("{name}__FILE")]
        } else {
            vec![name]
        }
    }
}
