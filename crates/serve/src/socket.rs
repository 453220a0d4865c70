//! A connection's socket, with a bound on how long a client may take.
//!
//! hyper bounds the time for the head of a request from the moment the one before is answered, which
//! is also how long a connection may idle. The two differ: a head comes within seconds, and a client
//! keeps an idle connection for about a minute. So the bound on heads begins here, with their first
//! byte. And hyper has none for a client that does not read what it is answered.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep},
};

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

/// What a connection is at: nothing, the head of a request, or answering one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// A request's head is there.
    pub(crate) fn busy(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    fn idle(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    fn read(&self) {
        // Where it fails, the connection was at something already.
        let _ = self
            .0
            .compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn is_head(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HEAD
    }
}

/// Ends with an error where the client takes too long.
#[derive(Debug)]
pub(crate) struct Socket {
    io: TokioIo<TcpStream>,
    phase: Phase,
    head: Patience,
    write: Patience,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, phase: Phase, head: Duration, write: Duration) -> Self {
        Self {
            io: TokioIo::new(stream),
            phase,
            head: Patience::of(head),
            write: Patience::of(write),
        }
    }

    /// What came of a write; too long without any is an error.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        came: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if came.is_ready() {
            self.write.rest();
            return came;
        }
        self.write.is_over(context).map(|()| Err(too_long()))
    }
}

/// A time that begins when somebody waits and ends when nobody does any more.
#[derive(Debug)]
struct Patience {
    lasts: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn of(lasts: Duration) -> Self {
        Self {
            lasts,
            waiting: None,
        }
    }

    fn rest(&mut self) {
        self.waiting = None;
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let lasts = self.lasts;
        self.waiting
            .get_or_insert_with(|| Box::pin(sleep(lasts)))
            .as_mut()
            .poll(context)
    }
}

fn too_long() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.io).poll_read(context, buffer);
        if came.is_ready() {
            self.phase.read();
        }
        if !self.phase.is_head() {
            self.head.rest();
            return came;
        }
        // The time goes on while bytes come: all of the head has to come within it.
        if self.head.is_over(context).is_ready() {
            return Poll::Ready(Err(too_long()));
        }
        came
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.io).poll_write(context, buffer);
        self.written(context, came)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP has nothing to flush, so that it says nothing about whether anything was written.
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
        let came = Pin::new(&mut self.io).poll_write_vectored(context, buffers);
        self.written(context, came)
    }
}

/// An answer's body; when it is gone, the connection is idle again.
#[derive(Debug)]
pub(crate) struct Answer {
    body: axum::body::Body,
    phase: Phase,
}

impl Answer {
    pub(crate) fn new(body: axum::body::Body, phase: Phase) -> Self {
        Self { body, phase }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.phase.idle();
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
