//! `trunkline serve`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::Serialize;
use serve::{App, Setup};
use store::Store;
use telemetry::Metrics;
use tokio::net::TcpListener;
use webhook::Outgoing;

use crate::{
    args::Serve as Args,
    background::Background,
    endpoints::Counting,
    error::{Error, Result},
    exit::Exit,
    open_files,
    output::{Output, note},
    reloading::Reloading,
    serving::{self, Attached},
    settings::Settings,
    signals::Shutdown,
    store_place,
    store_wait::when_there,
};

/// Where it serves.
#[derive(Serialize)]
#[serde(tag = "type", rename = "serving")]
struct Serving<'s> {
    address: &'s str,
}

/// Serves until a signal comes.
///
/// # Errors
/// What has to be corrected, before anybody is served.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let attached = Attached::load(&settings.tables)?;
    for warning in serving::warnings(&settings.tables) {
        tracing::warn!("{warning}");
    }
    let files = Arc::new(Reloading::load(settings, args.world.sandbox)?);
    let mut shutdown = Shutdown::on_signals().map_err(|error| Error::failed("signals", &error))?;
    if let Err(room) = open_files::allow(settings.connections_max) {
        note(format_args!(
            "the system lets this process hold {room} connections, fewer than connections_max = {}; raise its limit of open files (ulimit -n)",
            settings.connections_max
        ));
    }
    let begin = async || store_place::open_for_clients(settings, args.world.kind()).await;
    let Some(store) = when_there(&mut shutdown, begin).await? else {
        return Ok(Exit::Done);
    };
    let _watching = Background::start(Arc::clone(&files).watch());
    let metrics = Arc::new(Metrics::new());
    let app = App::new(Setup {
        store: Arc::clone(&store),
        directory: files,
        tokens: attached.tokens,
        session_key: serving::session_key(settings)?,
        plain_http: serving::is_plain_http(settings),
        watchers_max: settings.event_clients_max,
        trusted_proxies: settings.trusted_proxies.clone(),
        senders: attached.senders,
        metrics: Arc::clone(&metrics),
    });
    let router = serve::router(app.clone(), dashboard::router(app.clone()));
    let listener = listen(settings.listen).await?;
    tell(&listener, settings, output)?;
    let mut delivering = tokio::spawn(deliver(
        attached.outgoing,
        store,
        metrics,
        shutdown.clone(),
        settings.shutdown_timeout,
    ));
    let mut early = None;
    let asked = async {
        tokio::select! {
            () = shutdown.asked() => {}
            // It only ends by itself where it broke: nobody would be told any more.
            ended = &mut delivering => early = Some(ended),
        }
    };
    let stopping = app.closing_on(asked);
    serve::run(listener, router, serving::limits(settings), stopping)
        .await
        .map_err(|error| Error::failed("serving", &error))?;
    let delivered = match early {
        Some(broken) => broken,
        None => delivering.await,
    };
    delivered.map_err(|error| Error::failed("telling endpoints", &error))?;
    Ok(Exit::Done)
}

/// Tells endpoints until a signal comes, and then for as long as requests may take to end: what is
/// under way longer is sent again by whoever serves next.
async fn deliver(
    outgoing: Outgoing,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    at_most: Duration,
) {
    let (mut asked, mut late) = (shutdown.clone(), shutdown);
    let counting = Arc::new(Counting(metrics));
    let until = async move { asked.asked().await };
    tokio::select! {
        () = webhook::deliver(outgoing, store, counting, until) => {}
        () = async { late.asked().await; tokio::time::sleep(at_most).await } => {}
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::refused(
            "listen",
            format!("{address} cannot be served ({error}); choose another address"),
        )
    })
}

/// Says where it serves, as soon as it can be asked.
fn tell(listener: &TcpListener, settings: &Settings, output: &mut Output) -> Result<()> {
    let bound = listener
        .local_addr()
        .map_err(|error| Error::failed("the listener has no address", &error))?;
    let address = format!("http://{bound}");
    output.record(&Serving { address: &address });
    output.line(format_args!("serving on {address}"));
    output.flush();
    let behind_tls = settings
        .public_url
        .iter()
        .any(|url| url.starts_with("https://"));
    if !bound.ip().is_loopback() && !behind_tls {
        note(format_args!(
            "{bound} is reached from other machines, and tokens and passwords go over it without TLS: let a proxy that speaks TLS stand before it, and name its address in public_url"
        ));
    }
    Ok(())
}
