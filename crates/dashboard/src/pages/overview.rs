//! How it stands.

use askama::Template;
use axum::{extract::State, response::Response};
use jiff::Timestamp;
use onboarding::State as Stands;
use records::Workers;
use store::{AccountStatus, Filter, Store, Tally};

use super::batches::shown;
use crate::{
    failure::{Failure, html},
    link,
    shell::{Section, Shell},
    site::Site,
    view::{
        account::{self, Attention, Standing},
        batch::BatchView,
        failure::{FailureView, by_cause},
        figures::{counted, grouped},
        parts::label,
        refused::RefusedView,
    },
    visitor::Visitor,
};

/// Most batches here.
const BATCHES: usize = 5;

/// Most accounts that need a person here.
const ATTENTION: usize = 6;

/// Most refused messages here.
const REFUSED: usize = 5;

/// Failed onboardings that are looked at for their causes; each is some kilobytes.
pub(super) const FAILED: usize = 200;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    shell: Shell,
    throughput: String,
    tiles: Vec<Tile>,
    total: u64,
    no_worker: Option<String>,
    attention: Vec<Attention>,
    more_attention: usize,
    refused: Vec<RefusedView>,
    more_refused: bool,
    batches: Vec<BatchView>,
    failures: Vec<FailureView>,
    failed: u64,
    failed_text: String,
}

struct Tile {
    name: &'static str,
    class: &'static str,
    label: &'static str,
    href: String,
    count: String,
    alert: bool,
}

/// The page.
pub(super) async fn page(State(site): State<Site>, visitor: Visitor) -> Result<Response, Failure> {
    let store = site.app.store();
    let now = Timestamp::now();
    let tally = store.tally().await?;
    let mut accounts = store.accounts().await?;
    account::in_order(&mut accounts, now);
    let urgent = accounts
        .iter()
        .filter(|own| Standing::of(own, now) != Standing::Open)
        .count();
    let attention = accounts.iter().filter_map(|own| Attention::of(own, now));
    let workers = Workers::read(store.as_ref()).await?;
    let failed = tally.of(Stands::Failed);
    let refused = store.refusals(None, None, REFUSED).await?;
    Ok(html(&Page {
        shell: Shell::of(&visitor, Section::Overview, "Overview"),
        throughput: throughput(&accounts),
        tiles: tiles(&tally),
        total: tally.total(),
        no_worker: workers.missing(tally.of(Stands::Queued) + tally.of(Stands::Running)),
        attention: attention.take(ATTENTION).collect(),
        more_attention: urgent.saturating_sub(ATTENTION),
        more_refused: refused.next.is_some(),
        refused: refused
            .items
            .iter()
            .map(|own| RefusedView::of(own, now))
            .collect(),
        batches: shown(&store.batches(None, BATCHES).await?, now),
        failures: failures(store.as_ref(), Filter::default(), failed, now).await?,
        failed,
        failed_text: grouped(failed),
    }))
}

/// What failed, by cause; `known` is how many of all have.
pub(super) async fn failures(
    store: &dyn Store,
    filter: Filter,
    known: u64,
    now: Timestamp,
) -> Result<Vec<FailureView>, Failure> {
    if known == 0 {
        return Ok(Vec::new());
    }
    let filter = Filter {
        state: Some(Stands::Failed),
        ..filter
    };
    let page = store.list(&filter, None, FAILED).await?;
    Ok(by_cause(page.items, now))
}

fn tiles(tally: &Tally) -> Vec<Tile> {
    let tile = |state: Stands, alert: bool| {
        let count = tally.of(state);
        Tile {
            name: state.as_str(),
            class: state.as_str(),
            label: label(state),
            href: link::onboardings("state", state),
            count: grouped(count),
            alert: alert && count > 0,
        }
    };
    let total = Tile {
        name: "total",
        class: "total",
        label: "All",
        href: "/onboardings".to_owned(),
        count: grouped(tally.total()),
        alert: false,
    };
    vec![
        total,
        tile(Stands::Queued, false),
        tile(Stands::Running, false),
        tile(Stands::Succeeded, false),
        tile(Stands::Failed, true),
        tile(Stands::Blocked, true),
        tile(Stands::Cancelled, false),
    ]
}

/// How much is sent now, of how much that may be.
fn throughput(accounts: &[AccountStatus]) -> String {
    let used: u64 = accounts.iter().map(|own| u64::from(own.permits_out)).sum();
    let busy = accounts.iter().filter(|own| own.permits_out > 0);
    match busy.count() {
        0 => "No requests to Exotel in the last minute".to_owned(),
        busy => format!(
            "{} to Exotel in the last minute, of {}",
            counted(used, "request"),
            counted(busy as u64, "account")
        ),
    }
}
