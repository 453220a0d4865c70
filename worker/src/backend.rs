//! The store as an apalis backend. Nothing outside of this module and `run` touches apalis.
//!
//! Tasks come over a channel that the claimer feeds, and are acknowledged in the layer that every
//! task passes first: apalis neither fetches nor acknowledges, so none of its states can keep a
//! task or an acknowledgement back.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    error::BoxDynError,
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use onboarding::{Fault, StepState};
use store::{Advance, Advanced, Claim, Then, WriteId};
use tokio::{sync::mpsc, time::Instant};
use tower::{Layer, Service};

use crate::{
    claimer,
    execute::Ending,
    lease::Held,
    observe::{Event, count},
    shared::Shared,
};

/// One claimed onboarding on its way to a handler.
pub(crate) struct Job {
    pub(crate) claim: Claim,
    pub(crate) held: Arc<Held>,
    /// From before the call that claimed it.
    pub(crate) claimed: Instant,
}

/// The end of the channel that the worker reads. Shared with the shutdown, which gives back what
/// is left in it.
pub(crate) type Jobs = Arc<Mutex<mpsc::Receiver<Job>>>;

/// Takes what is left, once nothing more is started.
pub(crate) fn leftover(jobs: &Jobs) -> Option<Job> {
    jobs.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .try_recv()
        .ok()
}

/// The store, as far as apalis sees it.
pub(crate) struct StoreBackend {
    jobs: Jobs,
    ack: AckLayer,
    started: u64,
}

impl StoreBackend {
    pub(crate) fn new(shared: Arc<Shared>, jobs: Jobs) -> Self {
        Self {
            jobs,
            ack: AckLayer(shared),
            started: 0,
        }
    }
}

impl Backend for StoreBackend {
    type Task = Task<Job>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Option<Result<Task<Job>, Infallible>>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match jobs.poll_recv(cx) {
            Poll::Ready(Some(job)) => {
                self.started += 1;
                let task = TaskBuilder::new(job)
                    .task_id(TaskId::from_int(self.started))
                    .build();
                Poll::Ready(Some(Ok(task)))
            }
            // The claimer ended, which it does at the stop only. The signal ends the worker; an
            // end of the stream would leave it waiting for one.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_close(
        &mut self,
        _cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for StoreBackend {
    type Args = Job;
    type Id = u64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = AckLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> AckLayer {
        self.ack.clone()
    }
}

/// Settles what a handler leaves: the outermost layer, so that it sees panics and time-outs too.
#[derive(Clone)]
pub(crate) struct AckLayer(Arc<Shared>);

impl<S> Layer<S> for AckLayer {
    type Service = Ack<S>;

    fn layer(&self, inner: S) -> Ack<S> {
        Ack {
            shared: Arc::clone(&self.0),
            inner,
        }
    }
}

/// See [`AckLayer`].
pub(crate) struct Ack<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> Service<Task<Job>> for Ack<S>
where
    S: Service<Task<Job>, Response = Ending>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxDynError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let held = Arc::clone(&task.args.held);
        let shared = Arc::clone(&self.shared);
        let handled = self.inner.call(task);
        Box::pin(async move {
            let handled = handled.await.ok();
            let ending = match handled {
                Some(ending) => ending,
                None => broken(&shared, &held).await,
            };
            record(&shared, &held, ending);
            Ok(())
        })
    }
}

fn record(shared: &Shared, held: &Held, ending: Ending) {
    let counters = &shared.counters;
    count(match ending {
        Ending::Succeeded => &counters.succeeded,
        Ending::Failed => &counters.failed,
        Ending::Cancelled => &counters.cancelled,
        Ending::Released => &counters.released,
        Ending::Lost => &counters.lost,
    });
    if ending == Ending::Lost {
        let account = &held.lease.account;
        shared.tell(Event::LeaseLost { account });
    }
    claimer::forget(shared, held);
    if let Some(state) = ending.state() {
        shared.no_trouble(held.lease.id);
        let id = held.lease.id;
        shared.tell(Event::Finished { id, state });
    }
}

/// A handler panicked or hung: what it may have sent is in doubt and is recorded so, which counts
/// as an attempt, so that an onboarding that always breaks its handler ends as failed. Where no
/// step was under way, the lease is given back in doubt.
async fn broken(shared: &Shared, held: &Held) -> Ending {
    count(&shared.counters.broken);
    let account = &held.lease.account;
    shared.tell(Event::Broken { account });
    tracing::error!(
        onboarding = %held.lease.id,
        account = %held.lease.account,
        epoch = held.lease.epoch,
        "a handler broke; its onboarding is read back before it goes on"
    );
    let Some((index, mut record)) = held.end() else {
        let abandon = Advance {
            write: WriteId::draw(),
            steps: Vec::new(),
            settled: Vec::new(),
            then: Then::Abandon,
            late_check: false,
        };
        let abandoned = shared.store.advance(&held.lease, abandon).await;
        return abandoned.map_or(Ending::Lost, |_| Ending::Released);
    };
    record.attempts = record.attempts.saturating_add(1);
    let fault = Fault {
        code: "internal".into(),
        message: "Trunkline itself broke while it ran this step, so its outcome is not known; the log has the cause. Please report it, then run `trunkline retry`".into(),
    };
    record.error = Some(fault.clone());
    let policy = &shared.settings.retry;
    let failed = record.attempts >= policy.attempts;
    let then = if failed {
        if record.state != StepState::Unknown {
            record.state = StepState::Failed;
        }
        let step = Some(index);
        Then::Fail { fault, step }
    } else {
        let delay = policy.delay(record.attempts);
        Then::Release { delay }
    };
    let advance = Advance {
        write: WriteId::draw(),
        steps: vec![(index, record)],
        // The permit went down with the handler; it comes back by itself.
        settled: Vec::new(),
        then,
        late_check: shared.settings.checks_late(),
    };
    match shared.store.advance(&held.lease, advance).await {
        Ok(Advanced::Cancelled) => Ending::Cancelled,
        Ok(_) if failed => Ending::Failed,
        Ok(_) => Ending::Released,
        Err(_) => Ending::Lost,
    }
}

/// A handler on a task of its own that ends with whoever waits for it.
pub(crate) struct Spawned<T>(tokio::task::JoinHandle<T>);

/// Runs a handler on a task of its own, so that all cores are used.
pub(crate) fn spawn<F>(handler: F) -> Spawned<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Spawned(tokio::spawn(handler))
}

impl<T> Future for Spawned<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The longest time that one handler may hold its lease. A last resort above everything that has
/// its own bound: even a probe of thousands of pages at the account's allowance takes less.
pub(crate) const LONGEST_HANDLER: Duration = Duration::from_secs(60 * 60);
