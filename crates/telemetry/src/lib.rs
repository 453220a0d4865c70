//! What is measured and traced.
//!
//! ```text
//! worker ──Event──▶ Metrics ──text──▶ GET /metrics ──▶ Prometheus
//! serve, webhook ──▶   ▲
//!                    store (gauges, at the scrape)
//! ```
//!
//! [`Metrics`] counts what this process does and, when it is scraped, adds what the store knows.
//! Names, labels and meanings are in `docs/observability.md`; a test compares that page with what
//! is registered here. [`trace`] exports spans.

mod error;
mod metrics;
pub mod trace;

pub use error::Error;
pub use metrics::{DeliveryOutcome, Form, Metrics, SignupOutcome, SignupSource, Watcher};
