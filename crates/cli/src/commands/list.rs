//! `trunkline list`.

use std::collections::BTreeSet;

use onboarding::State;
use records::{OnboardingRecord, Parked, beside_step, faulty_step};
use store::{Filter, Onboarding};

use crate::{
    args::List as Args,
    error::Result,
    exit::Exit,
    lookup::Pages,
    output::{Output, note},
    settings::Settings,
    store_place,
};

/// Lists onboardings in the order in which they were accepted.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings).await?;
    let filter = Filter {
        state: args.state,
        partner: args.partner.clone(),
        account: args.account.clone(),
        batch: None,
    };
    let parked = Parked::read(&*store).await?;
    let mut blocked = BTreeSet::new();
    let mut pages = Pages::of(&*store, filter);
    while let Some(page) = pages.next().await? {
        for own in &page {
            output.record(&OnboardingRecord::of(own, &parked));
            line(own, output);
            if parked.why(own).is_some() && !blocked.contains(&own.account) {
                blocked.insert(own.account.clone());
            }
        }
        output.flush();
        if output.is_closed() {
            break;
        }
    }
    if !output.json() && !output.is_closed() {
        for account in &blocked {
            let reason = parked.of(account).unwrap_or_default();
            note(format_args!("account {account} is parked: {reason}"));
        }
    }
    Ok(Exit::Done)
}

fn line(own: &Onboarding, output: &mut Output) {
    if output.json() {
        return;
    }
    let error = match (&own.fault, faulty_step(own)) {
        _ if own.state == State::Blocked => "  its account is parked".to_owned(),
        (Some((fault, _)), Some(step)) => {
            format!("  {step}: {}", beside_step(&fault.message, step))
        }
        (Some((fault, _)), None) => format!("  {}", fault.message),
        (None, _) => String::new(),
    };
    output.line(format_args!(
        "{} {:<9} {:<12} {:<12} {:<16} {:<8} {}{error}",
        own.id,
        own.state,
        own.account.as_str(),
        own.partner.as_str(),
        own.number.as_str(),
        own.direction.as_str(),
        own.key,
    ));
}
