//! A worker that runs beside a command, and what it tells.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use onboarding::{AccountName, OnboardingId, State};
use store::{Store, WorkerName};
use telemetry::Metrics;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
};
use worker::{Event, Observer, RetryPolicy, Served, Stats};

use crate::{
    accounts::{Accounts, Keys, client_config},
    error::{Error, Result},
    progress::Settling,
    settings::Settings,
};

/// How long events are gathered: not to be noticed by a person.
const GATHER: Duration = Duration::from_millis(10);

/// Most events of one gathering: bounds what is read at once.
const GATHER_MAX: usize = 512;

/// What a command hears of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// An onboarding ended in this state; the store knows more.
    Finished(OnboardingId, State),
    /// An account was parked, or a parked one goes on: others are blocked now.
    BlockingChanged,
}

/// What a worker tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something happened.
    Happened(Happened),
    /// It has ended; it is not to be asked again.
    Ended(Result<Stats>),
}

/// Onboardings that wait because an earlier request may still be processed, and until when.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<HashMap<OnboardingId, Instant>>>);

impl Waiting {
    fn begin(&self, id: OnboardingId, delay: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, Instant::now() + delay);
    }

    fn now(&self) -> Settling {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, until| *until > now);
        let longest = all.values().max().map(|until| until.duration_since(now));
        Settling {
            count: all.len() as u64,
            longest: longest.unwrap_or_default(),
        }
    }
}

/// Passes on what happens.
struct Ear {
    tell: mpsc::UnboundedSender<Happened>,
    waiting: Waiting,
    /// Counts all of it.
    metrics: Arc<Metrics>,
}

impl Observer for Ear {
    fn event(&self, event: Event<'_>) {
        self.metrics.event(event);
        let happened = match event {
            Event::Finished { id, state } => Happened::Finished(id, state),
            Event::Parked { .. } | Event::Resumed { .. } => Happened::BlockingChanged,
            Event::Settling { id, delay, .. } => {
                self.waiting.begin(id, delay);
                return;
            }
            Event::Request { .. } | Event::Closed { .. } | _ => return,
        };
        // Nobody listens at the end of the command.
        let _ = self.tell.send(happened);
    }
}

/// A worker's name: unique per start, on whatever machine. In containers every process has the same
/// number, and two may start in the same millisecond.
pub(crate) fn name() -> WorkerName {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let started = since_epoch.unwrap_or_default().as_millis();
    let system = rustix::system::uname();
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let host: String = system
        .nodename()
        .to_string_lossy()
        .chars()
        .filter(kept)
        .take(40)
        .collect();
    let process = std::process::id();
    let drawn: u32 = rand::random();
    WorkerName(format!("{host}-{process}-{started}-{drawn:08x}"))
}

/// The settings as the worker takes them.
pub(crate) fn settings(name: WorkerName, settings: &Settings) -> worker::Settings {
    let mut own = worker::Settings::new(name);
    own.concurrency = settings.concurrency;
    own.lease = settings.lease;
    own.request_timeout = settings.request_timeout;
    own.settling = settings.settling;
    own.late_check = settings.late_check;
    own.shutdown_timeout = settings.shutdown_timeout;
    own.follow = Some(telemetry::trace::follow);
    // A database is one worker's.
    own.workers = if settings.store.starts_with("sqlite:") {
        1
    } else {
        settings.workers_max
    };
    own.account_probe = settings.account_probe;
    own.retry = RetryPolicy {
        base: settings.retry_first,
        cap: settings.retry_max,
        attempts: settings.attempts_max,
        never_sent_attempts: settings.never_sent_attempts_max,
    };
    own
}

/// The accounts of `names` that can be used, as the worker takes them. `simulator` is the base URL that stands in
/// for their own.
pub(crate) fn accounts<'n>(
    names: impl IntoIterator<Item = &'n AccountName>,
    accounts: &Accounts,
    keys: &BTreeMap<AccountName, Keys>,
    simulator: Option<&str>,
    settings: &Settings,
) -> Vec<worker::Account> {
    let made_up = Keys::made_up();
    names
        .into_iter()
        .filter_map(|name| {
            let account = accounts.find(name)?;
            // Without a key it cannot be served; the simulator takes any.
            let keys = keys.get(name).or(simulator.map(|_| &made_up))?;
            let config = client_config(&account, keys, simulator, settings);
            Some(worker::Account::new(name.clone(), config, account.limits()))
        })
        .collect()
}

/// A running worker.
pub(crate) struct WorkerRun {
    task: JoinHandle<Result<Stats, worker::Error>>,
    stop: watch::Sender<bool>,
    events: mpsc::UnboundedReceiver<Happened>,
    waiting: Waiting,
}

impl WorkerRun {
    /// Starts it. With `drain` it ends when nothing is left to run.
    pub(crate) fn start(
        name: WorkerName,
        store: Arc<dyn Store>,
        accounts: impl Into<Served>,
        settings: &Settings,
        drain: bool,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (tell, events) = mpsc::unbounded_channel();
        let (stop, mut stopped) = watch::channel(false);
        let mut own = self::settings(name, settings);
        own.drain = drain;
        let waiting = Waiting::default();
        own.observer = Some(Arc::new(Ear {
            tell,
            waiting: waiting.clone(),
            metrics,
        }));
        let asked = async move {
            // Also where whoever would ask is gone.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let task = tokio::spawn(worker::run(own, store, accounts.into(), asked));
        Self {
            task,
            stop,
            events,
            waiting,
        }
    }

    /// What waits until an earlier request is certain.
    pub(crate) fn settling(&self) -> Settling {
        self.waiting.now()
    }

    /// What it tells next; its end once it has ended and everything was told.
    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            Some(happened) = self.events.recv() => Told::Happened(happened),
            ended = &mut self.task => {
                Told::Ended(joined(ended))
            }
        }
    }

    /// What happened, and what else happened at about that time: a busy worker ends thousands a
    /// second, and the store is asked about them together.
    pub(crate) async fn gather(&mut self, first: Happened) -> Vec<Happened> {
        tokio::time::sleep(GATHER).await;
        let mut all = vec![first];
        while all.len() < GATHER_MAX
            && let Some(next) = self.heard()
        {
            all.push(next);
        }
        all
    }

    /// What it told and nobody heard yet.
    pub(crate) fn heard(&mut self) -> Option<Happened> {
        self.events.try_recv().ok()
    }

    /// Asks it to finish the requests in flight and to give its leases back.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stopped(&mut self) -> Result<Stats> {
        self.ask_to_stop();
        joined((&mut self.task).await)
    }
}

fn joined(ended: Result<Result<Stats, worker::Error>, JoinError>) -> Result<Stats> {
    match ended {
        Ok(ended) => outcome(ended),
        Err(error) => Err(Error::failed("the worker broke", &error)),
    }
}

/// How a worker ended, as a command's outcome.
pub(crate) fn outcome(ended: Result<Stats, worker::Error>) -> Result<Stats> {
    match ended {
        Ok(stats) => Ok(stats),
        Err(worker::Error::Settings(message)) => Err(Error::refused("settings", message)),
        Err(worker::Error::Store(error)) => Err(Error::from(error).once_begun()),
        Err(error) => Err(Error::failed("the worker ended", &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workers_that_start_at_once_have_two_names() {
        assert_ne!(name(), name());
    }
}
