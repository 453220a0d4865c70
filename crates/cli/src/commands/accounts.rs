//! `trunkline accounts`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use onboarding::AccountName;
use records::{AccountBook, AccountRecord, Workers};
use store::{AccountStatus, Inspect, Resumed, World};

use crate::{
    account_record,
    accounts::Accounts,
    args::{Accounts as Args, AccountsList, AccountsPark, AccountsResume},
    commands::status::tell_missing,
    error::{Result, refuse_if_any},
    exit::Exit,
    output::{Output, note},
    problem::Problem,
    settings::Settings,
    store_place,
};

/// Runs the command.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    match args {
        Args::List(args) => list(args, settings, output).await,
        Args::Check(args) => super::accounts_check::run(args, settings, output).await,
        Args::Park(args) => park(args, settings, output).await,
        Args::Resume(args) => resume(args, settings, output).await,
    }
}

async fn list(args: &AccountsList, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let world = store_place::peek(settings).await?;
    let sandbox = args.world.sandbox || world == Some(World::Sandbox);
    let accounts = Accounts::load(settings, sandbox)?;
    let mut known: BTreeMap<AccountName, AccountStatus> = BTreeMap::new();
    let mut workers = Workers::default();
    if let Some(world) = world {
        let store = store_place::open(settings, world).await?;
        let statuses = store.accounts().await?;
        known.extend(statuses.into_iter().map(|own| (own.name.clone(), own)));
        workers = Workers::read(&*store).await?;
    }
    let names: BTreeSet<&AccountName> = accounts.names().chain(known.keys()).collect();
    for name in names {
        let facts = AccountBook::find(&accounts, name);
        let record = AccountRecord::of(name, facts.as_ref(), known.get(name), &workers);
        account_record::print(&record, output);
    }
    let goes_on = known.values().filter(|own| own.parked.is_none());
    tell_missing(&workers, goes_on.map(|own| own.waiting + own.running).sum());
    Ok(Exit::Done)
}

async fn resume(args: &AccountsResume, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings).await?;
    let known = store.accounts().await?;
    let names: Vec<AccountName> = if args.all {
        let now = Timestamp::now();
        let stopped = known
            .iter()
            .filter(|own| own.parked.is_some() || own.is_closed(now));
        stopped.map(|own| own.name.clone()).collect()
    } else {
        args.names.clone()
    };
    refuse_unknown(&names, |name| known.iter().any(|own| own.name == *name))?;
    for name in &names {
        let what = match store.resume_account(name).await? {
            Resumed::Parked => "goes on",
            Resumed::Closed => "was closed and goes on",
            Resumed::Open => "was neither parked nor closed",
        };
        output.line(format_args!("{name} {what}"));
        show(&*store, name, output).await?;
    }
    if names.is_empty() {
        note("no account is parked or closed");
    }
    Ok(Exit::Done)
}

async fn park(args: &AccountsPark, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, world) = store_place::open_existing(settings).await?;
    let accounts = Accounts::load_if_there(settings, world)?;
    let known = store.accounts().await?;
    refuse_unknown(&args.names, |name| {
        known.iter().any(|own| own.name == *name) || accounts.names().any(|own| own == name)
    })?;
    for name in &args.names {
        let what = match store.park_account(name, &args.reason).await? {
            true => "is parked",
            false => "was parked already, and goes on only when it is resumed",
        };
        output.line(format_args!("{name} {what}"));
        show(&*store, name, output).await?;
    }
    Ok(Exit::Done)
}

fn refuse_unknown(names: &[AccountName], known: impl Fn(&AccountName) -> bool) -> Result<()> {
    let unknown = names.iter().filter(|name| !known(name)).map(|name| {
        let message = format!(
            "the store knows no account \"{name}\"; `trunkline accounts list` shows those there are"
        );
        Problem::new("NAME", message)
    });
    refuse_if_any(unknown.collect())
}

/// The record of an account as it is now.
async fn show(store: &dyn Inspect, name: &AccountName, output: &mut Output) -> Result<()> {
    if !output.json() {
        return Ok(());
    }
    let now = store.accounts().await?;
    if let Some(status) = now.iter().find(|own| own.name == *name) {
        let workers = Workers::read(store).await?;
        output.record(&AccountRecord::of(name, None, Some(status), &workers));
    }
    Ok(())
}
