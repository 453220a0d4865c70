//! `trunkline list`.

use store::{Filter, Onboarding};

use crate::{
    args::List as Args,
    error::Result,
    exit::Exit,
    lookup::Pages,
    output::Output,
    record::{OnboardingRecord, faulty_step},
    settings::Settings,
    store_place,
};

/// Lists onboardings in the order in which they were accepted.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings)?;
    let filter = Filter {
        state: args.state,
        partner: args.partner.clone(),
        account: args.account.clone(),
    };
    let mut pages = Pages::of(&*store, filter);
    while let Some(page) = pages.next().await? {
        for own in &page {
            output.record(&OnboardingRecord::of(own));
            line(own, output);
        }
        output.flush();
        if output.is_closed() {
            break;
        }
    }
    Ok(Exit::Done)
}

fn line(own: &Onboarding, output: &mut Output) {
    if output.json() {
        return;
    }
    let error = match (&own.fault, faulty_step(own)) {
        (Some((fault, _)), Some(step)) => format!("  {step}: {}", fault.message),
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
