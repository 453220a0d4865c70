//! `trunkline store copy`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use onboarding::State;
use serde::Serialize;
use store::{
    AccountStatus, CLOSED_AT_MOST, CarriedAccount, Cursor, Filter, Inspect, MoveId, Store, World,
};

use crate::{
    args::{Store as Args, StoreCopy},
    error::{Error, Result},
    exit::Exit,
    output::{Output, counted, note},
    progress::{Counts, Progress},
    settings::Settings,
    signals::Shutdown,
    store_place::Place,
};

/// How many onboardings travel at once: some megabytes.
const PAGE: usize = 500;

/// What the permits of an account are out for after their requests, where nobody said so.
const WINDOW: Duration = Duration::from_secs(60);

/// What was copied.
#[derive(Serialize)]
#[serde(tag = "type", rename = "copied")]
struct Copied<'c> {
    from: &'c str,
    to: &'c str,
    total: u64,
    queued: u64,
    succeeded: u64,
    failed: u64,
    blocked: u64,
    cancelled: u64,
    skipped: u64,
    accounts: u64,
    elapsed_ms: u64,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let Args::Copy(args) = args;
    copy(args, settings, output).await
}

/// Moves everything from one store to another, and closes the first.
async fn copy(args: &StoreCopy, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let started = Instant::now();
    let here = Path::new("");
    let from = Place::of(&args.from, here, settings).map_err(|error| field(error, "FROM"))?;
    let to = Place::of(&args.to, here, settings).map_err(|error| field(error, "TO"))?;
    let (from_name, to_name) = (from.to_string(), to.to_string());
    if from_name == to_name {
        return Err(Error::refused(
            "TO",
            format!("{to_name} is where it is already; name another store"),
        ));
    }
    let world = worth_copying(&from, &from_name, settings).await?;
    let mut shutdown = Shutdown::on_signals().map_err(|error| Error::failed("signals", &error))?;
    let source = from.open(settings, world).await?;
    let target = to.open(settings, world).await?;
    fits(&*source, &*target, &to_name).await?;

    let departure = source.begin_departure(&to_name).await?;
    let mut passage = Passage {
        from: &*source,
        to: &*target,
        id: departure.id,
        counts: BTreeMap::new(),
        skipped: 0,
        accounts: 0,
    };
    let carried = tokio::select! {
        carried = passage.carry_all(&from_name, settings) => carried,
        () = shutdown.asked() => {
            note("stopped; the same command goes on where it was, and until it has ended nobody works on either store");
            return Ok(Exit::Left);
        }
    };
    carried.map_err(|error| still_closed(error, &from_name))?;
    passage.tell(&from_name, &to_name, started, output);
    Ok(Exit::Done)
}

/// The world of a store that there is something in to be copied.
async fn worth_copying(from: &Place, name: &str, settings: &Settings) -> Result<World> {
    match from.world(settings).await? {
        Some(World::Live) => Ok(World::Live),
        Some(World::Sandbox) => Err(Error::refused(
            "FROM",
            format!(
                "{name} was filled with --sandbox, and its trunks exist in that simulator only; there is nothing in it that another store could go on with"
            ),
        )),
        None => Err(Error::refused(
            "FROM",
            format!(
                "nothing was accepted in {name}; name the new store with --store, and that is all"
            ),
        )),
    }
}

/// Whether the target is empty, or looks like an unfinished copy: told before the source is
/// closed. The stores themselves are stricter.
async fn fits(from: &dyn Inspect, to: &dyn Inspect, to_name: &str) -> Result<()> {
    let first = async |store: &dyn Inspect| {
        let page = store.list(&Filter::default(), None, 1).await?;
        Ok::<_, Error>(page.items.into_iter().next())
    };
    let Some(there) = first(to).await? else {
        return Ok(());
    };
    let own = first(from).await?;
    if own.is_some_and(|own| (own.id, own.created_at) == (there.id, there.created_at)) {
        return Ok(());
    }
    Err(Error::refused(
        "TO",
        format!(
            "{to_name} holds other onboardings already; copy to an empty store: another file, or another name=NAME in the URL"
        ),
    ))
}

/// A refusal of what is wrong with one of the two URLs.
fn field(error: Error, name: &str) -> Error {
    match error {
        Error::Refused(mut problems) => {
            for problem in &mut problems {
                if problem.field.as_deref() == Some("store") {
                    problem.field = Some(name.to_owned());
                }
            }
            Error::Refused(problems)
        }
        other @ (Error::Away { .. } | Error::Failed(_)) => other,
    }
}

/// From here on the source is closed, whatever happened.
fn still_closed(error: Error, from: &str) -> Error {
    let note = format!(
        "{from} stays closed until `trunkline store copy` has ended; run it again, to the same place or to one that is empty"
    );
    match error {
        Error::Refused(problems) => {
            self::note(note);
            Error::Refused(problems)
        }
        other @ (Error::Away { .. } | Error::Failed(_)) => {
            Error::Failed(format!("{other}\n{note}"))
        }
    }
}

/// Everything on its way.
struct Passage<'p> {
    from: &'p dyn Store,
    to: &'p dyn Store,
    id: MoveId,
    counts: BTreeMap<State, u64>,
    skipped: u64,
    accounts: u64,
}

impl Passage<'_> {
    async fn carry_all(&mut self, from_name: &str, settings: &Settings) -> Result<()> {
        if self.to.begin_arrival(&self.id, from_name).await? {
            // Before any onboarding, so that nothing is sent to an account too early.
            self.carry_accounts(settings).await?;
            self.carry_onboardings(settings).await?;
            let there = self.to.tally().await?.total();
            if there < self.total() {
                return Err(Error::Failed(format!(
                    "{} were copied, but only {there} are there; neither store was opened",
                    self.total()
                )));
            }
        } else {
            self.counts = self.from.tally().await?.0;
            self.skipped = self.total();
            self.accounts = self.from.accounts().await?.len() as u64;
        }
        self.from.end_departure(&self.id).await?;
        self.to.end_arrival(&self.id).await?;
        Ok(())
    }

    async fn carry_accounts(&mut self, settings: &Settings) -> Result<()> {
        let accounts = self.from.accounts().await?;
        let now = Timestamp::now();
        let carried: Vec<CarriedAccount> = accounts
            .into_iter()
            .map(|status| carried(status, now, settings.request_timeout))
            .collect();
        for some in carried.chunks(PAGE) {
            self.to.carry_accounts(some).await?;
        }
        self.accounts = carried.len() as u64;
        Ok(())
    }

    async fn carry_onboardings(&mut self, settings: &Settings) -> Result<()> {
        let all = self.from.tally().await?.total();
        let mut progress = Progress::start(settings);
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.from.carry_out(after.as_ref(), PAGE).await?;
            let mut recipes = Vec::new();
            for one in &page.items {
                let own = &one.onboarding;
                // Queued there too, on an account that is parked there too.
                let is_blocked = own.state == State::Blocked;
                let arrives = if is_blocked {
                    own.state
                } else {
                    one.arrives_as()
                };
                *self.counts.entry(arrives).or_default() += 1;
                if known.insert(own.recipe.clone()) {
                    recipes.push((own.recipe.clone(), self.recipe(&own.recipe).await?));
                }
            }
            let came = self.to.carry_in(&recipes, page.items).await?;
            self.skipped += came.there_before;
            progress.update(&Counts {
                total: all,
                succeeded: self.total(),
                ..Counts::default()
            });
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn recipe(&self, digest: &str) -> Result<String> {
        self.from.recipe(digest).await?.ok_or_else(|| {
            Error::Failed(format!(
                "the store has no recipe {digest}, which an onboarding was made from; it is damaged: restore a backup"
            ))
        })
    }

    fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    fn of(&self, state: State) -> u64 {
        self.counts.get(&state).copied().unwrap_or(0)
    }

    fn tell(&self, from: &str, to: &str, started: Instant, output: &mut Output) {
        let elapsed = started.elapsed();
        output.record(&Copied {
            from,
            to,
            total: self.total(),
            queued: self.of(State::Queued),
            succeeded: self.of(State::Succeeded),
            failed: self.of(State::Failed),
            blocked: self.of(State::Blocked),
            cancelled: self.of(State::Cancelled),
            skipped: self.skipped,
            accounts: self.accounts,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        output.line(format_args!(
            "{} and {} copied to {to}, {} of them earlier; {:.1} s",
            counted(self.total(), "onboarding"),
            counted(self.accounts, "account"),
            self.skipped,
            elapsed.as_secs_f64()
        ));
        note(format_args!(
            "{from} is closed for good; start workers and producers with --store {to}"
        ));
    }
}

/// An account as it arrives: closed until what was sent from the other store counts no more.
fn carried(status: AccountStatus, now: Timestamp, request_timeout: Duration) -> CarriedAccount {
    let window = status.limits.map_or(WINDOW, |limits| limits.window);
    let for_permits = match status.permits_out {
        0 => Duration::ZERO,
        // A second more, because both stores count in steps.
        _ => window + request_timeout + Duration::from_secs(1),
    };
    let for_429 = status.closed_until.map_or(Duration::ZERO, |until| {
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    });
    CarriedAccount {
        name: status.name,
        limits: status.limits,
        parked: status.parked,
        outage: status.outage,
        probe: status.next_probe.map(|(kind, _)| kind),
        closed_for: for_permits.max(for_429).min(CLOSED_AT_MOST),
    }
}

#[cfg(test)]
mod tests {
    use store::Limits;

    use super::*;

    #[test]
    fn an_account_stays_closed_until_its_permits_are_back_and_its_429_is_over() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let timeout = Duration::from_secs(10);
        let closed = |permits_out: u32, closed_for: Option<i64>| {
            let status = AccountStatus {
                closed_until: closed_for
                    .map(|seconds| now + jiff::SignedDuration::from_secs(seconds)),
                permits_out,
                limits: Some(Limits::per_minute(200, 50)),
                ..AccountStatus::new("acme".parse().unwrap())
            };
            carried(status, now, timeout).closed_for.as_secs()
        };
        for (permits_out, closed_for, seconds) in [
            (0, None, 0),
            (1, None, 71),
            (0, Some(30), 30),
            (9, Some(30), 71),
            (9, Some(300), 300),
            (0, Some(-5), 0),
            (0, Some(90_000), 3600),
        ] {
            assert_eq!(closed(permits_out, closed_for), seconds);
        }
    }
}
