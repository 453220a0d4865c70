//! A primary, its replica and a Sentinel.

use std::time::Duration;

use crate::{Server, launch::until, program::Program};

/// A first copy and its discovery take seconds.
const AGREE_MAX: Duration = Duration::from_secs(30);

/// A primary, its replica, and the Sentinel that makes the replica primary when the primary has been
/// out of reach for a second.
#[derive(Debug)]
pub struct Sentinel {
    servers: Vec<Server>,
    sentinel: Server,
}

impl Sentinel {
    /// What the Sentinel calls the primary.
    pub const PRIMARY: &str = "main";

    /// Starts them and waits until the replica has its copy and the Sentinel knows it. `lines` are
    /// for the `redis.conf` of the primary and the replica.
    #[must_use]
    pub fn start(lines: &[&str]) -> Self {
        // From a file: the stream begins at once, not with the replica's first acknowledgement.
        let primary = Server::start(&[&["repl-diskless-sync no"], lines].concat());
        let of = format!("replicaof 127.0.0.1 {}", primary.port());
        let replica = Server::start(&[&[of.as_str()], lines].concat());
        let name = Self::PRIMARY;
        let watched = [
            format!("sentinel monitor {name} 127.0.0.1 {} 1", primary.port()),
            format!("sentinel down-after-milliseconds {name} 1000"),
            format!("sentinel failover-timeout {name} 4000"),
        ];
        let watched: Vec<&str> = watched.iter().map(String::as_str).collect();
        let sentinel = Server::launched(Program::usual(), true, &watched);
        let started = Self {
            servers: vec![primary, replica],
            sentinel,
        };
        assert!(
            until(AGREE_MAX, || started.is_whole()),
            "the replica or the Sentinel does not come: {}",
            started.sentinel.log()
        );
        started
    }

    /// The Sentinel.
    pub fn sentinel(&mut self) -> &mut Server {
        &mut self.sentinel
    }

    /// The Sentinel as `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.sentinel.port())
    }

    /// The server that the Sentinel takes for the primary now.
    pub fn primary(&mut self) -> &mut Server {
        let port = self.primary_port();
        self.servers
            .iter_mut()
            .find(|server| Some(server.port()) == port)
            .expect("the Sentinel names one of the two")
    }

    /// Waits until the replica has all that the primary has now. To be called before
    /// [`Sentinel::fail_over`].
    pub fn copy(&self) {
        let of = |server: &Server, field: &str| {
            let info = server.ask(&["INFO", "replication"]).unwrap_or_default();
            let offset = info.lines().find_map(|line| line.strip_prefix(field));
            offset.and_then(|offset| offset.trim().parse::<u64>().ok())
        };
        let wanted = of(&self.servers[0], "master_repl_offset:");
        let copied = until(AGREE_MAX, || {
            of(&self.servers[1], "slave_repl_offset:") >= wanted
        });
        assert!(copied, "not copied: {}", self.servers[1].log());
    }

    /// Kills the primary and waits until the Sentinel has made the replica primary.
    pub fn fail_over(&mut self) {
        let before = self.primary_port();
        self.primary().kill();
        let changed = until(AGREE_MAX, || {
            self.primary_port().is_some_and(|port| Some(port) != before) && self.role_is_primary()
        });
        assert!(changed, "no failover: {}", self.sentinel.log());
    }

    fn primary_port(&self) -> Option<u16> {
        let asked = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::PRIMARY];
        let answer = self.sentinel.ask(&asked).ok()?;
        answer.lines().nth(1)?.parse().ok()
    }

    fn role_is_primary(&self) -> bool {
        let port = self.primary_port();
        self.servers
            .iter()
            .filter(|server| Some(server.port()) == port)
            .any(|server| {
                let role = server.ask(&["ROLE"]).unwrap_or_default();
                role.starts_with("master")
            })
    }

    fn is_whole(&self) -> bool {
        let copied = self.servers[1]
            .ask(&["INFO", "replication"])
            .is_ok_and(|info| info.contains("master_link_status:up"));
        let known = self
            .sentinel
            .ask(&["INFO", "sentinel"])
            .is_ok_and(|info| info.contains("status=ok") && info.contains("slaves=1"));
        copied && known
    }
}
