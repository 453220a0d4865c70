//! What all parts of one worker share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use exotel::{Answer, Class};
use onboarding::OnboardingId;
use store::Store;
use tokio::{sync::Notify, time::Instant};

use crate::{
    Account, Settings,
    account_trouble::Trouble,
    flag::Flag,
    lease::Leases,
    observe::{Counters, Event, count},
    served::Served,
};

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) served: Served,
    pub(crate) leases: Leases,
    pub(crate) counters: Counters,
    /// Raised by the shutdown signal, and when a drained worker is done.
    pub(crate) stop: Flag,
    /// The late checks that were due at the start are made.
    pub(crate) late_checks_begun: Flag,
    /// Accounts that are being tried by a read.
    pub(crate) probing: AtomicUsize,
    /// A handler or a probe ended: there may be a free slot, or a lane to look at again.
    pub(crate) ended: Notify,
    troubles: Mutex<HashMap<OnboardingId, Troubles>>,
    /// The store did not take a write when it was last asked to.
    outage: AtomicBool,
}

/// What the journal does not count, of onboardings that have trouble now.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Troubles {
    /// Requests in a row that never left.
    pub(crate) never_sent: u32,
    /// Times in a row that a read gave nothing.
    pub(crate) reads: u32,
}

impl Shared {
    pub(crate) fn new(settings: Settings, store: Arc<dyn Store>, served: Served) -> Self {
        Self {
            settings,
            store,
            served,
            leases: Leases::default(),
            counters: Counters::default(),
            stop: Flag::default(),
            late_checks_begun: Flag::default(),
            probing: AtomicUsize::new(0),
            ended: Notify::new(),
            troubles: Mutex::default(),
            outage: AtomicBool::new(false),
        }
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        if let Some(observer) = &self.settings.observer {
            observer.event(event);
        }
    }

    /// Counts a request and tells of it. `before`: from before it was sent.
    pub(crate) fn sent<T>(
        &self,
        account: &Account,
        result: &Result<Answer<T>, exotel::Error>,
        before: Instant,
    ) {
        let failure = result.as_ref().err().map(exotel::Error::class);
        if failure != Some(Class::NeverSent) {
            count(&self.counters.requests);
        }
        let (call, status, date) = match result {
            Ok(answer) => (answer.call, Some(answer.http_status), answer.date),
            Err(error) => (error.call(), error.http_status(), error.date()),
        };
        account.note_date(date);
        let no_answer = matches!(
            failure,
            Some(Class::Throttled { .. } | Class::Unknown | Class::NeverSent)
        );
        if !no_answer && result.as_ref().err().and_then(Trouble::of).is_none() {
            account.answered();
        }
        self.tell(Event::Request {
            account: &account.name,
            call,
            failure,
            status,
            duration: before.elapsed(),
        });
    }

    /// Says once that the store does not record, however many onboardings are in hand and whatever
    /// keeps it from recording, and once that it does again.
    pub(crate) fn recorded<T>(&self, written: &store::Result<T>) {
        let error = match written {
            // Looks first: a write for every answer would send the cache line between cores.
            Ok(_) => {
                if self.outage.load(Ordering::Relaxed) && self.outage.swap(false, Ordering::Relaxed)
                {
                    tracing::info!("the store records again");
                }
                return;
            }
            // An answer to one onboarding: the store is there.
            Err(store::Error::LeaseLost { .. }) => return,
            Err(error) => error,
        };
        if self.outage.swap(true, Ordering::Relaxed) {
            return;
        }
        let error_said = error as &dyn std::error::Error;
        if matches!(error, store::Error::Unavailable { .. }) {
            tracing::warn!(
                error = error_said,
                "the store does not record; trying again while the leases last"
            );
        } else {
            tracing::warn!(
                error = error_said,
                "the store does not record; what is in hand is let go, in doubt"
            );
        }
    }

    /// Counts one more of an onboarding's troubles.
    pub(crate) fn trouble(&self, id: OnboardingId, more: impl FnOnce(&mut Troubles)) -> Troubles {
        let mut all = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let troubles = all.entry(id).or_default();
        more(troubles);
        *troubles
    }

    /// An onboarding's troubles are over: a step of it is done, or it is finished.
    pub(crate) fn no_trouble(&self, id: OnboardingId) {
        self.troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }
}
