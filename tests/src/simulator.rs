//! A simulator in this process.

use std::net::SocketAddr;

use sandbox::{Limits, Options, Profile, Running, Sandbox};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{Request, ask, http, until};

/// A simulator on a free port of loopback, and its controls. It ends with the value.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    _running: Running,
    _runtime: Runtime,
}

impl Simulator {
    /// One that limits nothing, so that tests wait for nothing.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Self::unlimited())
    }

    fn unlimited() -> Options {
        Options {
            limits: Limits {
                requests_per_minute: 1_000_000,
                connections: 1_000,
                ..Limits::default()
            },
            ..Options::default()
        }
    }

    /// One that limits nothing and answers as Exotel's API reference says, where others report
    /// otherwise.
    #[must_use]
    pub fn documented() -> Self {
        Self::with(Options {
            profile: Profile::Documented,
            ..Self::unlimited()
        })
    }

    /// One that limits nothing, with a round trip between these milliseconds.
    #[must_use]
    pub fn slow(least_ms: u64, most_ms: u64) -> Self {
        Self::with(Options {
            latency: Some((least_ms, most_ms)),
            ..Self::unlimited()
        })
    }

    /// One with these limits.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self::with(Options {
            limits,
            ..Options::default()
        })
    }

    fn with(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sandbox = Sandbox::new(options);
        let running = runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            sandbox.start(listener).unwrap()
        });
        Self {
            addr: running.addr(),
            _running: running,
            _runtime: runtime,
        }
    }

    /// What an account of it has as `base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        http::send(self.addr, method, &format!("/_sandbox/{path}"), &body)
    }

    /// All resources, by account.
    #[must_use]
    pub fn state(&self) -> Value {
        self.control("GET", "state", &Value::Null)["accounts"].take()
    }

    /// Every request in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests_since(0)
    }

    /// The same from this time on, in milliseconds since 1970.
    #[must_use]
    pub fn requests_since(&self, at_ms: u64) -> Vec<Request> {
        let path = format!("requests?since={at_ms}&limit=1000000");
        let listed = self.control("GET", &path, &Value::Null);
        let listed = listed.as_array().expect("a list of requests");
        listed.iter().map(Request::read).collect()
    }

    /// The requests of one account.
    #[must_use]
    pub fn requests_of(&self, account: &str) -> Vec<Request> {
        let mut all = self.requests();
        all.retain(|request| request.account == account);
        all
    }

    /// Sends a request as somebody else does, and gives its answer's data. `path` is behind the account.
    ///
    /// # Panics
    /// It is not answered with JSON.
    pub fn ask_as_somebody(&self, method: &str, account: &str, path: &str, body: &Value) -> Value {
        let path = format!("/v2/accounts/{account}/{path}");
        let headers = [
            ("authorization", "Basic a2V5OnRva2Vu"),
            ("content-type", "application/json"),
        ];
        let answer = ask(self.addr, method, &path, &headers, &body.to_string());
        let mut answer = answer.expect("the simulator answers").json();
        answer["response"]["data"].take()
    }

    /// Creates a trunk as somebody else does, and gives its SID.
    ///
    /// # Panics
    /// There is no such trunk then.
    #[must_use]
    pub fn create_trunk(&self, account: &str, name: &str) -> String {
        let domain = format!("{account}.pstn.exotel.com");
        let body = json!({"trunk_name": name, "nso_code": "ANY-ANY", "domain_name": domain});
        let made = self.ask_as_somebody("POST", account, "trunks", &body);
        let sid = made["trunk_sid"].as_str();
        sid.unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// Replaces the fault rules.
    pub fn break_with(&self, rules: &[Value]) {
        self.control("PUT", "faults", &json!(rules));
    }

    /// Removes the fault rules.
    pub fn mend(&self) {
        self.control("DELETE", "faults", &Value::Null);
    }

    /// Processes everything that a `late_ms` keeps pending, and returns when it has.
    pub fn process_pending(&self) {
        self.control("POST", "pending", &Value::Null);
        until("nothing is pending", || {
            let pending = self.requests().iter().any(|request| request.pending);
            (!pending).then_some(())
        });
    }

    /// Takes second credentials of a user name, as it takes second destinations.
    pub fn append_credentials(&self) {
        self.control("PUT", "quirks", &json!({"credentials_append": true}));
    }

    /// Sets the dates that it tells this far ahead of the machine's clock; negative is behind.
    pub fn set_clock(&self, ahead_ms: i64) {
        self.control("PUT", "clock", &json!({ "ahead_ms": ahead_ms }));
    }

    /// Forgets all resources and the log.
    pub fn forget(&self) {
        self.control("DELETE", "state", &Value::Null);
    }

    /// Sets the keys that work: `[{"account_sid", "api_key", "api_token"}]`.
    pub fn accept_only(&self, accounts: &[Value]) {
        self.control("PUT", "accounts", &json!(accounts));
    }

    /// Lets any key of any account work.
    pub fn accept_any_key(&self) {
        self.control("DELETE", "accounts", &Value::Null);
    }

    /// Per account `requests`, `refused`, `max_in_window`, `max_connections`.
    #[must_use]
    pub fn stats(&self) -> Value {
        self.control("GET", "stats", &Value::Null)["accounts"].take()
    }
}
