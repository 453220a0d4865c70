//! The leases that this worker holds, and their renewal.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use onboarding::{OnboardingId, StepRecord};
use store::{Lease, Store};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{flag::Flag, retry, shared::Shared};

/// A lease that is held, and the slot that its onboarding takes.
pub(crate) struct Held {
    pub(crate) lease: Lease,
    origin: Instant,
    /// When it ends at the latest, in microseconds after `origin`. Measured from before the call
    /// that gave or renewed it, so that it ends here before it ends in the store.
    ends_us: AtomicU64,
    lost: Flag,
    /// The step whose write may be under way, as it would be recorded if its handler broke now.
    under_way: Mutex<Option<(usize, StepRecord)>>,
    _slot: OwnedSemaphorePermit,
}

impl Held {
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_raised() || self.left().is_zero()
    }

    /// Returns when the lease is known to be lost.
    pub(crate) async fn lost(&self) {
        self.lost.wait().await;
    }

    /// How long it lasts at least.
    pub(crate) fn left(&self) -> Duration {
        let ends = Duration::from_micros(self.ends_us.load(Ordering::SeqCst));
        ends.saturating_sub(self.origin.elapsed())
    }

    /// Whether a request that takes `request_timeout` would end before the lease does.
    pub(crate) fn has_time_for(&self, request_timeout: Duration) -> bool {
        !self.lost.is_raised() && self.left() >= request_timeout
    }

    fn prolong(&self, before: Instant, lease: Duration) {
        self.ends_us
            .fetch_max(micros(before + lease - self.origin), Ordering::SeqCst);
    }

    pub(crate) fn begin(&self, index: usize, record: StepRecord) {
        *self.under_way() = Some((index, record));
    }

    /// What is under way, taken away.
    pub(crate) fn end(&self) -> Option<(usize, StepRecord)> {
        self.under_way().take()
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, Option<(usize, StepRecord)>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews this one lease now. `false`: it is lost, or the store does not answer in time.
    pub(crate) async fn renew_now(&self, store: &dyn Store, lease: Duration) -> bool {
        let before = Instant::now();
        let renewal = store.renew(std::slice::from_ref(&self.lease), lease);
        match tokio::time::timeout(self.left(), renewal).await {
            Ok(Ok(lost)) if lost.is_empty() => {
                self.prolong(before, lease);
                true
            }
            Ok(Ok(_)) => {
                self.lost.raise();
                false
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// All leases that this worker holds.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<OnboardingId, Arc<Held>>>);

impl Leases {
    /// Enters a lease that a call begun at `before` gave for `lifetime`.
    pub(crate) fn enter(
        &self,
        lease: Lease,
        before: Instant,
        lifetime: Duration,
        slot: OwnedSemaphorePermit,
    ) -> Arc<Held> {
        let held = Arc::new(Held {
            origin: before,
            ends_us: AtomicU64::new(micros(lifetime)),
            lost: Flag::default(),
            under_way: Mutex::default(),
            lease,
            _slot: slot,
        });
        let earlier = self.lock().insert(held.lease.id, Arc::clone(&held));
        if let Some(earlier) = earlier {
            // Its lease ended and this worker itself claimed the onboarding again.
            earlier.lost.raise();
        }
        held
    }

    /// Forgets a lease, unless another one of the same onboarding has taken its place.
    pub(crate) fn forget(&self, held: &Held) {
        let mut all = self.lock();
        let current = all.get(&held.lease.id);
        if current.is_some_and(|current| current.lease.epoch == held.lease.epoch) {
            all.remove(&held.lease.id);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn all(&self) -> Vec<Arc<Held>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OnboardingId, Arc<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews all held leases at every quarter of their length. Never ends.
pub(crate) async fn renew_all(shared: Arc<Shared>) {
    let interval = shared.settings.renewal_interval();
    let mut outage = None;
    let mut wait = interval;
    loop {
        tokio::time::sleep(wait).await;
        let held = shared.leases.all();
        if held.is_empty() {
            wait = interval;
            continue;
        }
        let leases: Vec<Lease> = held.iter().map(|held| held.lease.clone()).collect();
        let before = Instant::now();
        match shared.store.renew(&leases, shared.settings.lease).await {
            Ok(lost) => {
                if outage.take().is_some() {
                    tracing::info!(leases = leases.len(), "leases are renewed again");
                }
                settle(&held, &lost, before, shared.settings.lease);
                wait = interval.saturating_sub(before.elapsed());
            }
            Err(error) => {
                let delays = outage.get_or_insert_with(|| {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        leases = leases.len(),
                        "leases cannot be renewed; nothing is sent on those that run out"
                    );
                    retry::of_store()
                });
                wait = delays.next().unwrap_or(interval).min(interval);
            }
        }
    }
}

fn settle(held: &[Arc<Held>], lost: &[Lease], before: Instant, lifetime: Duration) {
    for held in held {
        if lost.contains(&held.lease) {
            // Not a warning: it may have been given back since the list was made.
            tracing::debug!(onboarding = %held.lease.id, epoch = held.lease.epoch, "lease is over");
            held.lost.raise();
        } else {
            held.prolong(before, lifetime);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    async fn held(leases: &Leases, epoch: u64, lifetime: Duration) -> Arc<Held> {
        let lease = Lease {
            id: OnboardingId::from_bytes([7; 16]),
            account: "acme".parse().unwrap(),
            epoch,
        };
        let slot = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        leases.enter(lease, Instant::now(), lifetime, slot)
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_when_a_lease_has_less_time_than_a_request_may_take() {
        let leases = Leases::default();
        let held = held(&leases, 1, Duration::from_secs(15)).await;
        let timeout = Duration::from_secs(10);
        assert!(held.has_time_for(timeout));
        tokio::time::advance(Duration::from_millis(5_001)).await;
        assert!(!held.has_time_for(timeout));
        held.prolong(Instant::now(), Duration::from_secs(15));
        assert!(held.has_time_for(timeout));
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(held.is_lost());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_lease_sends_nothing_whatever_its_time() {
        let leases = Leases::default();
        let held = held(&leases, 1, Duration::from_secs(15)).await;
        let lost = [held.lease.clone()];
        settle(
            std::slice::from_ref(&held),
            &lost,
            Instant::now(),
            Duration::from_secs(15),
        );
        held.lost().await;
        assert!(!held.has_time_for(Duration::ZERO));
    }

    #[tokio::test]
    async fn a_later_lease_of_the_same_onboarding_takes_the_earlier_ones_place() {
        let leases = Leases::default();
        let first = held(&leases, 1, Duration::from_secs(15)).await;
        let second = held(&leases, 2, Duration::from_secs(15)).await;
        assert!(first.is_lost());
        leases.forget(&first);
        assert_eq!(leases.len(), 1);
        leases.forget(&second);
        assert_eq!(leases.len(), 0);
    }
}
