//! `trunkline retry`.

use onboarding::{OnboardingId, State};
use records::{OnboardingRecord, Parked, has_live_credentials};
use store::{Filter, Inspect, Onboarding, Retried, Store};

use crate::{
    args::Retry as Args,
    confirm::confirmed,
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
    if args.replace_credentials {
        return replace(args, &*store, output).await;
    }
    if args.all {
        return all(&*store, output).await;
    }
    let named = named(args, &*store).await?;
    each(&*store, &named, false, output).await
}

/// Those that were named; refused unless all of them can be retried.
async fn named(args: &Args, store: &dyn Inspect) -> Result<Vec<Onboarding>> {
    let named = lookup::all(store, &args.ids).await?;
    let problems = named
        .iter()
        .filter_map(|own| {
            let message = if !matches!(own.state, State::Failed | State::Cancelled) {
                not_now(own, own.state)
            } else if args.replace_credentials && !has_live_credentials(own) {
                not_live(own)
            } else {
                return None;
            };
            Some(Problem::new("ID", message))
        })
        .collect();
    refuse_if_any(problems)?;
    Ok(named)
}

async fn each(
    store: &dyn Store,
    onboardings: &[Onboarding],
    replace_credentials: bool,
    output: &mut Output,
) -> Result<Exit> {
    let mut exit = Exit::Done;
    for own in onboardings {
        exit = exit.max(one(store, own, replace_credentials, output).await?);
    }
    Ok(exit)
}

fn failed() -> Filter {
    Filter {
        state: Some(State::Failed),
        ..Filter::default()
    }
}

async fn all(store: &dyn Store, output: &mut Output) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut count = 0;
    let mut pages = Pages::of(store, failed());
    while let Some(page) = pages.next().await? {
        exit = exit.max(each(store, &page, false, output).await?);
        count += page.len() as u64;
    }
    note(format_args!("{} failed", counted(count, "onboarding")));
    Ok(exit)
}

/// Has credentials replaced, once a person said so.
async fn replace(args: &Args, store: &dyn Store, output: &mut Output) -> Result<Exit> {
    let ids: Vec<OnboardingId> = if args.all {
        live(store).await?
    } else {
        let named = named(args, store).await?;
        named.iter().map(|own| own.id).collect()
    };
    if ids.is_empty() {
        note("no onboarding failed because its credentials are in use; nothing was changed");
        return Ok(Exit::Done);
    }
    let what = format!(
        "the credentials of {} are replaced; the partner's calls on them fail from then on until it has the new handoff",
        counted(ids.len() as u64, "onboarding")
    );
    if !confirmed(&what, args.yes)? {
        return Ok(Exit::Left);
    }
    let mut exit = Exit::Done;
    for id in ids {
        // A person took time to answer: what is not as it was is left alone.
        match store.get(id).await? {
            Some(own) if has_live_credentials(&own) => {
                exit = exit.max(one(store, &own, true, output).await?);
            }
            Some(_) | None => {
                note(format_args!("{id} has changed meanwhile; it is left alone"));
                exit = Exit::Left;
            }
        }
    }
    Ok(exit)
}

/// All that failed because their credentials are in use.
async fn live(store: &dyn Store) -> Result<Vec<OnboardingId>> {
    let mut ids = Vec::new();
    let mut pages = Pages::of(store, failed());
    while let Some(page) = pages.next().await? {
        let live = page.iter().filter(|own| has_live_credentials(own));
        ids.extend(live.map(|own| own.id));
    }
    Ok(ids)
}

async fn one(
    store: &dyn Store,
    own: &Onboarding,
    replace_credentials: bool,
    output: &mut Output,
) -> Result<Exit> {
    match store.retry(own.id, replace_credentials).await? {
        Retried::Queued => {
            let how = if replace_credentials {
                " and replaces its credentials"
            } else {
                ""
            };
            output.line(format_args!("{} {} is queued again{how}", own.id, own.key));
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

fn not_live(own: &Onboarding) -> String {
    format!(
        "{} ({}) did not fail as credentials_live, so there are no credentials to replace; leave --replace-credentials out",
        own.id, own.key
    )
}
