//! What a server must be to hold a store, read from its INFO.

use tracing::{debug, warn};

use super::{
    failure::{Failure, too_old},
    url::Kind,
};

/// What INFO says about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// `redis_version`: what a fork says it is compatible with.
    version: (u32, u32),
    version_text: String,
    replica_of: Option<String>,
    loading: bool,
    cluster: bool,
    /// Absent where a hosted server hides it.
    maxmemory_policy: Option<String>,
    aof: bool,
    replicas: u32,
    /// Another one after every restart, and of every other server.
    run_id: String,
}

impl Server {
    /// Reads the text of INFO.
    pub(super) fn read(info: &str) -> Result<Self, Failure> {
        let field = |name: &str| {
            info.lines().find_map(|line| {
                line.strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix(':'))
                    .map(|value| value.trim_end().to_owned())
            })
        };
        let flag = |name: &str| field(name).is_some_and(|value| value == "1");
        let version_text = field("redis_version").ok_or_else(|| {
            Failure::unusable("the server's INFO tells no redis_version: this is no Redis 7")
        })?;
        let mut parts = version_text
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        let replica_of = field("role").filter(|role| role != "master").map(|_| {
            format!(
                "{}:{}",
                field("master_host").unwrap_or_default(),
                field("master_port").unwrap_or_default()
            )
        });
        Ok(Self {
            version: (
                parts.next().unwrap_or_default(),
                parts.next().unwrap_or_default(),
            ),
            version_text,
            replica_of,
            loading: flag("loading"),
            cluster: flag("cluster_enabled"),
            maxmemory_policy: field("maxmemory_policy"),
            aof: flag("aof_enabled"),
            replicas: field("connected_slaves")
                .and_then(|n| n.parse().ok())
                .unwrap_or_default(),
            run_id: field("run_id").unwrap_or_default(),
        })
    }

    /// What tells this run of this server from every other.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Whether a write can be waited for until it is on disk: WAITAOF came with 7.2, and needs
    /// the append-only file.
    pub(super) fn tells_durability(&self) -> bool {
        self.aof && self.version >= (7, 2)
    }

    /// Whether a store may live there. A replica is a passing state where the place can lead to its
    /// primary; so is whatever was changed on a server that was in use (`opened_before`).
    pub(super) fn check(&self, kind: &Kind, opened_before: bool) -> Result<(), Failure> {
        if self.version < (7, 0) {
            return Err(Failure::unusable(too_old(&format!(
                "the server's version {}",
                self.version_text
            ))));
        }
        if self.loading {
            return Err(Failure::unavailable(
                "the server is still loading its data after a start; it answers when it is done",
            ));
        }
        match (kind, self.cluster) {
            (Kind::Server, true) => {
                return Err(Failure::unusable(
                    "this is a node of a Redis Cluster: add ?cluster=true to the URL",
                ));
            }
            (Kind::Cluster, false) => {
                return Err(Failure::unusable(
                    "this server is not part of a Redis Cluster: leave cluster=true out of the URL",
                ));
            }
            (Kind::Server | Kind::Sentinel(_), false)
            | (Kind::Cluster | Kind::Sentinel(_), true) => {}
        }
        if let Some(primary) = &self.replica_of {
            return Err(match kind {
                Kind::Server if opened_before => Failure::unfit(
                    "the Redis is a replica now and takes no writes: make it the primary again (`redis-cli REPLICAOF NO ONE`), or name the primary in the store's URL",
                ),
                Kind::Server => Failure::unusable(format!(
                    "this server is a replica of {primary} and takes no writes: name the primary, or the Sentinels (?sentinel=PRIMARY_NAME)"
                )),
                Kind::Sentinel(_) | Kind::Cluster => Failure::unavailable(format!(
                    "this server is a replica of {primary}, a failover may be under way; the primary is looked for"
                )),
            });
        }
        match self.maxmemory_policy.as_deref() {
            None | Some("noeviction") => Ok(()),
            Some(policy) => {
                let message = format!(
                    "the Redis may throw accepted work away when its memory is full (maxmemory-policy {policy}): \
                     run `redis-cli CONFIG SET maxmemory-policy noeviction`, and put `maxmemory-policy noeviction` into redis.conf"
                );
                Err(if opened_before {
                    Failure::unfit(message)
                } else {
                    Failure::unusable(message)
                })
            }
        }
    }

    /// Says what of it changed since it was `before`, if a crash of the server loses more by that.
    pub(super) fn say_what_changed(&self, before: &Self, place: &str) {
        if before.aof && !self.aof {
            warn!(
                store = place,
                "this Redis writes no append-only file any more, so a crash of it may lose what is accepted now: put `appendonly yes` into redis.conf and run `redis-cli CONFIG SET appendonly yes`"
            );
        }
    }

    /// Says once, when a store is opened, what a crash of the server could lose.
    pub(super) fn say_what_may_be_lost(&self, place: &str) {
        if !self.aof && self.replicas == 0 {
            warn!(
                store = place,
                "a crash of this Redis loses what was accepted since its last snapshot, because it has neither an append-only file nor a replica: \
                 put `appendonly yes` and `appendfsync always` into redis.conf (now: `redis-cli CONFIG SET appendonly yes`, `redis-cli CONFIG SET appendfsync always`)"
            );
        } else if self.aof && !self.tells_durability() {
            debug!(
                store = place,
                version = self.version_text,
                "this Redis is older than 7.2 and cannot tell when a write is on disk: with `appendfsync everysec` a loss of power may lose up to two seconds of what was accepted, with `appendfsync always` nothing"
            );
        } else if !self.aof {
            debug!(
                store = place,
                replicas = self.replicas,
                "this Redis writes no append-only file: a crash of it loses what its replicas had not received"
            );
        }
        if self.maxmemory_policy.is_none() {
            warn!(
                store = place,
                "this Redis does not tell its maxmemory-policy: make sure that it is noeviction"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::failure::FailureKind;

    fn server(lines: &str) -> Server {
        Server::read(lines).expect("an INFO")
    }

    #[test]
    fn what_a_server_can_do_follows_from_its_version_and_its_file() {
        let table = [
            ("redis_version:7.0.15\r\naof_enabled:1\r\n", false),
            (
                "redis_version:7.2.4\r\nvalkey_version:8.1.1\r\naof_enabled:1\r\n",
                true,
            ),
            ("redis_version:7.2.4\r\naof_enabled:0\r\n", false),
            ("redis_version:8.0.2\r\naof_enabled:1\r\n", true),
            ("redis_version:10.1\r\naof_enabled:1\r\n", true),
        ];
        for (info, tells) in table {
            assert_eq!(server(info).tells_durability(), tells, "{info}");
        }
    }

    #[test]
    fn a_server_that_cannot_hold_a_store_is_refused() {
        let fine = "redis_version:7.2.0\r\nrole:master\r\n";
        let cluster = format!("{fine}cluster_enabled:1\r\n");
        let replica = "redis_version:7.2.0\r\nrole:slave\r\nmaster_host:h\r\nmaster_port:1\r\n";
        let sentinel = Kind::Sentinel("m".to_owned());
        let table: &[(&str, &Kind, bool, Option<FailureKind>)] = &[
            (fine, &Kind::Server, false, None),
            (fine, &sentinel, false, None),
            (fine, &Kind::Cluster, false, Some(FailureKind::Unusable)),
            (&cluster, &Kind::Cluster, false, None),
            (&cluster, &Kind::Server, false, Some(FailureKind::Unusable)),
            (replica, &Kind::Server, false, Some(FailureKind::Unusable)),
            (replica, &Kind::Server, true, Some(FailureKind::Unfit)),
            (replica, &sentinel, true, Some(FailureKind::Unavailable)),
            (replica, &sentinel, false, Some(FailureKind::Unavailable)),
            (
                "redis_version:6.2.14\r\n",
                &Kind::Server,
                true,
                Some(FailureKind::Unusable),
            ),
            (
                "redis_version:7.0.0\r\nloading:1\r\n",
                &Kind::Server,
                false,
                Some(FailureKind::Unavailable),
            ),
            (
                "redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lfu\r\n",
                &Kind::Server,
                false,
                Some(FailureKind::Unusable),
            ),
            (
                "redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lfu\r\n",
                &Kind::Server,
                true,
                Some(FailureKind::Unfit),
            ),
            (
                "redis_version:7.0.0\r\nmaxmemory_policy:noeviction\r\n",
                &Kind::Server,
                false,
                None,
            ),
        ];
        for (info, kind, before, refused) in table {
            let said = server(info).check(kind, *before);
            assert_eq!(
                said.err().map(|f| f.kind),
                *refused,
                "{info} {kind:?} {before}"
            );
        }
        assert!(Server::read("nothing").is_err());
    }
}
