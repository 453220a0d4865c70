//! Whether writes are taken, for those who ask whether requests can be served.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a write may wait before the store counts as stuck: many times what a busy one needs.
const STUCK: Duration = Duration::from_secs(5);

/// What is known of the thread that writes.
#[derive(Default)]
pub(super) struct WriterHealth {
    /// When the oldest write was asked for that has not ended.
    waiting: Mutex<Option<Instant>>,
    failed: AtomicBool,
}

impl WriterHealth {
    /// The thread begins with the write that was asked for at this time; all others are younger.
    pub(super) fn begin(&self, asked: Instant) {
        *self.waiting() = Some(asked);
    }

    /// It has ended, and so have those that shared its transaction.
    pub(super) fn end(&self, failed: bool) {
        *self.waiting() = None;
        self.failed.store(failed, Ordering::Relaxed);
    }

    /// Whether the last write failed. It may have been the writer's own fault.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// For how long the oldest write has waited, where that is too long.
    pub(super) fn stuck(&self) -> Option<Duration> {
        let waited = self.waiting().map(|asked| asked.elapsed());
        waited.filter(|waited| *waited > STUCK)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
