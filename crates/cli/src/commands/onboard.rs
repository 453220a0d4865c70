//! `trunkline onboard`: enqueue, work, print.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use onboarding::{AccountName, OnboardingId, State};
use records::Handoffs;
use store::{Inspect, Intake, Tally};
use telemetry::Metrics;

use crate::{
    accounts::Accounts,
    args::Onboard as Args,
    batch::Batch,
    commands::work::finished,
    error::{Error, Result, unless_away},
    exit::Exit,
    handoff_folder::Folder,
    late_checks,
    output::{Output, counted, note},
    progress::{Counts, Progress},
    settings::Settings,
    signals::Shutdown,
    signups, simulator, store_place,
    worker_run::{self, Happened, Told, WorkerRun},
};

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// After so much quiet it is looked whether the store's counts changed.
const QUIET: Duration = Duration::from_secs(1);

/// How long of each tick it is looked at what others ended: a tenth beside a worker that is busy,
/// half while it has nothing to do.
const BESIDE_WORK: Duration = Duration::from_millis(20);
const WHILE_QUIET: Duration = Duration::from_millis(100);

/// After this all that is waited for is looked at, whatever the counts say.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Runs the command.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let started = Instant::now();
    let accounts = Accounts::load(settings, args.world.sandbox)?;
    let unlocked = accounts.unlock(settings).refuse_if_none()?;
    unlocked.tell();
    let folder = args.out.as_deref().map(Folder::make).transpose()?;
    let store = store_place::open(settings, args.world.kind()).await?;
    let mut shutdown = Shutdown::on_signals().map_err(|error| Error::failed("signals", &error))?;
    let name = worker_run::name();
    // Takes the one worker's place, before anything is accepted that another process would run.
    store.register(&name, &[]).await?;

    let simulator = match args.world.sandbox {
        true => Some(simulator::start(settings, &accounts).await?),
        false => None,
    };

    let Some((ids, duplicates)) = accept(args, &accounts, settings, &*store, &mut shutdown).await?
    else {
        note("stopped before anything was accepted");
        return Ok(Exit::Left);
    };
    let handoffs = Handoffs::new(&*store, &accounts);
    let mut batch = Batch::new(&*store, handoffs, folder.as_ref());
    batch.wait_for(ids);
    batch.set_aside(&unlocked.unusable(), output).await?;
    if duplicates > 0 {
        // From here on a store that is away for a while is waited for.
        unless_away(batch.look_at_all(output).await)?;
    }
    let mut requests = 0;
    let base_url = simulator.as_ref().map(|running| running.base_url());
    let names = served(&*store, &accounts).await?;
    let own = || {
        worker_run::accounts(
            &names,
            &accounts,
            &unlocked.keys,
            base_url.as_deref(),
            settings,
        )
    };
    if !batch.is_over() {
        let worker = WorkerRun::start(
            name.clone(),
            Arc::clone(&store),
            own(),
            settings,
            false,
            Arc::new(Metrics::new()),
        );
        requests = watch(&mut batch, worker, &*store, &mut shutdown, settings, output).await?;
    }
    requests += late_checks::make(name, &store, own(), settings, &mut shutdown).await?;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    let told = batch.tell_blocked(false, output).await;
    told.map_err(Error::once_begun)?;
    let exit = end(&batch, requests, started, folder.as_ref(), output);
    late_checks::tell_left(&*store)
        .await
        .map_err(Error::once_begun)?;
    Ok(exit)
}

/// Every account that a worker serves: those of the file, and in the sandbox those of the store.
pub(crate) async fn served(store: &dyn Inspect, accounts: &Accounts) -> Result<Vec<AccountName>> {
    let mut names: Vec<AccountName> = accounts.names().cloned().collect();
    for status in store.accounts().await? {
        if accounts.find(&status.name).is_some() && !names.contains(&status.name) {
            names.push(status.name);
        }
    }
    Ok(names)
}

/// Accepts the input; `None` when a signal came first.
async fn accept(
    args: &Args,
    accounts: &Accounts,
    settings: &Settings,
    store: &dyn Intake,
    shutdown: &mut Shutdown,
) -> Result<Option<(HashSet<OnboardingId>, u64)>> {
    let mut ids = HashSet::new();
    let on_id = |id| {
        ids.insert(id);
    };
    let report = tokio::select! {
        report = signups::enqueue(&args.input, accounts, settings, store, on_id) => report?,
        () = shutdown.asked() => return Ok(None),
    };
    note(format_args!(
        "{}: {} accepted, {} there before",
        counted(report.total, "signup"),
        report.accepted,
        report.duplicates
    ));
    Ok(Some((ids, report.duplicates)))
}

/// Waits until the batch is over or a signal comes, and ends the worker. Returns the requests sent.
async fn watch(
    batch: &mut Batch<'_>,
    mut worker: WorkerRun,
    store: &dyn Inspect,
    shutdown: &mut Shutdown,
    settings: &Settings,
    output: &mut Output,
) -> Result<u64> {
    let mut progress = Progress::start(settings);
    // The rate is that from here on.
    progress.update(batch.counts());
    let mut lookout = Lookout::new(store_place::is_shared(settings));
    let mut tick = tokio::time::interval(TICK);
    let waited = loop {
        if batch.is_over() {
            break Ok(());
        }
        let stepped = tokio::select! {
            told = worker.next() => match told {
                Told::Happened(happened) => {
                    lookout.heard = Instant::now();
                    let happened = worker.gather(happened).await;
                    hear(batch, happened, lookout.shared, output).await
                }
                Told::Ended(ended) => {
                    ended?;
                    return Err(Error::Failed("the worker ended before its work; start it again".into()));
                }
            },
            () = shutdown.asked() => break Ok(()),
            _ = tick.tick() => {
                output.flush();
                let looked = progress.look_at_accounts(store, batch.counts()).await;
                progress.update(&Counts { settling: worker.settling(), ..*batch.counts() });
                let looked = unless_away(looked).map(drop);
                looked
                    .and(lookout.look(batch, store, output).await)
                    .and(batch.catch_up(output).await)
            }
        };
        if stepped.is_err() {
            break stepped;
        }
    };
    // Also after a failure: what is in flight is finished and recorded.
    let stats = worker.stopped().await;
    waited.map_err(Error::once_begun)?;
    while let Some(happened) = worker.heard() {
        let happened = worker.gather(happened).await;
        let heard = hear(batch, happened, lookout.shared, output).await;
        heard.map_err(Error::once_begun)?;
    }
    Ok(stats?.requests)
}

async fn hear(
    batch: &mut Batch<'_>,
    happened: Vec<Happened>,
    shared: bool,
    output: &mut Output,
) -> Result<()> {
    let changed = happened.contains(&Happened::BlockingChanged);
    batch.finished(finished(happened), output).await?;
    if changed && !shared {
        unless_away(batch.count_blocked().await)?;
    }
    Ok(())
}

/// Looks whether somebody else ended or blocked what is waited for: in a store of one worker while
/// that one is quiet, in a shared one all the time.
struct Lookout {
    /// Whether others work in the store too.
    shared: bool,
    /// All were looked at; the next round begins a little later.
    went_round: bool,
    /// When the worker told something.
    heard: Instant,
    looked: Instant,
    /// How long not to look at everything.
    pause: Duration,
    seen: Option<Tally>,
}

impl Lookout {
    fn new(shared: bool) -> Self {
        let now = Instant::now();
        Self {
            shared,
            went_round: false,
            heard: now,
            looked: now,
            pause: LOOK_AGAIN,
            seen: None,
        }
    }

    async fn look(
        &mut self,
        batch: &mut Batch<'_>,
        store: &dyn Inspect,
        output: &mut Output,
    ) -> Result<()> {
        let looked = if self.shared {
            self.look_around(batch, output).await
        } else {
            self.look_if_quiet(batch, store, output).await
        };
        unless_away(looked).map(drop)
    }

    async fn look_around(&mut self, batch: &mut Batch<'_>, output: &mut Output) -> Result<()> {
        if self.went_round && self.looked.elapsed() < QUIET {
            return Ok(());
        }
        let quiet = self.heard.elapsed() >= QUIET;
        let budget = if quiet { WHILE_QUIET } else { BESIDE_WORK };
        self.went_round = batch.look_further(budget, output).await?;
        self.looked = Instant::now();
        Ok(())
    }

    async fn look_if_quiet(
        &mut self,
        batch: &mut Batch<'_>,
        store: &dyn Inspect,
        output: &mut Output,
    ) -> Result<()> {
        if self.heard.elapsed() < QUIET {
            return Ok(());
        }
        self.heard = Instant::now();
        let tally = store.tally().await?;
        let unfinished =
            tally.of(State::Queued) + tally.of(State::Running) + tally.of(State::Blocked);
        let changed = self.seen.as_ref() != Some(&tally);
        let counts = batch.counts();
        let missing = unfinished < counts.total - counts.finished();
        if (changed && missing) || self.looked.elapsed() > self.pause {
            let begun = Instant::now();
            batch.look_at_all(output).await?;
            self.looked = Instant::now();
            // A fiftieth of the time at most is spent on looking.
            self.pause = LOOK_AGAIN.max(begun.elapsed() * 50);
        } else if tally.of(State::Blocked) != batch.blocked_in_store() {
            // Those in hand when an account is parked become blocked a little later.
            batch.count_blocked().await?;
        }
        self.seen = Some(tally);
        Ok(())
    }
}

/// Prints the summary.
pub(crate) fn end(
    batch: &Batch<'_>,
    requests: u64,
    started: Instant,
    folder: Option<&Folder>,
    output: &mut Output,
) -> Exit {
    let counts = batch.counts();
    let elapsed = started.elapsed();
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    output.record(&counts.summary(requests, elapsed_ms));
    output.line(format_args!(
        "{}: {} succeeded, {} failed, {} blocked, {} cancelled; {} in {:.1} s",
        counted(counts.total, "onboarding"),
        counts.succeeded,
        counts.failed,
        counts.blocked,
        counts.cancelled,
        counted(requests, "request"),
        elapsed.as_secs_f64()
    ));
    if counts.open() > 0 {
        note(format_args!(
            "{} are not finished; the same command, or `trunkline work`, goes on with them",
            counts.open()
        ));
    }
    if batch.gone() > 0 {
        note(format_args!(
            "{} ended and left the store before they were looked at, so nothing is known of them here; raise keep_finished_days",
            counted(batch.gone(), "onboarding")
        ));
    }
    if counts.credentials_live > 0 {
        note(format_args!(
            "{} stopped because their credentials are in use with a password that this store does not have: if another store made them, take the handoffs from there; otherwise `trunkline retry --all --replace-credentials` replaces the credentials, and the partner's calls fail from then on until it has the new handoff",
            counts.credentials_live
        ));
    }
    if let Some(folder) = folder {
        note(format_args!(
            "handoffs of the succeeded ones are in {}",
            folder.path().display()
        ));
    }
    if batch.leaves_something() {
        Exit::Left
    } else {
        Exit::Done
    }
}
