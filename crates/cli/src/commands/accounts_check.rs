//! `trunkline accounts check`.

use exotel::Client;
use onboarding::AccountName;
use serde::Serialize;
use store::World;
use worker::AccountCheck;

use crate::{
    accounts::{Accounts, Keys, client_config},
    args::AccountsCheck as Args,
    error::{Error, Result, refuse_if_any},
    exit::Exit,
    output::{Output, counted},
    problem::Problem,
    settings::Settings,
    simulator, store_place, worker_run,
};

/// What a check came to.
#[derive(Serialize)]
#[serde(tag = "type", rename = "account_check")]
struct Checked<'c> {
    name: &'c AccountName,
    works: bool,
    numbers: Option<Vec<String>>,
    error: Option<ErrorLine>,
}

#[derive(Serialize)]
struct ErrorLine {
    code: &'static str,
    message: String,
}

/// Sends one cheap read per account.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let world = world(args, settings).await?;
    let sandbox = world == World::Sandbox;
    let accounts = Accounts::load(settings, sandbox)?;
    let unknown = args
        .names
        .iter()
        .filter(|name| accounts.find(name).is_none());
    let problems = unknown.map(|name| Problem::new("NAME", accounts.unknown(name)));
    refuse_if_any(problems.collect())?;
    let names: Vec<AccountName> = match args.names.is_empty() {
        true => accounts.names().cloned().collect(),
        false => args.names.clone(),
    };
    // Only those that are asked for are looked at.
    let asked = accounts.only(&names.iter().cloned().collect());
    let unlocked = asked.unlock(settings).refuse_if_none()?;
    // Permits are the store's, so that a check keeps to the limits of a worker that runs.
    let store = store_place::open(settings, world).await?;
    let simulator = match sandbox {
        true => Some(simulator::start(settings, &accounts).await?),
        false => None,
    };
    let base_url = simulator.as_ref().map(|running| running.base_url());
    let own = worker_run::settings(worker_run::name(), settings);
    let mut exit = Exit::Done;
    for name in &names {
        if let Some(why) = unlocked.why_unusable(name) {
            exit = exit.max(tell(name, Err(why), output));
            continue;
        }
        let Some(account) = accounts.find(name) else {
            continue;
        };
        let made_up = Keys::made_up();
        let key = unlocked.keys.get(name).unwrap_or(&made_up);
        let config = client_config(&account, key, base_url.as_deref(), settings);
        let client = Client::new(&config)
            .map_err(|error| Error::refused(format!("accounts.{name}"), error.to_string()))?;
        let checked = worker::check_account(&*store, name, &client, &own)
            .await
            .map_err(|error| Error::failed("the check", &error))?;
        exit = exit.max(tell(name, Ok(checked), output));
        output.flush();
    }
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    Ok(exit)
}

/// The world of the store, where there is one, else the one that was asked for.
async fn world(args: &Args, settings: &Settings) -> Result<World> {
    let found = store_place::peek(settings).await?;
    if args.world.sandbox && found == Some(World::Live) {
        // The store says why.
        drop(store_place::open(settings, World::Sandbox).await?);
    }
    Ok(found.unwrap_or(args.world.kind()))
}

fn tell(name: &AccountName, checked: Result<AccountCheck, String>, output: &mut Output) -> Exit {
    let (numbers, error) = match checked {
        Err(message) => (
            None,
            Some(ErrorLine {
                code: "unusable",
                message,
            }),
        ),
        Ok(AccountCheck::Works { numbers }) => (numbers, None),
        Ok(AccountCheck::Unauthorized(message)) => (
            None,
            Some(ErrorLine {
                code: "unauthorized",
                message,
            }),
        ),
        Ok(AccountCheck::Unknown(message)) => (
            None,
            Some(ErrorLine {
                code: "unknown",
                message,
            }),
        ),
        Ok(other) => (
            None,
            Some(ErrorLine {
                code: "unknown",
                message: format!("{other:?}"),
            }),
        ),
    };
    match &error {
        Some(error) => output.line(format_args!("{name}: {}", error.message)),
        None => match &numbers {
            Some(numbers) => {
                let count = counted(numbers.len() as u64, "number");
                output.line(format_args!("{name}: works, {count}"));
            }
            None => output.line(format_args!("{name}: works")),
        },
    }
    let works = error.is_none();
    output.record(&Checked {
        name,
        works,
        numbers,
        error,
    });
    if works { Exit::Done } else { Exit::Left }
}
