//! Running one onboarding.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use exotel::{Class, Client};
use onboarding::{
    Journal, Plan, SipPassword, State, Step, StepKind, StepRecord, StepResult, StepState,
    TraceContext,
};
use store::{Advanced, Permit, Settled, Then};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    Account, Comparison,
    backend::Job,
    claimer, compare,
    fault::{self, Interrupt},
    lease::Held,
    observe::{Event, StepOutcome},
    outcome,
    shared::Shared,
    steps::{self, Found, Why, Write},
};

/// How a claim ended. It is recorded, except where the lease was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    Cancelled,
    /// The lease was given back; it goes on another time.
    Released,
    /// The lease is another's, or ends by itself.
    Lost,
}

impl Ending {
    /// The state that the onboarding is in for good, if it is.
    pub(crate) fn state(self) -> Option<State> {
        match self {
            Self::Succeeded => Some(State::Succeeded),
            Self::Failed => Some(State::Failed),
            Self::Cancelled => Some(State::Cancelled),
            Self::Released | Self::Lost => None,
        }
    }
}

/// Nothing more is done under this lease.
#[derive(Debug)]
pub(crate) struct Halt(pub(crate) Ending);

/// A comparison under way.
type Compare<'r> = Pin<Box<dyn Future<Output = Result<Comparison, Interrupt<Halt>>> + Send + 'r>>;

/// One onboarding under one lease.
pub(crate) struct Run<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) account: &'a Account,
    pub(crate) client: &'a Client,
    pub(crate) held: &'a Held,
    pub(crate) plan: &'a Plan,
    pub(crate) password: Option<&'a SipPassword>,
    pub(crate) journal: Journal,
    /// The step that is run.
    pub(crate) index: usize,
    /// The step's record differs from the stored one.
    pub(crate) dirty: bool,
    /// An attempt of an earlier claim may have taken effect.
    pub(crate) earlier: bool,
    /// For the next request, and from before the call that gave it.
    pub(crate) permit: Option<(Permit, Instant)>,
    /// To be told to the store with the next write.
    pub(crate) settled: Vec<Settled>,
    /// What the step that is run came to.
    pub(crate) outcome: Option<StepOutcome>,
    /// There was no permit, and none soon: that is why the lease is given back.
    pub(crate) starved: bool,
    /// The trace that the signup came with, for the log.
    pub(crate) trace: Option<TraceContext>,
}

/// Runs a claimed onboarding as far as it comes. Fails at nothing: what goes wrong is recorded.
pub(crate) async fn execute(shared: Arc<Shared>, job: Job) -> Result<Ending, Infallible> {
    let Job {
        claim,
        held,
        claimed,
    } = job;
    let id = claim.lease.id;
    let trace = claim.trace;
    let name = &claim.lease.account;
    let Some(account) = shared.served.get(name) else {
        tracing::error!(onboarding = %id, account = %name, "the store handed out an onboarding of an account that was not registered");
        let delay = shared.settings.retry.cap;
        let job = Job {
            claim,
            held,
            claimed,
        };
        claimer::give_back(&shared, job, delay).await;
        return Ok(Ending::Released);
    };
    let ending = match client_of(&shared, &account) {
        Ok(client) => {
            let run = Run {
                shared: &shared,
                account: &account,
                client,
                held: &held,
                plan: &claim.plan,
                password: claim.password.as_ref(),
                journal: claim.journal,
                index: 0,
                dirty: false,
                earlier: false,
                permit: Some((claim.permit, claimed)),
                settled: Vec::new(),
                outcome: None,
                starved: false,
                trace: claim.trace,
            };
            run.run(claim.verify).await
        }
        Err(reason) => {
            outcome::park(&shared, &claim.lease.account, &reason).await;
            let job = Job {
                claim,
                held,
                claimed,
            };
            claimer::give_back(&shared, job, Duration::ZERO).await;
            Ending::Released
        }
    };
    let trace_id = trace.map(|trace| trace.trace_hex());
    match ending {
        Ending::Succeeded => tracing::info!(onboarding = %id, trace_id, "onboarding succeeded"),
        Ending::Cancelled => tracing::info!(onboarding = %id, trace_id, "onboarding cancelled"),
        // Told where it happened, with its code.
        Ending::Failed => {}
        Ending::Released => tracing::debug!(onboarding = %id, "lease given back"),
        Ending::Lost => tracing::info!(onboarding = %id, trace_id, "lease lost; let go"),
    }
    Ok(ending)
}

/// The account's client, or why there is none.
fn client_of<'a>(shared: &Shared, account: &'a Account) -> Result<&'a Client, String> {
    let name = &account.name;
    account.client(&shared.settings).map_err(|error| {
        format!(
            "the accounts file's entry [accounts.{name}] cannot be used: {error}; correct it, start the worker again, then run `trunkline accounts resume {name}`"
        )
    })
}

impl Run<'_> {
    async fn run(mut self, mut verify: bool) -> Ending {
        loop {
            let step = self.next();
            let span = step.map_or_else(Span::none, |step| self.step_span(step));
            let ended = self.next_step(verify).instrument(span.clone()).await;
            self.tell_of_step(step, &ended, &span);
            if let Err(Halt(ending)) = ended {
                return ending;
            }
            // Only the first unfinished step can be in doubt.
            verify = false;
        }
    }

    /// The kind of the first unfinished step.
    fn next(&self) -> Option<StepKind> {
        let index = self.journal.first_unfinished()?;
        self.plan.steps.get(index).map(Step::kind)
    }

    /// At the lowest level: for traces, not for the log.
    fn step_span(&self, step: StepKind) -> Span {
        tracing::trace_span!(
            "step",
            otel.name = step.as_str(),
            otel.status_code = Empty,
            step = step.as_str(),
            outcome = Empty,
            code = Empty,
        )
    }

    /// Tells what became of the step, if that is recorded.
    fn tell_of_step(&mut self, step: Option<StepKind>, ended: &Result<(), Halt>, span: &Span) {
        let outcome = self.outcome.take();
        let (Some(step), Some(outcome)) = (step, outcome) else {
            return;
        };
        if matches!(ended, Err(Halt(Ending::Lost))) {
            return;
        }
        span.record("outcome", outcome.as_str());
        if !matches!(outcome, StepOutcome::Done | StepOutcome::Adopted) {
            span.record("otel.status_code", "ERROR");
            let code = self
                .record()
                .error
                .as_ref()
                .map(|fault| fault.code.as_str());
            span.record("code", code);
        }
        self.shared.tell(Event::Step {
            account: &self.account.name,
            step,
            outcome,
        });
    }

    /// Runs the first unfinished step. `Ok`: it is done and there are more.
    async fn next_step(&mut self, verify: bool) -> Result<(), Halt> {
        let plan = self.plan;
        if self.journal.records().len() != plan.steps.len() {
            let damaged = "the journal has not as many records as the plan has steps; the store's file was changed or is damaged. Restore it from a backup, or cancel this onboarding";
            return Err(self
                .fail(fault::fault("journal_damaged", damaged), false)
                .await);
        }
        let next = self.journal.first_unfinished();
        let Some((index, step)) = next.and_then(|at| Some((at, plan.steps.get(at)?))) else {
            self.settle(true);
            return match self.advance(Then::Succeed).await {
                Ok(_) => Err(Halt(Ending::Succeeded)),
                Err(halt) => Err(halt),
            };
        };
        self.begin(index, step, verify);
        if *step == Step::Verify {
            return self.verify().await;
        }
        let write = match Write::prepare(step, &self.journal, self.password) {
            Ok(write) => write,
            Err(fault) => return Err(self.fail(fault, false).await),
        };
        let in_doubt = self.record().state == StepState::Unknown || self.trunk_was_adopted();
        if in_doubt && write.can_be_read_back() {
            match self.probe(&write, Why::Doubt).await? {
                Found::There(result) => return self.done(result, false).await,
                Found::Absent => {}
                Found::Wrong(fault) => return Err(self.fail(fault, false).await),
            }
        }
        self.write(&write).await
    }

    fn begin(&mut self, index: usize, step: &Step, verify: bool) {
        self.index = index;
        let mut record = self.record().clone();
        self.dirty = verify && steps::doubt(step, &mut record);
        self.earlier = record.state == StepState::Unknown;
        self.journal.set(index, record);
        self.under_way();
    }

    /// Notes what is to be recorded if the handler breaks from now on.
    fn under_way(&self) {
        let mut record = self.record().clone();
        if let Some(step) = self.plan.steps.get(self.index) {
            steps::doubt(step, &mut record);
        }
        self.held.begin(self.index, record);
    }

    /// Sends a step's write, and once more where a duplicate turns out not to be there.
    async fn write(&mut self, write: &Write<'_>) -> Result<(), Halt> {
        let mut duplicates = 0;
        loop {
            if self.record().attempts >= self.shared.settings.retry.attempts {
                return Err(self.exhausted().await);
            }
            self.ready().await?;
            self.intend(write).await?;
            let before = Instant::now();
            let result = write.send(self.client).await;
            self.sent(&result, before);
            let error = match result {
                Ok(answer) => return self.done(answer.value, true).await,
                Err(error) => error,
            };
            if error.class() != Class::Duplicate {
                return Err(self.write_failed(&error, write).await);
            }
            duplicates += 1;
            self.settle(true);
            self.undo_intent(write);
            self.change(|record| {
                record.attempts = record.attempts.saturating_add(1);
                record.error = Some(fault::of(&error));
            });
            match self.probe(write, Why::Duplicate).await? {
                Found::There(result) => return self.done(result, false).await,
                // What is there from now on came after this look, so the next attempt made it.
                Found::Absent if duplicates < 2 => self.earlier = true,
                Found::Absent => {
                    let fault = steps::duplicate_unlisted(write, &error);
                    return Err(self.fail(fault, false).await);
                }
                Found::Wrong(fault) => return Err(self.fail(fault, false).await),
            }
        }
    }

    /// Whether the trunk may have been there before this journal began, as after a store was lost:
    /// then more of the plan may be there too, and not as this journal would have made it.
    pub(crate) fn trunk_was_adopted(&self) -> bool {
        let mut all = self.plan.steps.iter().zip(self.journal.records());
        all.any(|(step, record)| step.kind() == StepKind::CreateTrunk && record.adopted)
    }

    /// Puts on record that a trunk with a chosen name is about to be created, so that a crash
    /// leaves it known that a trunk of that name may be ours. Derived names need no such record.
    async fn intend(&mut self, write: &Write<'_>) -> Result<(), Halt> {
        if !write.needs_intent() || self.record().state == StepState::Unknown {
            return Ok(());
        }
        loop {
            self.change(|record| record.state = StepState::Unknown);
            self.advance(Then::Keep).await?;
            self.under_way();
            if self.may_send() {
                return Ok(());
            }
            // The store took its time. What is not sent now gives no right to the name.
            self.undo_intent(write);
            self.ready().await?;
        }
    }

    /// Nothing came of the intended write: whoever has that name, it is not this onboarding.
    pub(crate) fn undo_intent(&mut self, write: &Write<'_>) {
        if write.needs_intent() && !self.earlier {
            self.change(|record| record.state = StepState::Pending);
            self.under_way();
        }
    }

    /// Reads back. What refuses the reading is final.
    async fn probe(&mut self, write: &Write<'_>, why: Why) -> Result<Found, Halt> {
        match write.probe(self, why).await {
            Ok(found) => Ok(found),
            Err(interrupt) => Err(self.interrupted(interrupt).await),
        }
    }

    /// Compares everything, as the last step.
    async fn verify(&mut self) -> Result<(), Halt> {
        match self.compare().await {
            Ok(comparison) => match steps::verified(&comparison) {
                Ok(result) => self.done(result, true).await,
                Err(fault) => Err(self.fail(fault, false).await),
            },
            Err(interrupt) => Err(self.interrupted(interrupt).await),
        }
    }

    /// Boxed, as probes are.
    fn compare(&mut self) -> Compare<'_> {
        Box::pin(async move {
            let (client, plan) = (self.client, self.plan);
            let journal = self.journal.clone();
            compare::compare(self, client, plan, &journal).await
        })
    }

    /// Records a step as done and asks for what the next one needs, in one write.
    async fn done(&mut self, result: StepResult, wrote: bool) -> Result<(), Halt> {
        self.held.end();
        self.settle(true);
        self.outcome = Some(if wrote {
            StepOutcome::Done
        } else {
            StepOutcome::Adopted
        });
        self.change(|record| {
            record.state = StepState::Done;
            record.attempts = record.attempts.saturating_add(u32::from(wrote));
            record.result = Some(result);
            record.adopted = !wrote;
        });
        self.shared.no_trouble(self.held.lease.id);
        tracing::debug!(
            onboarding = %self.held.lease.id,
            step = self.step_name(),
            attempt = self.record().attempts,
            adopted = !wrote,
            "step done"
        );
        let then = if self.journal.first_unfinished().is_none() {
            Then::Succeed
        } else if self.shared.stop.is_raised() {
            Then::Release {
                delay: Duration::ZERO,
            }
        } else {
            Then::Permit
        };
        let before = Instant::now();
        if let Advanced::Permitted(permit) = self.advance(then).await? {
            self.permit = Some((permit, before));
        }
        Ok(())
    }

    pub(crate) fn record(&self) -> &StepRecord {
        static NOTHING: StepRecord = StepRecord {
            state: StepState::Pending,
            attempts: 0,
            result: None,
            adopted: false,
            error: None,
        };
        self.journal.record(self.index).unwrap_or(&NOTHING)
    }

    /// Changes the step's record, to be stored with the next write.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut StepRecord)) {
        let mut record = self.record().clone();
        change(&mut record);
        self.journal.set(self.index, record);
        self.dirty = true;
    }

    pub(crate) fn step_name(&self) -> &'static str {
        self.plan
            .steps
            .get(self.index)
            .map_or("none", |step| step.kind().as_str())
    }
}
