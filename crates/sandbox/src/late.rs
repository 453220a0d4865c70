//! Requests that are processed after their client was answered or has left, as real servers do
//! with a request whose client gave up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::service::{Core, Whole, lock};

/// Keeps a request from being processed late while its client is there. Dropped when it was
/// answered or has left, however that comes about.
#[derive(Debug)]
pub(crate) struct Waiting(oneshot::Sender<()>);

impl Waiting {
    /// The request was processed in time: it will not be again.
    pub(crate) fn cancel(self) {
        // The task at the other end is gone only if the simulator is.
        let _ = self.0.send(());
    }
}

/// What is left of a request when its client has gone.
pub(crate) struct Late {
    pub(crate) whole: Whole,
    pub(crate) sequence: u64,
    /// Its number in the log.
    pub(crate) entry: u64,
    /// How often everything had been forgotten when it came.
    pub(crate) forgotten: u64,
}

impl Core {
    /// Has a request processed so long after its client was answered or has left. A simulator
    /// that stops meanwhile drops it.
    pub(crate) fn process_later(self: &Arc<Self>, late: Late, wait: Duration) -> Waiting {
        let (waiting, over) = oneshot::channel();
        let core = Arc::downgrade(self);
        let mut now = self.process_now.subscribe();
        tokio::spawn(async move {
            if over.await.is_err() {
                now.mark_unchanged();
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = now.changed() => {}
                }
                if let Some(core) = core.upgrade() {
                    core.process_late(&late);
                }
            }
        });
        Waiting(waiting)
    }

    /// Has everything processed at once that is pending.
    pub(crate) fn process_pending(&self) {
        self.process_now.send_modify(|times| *times += 1);
    }

    fn process_late(&self, late: &Late) {
        let Some(call) = late.whole.call(self, late.sequence, None) else {
            return;
        };
        {
            let mut world = lock(&self.world);
            if world.forgotten != late.forgotten {
                return;
            }
            self.call(&call, &mut world);
        }
        if let Err(error) = self.flush() {
            tracing::error!(%error, "what a late request changed was not kept");
        }
        lock(&self.gate).late(late.entry, self.clock.now());
    }
}
