//! `trunkline enqueue`.

use records::{Enqueued, Workers};
use store::Inspect;

use crate::{
    accounts::Accounts,
    args::Enqueue as Args,
    commands::status::tell_missing,
    error::Result,
    exit::Exit,
    output::{Output, counted, note},
    settings::Settings,
    signups, store_place,
};

/// Accepts signups and leaves them to a worker.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let accounts = Accounts::load(settings, args.world.sandbox)?;
    let store = store_place::open(settings, args.world.kind()).await?;
    let report = signups::enqueue(&args.input, &accounts, settings, &*store, |_| {}).await?;
    output.record(&Enqueued {
        accepted: report.accepted,
        duplicates: report.duplicates,
        total: report.total,
    });
    output.line(format_args!(
        "{}: {} accepted, {} there before",
        counted(report.total, "signup"),
        report.accepted,
        report.duplicates
    ));
    tell_what_waits(&*store).await;
    Ok(Exit::Done)
}

/// Says on stderr why what was accepted is not begun. It is accepted, whether that can be found out
/// or not.
async fn tell_what_waits(store: &dyn Inspect) {
    let Ok(workers) = Workers::read(store).await else {
        return;
    };
    if workers.running() == 0 {
        return tell_missing(&workers, 1);
    }
    for own in store.accounts().await.unwrap_or_default() {
        if let Some(reason) = workers.why_unusable(&own.name).filter(|_| own.waiting > 0) {
            note(format_args!(
                "account {} cannot be used by a worker, its onboardings wait: {reason}",
                own.name
            ));
        }
    }
}
