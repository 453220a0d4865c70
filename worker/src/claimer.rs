//! Feeds the backend: claims as many onboardings as there are free slots.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use store::{Advance, Claim, Settled, Then, WriteId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};

use crate::{
    backend::Job,
    lease::Held,
    observe::{Event, Release},
    probe, retry,
    shared::Shared,
};

/// The longest time between two looks into the store, whatever it says about the next: a safety
/// net for a wake-up that was lost on its way.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// The same for a worker that drains: that others have ended what they held is told to nobody.
const DRAINING_LOOK_EVERY: Duration = Duration::from_secs(1);

/// After a handler ended, so long is waited for others to end too, so that a busy worker claims
/// several at once. Far below the 20 ms in which a new signup has to start, and not on its way.
const GATHER: Duration = Duration::from_millis(2);

/// Claims until the stop flag is raised. A store that is away for a while never ends it.
///
/// # Errors
///
/// What waiting does not mend: a store that a person has to see to.
pub(crate) async fn claim_all(
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
) -> store::Result<()> {
    let mut outage = None;
    while !shared.stop.is_raised() {
        let Some(free) = free_slots(&shared, &slots).await else {
            return Ok(());
        };
        let before = Instant::now();
        let settings = &shared.settings;
        let claimed = shared
            .store
            .claim(
                &settings.worker_name,
                free.len(),
                settings.lease,
                settings.permit_time(),
            )
            .await;
        let claims = match claimed {
            Ok(claims) => claims,
            Err(error) if is_lasting(&error) => return Err(error),
            Err(error) => {
                let delays = outage.get_or_insert_with(|| {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "nothing can be claimed; trying again until the store answers"
                    );
                    retry::of_store()
                });
                let delay = delays.next().unwrap_or(DRAINING_LOOK_EVERY);
                pause(&shared, delay).await;
                continue;
            }
        };
        if outage.take().is_some() {
            tracing::info!("the store answers again");
        }
        let got = claims.claims.len();
        let full = got == free.len();
        for read in claims.probes {
            probe::start(&shared, read);
        }
        hand_over(&shared, claims.claims, free, before, &jobs).await;
        if full {
            continue;
        }
        if got == 0 && is_drained(&shared).await? {
            shared.stop.raise();
            return Ok(());
        }
        let most = if shared.settings.drain {
            DRAINING_LOOK_EVERY
        } else {
            LOOK_AT_LEAST_EVERY
        };
        wait_for_more(&shared, claims.next.unwrap_or(most).min(most)).await;
    }
    Ok(())
}

/// Whether a person has to see to the store before it works again.
fn is_lasting(error: &store::Error) -> bool {
    matches!(
        error,
        store::Error::Unusable { .. }
            | store::Error::Corrupt { .. }
            | store::Error::Replaced { .. }
    )
}

/// Waits for at least one free slot and takes all there are. `None` at the stop.
async fn free_slots(shared: &Shared, slots: &Arc<Semaphore>) -> Option<Vec<OwnedSemaphorePermit>> {
    if slots.available_permits() == 0 {
        let one = tokio::select! {
            one = Arc::clone(slots).acquire_owned() => one.ok()?,
            () = shared.stop.wait() => return None,
        };
        drop(one);
        tokio::time::sleep(GATHER).await;
    }
    let mut free = Vec::with_capacity(slots.available_permits());
    while let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        free.push(slot);
    }
    Some(free)
}

async fn hand_over(
    shared: &Shared,
    claims: Vec<Claim>,
    free: Vec<OwnedSemaphorePermit>,
    before: Instant,
    jobs: &mpsc::Sender<Job>,
) {
    for (claim, slot) in claims.into_iter().zip(free) {
        shared.tell(Event::Claimed {
            account: &claim.lease.account,
            epoch: claim.lease.epoch,
        });
        let lifetime = shared.settings.lease;
        let held = shared
            .leases
            .enter(claim.lease.clone(), before, lifetime, slot);
        let job = Job {
            claim,
            held,
            claimed: before,
        };
        if shared.stop.is_raised() {
            give_back(shared, job, Duration::ZERO).await;
        } else if let Err(unsent) = jobs.send(job).await {
            // The runtime is gone; whoever ends the process sees to the rest.
            give_back(shared, unsent.0, Duration::ZERO).await;
        }
    }
}

/// Gives back what was claimed and never started; it is due again after `delay`.
pub(crate) async fn give_back(shared: &Shared, job: Job, delay: Duration) {
    let Job { claim, held, .. } = job;
    let back = Advance {
        write: WriteId::draw(),
        // A claim that has to be verified still has to be the next time.
        steps: doubt(&claim, &shared.settings),
        settled: vec![Settled {
            permit: claim.permit,
            answered: true,
        }],
        then: Then::Release { delay },
        late_check: false,
    };
    if let Err(error) = shared.store.advance(&held.lease, back).await {
        tracing::debug!(
            onboarding = %held.lease.id,
            error = &error as &dyn std::error::Error,
            "lease not given back; it ends by itself"
        );
    } else {
        let why = if shared.stop.is_raised() {
            Release::Shutdown
        } else {
            Release::Later
        };
        let account = &held.lease.account;
        shared.tell(Event::Released { account, why });
    }
    forget(shared, &held);
}

/// The first unfinished step as unknown, where the claim says that it is in doubt.
fn doubt(claim: &Claim, settings: &crate::Settings) -> Vec<(usize, onboarding::StepRecord)> {
    let index = claim.journal.first_unfinished().filter(|_| claim.verify);
    let in_doubt = index.and_then(|index| {
        let step = claim.plan.steps.get(index)?;
        let mut record = claim.journal.record(index)?.clone();
        let sent = crate::read_back::sent_before(claim, settings);
        crate::steps::doubt(step, &mut record, sent).then_some((index, record))
    });
    in_doubt.into_iter().collect()
}

pub(crate) fn forget(shared: &Shared, held: &Held) {
    shared.leases.forget(held);
    shared.ended.notify_one();
}

/// Whether nothing is left to run, for a worker that drains: of the accounts that it serves and
/// that are not parked, for nobody else's can it do anything.
async fn is_drained(shared: &Shared) -> store::Result<bool> {
    let checked = shared.late_checks_begun.is_raised();
    let probing = shared.probing.load(Ordering::SeqCst);
    if !shared.settings.drain || !checked || shared.leases.len() > 0 || probing > 0 {
        return Ok(false);
    }
    let all = match shared.store.accounts().await {
        Ok(all) => all,
        Err(error) if is_lasting(&error) => return Err(error),
        Err(_) => return Ok(false),
    };
    let mut served = all
        .iter()
        .filter(|account| account.parked.is_none() && shared.served.has(&account.name));
    Ok(served.all(|account| account.waiting == 0 && account.running == 0))
}

/// Waits until there may be more to claim.
async fn wait_for_more(shared: &Shared, next: Duration) {
    tokio::select! {
        () = tokio::time::sleep(next) => {}
        () = shared.store.changed() => {}
        () = shared.stop.wait() => {}
        () = shared.ended.notified() => tokio::time::sleep(GATHER).await,
    }
}

async fn pause(shared: &Shared, delay: Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = shared.stop.wait() => {}
    }
}
