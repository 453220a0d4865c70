//! `trunkline accounts`.

use std::collections::{BTreeMap, BTreeSet};

use onboarding::AccountName;
use records::{AccountBook, AccountRecord};
use store::{AccountStatus, World};

use crate::{
    account_record,
    accounts::Accounts,
    args::{Accounts as Args, AccountsList, AccountsResume},
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
        Args::Resume(args) => resume(args, settings, output).await,
    }
}

async fn list(args: &AccountsList, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let world = store_place::peek(settings).await?;
    let sandbox = args.world.sandbox || world == Some(World::Sandbox);
    let accounts = Accounts::load(settings, sandbox)?;
    let mut known: BTreeMap<AccountName, AccountStatus> = BTreeMap::new();
    if let Some(world) = world {
        let store = store_place::open(settings, world).await?;
        let statuses = store.accounts().await?;
        known.extend(statuses.into_iter().map(|own| (own.name.clone(), own)));
    }
    let names: BTreeSet<&AccountName> = accounts.names().chain(known.keys()).collect();
    for name in names {
        let facts = AccountBook::find(&accounts, name);
        let record = AccountRecord::of(name, facts.as_ref(), known.get(name));
        account_record::print(&record, output);
    }
    Ok(Exit::Done)
}

async fn resume(args: &AccountsResume, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, _) = store_place::open_existing(settings).await?;
    let known = store.accounts().await?;
    let names: Vec<AccountName> = if args.all {
        let parked = known.iter().filter(|own| own.parked.is_some());
        parked.map(|own| own.name.clone()).collect()
    } else {
        args.names.clone()
    };
    let unknown = names
        .iter()
        .filter(|name| !known.iter().any(|own| own.name == **name))
        .map(|name| {
            let message = format!(
                "the store knows no account \"{name}\"; `trunkline accounts list` shows those there are"
            );
            Problem::new("NAME", message)
        });
    refuse_if_any(unknown.collect())?;
    for name in &names {
        let was_parked = store.resume_account(name).await?;
        output.line(format_args!(
            "{name} {}",
            if was_parked {
                "goes on"
            } else {
                "was not parked"
            }
        ));
        let now = store.accounts().await?;
        if output.json()
            && let Some(status) = now.iter().find(|own| own.name == *name)
        {
            output.record(&AccountRecord::of(name, None, Some(status)));
        }
    }
    if names.is_empty() {
        note("no account is parked");
    }
    Ok(Exit::Done)
}
