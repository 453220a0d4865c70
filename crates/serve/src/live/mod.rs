//! What is going on, told to all who watch.
//!
//! ```text
//! feed, tally, accounts, batches ──poll once per tick──▶ one chunk ──▶ every client
//! ```
//!
//! One task asks the store, whatever the number of clients, and only while there are any. What it finds
//! is rendered once, and every client is given the same bytes. A client that does not keep up is let
//! go; it comes back with the `Last-Event-ID` that it has, and the feed tells what it missed.

mod paces;
mod poll;
pub(crate) mod render;
mod stream;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use onboarding::OnboardingId;
use store::{Position, Store};
use telemetry::Metrics;
use tokio::sync::{Semaphore, broadcast, watch};

use crate::{
    app::Directory,
    problem::{Code, Problem},
};
pub use stream::Watching;

/// Chunks that a client may lag behind: with four a second at most, some 16 s.
const LAG_MAX: usize = 64;

/// Onboardings that are watched one by one; each costs a read every second.
const WATCHED_MAX: usize = 200;

/// When a client that was refused may try again.
const AGAIN: Duration = Duration::from_secs(10);

/// What a client wants to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Everything that moves, and the figures.
    All {
        /// What happened after this as well.
        after: Option<Position>,
    },
    /// One onboarding, step by step.
    One(OnboardingId),
}

/// What is going on, told to all who watch.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory>,
    metrics: Arc<Metrics>,
    clients: Arc<Semaphore>,
    clients_max: usize,
    shared: Mutex<Shared>,
    /// Whether the task knows where in the feed it stands: what comes after is told.
    ready: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

struct Shared {
    /// Whether the task is there.
    running: bool,
    all: broadcast::Sender<Bytes>,
    /// The figures as they were last told, for those who come.
    figures: Bytes,
    watched: HashMap<OnboardingId, Watched>,
}

struct Watched {
    sender: broadcast::Sender<Bytes>,
    /// What was told last.
    last: String,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("clients", &self.clients())
            .finish_non_exhaustive()
    }
}

impl Live {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        directory: Arc<dyn Directory>,
        metrics: Arc<Metrics>,
        clients_max: usize,
    ) -> Self {
        let clients_max = clients_max.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            store,
            directory,
            metrics,
            clients: Arc::new(Semaphore::new(clients_max)),
            clients_max,
            shared: Mutex::new(Shared {
                running: false,
                all: broadcast::Sender::new(LAG_MAX),
                figures: Bytes::new(),
                watched: HashMap::new(),
            }),
            ready: watch::Sender::new(false),
            closing: watch::Sender::new(false),
        }))
    }

    /// How many watch.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.0.clients_max - self.0.clients.available_permits()
    }

    /// Begins to watch. Dropping what is returned ends it.
    ///
    /// # Errors
    /// A 503 problem: there are as many watchers as allowed, or the server is stopping.
    pub fn watch(&self, subject: Subject) -> Result<Watching, Problem> {
        let closing = self.0.closing.subscribe();
        if *closing.borrow() {
            return Err(
                Problem::new(Code::ShuttingDown, "the server is stopping; try again soon")
                    .retry_after(AGAIN),
            );
        }
        let client = Arc::clone(&self.0.clients)
            .try_acquire_owned()
            .map_err(|_| {
                too_many(format!(
                    "{} watch already, which is as many as allowed; close one, or ask again later",
                    self.0.clients_max
                ))
            })?;
        let mut shared = self.0.shared();
        let receiver = match &subject {
            Subject::All { .. } => shared.all.subscribe(),
            Subject::One(id) => shared.watch_one(*id)?,
        };
        let figures = shared.figures.clone();
        if !shared.running {
            shared.running = true;
            tokio::spawn(poll::run(Arc::clone(&self.0)));
        }
        drop(shared);
        Ok(Watching::new(
            Arc::clone(&self.0),
            subject,
            figures,
            receiver,
            closing,
            client,
        ))
    }

    /// Ends every stream, and begins none any more.
    pub(crate) fn close(&self) {
        self.0.closing.send_replace(true);
    }
}

fn too_many(detail: String) -> Problem {
    Problem::new(Code::TooManyWatchers, detail).retry_after(AGAIN)
}

impl Inner {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Nothing in here is left half done by a panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn watch_one(&mut self, id: OnboardingId) -> Result<broadcast::Receiver<Bytes>, Problem> {
        self.forget_unwatched();
        if self.watched.len() >= WATCHED_MAX && !self.watched.contains_key(&id) {
            return Err(too_many(format!(
                "{WATCHED_MAX} onboardings are watched one by one already, which is as many as allowed; ask again later, or watch all"
            )));
        }
        let watched = self.watched.entry(id).or_insert_with(|| Watched {
            sender: broadcast::Sender::new(LAG_MAX),
            last: String::new(),
        });
        Ok(watched.sender.subscribe())
    }

    fn forget_unwatched(&mut self) {
        self.watched
            .retain(|_, watched| watched.sender.receiver_count() > 0);
    }
}
