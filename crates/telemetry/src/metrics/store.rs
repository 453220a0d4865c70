//! What the store knows, gathered when it is asked for.

use std::{cmp::Reverse, collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use onboarding::State;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode_registry},
    metrics::{
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};
use store::{AccountStatus, Store, Tally, WorkerStatus};
use tokio::{sync::Mutex, time::Instant};

/// The longest that the store is waited for: Prometheus gives a scrape ten seconds by default, and
/// what this process counts is to be had without the store.
const GATHERED_WITHIN: Duration = Duration::from_secs(3);

/// How old what was gathered may be. However many scrape, the store is asked once a second.
const GATHERED_FOR: Duration = Duration::from_secs(1);

/// Most accounts that have series of their own, eight each: what a Prometheus takes from one target
/// without notice. Those with most to do come first.
const ACCOUNTS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAccount {
    account: String,
}

/// A number of every account, or of those that have it.
type ByAccount = Family<OfAccount, Gauge>;
type SecondsByAccount = Family<OfAccount, Gauge<f64, std::sync::atomic::AtomicU64>>;

/// What was gathered last.
#[derive(Debug, Default)]
pub(super) struct Gathering(Mutex<Option<(Instant, String)>>);

impl Gathering {
    /// The gauges; `trunkline_store_up 0` alone where the store does not give them in time.
    pub(super) async fn text(&self, store: &dyn Store) -> String {
        match tokio::time::timeout(GATHERED_WITHIN, self.gathered(store)).await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the store's metrics could not be gathered"
                );
                up(false)
            }
            Err(_) => up(false),
        }
    }

    async fn gathered(&self, store: &dyn Store) -> store::Result<String> {
        // Held for as long as it takes: those who come meanwhile get the same.
        let mut last = self.0.lock().await;
        if let Some((at, text)) = last.as_ref()
            && at.elapsed() < GATHERED_FOR
        {
            return Ok(text.clone());
        }
        let tally = store.tally().await?;
        let accounts = store.accounts().await?;
        let waiting = store.deliveries_waiting().await?;
        let late = store.late_checks_left().await?;
        let workers = store.workers().await?;
        let text = up(true)
            + &running(&workers)
            + &render(&tally, accounts, waiting, late, Timestamp::now());
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

pub(super) fn up(up: bool) -> String {
    let mut registry = Registry::with_prefix("trunkline");
    registry.register(
        "store_up",
        "Whether the store told what it knows",
        ConstGauge::new(u32::from(up)),
    );
    encoded(&registry)
}

/// How many workers run, whether they are scraped or not.
pub(super) fn running(workers: &[WorkerStatus]) -> String {
    let running = workers.iter().filter(|worker| worker.runs()).count();
    let unusable = workers.iter().filter(|worker| worker.runs());
    let unusable: BTreeSet<_> = unusable
        .flat_map(|worker| &worker.unusable)
        .map(|own| &own.account)
        .collect();
    let mut registry = Registry::with_prefix("trunkline");
    registry.register(
        "workers_running",
        "Workers of the store that run",
        ConstGauge::new(number(running as u64)),
    );
    registry.register(
        "accounts_unusable",
        "Accounts that a worker cannot serve, such as for a secret that cannot be read",
        ConstGauge::new(number(unusable.len() as u64)),
    );
    encoded(&registry)
}

fn encoded(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode_registry(&mut text, registry);
    text
}

pub(super) fn render(
    tally: &Tally,
    accounts: Vec<AccountStatus>,
    deliveries: u64,
    late_checks: u64,
    now: Timestamp,
) -> String {
    let mut registry = Registry::with_prefix("trunkline");
    let states: Family<OfState, Gauge> = Family::default();
    for state in State::ALL {
        let of = OfState {
            state: state.as_str(),
        };
        states.get_or_create(&of).set(number(tally.of(state)));
    }
    registry.register("onboardings", "Onboardings by their state", states);
    registry.register(
        "deliveries_waiting",
        "Deliveries that wait to be made, or to be made again",
        ConstGauge::new(deliveries),
    );
    registry.register(
        "late_checks_left",
        "Onboardings that ended and are to be checked once more, due or not",
        ConstGauge::new(late_checks),
    );
    of_all(&mut registry, &accounts, now);
    of_each(&mut registry, busiest(accounts), now);
    encoded(&registry)
}

/// What all accounts come to, whether they have series of their own or not.
fn of_all(registry: &mut Registry, accounts: &[AccountStatus], now: Timestamp) {
    let unlisted = accounts.len().saturating_sub(ACCOUNTS_MAX);
    let count = |of: fn(&AccountStatus, Timestamp) -> bool| {
        let count = accounts.iter().filter(|account| of(account, now)).count();
        ConstGauge::new(count)
    };
    let oldest = accounts.iter().filter_map(|account| age(account, now));
    registry.register(
        "queue_waiting",
        "Onboardings that wait in the lanes, due or not",
        ConstGauge::new(accounts.iter().map(|it| it.waiting).sum::<u64>()),
    );
    registry.register(
        "queue_running",
        "Onboardings that workers hold",
        ConstGauge::new(accounts.iter().map(|it| it.running).sum::<u64>()),
    );
    registry.register_with_unit(
        "queue_oldest_age",
        "For how long the oldest onboarding waits that may be claimed now; 0 where none does",
        Unit::Seconds,
        ConstGauge::new(oldest.fold(0.0, f64::max)),
    );
    registry.register(
        "accounts_known",
        "Accounts that the store knows",
        ConstGauge::new(accounts.len()),
    );
    registry.register(
        "accounts_unlisted",
        "Accounts without series of their own, because there are too many",
        ConstGauge::new(unlisted),
    );
    registry.register(
        "accounts_parked",
        "Accounts that are parked",
        count(|account, _| account.parked.is_some()),
    );
    registry.register(
        "accounts_closed",
        "Accounts that are closed after a 429, or because Exotel does not answer",
        count(AccountStatus::is_closed),
    );
}

fn of_each(registry: &mut Registry, accounts: Vec<AccountStatus>, now: Timestamp) {
    let waiting = ByAccount::default();
    let running = ByAccount::default();
    let permits_out = ByAccount::default();
    let permits_limit = ByAccount::default();
    let parked = ByAccount::default();
    let closed = ByAccount::default();
    let oldest = SecondsByAccount::default();
    for account in accounts {
        let of = OfAccount {
            account: account.name.to_string(),
        };
        waiting.get_or_create(&of).set(number(account.waiting));
        running.get_or_create(&of).set(number(account.running));
        let out = i64::from(account.permits_out);
        permits_out.get_or_create(&of).set(out);
        if let Some(limits) = account.limits {
            let most = i64::from(limits.requests_per_window);
            permits_limit.get_or_create(&of).set(most);
        }
        let is_parked = i64::from(account.parked.is_some());
        parked.get_or_create(&of).set(is_parked);
        let is_closed = i64::from(account.is_closed(now));
        closed.get_or_create(&of).set(is_closed);
        let age = age(&account, now).unwrap_or(0.0);
        oldest.get_or_create(&of).set(age);
    }
    for (name, help, family) in [
        (
            "account_waiting",
            "Onboardings that wait in the account's lane, due or not",
            waiting,
        ),
        (
            "account_running",
            "Onboardings of the account that workers hold",
            running,
        ),
        (
            "account_permits_out",
            "Permits of the account that are out: requests in flight, and those answered less than a window ago",
            permits_out,
        ),
        (
            "account_permits_limit",
            "Most permits of the account that may be out",
            permits_limit,
        ),
        ("account_parked", "Whether the account is parked", parked),
        (
            "account_closed",
            "Whether the account is closed after a 429, or because Exotel does not answer",
            closed,
        ),
    ] {
        registry.register(name, help, family);
    }
    registry.register_with_unit(
        "account_oldest_age",
        "For how long the account's oldest onboarding waits that may be claimed now; 0 where none does",
        Unit::Seconds,
        oldest,
    );
}

/// Those with most to do.
fn busiest(mut accounts: Vec<AccountStatus>) -> Vec<AccountStatus> {
    if accounts.len() > ACCOUNTS_MAX {
        accounts.sort_by_key(|account| {
            let work = account.waiting.saturating_add(account.running);
            Reverse((work, account.permits_out, account.parked.is_some()))
        });
        accounts.truncate(ACCOUNTS_MAX);
    }
    accounts
}

/// In seconds. Clocks of several machines differ: never less than nothing.
fn age(account: &AccountStatus, now: Timestamp) -> Option<f64> {
    let at = account.oldest_waiting_at?;
    Some(now.duration_since(at).as_secs_f64().max(0.0))
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
