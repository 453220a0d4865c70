//! Being woken by a message instead of asking again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{
    dial::{Dialer, Purpose},
    keeper::{Kept, Voice},
};

/// How long the answer to a ping may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A count of messages: it can be waited for, and remembers what came while nobody did.
pub(super) struct Bell {
    rung: watch::Sender<u64>,
    answered: AtomicU64,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self {
            rung: watch::Sender::new(0),
            answered: AtomicU64::new(0),
        }
    }

    pub(super) fn ring(&self) {
        self.rung.send_modify(|count| *count += 1);
    }

    /// Returns when it was rung since the last return, to whichever caller that was. All who wait
    /// at that moment return.
    pub(super) async fn answered(&self) {
        let mut rung = self.rung.subscribe();
        let mut seen = *rung.borrow_and_update();
        if seen <= self.answered.load(Ordering::Acquire) {
            // `self` holds the sender: it cannot be closed.
            let _ = rung.changed().await;
            seen = *rung.borrow_and_update();
        }
        self.answered.fetch_max(seen, Ordering::AcqRel);
    }
}

/// The subscription to a store's channel, on a connection of its own.
pub(super) struct Wake {
    bell: Arc<Bell>,
    _line: Kept,
}

impl Wake {
    pub(super) fn start(dialer: Arc<Dialer>) -> Self {
        let bell = Arc::new(Bell::new());
        let purpose = Purpose {
            answer: ANSWER,
            bell: Some(Arc::clone(&bell)),
            blocks: false,
        };
        Self {
            bell,
            _line: Kept::start(dialer, purpose, None, Voice::Quiet),
        }
    }

    pub(super) async fn changed(&self) {
        self.bell.answered().await;
    }
}
