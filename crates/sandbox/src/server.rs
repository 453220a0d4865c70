//! Sockets: accepting, serving, and letting go.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::Sandbox;
use crate::gate::Connection;
use crate::service::{Core, lock};

/// How long a client may take to send its headers, and how long a connection may idle. Longer than
/// clients keep idle connections, so that they never meet one that is being closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the shutdown waits for requests in flight.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Pause after an accept that failed, for lack of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Sandbox {
    /// Serves until `shutdown` is ready, then lets requests in flight finish for up to 2 seconds.
    ///
    /// # Errors
    ///
    /// The listener's address is not loopback and [`Options::allow_remote`] is off, or it has no
    /// address.
    ///
    /// [`Options::allow_remote`]: crate::Options::allow_remote
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        self.check_address(&listener)?;
        let (closing, closed) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(self.core(), stream, closed.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the sandbox could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        drop(closing);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_GRACE, all).await.is_err() {
            connections.shutdown().await;
        }
        Ok(())
    }

    /// Serves in the background of the current runtime, until the handle is stopped or dropped.
    ///
    /// # Errors
    ///
    /// Those of [`Sandbox::serve`].
    pub fn start(&self, listener: TcpListener) -> io::Result<Running> {
        self.check_address(&listener)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let sandbox = self.clone();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            if let Err(error) = sandbox.serve(listener, stopped).await {
                tracing::error!(%error, "the sandbox stopped");
            }
        });
        Ok(Running { addr, stop, task })
    }

    fn check_address(&self, listener: &TcpListener) -> io::Result<()> {
        let addr = listener.local_addr()?;
        if addr.ip().is_loopback() || self.core().options.allow_remote {
            return Ok(());
        }
        let text = format!(
            "the sandbox serves on loopback only, since its controls have no password; {addr} is \
             not loopback: listen on 127.0.0.1 instead"
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

/// A simulator that serves in the background. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to give to a client as the API's base URL, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops it, and waits until it has stopped.
    pub async fn stop(self) {
        drop(self.stop);
        // The task ends when it is told to; a panic in it has been reported by the runtime.
        let _ = self.task.await;
    }
}

async fn connection(core: Arc<Core>, stream: TcpStream, mut closing: watch::Receiver<()>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let connection = Arc::new(Connection::default());
    let _leave = Leave {
        core: Arc::clone(&core),
        connection: Arc::clone(&connection),
    };
    let socket = Socket {
        io: TokioIo::new(stream),
        connection: Arc::clone(&connection),
    };
    let service =
        service_fn(move |request| Arc::clone(&core).respond(Arc::clone(&connection), request));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The dates are those of the simulated side.
        .auto_date_header(false)
        .header_read_timeout(HEADER_TIMEOUT);
    let mut serving = pin!(builder.serve_connection(socket, service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = closing.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // Cut on purpose, or the client's doing: nothing to act on.
        tracing::trace!(%error, "a connection ended early");
    }
}

/// Takes a connection out of the counts, however it ended.
struct Leave {
    core: Arc<Core>,
    connection: Arc<Connection>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.connection.close();
        lock(&self.core.gate).leave(&self.connection);
    }
}

/// A socket that ends with a reset when its connection is marked so.
struct Socket {
    io: TokioIo<TcpStream>,
    connection: Arc<Connection>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.connection.is_reset()
            && let Err(error) = self.io.inner().set_zero_linger()
        {
            tracing::debug!(%error, "a connection is closed instead of reset");
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }
}
