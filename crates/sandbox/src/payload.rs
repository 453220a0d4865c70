//! Bodies that are sent, whole or cut off.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The connection ends here, without the rest of the answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was cut on purpose")
    }
}

impl std::error::Error for Cut {}

/// A body. One that is cut off announces its whole length, and ends after half of it.
#[derive(Debug)]
pub(crate) struct Payload {
    data: Bytes,
    length: u64,
    /// How often a body that is cut off still waits, so that its half is sent before the end.
    waits: Option<u8>,
}

impl Payload {
    pub(crate) fn whole(data: Bytes) -> Self {
        let length = data.len() as u64;
        Self {
            data,
            length,
            waits: None,
        }
    }

    pub(crate) fn half(data: Bytes) -> Self {
        let length = data.len() as u64;
        Self {
            data: data.slice(..data.len() / 2),
            length,
            waits: Some(2),
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        match self.waits {
            None => Poll::Ready(None),
            Some(0) => Poll::Ready(Some(Err(Cut))),
            Some(left) => {
                self.waits = Some(left - 1);
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.waits.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
