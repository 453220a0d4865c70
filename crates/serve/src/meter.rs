//! What is counted.

use std::time::Duration;

use async_trait::async_trait;

/// Counts requests, and tells everything that is counted.
#[async_trait]
pub trait Meter: Send + Sync + 'static {
    /// A request was answered. `route` is the path with its parameters' names, or `none` where no
    /// path matched: never what a client made up.
    fn answered(&self, method: &str, route: &str, status: u16, took: Duration);

    /// All figures as Prometheus reads them, and their media type.
    async fn text(&self) -> (String, &'static str);
}
