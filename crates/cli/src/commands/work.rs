//! `trunkline work`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use onboarding::{AccountName, OnboardingId, State};
use records::Handoffs;
use sandbox::Running;
use store::{Inspect, Store, WorkerName};
use telemetry::Metrics;
use worker::Served;

use crate::{
    accounts::{Accounts, Unlocked},
    args::Work as Args,
    background::Background,
    batch::Batch,
    commands::onboard::{end, served},
    error::{Error, Result, refuse_if_any, unless_away},
    exit::Exit,
    late_checks,
    newcomers::Newcomers,
    output::{Output, counted, note},
    problem::Problem,
    progress::{Counts, Progress, Settling},
    settings::Settings,
    signals::Shutdown,
    simulator, store_place,
    store_wait::when_there,
    worker_listener::Telling,
    worker_run::{self, Happened, Told, WorkerRun},
};

/// How often the progress is shown.
const TICK: Duration = Duration::from_secs(1);

/// Works until a signal comes, or until nothing is left to run.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let started = Instant::now();
    let accounts = Accounts::load(settings, args.world.sandbox)?;
    let unlocked = accounts.unlock(settings).refuse_if_none()?;
    unlocked.tell();
    let mut shutdown = Shutdown::on_signals().map_err(|error| Error::failed("signals", &error))?;
    let name = worker_run::name();
    let metrics = Arc::new(Metrics::new());
    let (telling, _listening) =
        Telling::start(settings, Arc::clone(&metrics), shutdown.clone()).await?;
    let begin = async || {
        let store = store_place::open(settings, args.world.kind()).await?;
        store.register(&name, &[]).await?;
        let names = served(&*store, &accounts).await?;
        // Another worker of a shared store may serve the accounts that this one does not know.
        let refuses = args.drain && !store_place::is_shared(settings);
        strangers(&*store, &accounts, refuses).await?;
        Ok((store, names))
    };
    let Some((store, names)) = when_there(&mut shutdown, begin).await? else {
        return Ok(Exit::Done);
    };
    telling.opened(&store);
    let starting = Starting {
        name,
        store: Arc::clone(&store),
        accounts: &accounts,
        unlocked: &unlocked,
        names: &names,
        metrics,
    };
    let (worker, beside) = starting.start(args, settings).await?;
    let mut batch = Batch::new(&*store, Handoffs::new(&*store, &accounts), None);
    let ended = watch(
        &mut batch,
        worker,
        &*store,
        &mut shutdown,
        args.drain,
        settings,
        output,
    );
    let requests = ended.await?;
    if let Some(simulator) = beside.simulator {
        simulator.stop().await;
    }
    if !args.drain {
        return Ok(Exit::Done);
    }
    let told = conclude(&mut batch, &*store, requests, started, output).await;
    told.map_err(Error::once_begun)
}

/// What it takes to start the worker.
struct Starting<'s> {
    name: WorkerName,
    store: Arc<dyn Store>,
    accounts: &'s Accounts,
    unlocked: &'s Unlocked,
    names: &'s [AccountName],
    metrics: Arc<Metrics>,
}

/// What runs beside the worker and ends with it.
struct Beside {
    simulator: Option<Running>,
    _taking_up: Option<Background>,
}

impl Starting<'_> {
    async fn start(self, args: &Args, settings: &Settings) -> Result<(WorkerRun, Beside)> {
        let accounts = self.accounts;
        let simulator = match args.world.sandbox {
            true => Some(simulator::start(settings, accounts).await?),
            false => None,
        };
        let base_url = simulator.as_ref().map(|running| running.base_url());
        let url = base_url.as_deref();
        let keys = &self.unlocked.keys;
        let own = worker_run::accounts(self.names, accounts, keys, url, settings);
        let served = Served::from(own);
        served.cannot_serve(self.unlocked.unusable());
        let newcomers = Newcomers {
            served: served.clone(),
            store: Arc::clone(&self.store),
            accounts: accounts.clone(),
            simulator: base_url,
            settings: settings.clone(),
            told: self.unlocked.unusable(),
        };
        let worker = WorkerRun::start(
            self.name,
            self.store,
            served,
            settings,
            args.drain,
            self.metrics,
        );
        // One that drains is for what is there when it starts.
        let taking_up = (!args.drain).then(|| Background::start(newcomers.take_up()));
        let beside = Beside {
            simulator,
            _taking_up: taking_up,
        };
        Ok((worker, beside))
    }
}

/// Tells how everything stands at the end.
async fn conclude(
    batch: &mut Batch<'_>,
    store: &dyn Inspect,
    requests: u64,
    started: Instant,
    output: &mut Output,
) -> Result<Exit> {
    batch.tell_blocked(true, output).await?;
    let exit = end(batch, requests, started, None, output);
    late_checks::tell_left(store).await?;
    Ok(exit.max(left(store, batch.counts()).await?))
}

/// What was left by earlier runs, or by this one because of a signal.
async fn left(store: &dyn Inspect, counts: &Counts) -> Result<Exit> {
    let tally = store.tally().await?;
    let failed = tally.of(State::Failed).saturating_sub(counts.failed);
    let open = tally.of(State::Queued) + tally.of(State::Running);
    if failed > 0 {
        note(format_args!(
            "{failed} failed in earlier runs, or in other workers, and are left failed"
        ));
    }
    if open > 0 {
        note(format_args!("{open} are left to run"));
    }
    Ok(if failed + open > 0 {
        Exit::Left
    } else {
        Exit::Done
    })
}

/// Onboardings of accounts that no file names would wait for ever: told, and refused where the
/// command waits for their end.
async fn strangers(store: &dyn Inspect, accounts: &Accounts, refuses: bool) -> Result<()> {
    let mut problems = Vec::new();
    for status in store.accounts().await? {
        let waiting = status.waiting + status.running;
        if waiting > 0 && status.parked.is_none() && accounts.find(&status.name).is_none() {
            let message = format!(
                "{} left for it, but {}",
                counted(waiting, "onboarding"),
                accounts.unknown(&status.name)
            );
            problems.push(Problem::new(format!("accounts.{}", status.name), message));
        }
    }
    if refuses {
        return refuse_if_any(problems);
    }
    problems.iter().for_each(note);
    Ok(())
}

/// Shows what happens until the worker ends. Returns the requests sent.
async fn watch(
    batch: &mut Batch<'_>,
    mut worker: WorkerRun,
    store: &dyn Inspect,
    shutdown: &mut Shutdown,
    drain: bool,
    settings: &Settings,
    output: &mut Output,
) -> Result<u64> {
    let mut progress = Progress::start(settings);
    let mut tick = tokio::time::interval(TICK);
    let mut asked = false;
    let stats = loop {
        let stepped = tokio::select! {
            told = worker.next() => match told {
                Told::Happened(first) => {
                    let happened = worker.gather(first).await;
                    hear(batch, happened, drain, output).await
                }
                Told::Ended(stats) => break stats?,
            },
            () = shutdown.asked(), if !asked => {
                asked = true;
                worker.ask_to_stop();
                Ok(())
            }
            _ = tick.tick() => {
                output.flush();
                let shown = show(&mut progress, store, worker.settling()).await;
                shown.and(batch.catch_up(output).await)
            }
        };
        if let Err(error) = stepped {
            // What is in flight is finished, and recorded as far as that can still be done.
            let _ = worker.stopped().await;
            return Err(error.once_begun());
        }
    };
    while let Some(happened) = worker.heard() {
        let happened = worker.gather(happened).await;
        let heard = hear(batch, happened, drain, output).await;
        heard.map_err(Error::once_begun)?;
    }
    let caught_up = batch.catch_up(output).await;
    caught_up.map_err(Error::once_begun)?;
    tracing::info!(requests = stats.requests, "worker ended");
    Ok(stats.requests)
}

/// Takes in what ended, where its end is told.
async fn hear(
    batch: &mut Batch<'_>,
    happened: Vec<Happened>,
    drain: bool,
    output: &mut Output,
) -> Result<()> {
    if drain {
        batch.take_in(finished(happened), output).await?;
    }
    Ok(())
}

/// Shows how far the store is, if it answers.
async fn show(progress: &mut Progress, store: &dyn Inspect, settling: Settling) -> Result<()> {
    // A store that is away must not keep a signal from being heard.
    if let Ok(counted) = tokio::time::timeout(TICK, counts(store)).await
        && let Some(counts) = unless_away(counted)?
    {
        let looked = progress.look_at_accounts(store, &counts);
        if let Ok(looked) = tokio::time::timeout(TICK, looked).await {
            unless_away(looked)?;
        }
        progress.update(&Counts { settling, ..counts });
    }
    Ok(())
}

/// The onboardings that ended, and how.
pub(crate) fn finished(happened: Vec<Happened>) -> Vec<(OnboardingId, State)> {
    let ended = happened.into_iter().filter_map(|happened| match happened {
        Happened::Finished(id, state) => Some((id, state)),
        Happened::BlockingChanged => None,
    });
    ended.collect()
}

/// How the whole store stands.
async fn counts(store: &dyn Inspect) -> Result<Counts> {
    let tally = store.tally().await?;
    Ok(Counts {
        total: tally.total(),
        succeeded: tally.of(State::Succeeded),
        failed: tally.of(State::Failed),
        blocked: tally.of(State::Blocked),
        cancelled: tally.of(State::Cancelled),
        ..Counts::default()
    })
}
