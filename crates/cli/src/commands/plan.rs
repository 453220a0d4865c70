//! `trunkline plan`.

use std::collections::BTreeMap;

use onboarding::{AccountName, Direction, Key, OnboardingId, PartnerName, PhoneNumber, Step};
use producer::{PlanReport, Planned};
use serde::Serialize;

use crate::{
    accounts::Accounts,
    args::Plan as Args,
    error::Result,
    exit::Exit,
    output::{Output, note},
    progress::duration,
    recipe_files,
    settings::Settings,
    signups,
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
    steps: Vec<StepLine<'p>>,
    requests: u32,
    warnings: &'p [String],
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

/// Validates signups and shows what they would do.
pub(crate) fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let accounts = Accounts::load(settings, args.world.sandbox)?;
    let book = recipe_files::book(settings.recipes.as_deref())?;
    let limits = |name: &AccountName| match accounts.find(name) {
        Some(account) => account.limits(),
        None => store::Limits::per_minute(200, 50),
    };
    let report = producer::plan(
        signups::sources(&args.input)?,
        &book,
        &accounts.for_signups(),
        limits,
        |planned| show(&planned, output),
    )
    .map_err(signups::refusal)?;
    for warning in &report.warnings {
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
    summary(&report, &rates, output);
    Ok(Exit::Done)
}

fn show(planned: &Planned<'_>, output: &mut Output) {
    let accepted = planned.accepted;
    let signup = &accepted.signup;
    output.line(format_args!(
        "{} {} {} on {} as {} ({} requests)",
        signup.account,
        signup.partner,
        signup.number,
        accepted.direction,
        accepted.key,
        accepted.plan.requests()
    ));
    for step in &accepted.plan.steps {
        output.line(format_args!("  {:<18} {}", step.kind(), told(step)));
    }
    output.record(&PlanLine {
        file: planned.file,
        line: planned.line,
        id: accepted.id,
        key: &accepted.key,
        account: &signup.account,
        partner: &signup.partner,
        number: &signup.number,
        direction: accepted.direction,
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
        warnings: &accepted.plan.warnings,
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

fn summary(report: &PlanReport, rates: &BTreeMap<AccountName, u32>, output: &mut Output) {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let rate = |name: &AccountName| rates.get(name).copied().unwrap_or_default();
    output.line(format_args!(
        "{} signups ({} repeated), {} requests, about {} at the accounts' allowance",
        report.total,
        report.duplicates,
        report.requests,
        duration(report.duration.as_secs_f64())
    ));
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
