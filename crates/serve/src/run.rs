//! The loop that accepts connections, and what each may take.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Request, StatusCode, Version,
    header::{CONNECTION, HOST},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioTimer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use crate::{
    error::Error,
    peer::Peer,
    socket::{Answer, Phase, Socket},
};

/// Pause after an accept that failed, for lack of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most bytes of a request's head. Ours need some hundred; cookies of others come along.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most bytes that are buffered of a connection, each way.
const BUFFER_BYTES: usize = 64 * 1024;

/// What clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most connections at once. More wait in the listener's backlog until one ends: each that is
    /// there ends within the times below, unless somebody watches.
    pub connections_max: usize,
    /// How long the head of a request may take, from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a connection may do nothing between requests.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub write_timeout: Duration,
    /// How long requests in flight may take when the server is asked to stop.
    pub shutdown_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// Serves until `shutdown` is ready; then accepts nothing any more, lets requests in flight finish for
/// as long as they may, and cuts the rest. See [`App::closing_on`](crate::App::closing_on) for
/// `shutdown`, without which streams would not end by themselves.
///
/// # Errors
/// [`Error::Listener`] where it has no address.
pub async fn run(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::Listener)?;
    tracing::info!(%address, "listening");
    let (closing, closed) = watch::channel(());
    let slots = Arc::new(Semaphore::new(
        limits.connections_max.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut failing = false;
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, peer, slot)) => {
                    failing = false;
                    let connection = connection(stream, peer, router.clone(), limits, closed.clone());
                    connections.spawn(hold(slot, connection));
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "no connection can be accepted; trying again");
                    }
                    failing = true;
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    drop(closing);
    tracing::info!(
        connections = connections.len(),
        "no connections are accepted any more"
    );
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.shutdown_timeout, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "connections are cut: they took too long to end"
        );
        connections.shutdown().await;
    }
    Ok(())
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, Peer(address.ip().to_canonical()), slot))
}

/// Whether a request names one host, as RFC 9112 asks for: of two of them a proxy may have taken
/// the other.
fn names_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() != Version::HTTP_11,
        count => count == 1,
    }
}

/// The answer to what is no HTTP, as hyper's own.
fn no_request() -> Response {
    let mut response = StatusCode::BAD_REQUEST.into_response();
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn hold(slot: OwnedSemaphorePermit, connection: impl Future<Output = ()>) {
    connection.await;
    drop(slot);
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: ConnectionLimits,
    mut closing: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let phase = Phase::default();
    let socket = Socket::new(
        stream,
        phase.clone(),
        limits.head_timeout,
        limits.write_timeout,
    );
    let service = service_fn(move |mut request: Request<Incoming>| {
        phase.busy();
        request.extensions_mut().insert(peer);
        let answer = names_host(&request).then(|| router.clone().call(request));
        let phase = phase.clone();
        async move {
            let response = match answer {
                Some(answer) => answer.await?,
                None => no_request(),
            };
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, phase)))
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES);
    let mut serving = pin!(builder.serve_connection(socket, service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = closing.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // The client's doing: nothing to act on.
        tracing::debug!(%error, peer = %peer.0, "a connection ended early");
    }
}
