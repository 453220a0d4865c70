//! `trunkline status`.

use jiff::Timestamp;
use onboarding::{State, StepRecord, StepResult, StepState};
use records::{
    ACCOUNT_PARKED, AccountBook, AccountRecord, OnboardingRecord, Parked, Time, Workers,
    beside_step, settles_at, time,
};
use serde::Serialize;
use store::{Inspect, Onboarding};

use crate::{
    account_record,
    accounts::Accounts,
    args::Status as Args,
    commands::plan::told,
    error::Result,
    exit::Exit,
    lookup,
    output::{Output, note},
    settings::Settings,
    store_place,
};

/// How many onboardings are in which state.
#[derive(Serialize)]
#[serde(tag = "type", rename = "tally")]
struct TallyRecord {
    queued: u64,
    running: u64,
    succeeded: u64,
    failed: u64,
    blocked: u64,
    cancelled: u64,
    total: u64,
    late_checks_left: u64,
    workers_running: u64,
    worker_heard_at: Option<Time>,
}

/// Shows one onboarding, or how many there are and how the accounts stand.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, world) = store_place::open_existing(settings).await?;
    match &args.id {
        Some(id) => {
            let parked = Parked::read(&*store).await?;
            for own in lookup::all(&*store, std::slice::from_ref(id)).await? {
                output.record(&OnboardingRecord::of(&own, &parked));
                detail(&own, &parked, output);
            }
        }
        None => {
            let accounts = Accounts::load_if_there(settings, world)?;
            overview(&*store, &accounts, output).await?;
        }
    }
    Ok(Exit::Done)
}

async fn overview(store: &dyn Inspect, accounts: &Accounts, output: &mut Output) -> Result<()> {
    let tally = store.tally().await?;
    let workers = Workers::read(store).await?;
    let late_checks_left = store.late_checks_left().await?;
    for state in State::ALL {
        output.line(format_args!("{state:<10} {:>9}", tally.of(state)));
    }
    output.record(&TallyRecord {
        queued: tally.of(State::Queued),
        running: tally.of(State::Running),
        succeeded: tally.of(State::Succeeded),
        failed: tally.of(State::Failed),
        blocked: tally.of(State::Blocked),
        cancelled: tally.of(State::Cancelled),
        total: tally.total(),
        late_checks_left,
        workers_running: workers.running(),
        worker_heard_at: workers.heard_at(),
    });
    output.line(format_args!("{:<10} {:>9}", "total", tally.total()));
    if late_checks_left > 0 {
        output.line(format_args!(
            "\n{late_checks_left} to be checked once more: an earlier request may still take effect"
        ));
    }
    tell_missing(&workers, tally.of(State::Queued) + tally.of(State::Running));
    output.line("");
    for status in store.accounts().await? {
        let facts = AccountBook::find(accounts, &status.name);
        let record = AccountRecord::of(&status.name, facts.as_ref(), Some(&status), &workers);
        account_record::print(&record, output);
    }
    Ok(())
}

/// Says on stderr that so many wait and no worker runs, if it is so.
pub(crate) fn tell_missing(workers: &Workers, waiting: u64) {
    if let Some(missing) = workers.missing(waiting) {
        note(missing);
    }
}

/// One onboarding for people.
fn detail(own: &Onboarding, parked: &Parked, output: &mut Output) {
    if output.json() {
        return;
    }
    output.line(format_args!("{} is {}", own.id, own.state));
    for (name, value) in [
        ("key", own.key.to_string()),
        ("account", own.account.to_string()),
        ("partner", own.partner.to_string()),
        ("number", own.number.to_string()),
        ("direction", own.direction.to_string()),
        ("accepted", time(own.created_at).to_string()),
        ("changed", time(own.updated_at).to_string()),
    ] {
        output.line(format_args!("  {name:<10} {value}"));
    }
    for (at, step) in own.plan.steps.iter().enumerate() {
        let record = own.journal.record(at).cloned().unwrap_or_default();
        output.line(format_args!(
            "  {} {:<18} {}{}",
            mark(record.state),
            step.kind(),
            told(step),
            result(&record)
        ));
        if let Some(at) = settles_at(own, &record).filter(|at| *at > Timestamp::now()) {
            output.line(format_args!(
                "      an earlier request may still be processed; certain at {}",
                time(at)
            ));
        }
        if let Some(error) = record.error.filter(|_| record.state != StepState::Done) {
            let message = beside_step(&error.message, step.kind());
            output.line(format_args!("      {}: {message}", error.code));
        }
    }
    if let Some(reason) = parked.why(own) {
        output.line(format_args!("  {}: {reason}", ACCOUNT_PARKED));
    } else if let Some((fault, _)) = &own.fault {
        output.line(format_args!("  {}: {}", fault.code, fault.message));
    }
    let left = own.journal.left_behind(&own.plan);
    if !left.is_empty() && matches!(own.state, State::Failed | State::Cancelled) {
        output.line(format_args!("  left at Exotel: {}", left.join(", ")));
    }
}

fn mark(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "   ",
        StepState::Unknown => "?  ",
        StepState::Done => "ok ",
        StepState::Failed => "!! ",
    }
}

fn result(record: &StepRecord) -> String {
    let mut text = match &record.result {
        Some(StepResult::Trunk { trunk_sid }) => format!(" -> {trunk_sid}"),
        Some(StepResult::Entry { id }) => format!(" -> {id}"),
        Some(StepResult::Verified { verified }) => format!(" -> {verified} in place"),
        Some(StepResult::Setting { .. }) | None => String::new(),
    };
    if record.attempts > 1 {
        text.push_str(&format!(" ({} attempts)", record.attempts));
    }
    text
}
