//! `trunkline plan`.

use std::collections::BTreeMap;

use onboarding::{
    AccountName, Direction, Key, OnboardingId, PartnerName, PhoneNumber, State, Step,
};
use producer::{Desk, Located, PlanReport, Planned};
use serde::Serialize;
use store::Inspect;
use tokio::runtime::Handle;

use crate::{
    accounts::Accounts,
    args::Plan as Args,
    commands::plan_before::{Before, Found},
    error::Result,
    exit::Exit,
    output::{Output, counted, note},
    progress::duration,
    recipe_files,
    settings::Settings,
    signups, store_place,
};

/// What one signup would do.
#[derive(Serialize)]
#[serde(tag = "type", rename = "plan")]
struct PlanLine<'p> {
    file: &'p str,
    line: u64,
    id: OnboardingId,
    key: &'p Key,
    account: &'p AccountName,
    partner: &'p PartnerName,
    number: &'p PhoneNumber,
    direction: Direction,
    /// Of the onboarding that was accepted before; none where it would be new.
    state: Option<State>,
    steps: Vec<StepLine<'p>>,
    requests: u32,
    warnings: Vec<&'p str>,
}

#[derive(Serialize)]
struct StepLine<'p> {
    name: onboarding::StepKind,
    values: Values<'p>,
}

/// A step's values without its tag, which is `name` here as in the other records.
struct Values<'p>(&'p Step);

impl Serialize for Values<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serde_json::to_value(self.0).map_err(serde::ser::Error::custom)?;
        if let Some(object) = values.as_object_mut() {
            object.remove("step");
        }
        values.serialize(serializer)
    }
}

/// What all of it would do.
#[derive(Serialize)]
#[serde(tag = "type", rename = "plan_summary")]
struct Summary {
    total: u64,
    duplicates: u64,
    accepted_before: u64,
    finished_before: u64,
    requests: u64,
    duration_ms: u64,
    accounts: Vec<AccountLine>,
}

#[derive(Serialize)]
struct AccountLine {
    account: AccountName,
    signups: u64,
    requests: u64,
    requests_per_minute: u32,
    duration_ms: u64,
}

/// Validates signups and shows what they would do. Reads the store where there is one, and makes
/// none.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let accounts = Accounts::load(settings, args.world.sandbox)?;
    let book = recipe_files::book(settings.recipes.as_deref())?;
    let store = match store_place::peek(settings).await? {
        Some(_) => Some(store_place::open(settings, args.world.kind()).await?),
        None => None,
    };
    let limits = |name: &AccountName| match accounts.find(name) {
        Some(account) => account.limits(),
        None => store::Limits::per_minute(200, 50),
    };
    let sources = signups::sources(&args.input)?;
    let desk = Desk::new(book, accounts.for_signups());
    let store = store.as_deref().map(|store| store as &dyn Inspect);
    let mut before = Before::new(store, Handle::current());
    // Reading and looking up both wait; nothing else is to be done meanwhile.
    let planned = tokio::task::block_in_place(|| {
        let planned = producer::plan(sources, &desk, limits, |planned| {
            before.take(&planned, output);
        });
        before.look(output);
        planned
    });
    let mut report = planned.map_err(signups::refusal)?;
    let before = before.end()?;
    for (account, own) in &before.by_account {
        report.leave_out(account, own.signups, own.requests, &limits(account));
    }
    for warning in report.warnings.iter().chain(&before.warnings) {
        note(format_args!("warning: {warning}"));
    }
    if report.more_warnings > 0 {
        note(format_args!("and {} more warnings", report.more_warnings));
    }
    let rates: BTreeMap<_, _> = report
        .accounts
        .iter()
        .map(|own| {
            (
                own.account.clone(),
                limits(&own.account).requests_per_window,
            )
        })
        .collect();
    summary(&report, &before, &rates, output);
    Ok(Exit::Done)
}

/// Prints what one signup would do; `state` is that of its onboarding, if it was accepted before,
/// `warning` what the store has to say about it.
pub(super) fn show(
    planned: &Planned<'_>,
    state: Option<State>,
    warning: Option<&Located>,
    output: &mut Output,
) {
    let accepted = planned.accepted;
    let signup = &accepted.signup;
    let costs = match state {
        Some(state) => format!("accepted before, {state}"),
        None => counted(u64::from(accepted.plan.requests()), "request"),
    };
    output.line(format_args!(
        "{} {} {} on {} as {} ({costs})",
        signup.account, signup.partner, signup.number, accepted.direction, accepted.key,
    ));
    for step in &accepted.plan.steps {
        output.line(format_args!("  {:<18} {}", step.kind(), told(step)));
    }
    let warnings = accepted.plan.warnings.iter().map(String::as_str);
    let warnings = warnings.chain(warning.map(|warning| warning.message.as_str()));
    output.record(&PlanLine {
        file: planned.file,
        line: planned.line,
        id: accepted.id,
        key: &accepted.key,
        account: &signup.account,
        partner: &signup.partner,
        number: &signup.number,
        direction: accepted.direction,
        state,
        steps: accepted
            .plan
            .steps
            .iter()
            .map(|step| StepLine {
                name: step.kind(),
                values: Values(step),
            })
            .collect(),
        requests: accepted.plan.requests(),
        warnings: warnings.collect(),
    });
}

/// What a step sends, for people.
pub(crate) fn told(step: &Step) -> String {
    match step {
        Step::CreateTrunk { name, .. } => name.to_string(),
        Step::MapNumber { number, mode } => match mode {
            Some(mode) => format!("{number}, mode {mode}"),
            None => number.to_string(),
        },
        Step::WhitelistIp { ip } => format!("{ip}/32"),
        Step::CreateCredentials { user_name, .. } => user_name.to_string(),
        Step::MapDestination { destination } => destination.to_string(),
        Step::SetCallerId { caller_id } => caller_id.to_string(),
        Step::Verify => "reads back all of the above".into(),
    }
}

fn summary(
    report: &PlanReport,
    before: &Found,
    rates: &BTreeMap<AccountName, u32>,
    output: &mut Output,
) {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let rate = |name: &AccountName| rates.get(name).copied().unwrap_or_default();
    output.line(format_args!(
        "{} ({} repeated), {}, about {} at the accounts' allowance",
        counted(report.total, "signup"),
        report.duplicates,
        counted(report.requests, "request"),
        duration(report.duration.as_secs_f64())
    ));
    if before.accepted > 0 {
        output.line(format_args!(
            "{} accepted before, of which {} finished; what they still need is not counted here",
            before.accepted,
            match before.finished {
                1 => "1 is".to_owned(),
                count => format!("{count} are"),
            },
        ));
    }
    for own in &report.accounts {
        output.line(format_args!(
            "  {:<20} {:>8} signups {:>9} requests at {}/min: {}",
            own.account.as_str(),
            own.signups,
            own.requests,
            rate(&own.account),
            duration(own.duration.as_secs_f64())
        ));
    }
    output.record(&Summary {
        total: report.total,
        duplicates: report.duplicates,
        accepted_before: before.accepted,
        finished_before: before.finished,
        requests: report.requests,
        duration_ms: millis(report.duration),
        accounts: report
            .accounts
            .iter()
            .map(|own| AccountLine {
                account: own.account.clone(),
                signups: own.signups,
                requests: own.requests,
                requests_per_minute: rate(&own.account),
                duration_ms: millis(own.duration),
            })
            .collect(),
    });
}
