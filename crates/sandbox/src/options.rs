//! What a simulator is started with.

use std::path::PathBuf;

/// Which of two worlds the simulator shows where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// As people who called live accounts report it: the harder world, and the default.
    #[default]
    Field,
    /// As Exotel's API reference says it.
    Documented,
}

/// What one account may do. The defaults are those of Exotel's API reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Accepted requests in any window, wherever it starts. 200 by default.
    pub requests_per_minute: u32,
    /// Open TCP connections that carry the account's requests. 50 by default.
    pub connections: u32,
    /// Length of the window in milliseconds; 60,000 by default. Tests shorten it.
    pub window_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: 200,
            connections: 50,
            window_ms: 60_000,
        }
    }
}

/// How a simulator starts. `Options::default()` is the field profile with Exotel's limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which world to show.
    pub profile: Profile,
    /// The limits of every account; `PUT /_sandbox/limits` changes them later.
    pub limits: Limits,
    /// Round trip to add to every API request: a least and a greatest value in milliseconds, drawn
    /// evenly. Half passes before the request arrives, half before its answer leaves.
    pub latency: Option<(u64, u64)>,
    /// Seed of the latency's draw.
    pub seed: u64,
    /// How many requests the log keeps; older ones are forgotten. 200,000 by default, which
    /// takes about 20 MB when full.
    pub request_log: usize,
    /// Where to keep the resources, so that they outlive the process; `None`, the default, keeps
    /// nothing. It is looked at by [`Sandbox::open`].
    ///
    /// [`Sandbox::open`]: crate::Sandbox::open
    pub journal: Option<PathBuf>,
    /// Serve on an address that is not loopback. Off by default: the controls have no password.
    pub allow_remote: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            limits: Limits::default(),
            latency: None,
            seed: 0,
            request_log: 200_000,
            journal: None,
            allow_remote: false,
        }
    }
}
