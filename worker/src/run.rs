//! Starting and ending a worker.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use apalis::layers::{TimeoutLayer, catch_panic::CatchPanicLayer, tracing::TraceLayer};
use apalis_core::{
    monitor::Monitor,
    task::Task,
    worker::{builder::WorkerBuilder, ext::parallelize::ParallelizeLayer},
};
use store::{Claim, Store};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tracing::Span;

use crate::{
    Error, Served, Settings, Stats,
    backend::{self, Job, Jobs, StoreBackend},
    claimer, execute, late_check, lease, served,
    settings::Follow,
    shared::Shared,
};

/// Runs a worker until `shutdown` is ready, or, with [`Settings::drain`], until nothing is left to
/// run. The accounts that it serves are a list of them, or a [`Served`], to which more may be added.
///
/// After the shutdown nothing more is claimed; running onboardings finish the request in flight,
/// record it and give their lease back. What does not within [`Settings::shutdown_timeout`] is cut
/// and left in doubt, so that the next claim reads back first. Dropping the future cuts everything
/// at once; leases then end by themselves.
///
/// # Errors
///
/// [`Error::Settings`] and [`Error::Store`] before anything is started; [`Error::Store`] later on
/// when a person has to see to the store, while one that is only away for a while is waited for;
/// [`Error::Runtime`] when it ended though nobody asked it to.
pub async fn run(
    settings: Settings,
    store: Arc<dyn Store>,
    accounts: impl Into<Served>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Stats, Error> {
    settings.validate()?;
    let served = accounts.into();
    let limits = served.limits();
    store.register(&settings.worker_name, &limits).await?;
    let concurrency = settings.concurrency;
    let shared = Arc::new(Shared::new(settings, store, served));
    tracing::info!(
        worker = %shared.settings.worker_name,
        accounts = limits.len(),
        concurrency,
        "worker started"
    );

    let slots = Arc::new(Semaphore::new(concurrency));
    let (sender, receiver) = mpsc::channel(concurrency);
    let jobs: Jobs = Arc::new(Mutex::new(receiver));
    let renewing = Background(tokio::spawn(lease::renew_all(Arc::clone(&shared))));
    let mut checking = Background(tokio::spawn(late_check::check_all(Arc::clone(&shared))));
    let registering = Background(tokio::spawn(served::register_new(Arc::clone(&shared))));
    let saying = Background(tokio::spawn(served::say(Arc::clone(&shared))));
    let mut claiming = Background(tokio::spawn(claimer::claim_all(
        Arc::clone(&shared),
        Arc::clone(&slots),
        sender,
    )));

    let asked = monitor(&shared, &jobs, shutdown, &mut claiming).await;
    shared.stop.raise();
    // Ends by itself at the stop, once a claim that is under way was given back.
    if !claiming.0.is_finished() {
        let _ = tokio::time::timeout(shared.settings.request_timeout, &mut claiming.0).await;
    }
    while let Some(job) = backend::leftover(&jobs) {
        claimer::give_back(&shared, job, Duration::ZERO).await;
    }
    abandon(&shared, &slots).await;
    // Their requests in flight end too, and what is not done is due again at once.
    let _ = tokio::time::timeout(shared.settings.request_timeout, &mut checking.0).await;
    drop((renewing, registering, saying));
    leave(&shared).await;
    let stats = shared.counters.read();
    tracing::info!(
        worker = %shared.settings.worker_name,
        requests = stats.requests,
        succeeded = stats.succeeded,
        failed = stats.failed,
        "worker ended"
    );
    asked.map(|()| stats)
}

/// A task that ends with whoever holds this.
struct Background<T>(JoinHandle<T>);

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs the apalis worker until the stop and until its handlers ended or were cut.
///
/// The layers from outside: our acknowledgement (the backend's own), a task per handler, the
/// last-resort time-out, the span, the panic catcher. The span is within the task, because spans do not
/// follow a future onto another one.
async fn monitor(
    shared: &Arc<Shared>,
    jobs: &Jobs,
    shutdown: impl Future<Output = ()> + Send + 'static,
    claiming: &mut Background<store::Result<()>>,
) -> Result<(), Error> {
    let limit = shared.settings.shutdown_timeout;
    let factory = {
        let shared = Arc::clone(shared);
        let jobs = Arc::clone(jobs);
        move |_| {
            let handler = Arc::clone(&shared);
            WorkerBuilder::new(shared.settings.worker_name.0.as_str())
                .backend(StoreBackend::new(Arc::clone(&shared), Arc::clone(&jobs)))
                .layer(ParallelizeLayer::new(backend::spawn))
                .layer(TimeoutLayer::new(backend::LONGEST_HANDLER))
                .layer(traced(shared.settings.follow))
                .layer(CatchPanicLayer::new())
                .build(move |job: Job| execute::execute(Arc::clone(&handler), job))
        }
    };
    // Not `shutdown_timeout`, whose clock has a thread of its own. This one starts when it is
    // polled, which is at the signal.
    let monitor = Monitor::new()
        .register(factory)
        .with_terminator(async move { tokio::time::sleep(limit).await });
    let mut claimer_died = false;
    let mut store_failed = None;
    let signal = async {
        tokio::select! {
            () = shutdown => {}
            () = shared.stop.wait() => {}
            // Without it nothing would ever start again.
            ended = &mut claiming.0 => match ended {
                Ok(Err(error)) => store_failed = Some(error),
                Ok(Ok(())) | Err(_) => claimer_died = !shared.stop.is_raised(),
            },
        }
        shared.stop.raise();
        Ok(())
    };
    let ended = monitor.run_with_signal(signal).await;
    if let Some(error) = store_failed {
        return Err(Error::Store(error));
    }
    // The monitor drops a worker's error where there is a terminator: an end that nobody asked
    // for is one.
    if claimer_died || !shared.stop.is_raised() {
        let why = ended.err().map(|error| error.to_string());
        let unsaid = || "a part of it ended without a word; the log may have more".into();
        return Err(Error::Runtime(why.unwrap_or_else(unsaid)));
    }
    Ok(())
}

type OnStart = fn(&Task<Job>, &Span);

/// A span per onboarding. The layer's own events on start and end are left out: the executor tells
/// more. A failure is told by it: it is a panic, with its text.
fn traced(
    follow: Option<Follow>,
) -> TraceLayer<impl FnMut(&Task<Job>) -> Span + Clone, OnStart, ()> {
    TraceLayer::new()
        .make_span_with(move |task: &Task<Job>| span(&task.args.claim, follow))
        .on_request((|_, _| {}) as OnStart)
        .on_response(())
}

fn span(claim: &Claim, follow: Option<Follow>) -> Span {
    let span = tracing::debug_span!(
        "onboarding",
        onboarding = %claim.lease.id,
        account = %claim.lease.account,
        partner = %claim.partner,
        epoch = claim.lease.epoch,
    );
    if let (Some(follow), Some(trace)) = (follow, claim.trace) {
        follow(&span, trace);
    }
    span
}

/// Gives back what handlers still held when they were cut.
async fn abandon(shared: &Shared, slots: &Semaphore) {
    let held = shared.leases.len();
    if held == 0 {
        return;
    }
    // A cut handler is dropped at its next pause; until then it could still write.
    let all = u32::try_from(shared.settings.concurrency).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(LAST_PAUSE, slots.acquire_many(all)).await;
    match shared.store.abandon(&shared.settings.worker_name).await {
        Ok(given_back) => tracing::warn!(
            given_back,
            "requests in flight were cut at the shutdown's end; what they did is read back at the next start"
        ),
        Err(error) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            held,
            "leases could not be given back; they end by themselves"
        ),
    }
}

/// Says in the store that this worker has ended. Without it that is noticed a little later.
async fn leave(shared: &Shared) {
    let left = shared.store.heard(&shared.settings.worker_name, None);
    let _ = tokio::time::timeout(LAST_PAUSE, left).await;
}

/// How long cut handlers may take to be gone.
const LAST_PAUSE: Duration = Duration::from_millis(500);
