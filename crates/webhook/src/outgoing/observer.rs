//! For those who count.

use std::time::Duration;

/// Is told what becomes of deliveries, by the task that made the attempt. Calls must be cheap and must not
/// block: count, or set a value.
pub trait Observer: Send + Sync + 'static {
    /// The endpoint took a message.
    fn delivered(&self, endpoint: &str, took: Duration) {
        let _ = (endpoint, took);
    }

    /// An attempt failed; the message is tried again.
    fn failed(&self, endpoint: &str, took: Duration) {
        let _ = (endpoint, took);
    }

    /// An attempt failed, and it was the last one.
    fn given_up(&self, endpoint: &str, took: Duration) {
        let _ = (endpoint, took);
    }

    /// How many deliveries wait, told every quarter of a minute.
    fn waiting(&self, deliveries: u64) {
        let _ = deliveries;
    }
}

/// Nobody counts.
impl Observer for () {}
