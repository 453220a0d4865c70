//! `trunkline cancel`.

use onboarding::State;
use records::{OnboardingRecord, Parked};
use store::{Cancelled, Onboarding, Store};

use crate::{
    args::Cancel as Args,
    error::{Result, refuse_if_any},
    exit::Exit,
    lookup,
    output::{Output, note},
    problem::Problem,
    settings::Settings,
    store_place,
};

/// Calls onboardings off: all that were named, or none.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings).await?;
    let named = lookup::all(&*store, &args.ids).await?;
    let problems = named
        .iter()
        .filter(|own| matches!(own.state, State::Succeeded | State::Cancelled))
        .map(|own| Problem::new("ID", not_now(own, own.state)))
        .collect();
    refuse_if_any(problems)?;
    let mut exit = Exit::Done;
    for own in &named {
        exit = exit.max(one(&*store, own, output).await?);
    }
    Ok(exit)
}

async fn one(store: &dyn Store, own: &Onboarding, output: &mut Output) -> Result<Exit> {
    let told = match store.cancel(own.id).await? {
        Cancelled::Now => "is cancelled",
        Cancelled::Soon => "will be cancelled once the request in flight is recorded",
        Cancelled::NotNow(state) => {
            note(not_now(own, state));
            return Ok(Exit::Left);
        }
        Cancelled::Unknown => {
            note(format_args!("{} is gone", own.id));
            return Ok(Exit::Left);
        }
    };
    output.line(format_args!("{} {} {told}", own.id, own.key));
    let Some(now) = store.get(own.id).await? else {
        return Ok(Exit::Done);
    };
    output.record(&OnboardingRecord::of(&now, &Parked::default()));
    let left = now.journal.left_behind(&now.plan);
    if !left.is_empty() {
        note(format_args!("left at Exotel: {}", left.join(", ")));
    }
    Ok(Exit::Done)
}

fn not_now(own: &Onboarding, state: State) -> String {
    format!(
        "{} ({}) is {state} and cannot be cancelled any more",
        own.id, own.key
    )
}
