//! The built-in simulator beside a command that was given `--sandbox`.

use sandbox::{Limits, Options, Running, Sandbox};
use tokio::net::TcpListener;

use crate::{
    accounts::Accounts,
    error::{Error, Result},
    settings::Settings,
    store_place,
};

/// Starts the simulator on a free port of loopback. What it knows is kept in a file beside the
/// store, so that a trunk which the store knows of is still there after a kill.
///
/// It grants every account the greatest limits that the accounts file names: it has one limit for
/// all, and the worker keeps each to its own.
pub(crate) async fn start(settings: &Settings, accounts: &Accounts) -> Result<Running> {
    let (requests_per_minute, connections) = accounts.greatest_limits();
    let options = Options {
        journal: Some(store_place::sandbox_file(settings)?),
        limits: Limits {
            requests_per_minute,
            connections,
            ..Limits::default()
        },
        ..Options::default()
    };
    let failed = |error: std::io::Error| {
        Error::refused(
            "--sandbox",
            format!("the simulator cannot be started: {error}"),
        )
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    Sandbox::open(options)
        .and_then(|sandbox| sandbox.start(listener))
        .map_err(failed)
}
