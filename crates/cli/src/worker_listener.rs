//! What a worker tells of itself: that it lives, whether it can work, and what it counts. Nobody has to
//! show a token for it, so it listens where only the inside reaches it, and not at all unless asked to.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serve::{ConnectionLimits, Problem, Readiness, problem::Code};
use store::Store;
use telemetry::{Form, Metrics};
use tokio::net::TcpListener;

use crate::{
    background::Background,
    error::{Error, Result},
    output::note,
    settings::Settings,
    signals::Shutdown,
};

/// Most connections at once: a probe and a scraper have one each, and more of them are somebody's
/// mistake.
const CONNECTIONS_MAX: usize = 64;

/// How long one may do nothing: scrapers come every minute at the least.
const IDLE: Duration = Duration::from_secs(75);

/// What is told. It is there before the store, which a worker waits for.
pub(crate) struct Telling {
    metrics: Arc<Metrics>,
    store: OnceLock<Arc<dyn Store>>,
    readiness: Readiness,
}

impl Telling {
    /// Tells it, if the settings say where, until what is returned is dropped.
    ///
    /// # Errors
    /// The address cannot be taken.
    pub(crate) async fn start(
        settings: &Settings,
        metrics: Arc<Metrics>,
        mut shutdown: Shutdown,
    ) -> Result<(Arc<Self>, Option<Background>)> {
        let telling = Arc::new(Self {
            metrics,
            store: OnceLock::new(),
            readiness: Readiness::default(),
        });
        let Some(address) = settings.worker_listen else {
            return Ok((telling, None));
        };
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("{address} cannot be served ({error}); choose another address");
            Error::refused("worker_listen", message)
        })?;
        if let Ok(bound) = listener.local_addr() {
            note(format_args!("the worker tells how it is on http://{bound}"));
        }
        let serving = serve(listener, telling.router());
        let own = Arc::clone(&telling);
        let task = async move {
            // It takes nothing any more, and tells that until it has ended.
            let stopping = async {
                shutdown.asked().await;
                own.readiness.close();
            };
            tokio::join!(serving, stopping);
        };
        Ok((telling, Some(Background::start(task))))
    }

    /// The store answered when it was opened.
    pub(crate) fn opened(&self, store: &Arc<dyn Store>) {
        // Once.
        let _ = self.store.set(Arc::clone(store));
    }

    fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::clone(self))
    }
}

fn serve(listener: TcpListener, router: Router) -> impl Future<Output = ()> {
    let limits = ConnectionLimits {
        connections_max: CONNECTIONS_MAX,
        idle_timeout: IDLE,
        ..ConnectionLimits::default()
    };
    async move {
        if let Err(error) = serve::run(listener, router, limits, std::future::pending()).await {
            tracing::error!(%error, "the worker tells nothing of itself any more");
        }
    }
}

async fn ready(State(telling): State<Arc<Telling>>) -> Result<&'static str, Problem> {
    let store = telling.store.get().ok_or_else(|| {
        Problem::new(
            Code::StoreUnavailable,
            "the store has not answered yet; the worker waits for it",
        )
    })?;
    telling.readiness.check(store.as_ref()).await?;
    Ok("ready\n")
}

async fn metrics(State(telling): State<Arc<Telling>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT);
    let form = Form::asked(accept.and_then(|accept| accept.to_str().ok()));
    let store = telling.store.get().map(Arc::as_ref);
    let text = form.of(telling.metrics.text(store).await);
    ([(header::CONTENT_TYPE, form.content_type())], text).into_response()
}
