//! `trunkline enqueue`.

use records::Enqueued;

use crate::{
    accounts::Accounts,
    args::Enqueue as Args,
    error::Result,
    exit::Exit,
    output::{Output, counted},
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
    Ok(Exit::Done)
}
