//! `trunkline sandbox`.

use serde::Serialize;
use tokio::net::TcpListener;

use crate::{
    args::{Profile, Sandbox as Args},
    error::{Error, Result},
    exit::Exit,
    output::{Output, note},
    signals::Shutdown,
};

/// Where the simulator serves.
#[derive(Serialize)]
#[serde(tag = "type", rename = "sandbox")]
struct Serves<'s> {
    base_url: &'s str,
}

/// Serves the simulator until a signal comes.
pub(crate) async fn run(args: &Args, output: &mut Output) -> Result<Exit> {
    let options = sandbox::Options {
        profile: match args.profile {
            Profile::Field => sandbox::Profile::Field,
            Profile::Documented => sandbox::Profile::Documented,
        },
        limits: sandbox::Limits {
            requests_per_minute: args.requests_per_minute,
            connections: args.connections,
            window_ms: args.window_ms,
        },
        latency: args.latency_ms,
        seed: args.seed,
        allow_remote: args.allow_remote,
        journal: args.journal.clone(),
        ..sandbox::Options::default()
    };
    let refused = |error: std::io::Error| {
        Error::refused(
            "--listen",
            format!(
                "{} cannot be served ({error}); choose another address",
                args.listen
            ),
        )
    };
    let mut shutdown = Shutdown::on_signals().map_err(|error| Error::failed("signals", &error))?;
    let listener = TcpListener::bind(args.listen).await.map_err(refused)?;
    let sandbox = sandbox::Sandbox::open(options)
        .map_err(|error| Error::refused("--journal", error.to_string()))?;
    let running = sandbox.start(listener).map_err(refused)?;
    let base_url = running.base_url();
    output.record(&Serves {
        base_url: &base_url,
    });
    output.line(format_args!("{base_url}"));
    output.flush();
    note(format_args!(
        "the Exotel simulator serves on {base_url}; its controls are under {base_url}/_sandbox/"
    ));
    shutdown.asked().await;
    running.stop().await;
    Ok(Exit::Done)
}
