//! One connection, from the socket to where the client library takes over.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection,
    io::tcp::socket2::{SockRef, TcpKeepalive},
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    failure::{Failure, no_redis},
    keeper::Running,
    tls,
    url::Host,
};

/// A server's longest first line is the explanation of its protected mode, below 1 KiB.
const LONGEST_GREETING: usize = 2_048;

/// Why there is no connection.
pub(super) enum Refused {
    Failed(Failure),
    /// By the client library.
    Answered(RedisError),
}

impl Refused {
    /// What it means for a store called `name`.
    pub(super) fn failure(self, name: &str) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Answered(error) => Failure::of(&error, name),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Connects, and logs in if `info` says how.
pub(super) async fn open(
    host: &Host,
    tls: Option<&TlsConnector>,
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Running), Refused> {
    let stream = TcpStream::connect((host.name.as_str(), host.port))
        .await
        .map_err(|error| unreachable(host, &error))?;
    settle(&stream).map_err(|error| unreachable(host, &error))?;
    let Some(tls) = tls else {
        return speak(stream, info, config).await;
    };
    let name = ServerName::try_from(host.name.clone())
        .map_err(|_| Failure::unusable(format!("{} is no host name for TLS", host.name)))?;
    let stream = tls
        .connect(name, stream)
        .await
        .map_err(|error| tls::failed(&error))?;
    speak(stream, info, config).await
}

async fn speak<S>(
    mut stream: S,
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Running), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    greet(&mut stream).await?;
    let (connection, driver) = MultiplexedConnection::new_with_config(info, stream, config)
        .await
        .map_err(Refused::Answered)?;
    Ok((connection, Running::start(driver)))
}

/// No delays for small packets, and a peer that is gone is noticed even when nothing is asked.
fn settle(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(5))
        .with_interval(Duration::from_secs(2))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Pings once in the open: the client library does not tell a peer that speaks something else
/// from one that hangs up.
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<(), Failure> {
    let hung_up = || {
        Failure::unavailable(
            "it closed the connection without an answer; check that the scheme is right (redis:// for plain, rediss:// for TLS)",
        )
    };
    stream
        .write_all(b"*1\r\n$4\r\nPING\r\n")
        .await
        .map_err(|_| hung_up())?;
    let mut answer = Vec::new();
    loop {
        match stream.read_u8().await {
            Ok(b'\n') if answer.starts_with(b"+") => return Ok(()),
            // Refusals for want of a login are expected; that comes next. Others are final.
            Ok(b'\n') if answer.starts_with(b"-NOAUTH") || answer.starts_with(b"-NOPERM") => {
                return Ok(());
            }
            Ok(b'\n') if answer.starts_with(b"-") => return Err(refused_greeting(&answer)),
            Ok(byte) => answer.push(byte),
            Err(_) if answer.is_empty() => return Err(hung_up()),
            Err(_) => return Err(Failure::unusable(no_redis())),
        }
        let foreign = answer.first().is_some_and(|byte| !b"+-".contains(byte));
        if foreign || answer.len() > LONGEST_GREETING {
            return Err(Failure::unusable(no_redis()));
        }
    }
}

fn refused_greeting(line: &[u8]) -> Failure {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start_matches('-').trim_end();
    let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
    Failure::answered(code, detail, "")
}

fn unreachable(host: &Host, error: &std::io::Error) -> Failure {
    Failure::unavailable(format!(
        "{host} cannot be reached ({error}): check that it runs and that host and port are right"
    ))
}
