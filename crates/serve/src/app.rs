//! What everything here works with.

use std::{fmt, future::Future, mem::Discriminant, sync::Arc};

use ipnet::IpNet;
use producer::Desk;
use records::AccountBook;
use store::Store;
use telemetry::Metrics;
use webhook::{Senders, Unauthentic};

use crate::{
    api::Turns,
    auth::Tokens,
    live::Live,
    problem::Code,
    readiness::Readiness,
    seldom::Seldom,
    session::{SessionKey, Sessions},
};

/// The recipes and accounts at hand. Asked for each request, so that an implementation may bring in
/// what was changed meanwhile.
pub trait Directory: AccountBook + 'static {
    /// What signups are checked against.
    fn desk(&self) -> Desk;
}

/// What an [`App`] is made of.
pub struct Setup {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Recipes and accounts.
    pub directory: Arc<dyn Directory>,
    /// Who may ask.
    pub tokens: Tokens,
    /// What sessions and cursors are signed with.
    pub session_key: SessionKey,
    /// Whether session cookies may go over plain HTTP: only for a listener on loopback.
    pub plain_http: bool,
    /// Most clients that watch at once; the usual value is 1,000.
    pub watchers_max: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may send webhooks.
    pub senders: Senders,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What everything here works with; a copy is as cheap as a pointer's.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory>,
    tokens: Tokens,
    key: SessionKey,
    sessions: Sessions,
    live: Live,
    trusted_proxies: Vec<IpNet>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    senders: Senders,
    turns: Turns,
    refused_webhooks: Seldom<Discriminant<Unauthentic>>,
    refused_signups: Seldom<RefusalKind>,
}

/// Refusals of one kind are told once for a while: of which sender, with which code, in which field.
pub(crate) type RefusalKind = (String, Code, String);

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Of these parts.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup {
            store,
            directory,
            tokens,
            session_key,
            plain_http,
            watchers_max,
            trusted_proxies,
            senders,
            metrics,
        } = setup;
        let live = Live::new(
            Arc::clone(&store),
            Arc::clone(&directory),
            Arc::clone(&metrics),
            watchers_max,
        );
        Self(Arc::new(Inner {
            sessions: Sessions::new(session_key.clone(), tokens.clone(), plain_http),
            live,
            store,
            directory,
            tokens,
            key: session_key,
            trusted_proxies,
            metrics,
            readiness: Readiness::default(),
            senders,
            turns: Turns::default(),
            refused_webhooks: Seldom::default(),
            refused_signups: Seldom::default(),
        }))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Recipes and accounts.
    #[must_use]
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.0.directory
    }

    /// Sessions of people.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// What is going on.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn key(&self) -> &SessionKey {
        &self.0.key
    }

    pub(crate) fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.trusted_proxies
    }

    /// Who may send webhooks.
    pub(crate) fn senders(&self) -> &Senders {
        &self.0.senders
    }

    /// The turns for large bodies.
    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// Which refusals of webhooks are told.
    pub(crate) fn refused_webhooks(&self) -> &Seldom<Discriminant<Unauthentic>> {
        &self.0.refused_webhooks
    }

    /// Which refusals of what authentic webhooks say are told.
    pub(crate) fn refused_signups(&self) -> &Seldom<RefusalKind> {
        &self.0.refused_signups
    }

    /// Says that it is not ready any more, and ends every stream.
    pub fn close(&self) {
        self.0.readiness.close();
        self.0.live.close();
    }

    /// What [`run`](crate::run()) waits for: `signal`, upon which the app is closed.
    pub fn closing_on<F: Future<Output = ()> + Send>(
        &self,
        signal: F,
    ) -> impl Future<Output = ()> + Send + use<F> {
        let app = self.clone();
        async move {
            signal.await;
            app.close();
        }
    }
}
