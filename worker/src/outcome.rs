//! What a failed request leads to, by its class.

use std::time::Duration;

use exotel::Class;
use onboarding::{Fault, Step, StepState};
use store::Then;
use tokio::time::Instant;

use crate::{
    account_trouble::{Trouble, say_closed},
    execute::{Ending, Halt, Run},
    fault::{self, Interrupt},
    observe::{Event, StepOutcome, count},
    steps::Write,
};

impl Run<'_> {
    /// A write did not succeed and is no duplicate.
    pub(crate) async fn write_failed(
        &mut self,
        error: &exotel::Error,
        write: &Write<'_>,
        before: Instant,
    ) -> Halt {
        tracing::debug!(
            onboarding = %self.held.lease.id,
            step = self.step_name(),
            attempt = self.record().attempts + 1,
            code = error.code(),
            request_id = error.request_id(),
            "step not done"
        );
        if let Some(trouble) = Trouble::of(error) {
            self.undo_intent(write);
            return self.account_at_fault(trouble, error).await;
        }
        match error.class() {
            Class::Throttled { retry_after } => {
                self.undo_intent(write);
                self.throttled(retry_after).await
            }
            Class::NeverSent => {
                self.undo_intent(write);
                self.never_sent(error).await
            }
            Class::Unknown => self.unknown(error, before).await,
            Class::Duplicate
            | Class::Unauthorized
            | Class::NotThere
            | Class::Refused
            | Class::Unsupported
            | _ => {
                self.settle(true);
                self.change(|record| record.attempts = record.attempts.saturating_add(1));
                let fault = self.refusal(error);
                self.fail(fault, false).await
            }
        }
    }

    /// A read was refused, or cannot be completed.
    pub(crate) async fn interrupted(&mut self, interrupt: Interrupt<Halt>) -> Halt {
        match interrupt {
            Interrupt::Halt(halt) => halt,
            Interrupt::Refused(error) => {
                let fault = self.refusal(&error);
                let in_doubt = self.record().state == StepState::Unknown;
                self.fail(fault, in_doubt).await
            }
            Interrupt::Unreadable { what } => {
                let fault = match self.plan.steps.get(self.index) {
                    Some(step) => fault::unreadable(step.kind(), what),
                    None => fault::fault("list_unreadable", what),
                };
                self.fail(fault, true).await
            }
            Interrupt::TooLong { what, most } => {
                let fault = match self.plan.steps.get(self.index) {
                    Some(step) => fault::too_long(step.kind(), what, most),
                    None => fault::fault("list_too_long", what),
                };
                self.fail(fault, true).await
            }
        }
    }

    fn refusal(&self, error: &exotel::Error) -> Fault {
        match self.plan.steps.get(self.index) {
            Some(step)
                if error.class() == Class::NotThere && self.journal.trunk_sid().is_some() =>
            {
                fault::trunk_gone(step, error, &self.journal)
            }
            _ => fault::of(error),
        }
    }

    /// The account's allowance is used up, whatever the permits say: every worker waits.
    pub(crate) async fn throttled(&mut self, retry_after: Option<Duration>) -> Halt {
        self.settle(true);
        self.outcome = Some(StepOutcome::PutBack);
        count(&self.shared.counters.throttled);
        let account = &self.account.name;
        let delay =
            self.account
                .close_for(&self.shared.settings.retry, retry_after, self.claimed.1);
        self.shared.tell(Event::Closed { account, delay });
        match self.shared.store.close_account(account, delay).await {
            Ok(news) => {
                say_closed(&self.shared.settings, account, delay, news);
                self.release(Duration::ZERO).await
            }
            Err(error) => {
                tracing::warn!(
                    account = %account,
                    error = &error as &dyn std::error::Error,
                    "the account could not be closed; only this onboarding waits"
                );
                self.release(delay).await
            }
        }
    }

    /// The request never left: nothing is in doubt, and it is no attempt.
    async fn never_sent(&mut self, error: &exotel::Error) -> Halt {
        self.settle(true);
        self.outcome = Some(StepOutcome::PutBack);
        let fault = fault::of(error);
        self.note_error(&fault);
        if let Some(halt) = self.waits_for_exotel(error).await {
            return halt;
        }
        let id = self.held.lease.id;
        let policy = &self.shared.settings.retry;
        let failures = self.shared.trouble(id, |troubles| troubles.never_sent += 1);
        if failures.never_sent >= policy.never_sent_attempts {
            if self.removes_the_trunk() {
                return self.trunk_stays(&fault.message).await;
            }
            let in_doubt = self.record().state == StepState::Unknown;
            return self.fail(fault, in_doubt).await;
        }
        self.release(policy.delay(failures.never_sent)).await
    }

    /// A write's outcome is not known: on record as such, so that the next claim reads back.
    /// `before`: from before it was sent.
    async fn unknown(&mut self, error: &exotel::Error, before: Instant) -> Halt {
        self.settle(false);
        self.outcome = Some(StepOutcome::Unknown);
        let fault = fault::of(error);
        let sent = self.sent_at(before);
        self.change(|record| {
            record.state = StepState::Unknown;
            record.note_doubt(sent.first_ms, sent.settles_ms);
            record.error = Some(fault);
        });
        if let Some(halt) = self.waits_for_exotel(error).await {
            return halt;
        }
        self.change(|record| record.attempts = record.attempts.saturating_add(1));
        self.release(self.shared.settings.retry.delay(self.record().attempts))
            .await
    }

    /// A read gave nothing, several times in a row.
    pub(crate) async fn read_failed(&mut self, error: &exotel::Error) -> Halt {
        self.outcome = Some(StepOutcome::PutBack);
        let fault = fault::of(error);
        self.note_error(&fault);
        if let Some(halt) = self.waits_for_exotel(error).await {
            return halt;
        }
        let id = self.held.lease.id;
        let policy = &self.shared.settings.retry;
        let failures = self
            .shared
            .trouble(id, |troubles| troubles.reads += 1)
            .reads;
        if failures >= policy.attempts {
            if self.removes_the_trunk() {
                return self.trunk_stays(&fault.message).await;
            }
            return self.exhausted().await;
        }
        self.release(policy.delay(failures)).await
    }

    /// Notes why the step is not done, for people. While the trunk is removed that is why it is.
    fn note_error(&mut self, fault: &Fault) {
        if !self.removes_the_trunk() {
            self.change(|record| record.error = Some(fault.clone()));
        }
    }

    /// Attempts are used up. What is in doubt stays in doubt, so that a retry reads back first.
    pub(crate) async fn exhausted(&mut self) -> Halt {
        let record = self.record();
        let attempts = record.attempts.max(self.shared.settings.retry.attempts);
        let fault = match self.plan.steps.get(self.index) {
            Some(step) => fault::exhausted(step.kind(), attempts, record.error.as_ref()),
            None => fault::fault("attempts_exhausted", "attempts are used up"),
        };
        let in_doubt = record.state == StepState::Unknown;
        self.fail(fault, in_doubt).await
    }

    /// Ends the onboarding: a person decides.
    pub(crate) async fn fail(&mut self, fault: Fault, in_doubt: bool) -> Halt {
        self.settle(true);
        self.outcome = Some(StepOutcome::Failed);
        self.held.end();
        // The right to a chosen name, once there, is kept for a retry.
        let chosen = matches!(
            self.plan.steps.get(self.index),
            Some(Step::CreateTrunk { chosen: true, .. })
        );
        let in_doubt = in_doubt || (chosen && self.earlier);
        self.change(|record| {
            if !in_doubt {
                record.state = StepState::Failed;
            }
            record.error = Some(fault.clone());
        });
        // The message may hold numbers and names: it is for the journal, not for the log.
        tracing::info!(
            onboarding = %self.held.lease.id,
            step = self.step_name(),
            attempt = self.record().attempts,
            code = fault.code,
            trace_id = self.trace.map(|trace| trace.trace_hex()),
            "onboarding failed"
        );
        let fault = fault::with_left_behind(fault, &self.journal, self.plan);
        let step = Some(self.index);
        match self.advance(Then::Fail { fault, step }).await {
            Ok(_) => Halt(Ending::Failed),
            Err(halt) => halt,
        }
    }

    /// Gives the lease back. A permit at hand was not used.
    pub(crate) async fn release(&mut self, delay: Duration) -> Halt {
        self.settle(true);
        match self.advance(Then::Release { delay }).await {
            Ok(_) => Halt(Ending::Released),
            Err(halt) => halt,
        }
    }
}
