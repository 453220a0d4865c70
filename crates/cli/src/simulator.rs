//! The built-in simulator beside a command that was given `--sandbox`.

use sandbox::{Options, Running, Sandbox};
use tokio::net::TcpListener;

use crate::{
    error::{Error, Result},
    settings::Settings,
    store_place,
};

/// Starts the simulator on a free port of loopback. What it knows is kept in a file beside the
/// store, so that a trunk which the store knows of is still there after a kill.
pub(crate) async fn start(settings: &Settings) -> Result<Running> {
    let failed = |error: std::io::Error| Error::failed("the simulator cannot be started", &error);
    let _file = store_place::sandbox_file(settings)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    Sandbox::new(Options::default())
        .start(listener)
        .map_err(failed)
}
