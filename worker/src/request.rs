//! Permits, the lease, and reads under them.

use std::time::Duration;

use exotel::{Answer, Class};
use onboarding::StepRecord;
use store::{Advance, Advanced, Permit, Settled, Then, WriteId};
use tokio::time::Instant;

use crate::{
    account_trouble::Trouble,
    execute::{Ending, Halt, Run},
    fault::Interrupt,
    observe::{Event, Release},
    read::{Reader, Reading, Request},
    retry,
    settings::PERMIT_AGE_MAX,
};

/// The longest that a lease is held to wait for one permit. A saturated account of Exotel's
/// allowance gives one every 300 ms; longer means that the account is closed, and then the slot is
/// for others.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often one read is sent under one lease before the lease is given back: the short delays
/// are waited for in place, so that a long list is not begun anew for one lost page.
const READS_IN_PLACE: u32 = 3;

fn is_old((_, taken): &(Permit, Instant)) -> bool {
    taken.elapsed() > PERMIT_AGE_MAX
}

impl Run<'_> {
    /// Sees to it that a request may be sent now: there is a fresh permit, the lease lasts long
    /// enough for a whole request, and nobody asked to stop.
    pub(crate) async fn ready(&mut self) -> Result<(), Halt> {
        let settings = &self.shared.settings;
        let mut waiting = None;
        loop {
            if self.shared.stop.is_raised() || !self.account_goes_on().await? {
                return Err(self.release(Duration::ZERO).await);
            }
            if self.permit.as_ref().is_some_and(is_old) {
                self.settle(true);
            }
            if self.permit.is_none() {
                self.take_permit(&mut waiting).await?;
            } else if self.held.has_time_for(settings.request_timeout) {
                return Ok(());
            } else if self.held.is_lost()
                // The renewal is late. One try, for without it nothing can be done.
                || !self.held.renew_now(&*self.shared.store, settings.lease).await
                || !self.held.has_time_for(settings.request_timeout)
            {
                return Err(Halt(Ending::Lost));
            }
        }
    }

    /// Whether a request may be sent at this moment.
    pub(crate) fn may_send(&self) -> bool {
        self.permit.as_ref().is_some_and(|permit| !is_old(permit))
            && self.held.has_time_for(self.shared.settings.request_timeout)
    }

    /// Takes a permit, or waits for a while where there is none yet. `waiting` is since when.
    async fn take_permit(&mut self, waiting: &mut Option<Instant>) -> Result<(), Halt> {
        let before = Instant::now();
        match self.advance(Then::PermitOrWait).await? {
            Advanced::Permitted(permit) => {
                self.permit = Some((permit, before));
                if let Some(since) = waiting.take() {
                    self.waited(since, true);
                }
                Ok(())
            }
            Advanced::Wait(wait) if wait > LONGEST_WAIT => {
                self.waited(waiting.unwrap_or(before), false);
                self.starved = true;
                Err(self.release(Duration::ZERO).await)
            }
            Advanced::Wait(wait) => {
                waiting.get_or_insert(before);
                self.pause(wait).await
            }
            // Not an answer to what was asked; ask again, but not at once.
            Advanced::Kept | Advanced::Released | Advanced::Finished | Advanced::Cancelled => {
                self.pause(Duration::from_millis(50)).await
            }
        }
    }

    fn waited(&self, since: Instant, granted: bool) {
        self.shared.tell(Event::PermitWait {
            account: &self.account.name,
            waited: since.elapsed(),
            granted,
        });
    }

    /// Waits under the lease, but not past its loss or the stop.
    pub(crate) async fn pause(&self, wait: Duration) -> Result<(), Halt> {
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.shared.stop.wait() => Ok(()),
            () = self.held.lost() => Err(Halt(Ending::Lost)),
        }
    }

    /// The request of the permit at hand has ended, or was never sent.
    pub(crate) fn settle(&mut self, answered: bool) {
        let permit = self.permit.take().map(|(permit, _)| permit);
        let ended = permit.map(|permit| Settled { permit, answered });
        self.settled.extend(ended);
    }

    /// Counts a request and tells of it. `before`: from before it was sent.
    pub(crate) fn sent<T>(&mut self, result: &Result<Answer<T>, exotel::Error>, before: Instant) {
        self.shared.sent(self.account, result, before);
        // Else it is kept until the account is stopped, or this onboarding given back.
        if self.account.is_proven() {
            self.turn = None;
        }
    }

    /// Records and asks for what comes next, as one store write. `Err`: nothing more is done under
    /// this lease. While the store cannot be reached it is tried again until the lease ends.
    pub(crate) async fn advance(&mut self, then: Then) -> Result<Advanced, Halt> {
        let mut steps: Vec<(usize, StepRecord)> = Vec::with_capacity(1);
        // In the plan's order.
        self.others.sort_unstable();
        for at in std::mem::take(&mut self.others) {
            if at != self.index || !self.dirty {
                steps.extend(self.journal.record(at).map(|record| (at, record.clone())));
            }
        }
        if self.dirty {
            steps.push((self.index, self.record().clone()));
            steps.sort_unstable_by_key(|(at, _)| *at);
        }
        let write = Advance {
            write: WriteId::draw(),
            steps,
            settled: std::mem::take(&mut self.settled),
            then,
            late_check: self.shared.settings.checks_late() && self.journal.needs_late_check(),
        };
        let finished = match write.then {
            Then::Fail { .. } => Ending::Failed,
            Then::Keep
            | Then::Permit
            | Then::PermitOrWait
            | Then::Release { .. }
            | Then::Abandon
            | Then::Succeed => Ending::Succeeded,
        };
        let mut delays = None;
        loop {
            let lease = &self.held.lease;
            let written = self.shared.store.advance(lease, write.clone()).await;
            self.shared.recorded(&written);
            let error = match written {
                Ok(Advanced::Released) => {
                    self.released(&write.then);
                    return Err(Halt(Ending::Released));
                }
                Ok(Advanced::Finished) => return Err(Halt(finished)),
                Ok(Advanced::Cancelled) => return Err(Halt(Ending::Cancelled)),
                Ok(kept) => {
                    self.dirty = false;
                    return Ok(kept);
                }
                Err(store::Error::LeaseLost { .. }) => return Err(Halt(Ending::Lost)),
                Err(error) => error,
            };
            let retryable = matches!(error, store::Error::Unavailable { .. });
            if !retryable {
                // Warned of once for all that are in hand.
                tracing::debug!(
                    onboarding = %lease.id,
                    step = self.step_name(),
                    error = &error as &dyn std::error::Error,
                    "not recorded"
                );
            }
            let delay = delays.get_or_insert_with(retry::of_store).next();
            let delay = delay.filter(|delay| retryable && *delay < self.held.left());
            let Some(delay) = delay else {
                // What was sent is in doubt now, as after a crash.
                return Err(Halt(Ending::Lost));
            };
            tokio::time::sleep(delay).await;
        }
    }

    fn released(&self, then: &Then) {
        let for_want = self.starved || matches!(then, Then::Permit | Then::PermitOrWait);
        let why = if for_want {
            Release::NoPermit
        } else if self.shared.stop.is_raised() {
            Release::Shutdown
        } else {
            Release::Later
        };
        let account = &self.account.name;
        self.shared.tell(Event::Released { account, why });
    }

    /// One read that is not repeated, whatever comes of it.
    pub(crate) async fn read_once<'c, T: Send + 'c>(
        &mut self,
        call: impl Fn() -> Request<'c, T> + Send + Sync,
    ) -> Result<T, Interrupt<Halt>> {
        self.ready().await?;
        let before = Instant::now();
        let result = call().await;
        self.sent(&result, before);
        let error = match result {
            Ok(answer) => {
                self.settle(true);
                return Ok(answer.value);
            }
            Err(error) => error,
        };
        if let Some(trouble) = Trouble::of(&error) {
            return Err(self.account_at_fault(trouble, &error).await.into());
        }
        match error.class() {
            Class::Throttled { retry_after } => Err(self.throttled(retry_after).await.into()),
            Class::Unknown => {
                self.settle(false);
                Err(Interrupt::Refused(error))
            }
            Class::Duplicate
            | Class::Unauthorized
            | Class::NotThere
            | Class::Refused
            | Class::Unsupported
            | Class::NeverSent
            | _ => {
                self.settle(true);
                Err(Interrupt::Refused(error))
            }
        }
    }
}

impl Reader for Run<'_> {
    type Halt = Halt;

    fn read<'r, T: Send + 'r>(
        &'r mut self,
        call: impl Fn() -> Request<'r, T> + Send + Sync + 'r,
    ) -> Reading<'r, T, Halt> {
        Box::pin(async move {
            let mut failures = 0;
            loop {
                let error = match self.read_once(&call).await {
                    Err(Interrupt::Refused(error))
                        if matches!(error.class(), Class::Unknown | Class::NeverSent) =>
                    {
                        error
                    }
                    ended => return ended,
                };
                failures += 1;
                if failures >= READS_IN_PLACE {
                    return Err(self.read_failed(&error).await.into());
                }
                self.pause(self.shared.settings.retry.delay(failures))
                    .await?;
            }
        })
    }
}
