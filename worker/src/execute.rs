//! Running one onboarding.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use exotel::{Class, Client, NumberMapping};
use onboarding::{
    Journal, OnboardingId, Plan, SipPassword, State, Step, StepKind, StepRecord, StepState,
    TraceContext,
};
use store::{Advanced, NumberHolder, Permit, ProbeKind, Settled, Then};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use crate::{
    Account, Comparison,
    account::Turn,
    account_trouble::park,
    backend::Job,
    claimer, compare,
    fault::{self, Interrupt},
    lease::Held,
    observe::{Event, StepOutcome},
    probe::Creator,
    read_back,
    shared::Shared,
    steps::{self, Found, MayBeSent, Resource, Write},
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
    /// Other records that differ from the stored ones.
    pub(crate) others: Vec<usize>,
    /// What may have been sent before this claim was, where the claim says that something may.
    pub(crate) sent_before: MayBeSent,
    /// The store's clock at the claim, in milliseconds, and ours from before it.
    pub(crate) claimed: (i64, Instant),
    /// The numbers of the trunk, read with the trunk.
    pub(crate) numbers: Option<Vec<NumberMapping>>,
    /// Surplus copies of repeated writes were looked for.
    pub(crate) surplus_removed: bool,
    /// An attempt of an earlier claim may have taken effect.
    pub(crate) earlier: bool,
    /// Another onboarding that has its number.
    pub(crate) number_in_use: Option<&'a NumberHolder>,
    /// It is to show whether its account goes on.
    pub(crate) creator: Option<&'a Creator>,
    /// The right to send the one request of an account that gave no answer yet.
    pub(crate) turn: Option<Turn>,
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
    let creator = claim.probe.clone().map(Creator::new);
    let secret = claim.password.as_ref().map(SipPassword::secret);
    let client = client_of(&shared, &account).map(|client| client.hiding(secret));
    let ending = match client {
        Ok(client) => {
            let run = Run {
                shared: &shared,
                account: &account,
                client: &client,
                held: &held,
                plan: &claim.plan,
                password: claim.password.as_ref(),
                index: 0,
                dirty: false,
                others: Vec::new(),
                sent_before: read_back::sent_before(&claim, &shared.settings),
                claimed: (claim.now_ms, claimed),
                journal: claim.journal,
                numbers: None,
                surplus_removed: false,
                earlier: false,
                number_in_use: claim.number_in_use.as_ref(),
                creator: creator.as_ref(),
                turn: None,
                permit: Some((claim.permit, claimed)),
                settled: Vec::new(),
                outcome: None,
                starved: false,
                trace: claim.trace,
            };
            run.run(claim.verify).await
        }
        Err(reason) => {
            park(&shared, name, reason, ProbeKind::Read).await;
            let job = Job {
                claim,
                held,
                claimed,
            };
            claimer::give_back(&shared, job, Duration::ZERO).await;
            Ending::Released
        }
    };
    if let Some(creator) = &creator {
        creator.end(&shared).await;
    }
    log_end(id, trace, ending);
    Ok(ending)
}

fn log_end(id: OnboardingId, trace: Option<TraceContext>, ending: Ending) {
    let trace_id = trace.map(|trace| trace.trace_hex());
    match ending {
        Ending::Succeeded => tracing::info!(onboarding = %id, trace_id, "onboarding succeeded"),
        Ending::Cancelled => tracing::info!(onboarding = %id, trace_id, "onboarding cancelled"),
        // Told where it happened, with its code.
        Ending::Failed => {}
        Ending::Released => tracing::debug!(onboarding = %id, "lease given back"),
        Ending::Lost => tracing::info!(onboarding = %id, trace_id, "lease lost; let go"),
    }
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
            let span = match step {
                Some(step) => step_span(step.as_str()),
                // After the last step.
                None if self.has_repeats() => step_span("remove_surplus"),
                None => Span::none(),
            };
            let ended = self.next_step(verify).instrument(span.clone()).await;
            self.tell_of_step(step, &ended, &span);
            if let Err(Halt(ending)) = ended {
                return ending;
            }
            // Later steps are in doubt while what is found is adopted.
            verify = false;
        }
    }

    /// The kind of the first unfinished step.
    fn next(&self) -> Option<StepKind> {
        let index = self.journal.first_unfinished()?;
        self.plan.steps.get(index).map(Step::kind)
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
        self.go_on_removing_the_trunk().await?;
        let next = self.journal.first_unfinished();
        let next = next.and_then(|at| Some((at, plan.steps.get(at)?)));
        if next.is_none_or(|(_, step)| *step == Step::Verify) {
            self.remove_surplus().await?;
        }
        let Some((index, step)) = next else {
            self.settle(true);
            return match self.advance(Then::Succeed).await {
                Ok(_) => Err(Halt(Ending::Succeeded)),
                Err(halt) => Err(halt),
            };
        };
        self.begin(index, step, verify);
        if let (Step::CreateTrunk { .. }, Some(holder)) = (step, self.number_in_use) {
            let in_doubt = self.record().state == StepState::Unknown;
            let fault = fault::number_in_use(plan, holder, in_doubt);
            return Err(self.fail(fault, in_doubt).await);
        }
        if *step == Step::Verify {
            return self.verify().await;
        }
        let write = match Write::prepare(step, &self.journal, self.password) {
            Ok(write) => write,
            Err(fault) => return Err(self.fail(fault, false).await),
        };
        let in_doubt = self.record().state == StepState::Unknown || self.doubt_goes_on(&write);
        if in_doubt && write.can_be_read_back() {
            match self.look(&write).await? {
                Found::There(resource) => return self.adopt(resource, &write).await,
                Found::Live(ids) => {
                    if let Some(there) = self.live(&write, &ids).await? {
                        return self.adopt(there, &write).await;
                    }
                }
                Found::Absent if write.appends() => self.before_a_repeat().await?,
                Found::Absent => {}
                Found::Wrong(fault) => return Err(self.fail(fault, false).await),
            }
        }
        self.write(&write).await
    }

    fn begin(&mut self, index: usize, step: &Step, verify: bool) {
        self.index = index;
        let mut record = self.record().clone();
        self.dirty = verify && steps::doubt(step, &mut record, self.sent_before);
        self.earlier = record.state == StepState::Unknown;
        self.journal.set(index, record);
        self.under_way();
    }

    /// Notes what is to be recorded if the handler breaks from now on.
    pub(crate) fn under_way(&self) {
        let mut record = self.record().clone();
        if let Some(step) = self.plan.steps.get(self.index) {
            let now = Instant::now();
            steps::doubt(step, &mut record, self.sent_at(now));
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
            self.under_way();
            let before = Instant::now();
            let result = write.send(self.client).await;
            self.sent(&result, before);
            self.account_tried(write, &result).await;
            let error = match result {
                Ok(answer) => return self.done(answer.value.into(), true).await,
                Err(error) => error,
            };
            if error.class() != Class::Duplicate {
                return Err(self.write_failed(&error, write, before).await);
            }
            duplicates += 1;
            self.settle(true);
            self.undo_intent(write);
            self.change(|record| {
                record.attempts = record.attempts.saturating_add(1);
                record.error = Some(fault::of(&error));
            });
            let absent = match self.look(write).await? {
                Found::There(resource) => return self.adopt(resource, write).await,
                Found::Live(ids) => match self.live(write, &ids).await? {
                    Some(resource) => return self.adopt(resource, write).await,
                    None => continue,
                },
                Found::Absent => self.duplicate_but_absent(write, &error, duplicates).await?,
                Found::Wrong(fault) => return Err(self.fail(fault, false).await),
            };
            if let Some(resource) = absent {
                return self.adopt(resource, write).await;
            }
            // What is there from now on came after this look, so the next attempt made it.
            self.earlier = true;
        }
    }

    /// Compares everything, as the last step.
    async fn verify(&mut self) -> Result<(), Halt> {
        match self.compare().await {
            Ok(comparison) => match steps::verified(&comparison) {
                Ok(result) => self.done(result.into(), true).await,
                Err(fault) => Err(self.fail(fault, false).await),
            },
            Err(interrupt) => Err(self.interrupted(interrupt).await),
        }
    }

    /// Boxed, as probes are.
    fn compare(&mut self) -> Compare<'_> {
        Box::pin(async move {
            let (client, plan, password) = (self.client, self.plan, self.password);
            let journal = self.journal.clone();
            compare::compare(self, client, plan, &journal, password).await
        })
    }

    /// Records a step as done and asks for what the next one needs, in one write.
    pub(crate) async fn done(&mut self, resource: Resource, wrote: bool) -> Result<(), Halt> {
        self.held.end();
        self.settle(true);
        self.outcome = Some(if wrote {
            StepOutcome::Done
        } else {
            StepOutcome::Adopted
        });
        let numbers = resource.numbers;
        self.change(|record| {
            record.state = StepState::Done;
            record.attempts = record.attempts.saturating_add(u32::from(wrote));
            record.result = Some(resource.result);
            record.adopted = !wrote;
            record.own = resource.own && !wrote;
            if wrote {
                record.doubt = record.doubt.filter(|doubt| doubt.repeated);
            }
            record.replace = false;
        });
        self.numbers = numbers;
        self.shared.no_trouble(self.held.lease.id);
        tracing::debug!(
            onboarding = %self.held.lease.id,
            step = self.step_name(),
            attempt = self.record().attempts,
            adopted = !wrote,
            "step done"
        );
        let then = if self.journal.first_unfinished().is_none() && !self.has_repeats() {
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
        const NOTHING: &StepRecord = &StepRecord::PENDING;
        self.journal.record(self.index).unwrap_or(NOTHING)
    }

    /// Changes the step's record, to be stored with the next write.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut StepRecord)) {
        let mut record = self.record().clone();
        change(&mut record);
        self.journal.set(self.index, record);
        self.dirty = true;
    }

    /// Changes another step's record, to be stored with the next write.
    pub(crate) fn change_other(&mut self, index: usize, change: impl FnOnce(&mut StepRecord)) {
        let Some(mut record) = self.journal.record(index).cloned() else {
            return;
        };
        change(&mut record);
        self.journal.set(index, record);
        if !self.others.contains(&index) {
            self.others.push(index);
        }
    }

    pub(crate) fn step_name(&self) -> &'static str {
        self.plan
            .steps
            .get(self.index)
            .map_or("none", |step| step.kind().as_str())
    }
}

/// At the lowest level: for traces, not for the log.
fn step_span(name: &'static str) -> Span {
    tracing::trace_span!(
        "step",
        otel.name = name,
        otel.status_code = Empty,
        step = name,
        outcome = Empty,
        code = Empty,
    )
}
