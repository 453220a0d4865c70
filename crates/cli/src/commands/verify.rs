//! `trunkline verify`.

use std::{collections::BTreeMap, sync::Arc};

use exotel::Client;
use onboarding::{AccountName, Key, OnboardingId, State, StepKind};
use serde::Serialize;
use store::{Filter, Onboarding, Store};
use worker::{Comparison, Verdict};

use crate::{
    accounts::{Accounts, Keys, Unlocked, client_config},
    args::Verify as Args,
    error::{Error, Result, chain},
    exit::Exit,
    lookup::{self, Pages},
    output::{Output, note},
    settings::Settings,
    signals::Shutdown,
    simulator, store_place, worker_run,
};

/// How an onboarding compares.
#[derive(Serialize)]
#[serde(tag = "type", rename = "verification")]
struct Verified<'v> {
    id: OnboardingId,
    key: &'v Key,
    account: &'v AccountName,
    state: State,
    as_planned: bool,
    steps: Vec<StepLine<'v>>,
    extra: Vec<ExtraLine<'v>>,
    error: Option<String>,
}

#[derive(Serialize)]
struct StepLine<'v> {
    name: StepKind,
    what: &'v str,
    verdict: &'static str,
    detail: Option<&'v str>,
}

#[derive(Serialize)]
struct ExtraLine<'v> {
    name: StepKind,
    id: &'v str,
    what: &'v str,
}

/// Compares onboardings with what Exotel has; reads only.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let (store, world) = store_place::open_existing(settings).await?;
    if args.world.sandbox && world == store::World::Live {
        // The store says why.
        drop(store_place::open(settings, store::World::Sandbox).await?);
    }
    let sandbox = world == store::World::Sandbox;
    let accounts = Accounts::load(settings, sandbox)?;
    let unlocked = accounts.unlock(settings);
    let named = lookup::all(&*store, &args.ids).await?;
    let mut shutdown = Shutdown::on_signals().map_err(|error| Error::failed("signals", &error))?;
    let simulator = match sandbox {
        true => {
            // Its state has one owner at a time: the worker, or this.
            store.register(&worker_run::name(), &[]).await?;
            Some(simulator::start(settings, &accounts).await?)
        }
        false => None,
    };
    let mut check = Check {
        store: Arc::clone(&store),
        accounts: &accounts,
        unlocked,
        base_url: simulator.as_ref().map(|running| running.base_url()),
        clients: BTreeMap::new(),
        settings,
        wrong: 0,
        right: 0,
        compared_credentials: false,
    };
    let checked = async {
        if args.all {
            check.all(output).await
        } else {
            check.each(&named, output).await
        }
    };
    let outcome = tokio::select! {
        outcome = checked => outcome.map(|()| true),
        () = shutdown.asked() => Ok(false),
    };
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    let whole = outcome?;
    note(format_args!(
        "{} as planned, {} not{}",
        check.right,
        check.wrong,
        if whole {
            ""
        } else {
            "; stopped before the end"
        }
    ));
    if check.compared_credentials {
        output.line(
            "a password that was changed in Exotel's console cannot be seen: Exotel shows none, and only the fingerprint in the label of credentials is compared",
        );
    }
    Ok(if check.wrong > 0 || !whole {
        Exit::Left
    } else {
        Exit::Done
    })
}

struct Check<'c> {
    store: Arc<dyn Store>,
    accounts: &'c Accounts,
    unlocked: Unlocked,
    base_url: Option<String>,
    clients: BTreeMap<AccountName, Client>,
    settings: &'c Settings,
    wrong: u64,
    right: u64,
    /// Whether one of them has credentials.
    compared_credentials: bool,
}

impl Check<'_> {
    async fn all(&mut self, output: &mut Output) -> Result<()> {
        let succeeded = Filter {
            state: Some(State::Succeeded),
            ..Filter::default()
        };
        let store = Arc::clone(&self.store);
        let mut pages = Pages::of(&*store, succeeded);
        while let Some(page) = pages.next().await? {
            self.each(&page, output).await?;
        }
        Ok(())
    }

    async fn each(&mut self, onboardings: &[Onboarding], output: &mut Output) -> Result<()> {
        for own in onboardings {
            let outcome = match self.unlocked.why_unusable(&own.account) {
                Some(why) => Err(why),
                None => {
                    let client = self.client(&own.account)?;
                    let settings = worker_run::settings(worker_run::name(), self.settings);
                    worker::verify_onboarding(&*self.store, &client, own, &settings)
                        .await
                        .map_err(|error| chain(&error))
                }
            };
            let as_planned = outcome.as_ref().is_ok_and(Comparison::is_as_planned);
            *(if as_planned {
                &mut self.right
            } else {
                &mut self.wrong
            }) += 1;
            self.compared_credentials |= outcome.as_ref().is_ok_and(|comparison| {
                let mut steps = comparison.steps.iter();
                steps.any(|step| step.kind == StepKind::CreateCredentials)
            });
            tell(own, outcome, output);
            output.flush();
        }
        Ok(())
    }

    fn client(&mut self, name: &AccountName) -> Result<Client> {
        if let Some(client) = self.clients.get(name) {
            return Ok(client.clone());
        }
        let account = self
            .accounts
            .find(name)
            .ok_or_else(|| Error::refused("accounts", self.accounts.unknown(name)))?;
        let made_up = Keys::made_up();
        let keys = self.unlocked.keys.get(name).unwrap_or(&made_up);
        let config = client_config(&account, keys, self.base_url.as_deref(), self.settings);
        let client = Client::new(&config)
            .map_err(|error| Error::refused(format!("accounts.{name}"), error.to_string()))?;
        self.clients.insert(name.clone(), client.clone());
        Ok(client)
    }
}

fn tell(own: &Onboarding, outcome: Result<Comparison, String>, output: &mut Output) {
    let (comparison, error) = match outcome {
        Ok(comparison) => (comparison, None),
        Err(error) => (Comparison::default(), Some(error)),
    };
    let as_planned = error.is_none() && comparison.is_as_planned();
    let steps = comparison.steps.iter().map(|step| {
        let (verdict, detail) = verdict(&step.verdict);
        StepLine {
            name: step.kind,
            what: &step.what,
            verdict,
            detail,
        }
    });
    let extra = comparison.extra.iter().map(|extra| ExtraLine {
        name: extra.kind,
        id: &extra.id,
        what: &extra.what,
    });
    let told = if as_planned {
        "as planned"
    } else {
        "NOT as planned"
    };
    output.line(format_args!("{} {} {told}", own.id, own.key));
    for told in comparison
        .differences()
        .iter()
        .chain(&comparison.unconfirmed())
    {
        output.line(format_args!("  {told}"));
    }
    if let Some(error) = &error {
        output.line(format_args!("  not compared: {error}"));
    }
    output.record(&Verified {
        id: own.id,
        key: &own.key,
        account: &own.account,
        state: own.state,
        as_planned,
        steps: steps.collect(),
        extra: extra.collect(),
        error,
    });
}

fn verdict(verdict: &Verdict) -> (&'static str, Option<&str>) {
    match verdict {
        Verdict::Ok => ("ok", None),
        Verdict::Missing => ("missing", None),
        Verdict::Differs { detail } => ("differs", Some(detail)),
        Verdict::NotDone => ("not_done", None),
        Verdict::Unreadable { reason } => ("unreadable", Some(reason)),
        _ => ("unknown", None),
    }
}
