//! Checking a file before it is enqueued: every problem, or the plan.

use std::collections::{BTreeMap, HashMap};

use onboarding::{Accepted, AccountName, OnboardingId};
use producer::{Located, PlanReport, Source};
use serve::App;
use store::{Inspect, Limits, Onboarding};
use tokio::runtime::Handle;

use crate::{
    uploads::Upload,
    view::{
        account::allowance,
        plan::{Before, SHOWN_MAX},
    },
};

/// How many signups are looked up in the store at once.
const CHUNK: usize = 500;

/// The connections of an account of which nobody said how many: Exotel's.
const CONNECTIONS: u32 = 50;

/// What was found of a file that is good.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) report: PlanReport,
    pub(crate) before: Before,
    pub(crate) rates: BTreeMap<AccountName, u32>,
}

/// Why there is no plan.
#[derive(Debug)]
pub(super) enum Bad {
    /// The file is wrong: these problems, and so many more.
    Problems(Vec<Located>, u64),
    /// The store did not answer.
    Store(store::Error),
    /// The file cannot be read any more.
    Unreadable(String),
}

impl From<producer::Error> for Bad {
    fn from(error: producer::Error) -> Self {
        match error {
            producer::Error::Input { problems, more } => Self::Problems(problems, more),
            producer::Error::Store(error) => Self::Store(error),
            other @ (producer::Error::Read { .. } | _) => Self::Unreadable(other.to_string()),
        }
    }
}

/// Checks all of a file. Reads it, and asks the store, so it belongs on a thread that may block.
pub(super) fn check(app: &App, runtime: &Handle, upload: &Upload<()>) -> Result<Planned, Bad> {
    let unreadable = |error: std::io::Error| Bad::Unreadable(error.to_string());
    let file = upload.file.try_clone().map_err(unreadable)?;
    let source = Source::from_reader(&upload.name, upload.format, file);
    let desk = app.directory().desk();
    let store = app.store();
    let known = runtime.block_on(store.accounts()).map_err(Bad::Store)?;
    let known: HashMap<AccountName, u32> = known
        .into_iter()
        .map(|own| {
            let facts = app.directory().find(&own.name);
            (own.name.clone(), allowance(facts.as_ref(), &own))
        })
        .collect();
    let rate = |name: &AccountName| match known.get(name) {
        Some(rate) => *rate,
        None => app
            .directory()
            .find(name)
            .map_or(200, |facts| facts.requests_per_minute),
    };
    let limits = |name: &AccountName| Limits::per_minute(rate(name), CONNECTIONS);
    let mut lookup = Lookup::new(store.as_ref(), runtime);
    let planned = producer::plan(vec![source], &desk, limits, |planned| lookup.take(&planned));
    lookup.look();
    let mut report = planned?;
    let (before, shares) = lookup.end()?;
    for (account, (signups, requests)) in &shares {
        report.leave_out(account, *signups, *requests, &limits(account));
    }
    let rates = report
        .accounts
        .iter()
        .map(|own| (own.account.clone(), rate(&own.account)))
        .collect();
    Ok(Planned {
        name: upload.name.clone(),
        report,
        before,
        rates,
    })
}

/// A signup that waits for its chunk.
struct Waiting {
    file: String,
    line: u64,
    accepted: Accepted,
    content: String,
}

/// Signups and requests of an account that cost nothing more.
type Shares = BTreeMap<AccountName, (u64, u64)>;

/// Finds out which signups the store has already.
struct Lookup<'s> {
    store: &'s dyn Inspect,
    runtime: &'s Handle,
    waiting: Vec<Waiting>,
    problems: Vec<Located>,
    more: u64,
    failure: Option<store::Error>,
    before: Before,
    shares: Shares,
}

impl<'s> Lookup<'s> {
    fn new(store: &'s dyn Inspect, runtime: &'s Handle) -> Self {
        Self {
            store,
            runtime,
            waiting: Vec::new(),
            problems: Vec::new(),
            more: 0,
            failure: None,
            before: Before::default(),
            shares: Shares::new(),
        }
    }

    fn take(&mut self, planned: &producer::Planned<'_>) {
        self.waiting.push(Waiting {
            file: planned.file.to_owned(),
            line: planned.line,
            accepted: planned.accepted.clone(),
            content: planned.content.to_owned(),
        });
        if self.waiting.len() == CHUNK {
            self.look();
        }
    }

    fn look(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if self.failure.is_some() || waiting.is_empty() {
            return;
        }
        let ids: Vec<OnboardingId> = waiting.iter().map(|own| own.accepted.id).collect();
        let known: HashMap<OnboardingId, Onboarding> =
            match self.runtime.block_on(self.store.get_many(&ids)) {
                Ok(known) => known.into_iter().map(|own| (own.id, own)).collect(),
                Err(error) => {
                    self.failure = Some(error);
                    return;
                }
            };
        for own in &waiting {
            if let Some(known) = known.get(&own.accepted.id) {
                self.found(own, known);
            }
        }
    }

    fn found(&mut self, own: &Waiting, known: &Onboarding) {
        let planned = producer::Planned {
            file: &own.file,
            line: own.line,
            accepted: &own.accepted,
            content: &own.content,
        };
        match planned.clash_with(&known.signup) {
            Some(problem) if self.problems.len() < SHOWN_MAX => self.problems.push(problem),
            Some(_) => self.more += 1,
            None => {
                self.before.accepted += 1;
                self.before.finished += u64::from(known.state.is_finished());
                let account = own.accepted.signup.account.clone();
                let share = self.shares.entry(account).or_default();
                share.0 += 1;
                share.1 += u64::from(own.accepted.plan.requests());
            }
        }
    }

    fn end(self) -> Result<(Before, Shares), Bad> {
        if let Some(error) = self.failure {
            return Err(Bad::Store(error));
        }
        if !self.problems.is_empty() {
            return Err(Bad::Problems(self.problems, self.more));
        }
        Ok((self.before, self.shares))
    }
}
