//! Finding the server to write to, and one checked connection to it.
//!
//! All keys of a store have one hash tag, so there is always exactly one such server: the one of
//! the URL, the primary that a Sentinel names, or the node of the cluster that owns the tag's
//! slot. It is looked for anew for every connection. A client that goes on dialling the address it
//! once found writes to nobody after a failover.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo,
    RedisError, Value,
    aio::{MultiplexedConnection, SendError},
};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{
    failure::{Failure, FailureKind},
    keeper::Running,
    server::Server,
    tls,
    url::{Host, Kind, RedisPlace},
    wake::Bell,
    wire,
};

/// How long one attempt at one address may take, TLS and login included.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a Sentinel may take; another may know, and the caller waits.
const ASK_SENTINEL: Duration = Duration::from_secs(1);
/// How many MOVED answers are followed: each names the owner, and owners seldom change twice.
const REDIRECTS: usize = 4;
/// How many requests wait for their turn on a connection before callers wait for a place.
const QUEUE: usize = 1_024;

/// What a connection is for.
#[derive(Clone)]
pub(super) struct Purpose {
    /// How long an answer may take.
    pub(super) answer: Duration,
    /// Rung by messages on the store's channel, which the connection then hears.
    pub(super) bell: Option<Arc<Bell>>,
    /// Whether it carries commands that keep it from answering others for a while.
    pub(super) blocks: bool,
}

/// A connection that has logged in, and the task that moves its bytes.
pub(super) struct Wire {
    pub(super) connection: MultiplexedConnection,
    pub(super) driver: Running,
    pub(super) server: Server,
}

/// Makes connections to one place.
pub(super) struct Dialer {
    place: RedisPlace,
    /// `place` as people see it.
    text: String,
    tls: Option<TlsConnector>,
    /// Nodes of a cluster that were met beyond those of the URL, the last owner first.
    met: Mutex<Vec<Host>>,
    /// Whether a connection was ever made: a replica is a configuration error before and a
    /// failover after.
    opened: AtomicBool,
}

enum Rejected {
    /// Another node owns the slot.
    Moved(Host),
    Failed(Failure),
}

impl From<Failure> for Rejected {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Dialer {
    pub(super) fn new(place: RedisPlace) -> Result<Self, Failure> {
        let tls = match place.tls {
            true => Some(tls::connector(place.ca.as_deref())?),
            false => None,
        };
        Ok(Self {
            text: place.to_string(),
            place,
            tls,
            met: Mutex::default(),
            opened: false.into(),
        })
    }

    /// The channel of the store's wake-up messages.
    pub(super) fn channel(&self) -> String {
        format!("{{{}}}:wake", self.place.name)
    }

    /// The name of the store.
    pub(super) fn name(&self) -> &str {
        &self.place.name
    }

    /// The place, for messages.
    pub(super) fn place(&self) -> &str {
        &self.text
    }

    /// A connection to the server that is to be written to now.
    pub(super) async fn connect(&self, purpose: &Purpose) -> Result<Wire, Failure> {
        let wire = match &self.place.kind {
            Kind::Server => self.single(purpose).await,
            Kind::Sentinel(primary) => self.primary(primary, purpose).await,
            Kind::Cluster => self.owner(purpose).await,
        }?;
        self.opened.store(true, Ordering::Relaxed);
        Ok(wire)
    }

    async fn single(&self, purpose: &Purpose) -> Result<Wire, Failure> {
        let Some(host) = self.place.hosts.first() else {
            return Err(nowhere());
        };
        match self.enter(host, purpose).await {
            Ok(wire) => Ok(wire),
            Err(Rejected::Failed(failure)) => Err(failure),
            Err(Rejected::Moved(_)) => Err(Failure::unusable(
                "this is a node of a Redis Cluster: add ?cluster=true to the URL",
            )),
        }
    }

    /// Asks the Sentinels, one after the other, until one leads to a server that is a primary.
    async fn primary(&self, name: &str, purpose: &Purpose) -> Result<Wire, Failure> {
        let mut told = Told::default();
        for sentinel in &self.place.hosts {
            let found = match timeout(ASK_SENTINEL, self.ask(sentinel, name)).await {
                Ok(Ok(found)) => found,
                Ok(Err(failure)) => {
                    told.hear(sentinel, failure);
                    continue;
                }
                Err(_) => {
                    told.hear(sentinel, Failure::unavailable("it did not answer in time"));
                    continue;
                }
            };
            match self.enter(&found, purpose).await {
                Ok(wire) => return Ok(wire),
                Err(Rejected::Failed(failure)) => told.hear(&found, failure),
                Err(Rejected::Moved(_)) => told.hear(
                    &found,
                    Failure::unusable("it is a node of a Redis Cluster, which needs no Sentinel"),
                ),
            }
        }
        Err(told.failure("no Sentinel leads to a primary now"))
    }

    async fn ask(&self, sentinel: &Host, name: &str) -> Result<Host, Failure> {
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ASK_SENTINEL));
        let (mut connection, _driver) = wire::open(sentinel, self.tls.as_ref(), &info, config)
            .await
            .map_err(|refused| refused.failure(self.name()))?;
        let mut asked = Pipeline::new();
        if let Some(password) = &self.place.sentinel_password {
            asked.cmd("AUTH").arg(password.expose());
        }
        asked
            .cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(name);
        let answers = connection
            .send_packed_commands(&asked, 0, asked.len())
            .await
            .and_then(first_error)
            .map_err(|error| sentinel_refused(&error, self.name()))?;
        let Some(address) = answers.into_iter().next_back() else {
            return Err(nowhere());
        };
        match redis::from_redis_value::<Option<(String, u16)>>(address) {
            Ok(Some((name, port))) => Ok(Host { name, port }),
            Ok(None) => Err(Failure::unusable(format!(
                "it knows no primary called {name}: check the name after sentinel="
            ))),
            Err(_) => Err(Failure::unusable(
                "it is no Sentinel: leave ?sentinel= out, or name the Sentinels' port (26379 unless configured otherwise)",
            )),
        }
    }

    /// Tries the nodes that are known and follows their pointers to the one that owns our slot.
    async fn owner(&self, purpose: &Purpose) -> Result<Wire, Failure> {
        let mut told = Told::default();
        let mut candidates = self
            .met
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        candidates.extend(self.place.hosts.iter().cloned());
        for candidate in candidates {
            let mut host = candidate;
            for _ in 0..REDIRECTS {
                match self.enter(&host, purpose).await {
                    Ok(mut wire) => {
                        self.remember(&host, &mut wire.connection).await;
                        return Ok(wire);
                    }
                    Err(Rejected::Moved(owner)) => host = owner,
                    Err(Rejected::Failed(failure)) => {
                        told.hear(&host, failure);
                        break;
                    }
                }
            }
        }
        Err(told.failure("no node of the cluster leads to the owner of our keys now"))
    }

    /// Keeps the addresses of the cluster's nodes, so that it is found again when those of the URL
    /// are gone. Without an answer the ones known before are kept.
    async fn remember(&self, owner: &Host, connection: &mut MultiplexedConnection) {
        let mut nodes = vec![owner.clone()];
        let asked = redis::cmd("CLUSTER").arg("SLOTS").to_owned();
        if let Ok(Value::Array(ranges)) = connection.send_packed_command(&asked).await {
            for range in ranges {
                let Value::Array(fields) = range else {
                    continue;
                };
                // A range is its first and last slot, then its nodes: [address, port, id, ...].
                for node in fields.into_iter().skip(2) {
                    let Value::Array(node) = node else { continue };
                    let mut node = node.into_iter();
                    let name = node.next().map(redis::from_redis_value::<String>);
                    let port = node.next().map(redis::from_redis_value::<u16>);
                    if let (Some(Ok(name)), Some(Ok(port))) = (name, port) {
                        let host = Host { name, port };
                        if !host.name.is_empty() && !nodes.contains(&host) {
                            nodes.push(host);
                        }
                    }
                }
            }
        }
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// Connects, logs in and checks that the store may live there.
    async fn enter(&self, host: &Host, purpose: &Purpose) -> Result<Wire, Rejected> {
        match timeout(CONNECT, self.checked(host, purpose)).await {
            Ok(entered) => entered,
            Err(_) => {
                let hint = if self.tls.is_some() {
                    "; if it speaks no TLS there, use redis://"
                } else {
                    ""
                };
                Err(Rejected::Failed(Failure::unavailable(format!(
                    "{host} did not answer within {} s{hint}",
                    CONNECT.as_secs()
                ))))
            }
        }
    }

    async fn checked(&self, host: &Host, purpose: &Purpose) -> Result<Wire, Rejected> {
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let mut config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(purpose.answer))
            .set_pipeline_buffer_size(QUEUE);
        let mut enter = Pipeline::new();
        let password = self.place.password.as_ref().map(|secret| secret.expose());
        if let Some(bell) = &purpose.bell {
            // RESP3 lets messages and answers share a connection, so that it can be pinged.
            info = info.set_protocol(ProtocolVersion::RESP3);
            if let Some(user) = &self.place.user {
                info = info.set_username(user);
            }
            if let Some(password) = password {
                info = info.set_password(password);
            }
            let bell = Arc::clone(bell);
            config = config.set_push_sender(move |push: PushInfo| -> Result<(), SendError> {
                if push.kind == PushKind::Message {
                    bell.ring();
                }
                Ok(())
            });
        } else {
            login(&mut enter, self.place.user.as_deref(), password);
        }
        if self.place.db != 0 {
            enter.cmd("SELECT").arg(self.place.db);
        }
        // The key is ours and never set: a node that does not own it says who does, and a user who
        // may not touch it is told now.
        enter.cmd("EXISTS").arg(self.channel()).cmd("INFO");
        let (mut connection, driver) = wire::open(host, self.tls.as_ref(), &info, config)
            .await
            .map_err(|refused| refused.failure(self.name()))?;
        let answers = connection
            .send_packed_commands(&enter, 0, enter.len())
            .await
            .and_then(first_error)
            .map_err(|error| self.rejected(host, &error))?;
        let told = answers
            .into_iter()
            .next_back()
            .and_then(|info| redis::from_redis_value::<String>(info).ok())
            .unwrap_or_default();
        let server = self.fit(&told, self.opened.load(Ordering::Relaxed))?;
        if let Some(bell) = &purpose.bell {
            connection
                .subscribe(self.channel())
                .await
                .map_err(|error| Failure::of(&error, self.name()))?;
            // What was said while nobody listened is not known: look.
            bell.ring();
        }
        Ok(Wire {
            connection,
            driver,
            server,
        })
    }

    /// Whether the store may live on the server that tells this INFO, and what it is.
    pub(super) fn fit(&self, info: &str, opened_before: bool) -> Result<Server, Failure> {
        let server = Server::read(info)?;
        server.check(&self.place.kind, opened_before)?;
        Ok(server)
    }

    fn rejected(&self, host: &Host, error: &RedisError) -> Rejected {
        if error.code() == Some("MOVED")
            && let Some((address, _)) = error.redirect_node()
            && let Some((name, port)) = address.rsplit_once(':')
            && let Ok(port) = port.parse()
        {
            // A node that does not know its own address leaves it out.
            let name = if name.is_empty() { &host.name } else { name };
            return Rejected::Moved(Host {
                name: name.to_owned(),
                port,
            });
        }
        Rejected::Failed(Failure::of(error, self.name()))
    }
}

/// Failures of several addresses. As long as one of them may pass, all may.
#[derive(Default)]
struct Told(Vec<(String, Failure)>);

impl Told {
    fn hear(&mut self, host: &Host, failure: Failure) {
        self.0.push((host.to_string(), failure));
    }

    fn failure(self, what: &str) -> Failure {
        let lasting = |(_, failure): &(String, Failure)| failure.kind != FailureKind::Unavailable;
        let kind = if !self.0.is_empty() && self.0.iter().all(lasting) {
            FailureKind::Unusable
        } else {
            FailureKind::Unavailable
        };
        let each: Vec<_> = self
            .0
            .into_iter()
            .map(|(host, failure)| format!("{host}: {}", failure.message))
            .collect();
        Failure {
            kind,
            message: format!("{what} ({})", each.join("; ")),
        }
    }
}

fn login(pipeline: &mut Pipeline, user: Option<&str>, password: Option<&str>) {
    let mut auth = Cmd::new();
    match (user, password) {
        (None, None) => return,
        (None, Some(password)) => auth.arg("AUTH").arg(password),
        // A user without a password (`nopass`) takes any.
        (Some(user), password) => auth.arg("AUTH").arg(user).arg(password.unwrap_or_default()),
    };
    pipeline.add_command(auth);
}

/// The answers, or the first that is an error: what follows a refused login says nothing new.
fn first_error(answers: Vec<Value>) -> Result<Vec<Value>, RedisError> {
    answers.into_iter().map(Value::extract_error).collect()
}

fn sentinel_refused(error: &RedisError, name: &str) -> Failure {
    match error.code() {
        Some("NOAUTH" | "WRONGPASS") => Failure::unusable(
            "the Sentinel refused the login: set sentinel_password, which need not be the server's",
        ),
        Some("ERR")
            if error
                .detail()
                .is_some_and(|d| d.contains("unknown command")) =>
        {
            Failure::unusable(
                "it is no Sentinel: leave ?sentinel= out, or name the Sentinels' port (26379 unless configured otherwise)",
            )
        }
        _ => Failure::of(error, name),
    }
}

fn nowhere() -> Failure {
    Failure::unavailable("no address is known")
}
