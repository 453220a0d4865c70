//! Metrics, for Prometheus.

mod form;
mod process;
mod serving;
mod store;
#[cfg(test)]
mod tests;
mod worker;

use std::{sync::Arc, time::Duration};

use ::worker::{Event, Observer};
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

pub use form::Form;
pub use serving::{DeliveryOutcome, SignupOutcome, SignupSource};

/// What this process counts, and what the store tells when it is asked.
///
/// Made once per process and shared. Every method but [`Metrics::text`] is a look-up and an
/// atomic addition: it never waits for anything but another such.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    process: process::Process,
    worker: worker::Families,
    serving: serving::Families,
    store: store::Gathering,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("trunkline");
        let build = Info::new(Build {
            version: env!("CARGO_PKG_VERSION"),
        });
        registry.register("build", "What runs here", build);
        Self {
            worker: worker::Families::register(&mut registry),
            serving: serving::Families::register(&mut registry),
            process: process::Process::new(),
            store: store::Gathering::default(),
            registry,
        }
    }

    /// All of it in the `OpenMetrics` text format ([`Form::OpenMetrics`]); another [`Form`] is made of
    /// it.
    ///
    /// With a store its gauges are gathered, at most once a second and for at most three seconds.
    /// Where that fails, `trunkline_store_up` is 0 and its other gauges are left out.
    pub async fn text(&self, store: Option<&dyn ::store::Store>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.registry);
        if let Some(store) = store {
            text.push_str(&self.store.text(store).await);
        }
        self.process.write(&mut text);
        let _ = encode_eof(&mut text);
        text
    }

    /// An HTTP request was answered. `route` is the pattern of its path, never the path itself, and
    /// empty where none matched.
    pub fn http(&self, route: &str, method: &str, status: u16, duration: Duration) {
        self.serving.http(route, method, status, duration);
    }

    /// `count` signups that came by `source` came to `outcome`.
    pub fn signups(&self, source: SignupSource, outcome: SignupOutcome, count: u64) {
        self.serving.signups(source, outcome, count);
    }

    /// An attempt of a delivery ended.
    pub fn delivery(&self, outcome: DeliveryOutcome, duration: Duration) {
        self.serving.delivery(outcome, duration);
    }

    /// Somebody watches the events from now on, until what is returned is dropped.
    #[must_use]
    pub fn watcher(self: &Arc<Self>) -> Watcher {
        let watching = self.serving.sse_clients.clone();
        watching.inc();
        Watcher(watching)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Metrics {
    fn event(&self, event: Event<'_>) {
        self.worker.event(event);
    }
}

/// A client that watches the events.
#[derive(Debug)]
pub struct Watcher(Gauge);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A histogram's buckets come from its family.
type MakeHistogram = fn() -> Histogram;
