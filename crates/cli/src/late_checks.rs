//! Late checks at the end of a command: those that are due are made, and those that are left are told.

use std::{sync::Arc, time::Duration};

use store::{Inspect, Store, WorkerName};
use worker::Account;

use crate::{
    error::{Error, Result, unless_away},
    output::{counted, note},
    settings::Settings,
    signals::Shutdown,
    worker_run,
};

/// A person is told what is waited for after so long.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// Makes those that are due, unless a signal comes. Returns the requests sent.
pub(crate) async fn make(
    name: WorkerName,
    store: &Arc<dyn Store>,
    accounts: Vec<Account>,
    settings: &Settings,
    shutdown: &mut Shutdown,
) -> Result<u64> {
    let settings = worker_run::settings(name, settings);
    let made = worker::make_late_checks(settings, Arc::clone(store), accounts);
    let telling = async {
        tokio::time::sleep(TELL_AFTER).await;
        note("looking once more at what earlier requests of unknown outcome did");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = shutdown.asked() => Ok(0),
        made = made => {
            let made = unless_away(worker_run::outcome(made))?;
            Ok(made.map_or(0, |stats| stats.requests))
        }
        () = telling => Ok(0),
    }
}

/// Tells how many are left.
pub(crate) async fn tell_left(store: &dyn Inspect) -> Result<()> {
    let left = store.late_checks_left().await.map_err(Error::from);
    if let Some(left) = unless_away(left)?.filter(|left| *left > 0) {
        let be = if left == 1 { "is" } else { "are" };
        note(format_args!(
            "{} {be} left: an earlier request may still take effect; the next run begins with them",
            counted(left, "late check")
        ));
    }
    Ok(())
}
