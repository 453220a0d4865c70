//! Trying stopped accounts again, by one request at growing pauses.
//!
//! The store hands a probe to one worker of all. What people see does not change while it is tried:
//! a probe that fails moves its next time and nothing else, one that works lets the account go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use exotel::{Answer, Class};
use store::{Probe, Probed, ReadProbe, Settled, StopKind};
use tokio::time::Instant;

use crate::{
    account::Account,
    account_trouble::{self, CHEAP_READ, Trouble, no_answer, say_closed, say_parked},
    execute::Run,
    observe::Event,
    settings::Settings,
    shared::Shared,
    steps::Write,
};

/// A parked account is tried first after this part of the longest pause.
const FIRST_PART: u32 = 16;

/// The pause after so many probes that failed in a row, while Exotel is out.
pub(crate) fn outage_pause(settings: &Settings, failures: u32) -> Duration {
    settings.retry.bound(failures.saturating_add(1))
}

/// The same for a parked account; `None`: it is not tried.
pub(crate) fn parked_pause(settings: &Settings, failures: u32) -> Option<Duration> {
    let most = settings.account_probe;
    let doubled = 2_u32.saturating_pow(failures.min(FIRST_PART));
    let pause = (most / FIRST_PART).saturating_mul(doubled).min(most);
    (!most.is_zero()).then_some(pause.max(Duration::from_millis(1)))
}

/// Tries an account by a read, beside whatever else is done.
pub(crate) fn start(shared: &Arc<Shared>, probe: ReadProbe) {
    shared.probing.fetch_add(1, Ordering::SeqCst);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        read(&shared, probe).await;
        shared.probing.fetch_sub(1, Ordering::SeqCst);
        shared.ended.notify_one();
    });
}

async fn read(shared: &Shared, given: ReadProbe) {
    let ReadProbe { probe, permit } = given;
    let Some(account) = shared.served.get(&probe.account) else {
        return;
    };
    let client = match account.client(&shared.settings) {
        Ok(client) => client,
        Err(error) => return failed(shared, &probe, &error.to_string()).await,
    };
    let before = Instant::now();
    let result = tokio::select! {
        result = client.trunks_page(CHEAP_READ) => result,
        // Nothing is left in doubt by a read, and the probe is another worker's later.
        () = shared.stop.wait() => return,
    };
    shared.sent(&account, &result, before);
    let answered = !matches!(&result, Err(error) if error.class() == Class::Unknown);
    let settled = vec![Settled { permit, answered }];
    if let Err(error) = shared.store.settle(settled).await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a probe's permit could not be given back; it comes back by itself"
        );
    }
    judge(shared, &account, &probe, &result, before).await;
}

/// What an answer to the cheap read means.
async fn judge<T>(
    shared: &Shared,
    account: &Account,
    probe: &Probe,
    result: &Result<Answer<T>, exotel::Error>,
    before: Instant,
) {
    let error = match result {
        Ok(_) => return works(shared, probe).await,
        Err(error) => error,
    };
    if let Class::Throttled { retry_after } = error.class() {
        let delay = account.close_for(&shared.settings.retry, retry_after, before);
        if let Ok(news) = shared.store.close_account(&account.name, delay).await {
            say_closed(&shared.settings, &account.name, delay, news);
        }
    }
    // An outage is over with any answer; what that says of the account is another matter.
    if probe.stopped == StopKind::Parked || no_answer(error) {
        return failed(shared, probe, &error.what_happened().to_string()).await;
    }
    match Trouble::of(error) {
        Some(trouble) => {
            account_trouble::park_for(shared, &account.name, trouble, error).await;
        }
        None => works(shared, probe).await,
    }
}

/// The account goes on.
async fn works(shared: &Shared, probe: &Probe) {
    let account = &probe.account;
    match shared.store.probed(probe, &Probed::Works).await {
        Ok(true) => {}
        // A person was faster, or it was stopped anew.
        Ok(false) => return,
        Err(error) => {
            tracing::warn!(
                account = %account,
                error = &error as &dyn std::error::Error,
                "the account works, but the store could not be told; it is tried again"
            );
            return;
        }
    }
    if let Some(served) = shared.served.get(account) {
        served.answered();
    }
    let stopped_s = probe.lasts.as_secs();
    match probe.stopped {
        StopKind::Outage => {
            tracing::warn!(account = %account, stopped_s, "Exotel answers again; the account goes on");
        }
        StopKind::Parked => {
            tracing::warn!(account = %account, stopped_s, "the parked account works again and goes on");
        }
    }
    shared.tell(Event::Resumed { account });
}

/// It does not; `why` for the person who is told that an outage lasts.
async fn failed(shared: &Shared, probe: &Probe, why: &str) {
    let settings = &shared.settings;
    let account = &probe.account;
    let minutes = probe.lasts.as_secs() / 60;
    let park = (probe.stopped == StopKind::Outage && probe.lasts >= settings.outage_max).then(|| {
        format!(
            "Exotel has not answered for {minutes} minutes: {why}; check the network and Exotel's status, then run `trunkline accounts resume {account}`"
        )
    });
    let failures = probe.failures.saturating_add(1);
    let parked = park.is_some() || probe.stopped == StopKind::Parked;
    let next = if parked {
        parked_pause(settings, failures)
    } else {
        Some(outage_pause(settings, failures))
    };
    let came = Probed::Failed {
        next,
        park: park.clone(),
    };
    match shared.store.probed(probe, &came).await {
        Ok(true) => {
            tracing::debug!(account = %account, failures, why, "the account was tried and does not go on");
            if let Some(reason) = park {
                say_parked(shared, account, &reason);
            }
        }
        Ok(false) => {}
        Err(error) => tracing::debug!(
            account = %account,
            error = &error as &dyn std::error::Error,
            "a probe's end could not be recorded; the account is tried again later"
        ),
    }
}

/// An onboarding that tries its account.
pub(crate) struct Creator {
    probe: Probe,
    worked: AtomicBool,
}

impl Creator {
    pub(crate) fn new(probe: Probe) -> Self {
        Self {
            probe,
            worked: AtomicBool::new(false),
        }
    }

    /// The onboarding was given back or has ended.
    pub(crate) async fn end(&self, shared: &Shared) {
        if !self.worked.load(Ordering::Relaxed) {
            failed(shared, &self.probe, "no trunk was created").await;
        }
    }
}

impl Run<'_> {
    /// Lets the account go on where this onboarding was to try it, and its trunk was created, or is
    /// there already.
    pub(crate) async fn account_tried<T: Sync>(
        &self,
        write: &Write<'_>,
        result: &Result<Answer<T>, exotel::Error>,
    ) {
        let Some(creator) = self.creator else {
            return;
        };
        let created = match result {
            Ok(_) => true,
            Err(error) => error.class() == Class::Duplicate,
        };
        let is_create = matches!(write, Write::CreateTrunk { .. });
        if created && is_create && !creator.worked.swap(true, Ordering::Relaxed) {
            works(self.shared, &creator.probe).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use store::WorkerName;

    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_none_is_none() {
        let mut settings = Settings::new(WorkerName("w".into()));
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let parked = |settings: &Settings, n| parked_pause(settings, n);
        assert_eq!(
            parked(&settings, 0),
            Some(Duration::from_millis(37_500)),
            "a sixteenth of ten minutes"
        );
        assert_eq!(parked(&settings, 1), Some(Duration::from_secs(75)));
        assert_eq!(parked(&settings, 4), Some(minutes(10)));
        assert_eq!(parked(&settings, u32::MAX), Some(minutes(10)));
        settings.account_probe = Duration::ZERO;
        assert_eq!(parked(&settings, 3), None);
        assert_eq!(outage_pause(&settings, 0), Duration::from_secs(1));
        assert_eq!(outage_pause(&settings, 3), Duration::from_secs(8));
        assert_eq!(outage_pause(&settings, u32::MAX), minutes(1));
    }
}
