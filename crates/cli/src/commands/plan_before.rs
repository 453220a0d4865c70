//! What of a plan the store has already.

use std::collections::{BTreeMap, HashMap};

use onboarding::{Accepted, AccountName, OnboardingId, PhoneNumber, State};
use producer::{Located, Planned};
use store::{Inspect, Onboarding};
use tokio::runtime::Handle;

use crate::{
    commands::plan::show,
    error::{Result, refuse_if_any},
    output::Output,
    problem::Problem,
    signups,
};

/// How many are looked up at once.
const CHUNK: usize = 500;

/// Most problems and warnings that are told, as many as of an input.
const PROBLEMS_MAX: usize = 1000;

/// What was accepted before.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Onboardings that are there already.
    pub(super) accepted: u64,
    /// Those of them that need nothing more.
    pub(super) finished: u64,
    /// Signups whose number is another onboarding's.
    pub(super) warnings: Vec<Located>,
    /// All of them by account.
    pub(super) by_account: BTreeMap<AccountName, Share>,
}

/// What of one account's plan is left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) signups: u64,
    pub(super) requests: u64,
}

/// A signup that waits for its chunk.
struct Waiting {
    file: String,
    line: u64,
    accepted: Accepted,
    content: String,
}

/// Looks signups up in chunks and shows each.
pub(super) struct Before<'s> {
    store: Option<&'s dyn Inspect>,
    runtime: Handle,
    waiting: Vec<Waiting>,
    problems: Vec<Problem>,
    failure: Result<()>,
    found: Found,
}

impl<'s> Before<'s> {
    /// Without a store nothing was accepted before.
    pub(super) fn new(store: Option<&'s dyn Inspect>, runtime: Handle) -> Self {
        Self {
            store,
            runtime,
            waiting: Vec::new(),
            problems: Vec::new(),
            failure: Ok(()),
            found: Found::default(),
        }
    }

    /// Takes a signup, and shows it now or with its chunk. Blocks where the store is asked.
    pub(super) fn take(&mut self, planned: &Planned<'_>, output: &mut Output) {
        if self.store.is_none() {
            show(planned, None, None, output);
            return;
        }
        self.waiting.push(Waiting {
            file: planned.file.to_owned(),
            line: planned.line,
            accepted: planned.accepted.clone(),
            content: planned.content.to_owned(),
        });
        if self.waiting.len() == CHUNK {
            self.look(output);
        }
    }

    /// Looks up and shows those that wait.
    pub(super) fn look(&mut self, output: &mut Output) {
        let waiting = std::mem::take(&mut self.waiting);
        let (Some(store), Ok(())) = (self.store, &self.failure) else {
            return;
        };
        let ids: Vec<OnboardingId> = waiting.iter().map(|own| own.accepted.id).collect();
        let known: HashMap<OnboardingId, Onboarding> =
            match self.runtime.block_on(store.get_many(&ids)) {
                Ok(known) => known.into_iter().map(|own| (own.id, own)).collect(),
                Err(error) => {
                    self.failure = Err(error.into());
                    return;
                }
            };
        let numbers: Vec<PhoneNumber> = waiting
            .iter()
            .map(|own| own.accepted.signup.number.clone())
            .collect();
        let holders = match self.runtime.block_on(store.number_holders(&numbers)) {
            Ok(holders) => holders,
            Err(error) => {
                self.failure = Err(error.into());
                return;
            }
        };
        for (own, holder) in waiting.iter().zip(holders) {
            let planned = Planned {
                file: &own.file,
                line: own.line,
                accepted: &own.accepted,
                content: &own.content,
            };
            let known = known.get(&own.accepted.id);
            let clash = known.and_then(|known| planned.clash_with(&known.signup));
            match clash {
                Some(problem) if self.problems.len() < PROBLEMS_MAX => {
                    self.problems.push(signups::located(problem));
                }
                Some(_) => {}
                None => {
                    let state = known.map(|known| known.state);
                    self.count(&own.accepted, state);
                    let warning = holder.and_then(|holder| planned.number_warning(&holder));
                    show(&planned, state, warning.as_ref(), output);
                    if self.found.warnings.len() < PROBLEMS_MAX {
                        self.found.warnings.extend(warning);
                    }
                }
            }
        }
    }

    fn count(&mut self, accepted: &Accepted, state: Option<State>) {
        let Some(state) = state else {
            return;
        };
        self.found.accepted += 1;
        match state {
            State::Succeeded | State::Failed | State::Cancelled => self.found.finished += 1,
            State::Queued | State::Running | State::Blocked => {}
        }
        let account = accepted.signup.account.clone();
        let share = self.found.by_account.entry(account).or_default();
        share.signups += 1;
        share.requests += u64::from(accepted.plan.requests());
    }

    /// What was found.
    ///
    /// # Errors
    /// Every signup whose key the store has with other content; the store's failure.
    pub(super) fn end(self) -> Result<Found> {
        self.failure?;
        refuse_if_any(self.problems)?;
        Ok(self.found)
    }
}
