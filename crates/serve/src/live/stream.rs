//! One client's stream.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, stream};
use onboarding::OnboardingId;
use records::Parked;
use store::Position;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, watch},
    time::Instant,
};

use super::{Inner, Subject, render};

/// How long a stream lasts. Then the client comes back by itself, and is asked who it is again.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// How many happenings are caught up with at once.
const PAGE: usize = 200;

/// How long a client waits before it comes back.
const RETRY: &str = "retry: 2000\n\n";

/// What one client is told.
pub struct Watching {
    inner: Arc<Inner>,
    next: Next,
    receiver: broadcast::Receiver<Bytes>,
    closing: watch::Receiver<bool>,
    ends: Instant,
    _client: OwnedSemaphorePermit,
    _counted: telemetry::Watcher,
}

/// What comes next.
enum Next {
    /// The figures as they are.
    Figures(Bytes, Option<Position>),
    /// What was missed.
    Missed(Position),
    /// The onboarding as it is.
    Now(OnboardingId),
    /// What is told to all.
    Told,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}

impl Watching {
    pub(super) fn new(
        inner: Arc<Inner>,
        subject: Subject,
        figures: Bytes,
        receiver: broadcast::Receiver<Bytes>,
        closing: watch::Receiver<bool>,
        client: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            _counted: inner.metrics.watcher(),
            inner,
            next: match subject {
                Subject::All { after } => Next::Figures(figures, after),
                Subject::One(id) => Next::Now(id),
            },
            receiver,
            closing,
            ends: Instant::now() + LASTS,
            _client: client,
        }
    }

    /// What goes over the wire, chunk by chunk. It ends when the client does not keep up, when the
    /// server stops, or after an hour.
    pub fn chunks(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        stream::unfold(self, |mut own| async move {
            let chunk = own.chunk().await?;
            Some((Ok(chunk), own))
        })
    }

    async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            match std::mem::replace(&mut self.next, Next::Told) {
                Next::Figures(figures, after) => {
                    if let Some(after) = after {
                        self.next = Next::Missed(after);
                    }
                    return Some([RETRY.as_bytes(), &figures].concat().into());
                }
                Next::Missed(after) => {
                    if let Some(chunk) = self.missed(after).await? {
                        return Some(chunk);
                    }
                }
                Next::Now(id) => return self.now(id).await,
                Next::Told => return self.told().await,
            }
        }
    }

    /// A page of what was missed; `Some(None)` where nothing is left. The task stands somewhere in
    /// the feed by then, so that what happens after this page's end is told by it.
    async fn missed(&mut self, after: Position) -> Option<Option<Bytes>> {
        let mut ready = self.inner.ready.subscribe();
        tokio::select! {
            ready = ready.wait_for(|ready| *ready) => { ready.ok()?; }
            _ = self.closing.wait_for(|closing| *closing) => return None,
        }
        let happened = self.inner.store.happenings(Some(&after), PAGE).await.ok()?;
        let Some(last) = happened.last() else {
            return Some(None);
        };
        self.next = Next::Missed(last.position.clone());
        let parked = Parked::read(self.inner.store.as_ref()).await.ok()?;
        let mut out = String::new();
        self.inner.moved(&happened, &parked, &mut out).await.ok()?;
        Some(Some(out.into()))
    }

    async fn now(&self, id: OnboardingId) -> Option<Bytes> {
        let mut out = RETRY.to_owned();
        if let Some(own) = self.inner.store.get(id).await.ok()? {
            let parked = Parked::read(self.inner.store.as_ref()).await.ok()?;
            render::event(
                &mut out,
                "onboarding",
                None,
                &render::onboarding(&own, &parked),
            );
        }
        Some(out.into())
    }

    async fn told(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => None,
            () = tokio::time::sleep_until(self.ends) => None,
            told = self.receiver.recv() => match told {
                Ok(chunk) => Some(chunk),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    tracing::debug!("a client that watches does not keep up and is let go");
                    None
                }
                Err(broadcast::error::RecvError::Closed) => None,
            },
        }
    }
}
