//! What an input would do, without a store.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use onboarding::{Accepted, AccountName, Problem, Step, TrunkName};
use store::{Limits, NumberHolder, Origin};

use crate::{
    Error,
    checked::Checked,
    clash,
    desk::Desk,
    names::Names,
    pace::pace,
    problem::{Located, Problems},
    source::Source,
    walk::{Visitor, walk},
};

/// A signup and what it would do.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'p> {
    /// The input that it is from, as it was named.
    pub file: &'p str,
    /// The line that it begins on, from 1.
    pub line: u64,
    /// Its identity and its steps.
    pub accepted: &'p Accepted,
    /// The signup as a store keeps it: canonical JSON.
    pub content: &'p str,
}

impl Planned<'_> {
    /// What `enqueue` would say, where a store has an onboarding of this id with this content.
    /// `None`: it is the same signup, and accepted already.
    #[must_use]
    pub fn clash_with(&self, existing: &str) -> Option<Located> {
        (self.content != existing).then(|| {
            let other = clash::before(self.accepted.id);
            let problem = clash::content(&other, self.content, existing);
            Located::new(self.file, self.line, problem)
        })
    }
}

impl Planned<'_> {
    /// What `enqueue` would warn of, where a store says who has its number. `None`: it is its own.
    #[must_use]
    pub fn number_warning(&self, holder: &NumberHolder) -> Option<Located> {
        (holder.id != self.accepted.id).then(|| {
            let problem = clash::number_in_use(&self.accepted.signup.number, holder);
            Located::new(self.file, self.line, problem)
        })
    }
}

/// What an input would do to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPlan {
    /// Which.
    pub account: AccountName,
    /// How many onboardings.
    pub signups: u64,
    /// How many requests, when nothing goes wrong.
    pub requests: u64,
    /// How long they take at the account's allowance; see [`plan`].
    pub duration: Duration,
}

/// What an input would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanReport {
    /// The signups of the input.
    pub total: u64,
    /// Those of them that repeat one before: they cost nothing.
    pub duplicates: u64,
    /// How many requests, when nothing goes wrong.
    pub requests: u64,
    /// By account, in the order of their names.
    pub accounts: Vec<AccountPlan>,
    /// How long it takes: accounts work side by side, so it is the longest of theirs.
    pub duration: Duration,
    /// What a person should know before it runs; the first thousand.
    pub warnings: Vec<Located>,
    /// How many more warnings there are.
    pub more_warnings: u64,
}

impl PlanReport {
    /// Leaves out what costs nothing more: so many signups of an account, with so many requests.
    pub fn leave_out(
        &mut self,
        account: &AccountName,
        signups: u64,
        requests: u64,
        limits: &Limits,
    ) {
        if let Some(own) = self.accounts.iter_mut().find(|own| own.account == *account) {
            own.signups = own.signups.saturating_sub(signups);
            own.requests = own.requests.saturating_sub(requests);
            own.duration = pace(own.requests, limits);
        }
        self.requests = self.accounts.iter().map(|own| own.requests).sum();
        let each = self.accounts.iter().map(|own| own.duration);
        self.duration = each.max().unwrap_or_default();
    }
}

/// Checks an input and tells what it would do, without a store and without a request.
///
/// `on_signup` hears of each signup as it is read, but not of repeated ones; a problem may follow.
/// `limits` tells an account's allowance. Of `n` requests of an idle account with an allowance of
/// `L` per window `W` and a burst of `B`, the last is sent after `q * W + max(0, r - B) * W / L`,
/// where `q = (n - 1) / L` and `r = (n - 1) % L + 1`: in each window `B` go at once and the
/// others evenly over the window. Round trips come on top; they overlap.
///
/// Memory: some 100 bytes a signup, to find repetitions.
///
/// # Errors
/// [`Error::Input`] with the problems of the whole input, clashes within it included;
/// [`Error::Read`].
pub fn plan(
    sources: Vec<Source>,
    desk: &Desk,
    limits: impl Fn(&AccountName) -> Limits,
    on_signup: impl FnMut(Planned<'_>),
) -> Result<PlanReport, Error> {
    let files = sources
        .iter()
        .map(|source| source.name().to_owned())
        .collect();
    let mut forecast = Forecast {
        files,
        on_signup,
        total: 0,
        duplicates: 0,
        by_account: BTreeMap::new(),
        warnings: Problems::default(),
        keys: Seen::default(),
        trunk_names: Seen::default(),
        numbers: Seen::default(),
    };
    walk(sources, desk, &mut forecast)?;
    Ok(forecast.report(limits))
}

/// Where something was first seen, and a digest of what was seen there. Digests of 64 bits, keyed
/// at random: among a million signups two differing ones are taken for the same with a chance
/// of 1 in 30 million.
#[derive(Default)]
struct Seen {
    random: RandomState,
    first: HashMap<u64, (u64, Origin)>,
}

impl Seen {
    /// Where `what` was seen before, and whether with the same `content`.
    fn before(
        &mut self,
        what: &impl Hash,
        content: &impl Hash,
        origin: Origin,
    ) -> Option<(Origin, bool)> {
        let content = self.random.hash_one(content);
        match self.first.entry(self.random.hash_one(what)) {
            std::collections::hash_map::Entry::Occupied(entry) => {
                let (before, place) = *entry.get();
                Some((place, before == content))
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert((content, origin));
                None
            }
        }
    }
}

struct Forecast<F> {
    files: Vec<String>,
    on_signup: F,
    total: u64,
    duplicates: u64,
    /// Signups and requests.
    by_account: BTreeMap<AccountName, (u64, u64)>,
    warnings: Problems,
    keys: Seen,
    trunk_names: Seen,
    numbers: Seen,
}

impl<F> Forecast<F> {
    fn names(&self) -> Names<'_> {
        Names::Files(&self.files)
    }

    /// Whether the signup repeats one before; the problem where it contradicts one.
    fn repeats(&mut self, origin: Origin, checked: &Checked) -> Result<bool, Problem> {
        let Checked { accepted, content } = checked;
        match self.keys.before(&accepted.id, content, origin) {
            Some((_, true)) => return Ok(true),
            Some((other, false)) => {
                let other = self.names().place(other, origin);
                return Err(Problem::new("key", clash::differs(&other, "content")));
            }
            None => {}
        }
        if let Some(name) = chosen_name(accepted) {
            let key = (&accepted.signup.account, name);
            if let Some((other, _)) = self.trunk_names.before(&key, &accepted.id, origin) {
                let other = self.names().place(other, origin);
                return Err(Problem::new(
                    "trunk_name",
                    clash::taken(name.as_str(), &other),
                ));
            }
        }
        Ok(false)
    }

    fn warn(&mut self, origin: Origin, accepted: &Accepted) {
        let signup = &accepted.signup;
        let again = self.numbers.before(&signup.number, &accepted.id, origin).map(|(other, _)| {
            let other = self.names().place(other, origin);
            Problem::new(
                "number",
                format!(
                    "{other} asks for {} too, under another key; Exotel maps a number to one trunk, so the second one will fail",
                    signup.number
                ),
            )
        });
        let of_plan = accepted.plan.warnings.iter();
        let all = again
            .into_iter()
            .chain(of_plan.map(|warning| Problem::new("", warning)));
        // Not by way of `names`: the warnings are of this struct too.
        let file = Names::Files(&self.files).file(origin);
        for warning in all {
            self.warnings.add(file, origin.line, warning);
        }
    }

    fn report(self, limits: impl Fn(&AccountName) -> Limits) -> PlanReport {
        let accounts: Vec<AccountPlan> = self
            .by_account
            .into_iter()
            .map(|(account, (signups, requests))| AccountPlan {
                duration: pace(requests, &limits(&account)),
                account,
                signups,
                requests,
            })
            .collect();
        PlanReport {
            total: self.total,
            duplicates: self.duplicates,
            requests: accounts.iter().map(|plan| plan.requests).sum(),
            duration: accounts
                .iter()
                .map(|plan| plan.duration)
                .max()
                .unwrap_or_default(),
            accounts,
            warnings: self.warnings.first,
            more_warnings: self.warnings.more,
        }
    }
}

fn chosen_name(accepted: &Accepted) -> Option<&TrunkName> {
    accepted.plan.steps.iter().find_map(|step| {
        let Step::CreateTrunk { name, chosen: true } = step else {
            return None;
        };
        Some(name)
    })
}

impl<F: FnMut(Planned<'_>)> Visitor for Forecast<F> {
    fn signup(&mut self, origin: Origin, checked: Checked, problems: &mut Problems) {
        self.total += 1;
        match self.repeats(origin, &checked) {
            Ok(false) => {}
            Ok(true) => {
                self.duplicates += 1;
                return;
            }
            Err(problem) => {
                problems.add(self.names().file(origin), origin.line, problem);
                return;
            }
        }
        let Checked { accepted, content } = checked;
        self.warn(origin, &accepted);
        (self.on_signup)(Planned {
            file: Names::Files(&self.files).file(origin),
            line: origin.line,
            accepted: &accepted,
            content: &content,
        });
        let requests = u64::from(accepted.plan.requests());
        let sum = self.by_account.entry(accepted.signup.account).or_default();
        *sum = (sum.0 + 1, sum.1 + requests);
    }
}
