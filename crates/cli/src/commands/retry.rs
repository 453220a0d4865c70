//! `trunkline retry`.

use onboarding::State;
use records::{OnboardingRecord, Parked};
use store::{Filter, Onboarding, Retried, Store};

use crate::{
    args::Retry as Args,
    error::{Result, refuse_if_any},
    exit::Exit,
    lookup::{self, Pages},
    output::{Output, counted, note},
    problem::Problem,
    settings::Settings,
    store_place,
};

/// Queues failed or cancelled onboardings again: all that were named, or none.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings).await?;
    if args.all {
        return all(&*store, output).await;
    }
    let named = lookup::all(&*store, &args.ids).await?;
    let problems = named
        .iter()
        .filter(|own| !matches!(own.state, State::Failed | State::Cancelled))
        .map(|own| Problem::new("ID", not_now(own, own.state)))
        .collect();
    refuse_if_any(problems)?;
    let mut exit = Exit::Done;
    for own in &named {
        exit = exit.max(one(&*store, own, output).await?);
    }
    Ok(exit)
}

async fn all(store: &dyn Store, output: &mut Output) -> Result<Exit> {
    let failed = Filter {
        state: Some(State::Failed),
        ..Filter::default()
    };
    let mut exit = Exit::Done;
    let mut count = 0_u64;
    let mut pages = Pages::of(store, failed);
    while let Some(page) = pages.next().await? {
        for own in &page {
            exit = exit.max(one(store, own, output).await?);
            count += 1;
        }
    }
    note(format_args!("{} failed", counted(count, "onboarding")));
    Ok(exit)
}

async fn one(store: &dyn Store, own: &Onboarding, output: &mut Output) -> Result<Exit> {
    match store.retry(own.id, false).await? {
        Retried::Queued => {
            output.line(format_args!("{} {} is queued again", own.id, own.key));
            if output.json()
                && let Some(now) = store.get(own.id).await?
            {
                output.record(&OnboardingRecord::of(&now, &Parked::read(store).await?));
            }
            Ok(Exit::Done)
        }
        // Something else changed it since it was looked at.
        Retried::NotNow(state) => {
            note(not_now(own, state));
            Ok(Exit::Left)
        }
        Retried::Unknown => {
            note(format_args!("{} is gone", own.id));
            Ok(Exit::Left)
        }
    }
}

fn not_now(own: &Onboarding, state: State) -> String {
    format!(
        "{} ({}) is {state}; only failed or cancelled onboardings can be tried again",
        own.id, own.key
    )
}
