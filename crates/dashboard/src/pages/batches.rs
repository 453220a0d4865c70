//! Batches.

use askama::Template;
use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};
use jiff::Timestamp;
use serde::Deserialize;
use store::{BatchNumber, BatchStatus, Filter};

use super::overview::failures;
use crate::{
    failure::{Failure, html},
    link::Address,
    shell::{Section, Shell},
    site::Site,
    view::{batch::BatchView, failure::FailureView, figures::grouped, parts::When},
    visitor::Visitor,
};

/// Batches of a page.
const SHOWN: usize = 30;

#[derive(Template)]
#[template(path = "batches.html")]
struct Page {
    shell: Shell,
    batches: Vec<BatchView>,
    first_page: bool,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    before: Option<u64>,
}

/// How these batches stand.
pub(super) fn shown(batches: &[BatchStatus], now: Timestamp) -> Vec<BatchView> {
    batches.iter().map(|own| BatchView::of(own, now)).collect()
}

/// All of them.
pub(super) async fn page(
    State(site): State<Site>,
    visitor: Visitor,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let before = asked.ok().and_then(|asked| asked.before).map(BatchNumber);
    let batches = site.app.store().batches(before, SHOWN).await?;
    let last = batches.last().filter(|_| batches.len() == SHOWN);
    Ok(html(&Page {
        shell: Shell::of(&visitor, Section::Batches, "Batches"),
        first_page: before.is_none(),
        next: last.map(|last| {
            Address::of("/batches")
                .with("before", &last.number.to_string())
                .end()
        }),
        batches: shown(&batches, Timestamp::now()),
    }))
}

#[derive(Template)]
#[template(path = "batch.html")]
struct One {
    shell: Shell,
    own: Batch,
    failures: Vec<FailureView>,
}

struct Batch {
    number: String,
    source: String,
    created: When,
    progress: BatchView,
    failed: u64,
    failed_text: String,
}

/// One of them.
pub(super) async fn one(
    State(site): State<Site>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let unknown = || {
        Failure::not_found("There is no batch with this number.")
            .back_to("/batches", "To all batches")
    };
    let number = BatchNumber(number.parse().map_err(|_| unknown())?);
    let store = site.app.store();
    let own = store.batch(number).await?.ok_or_else(unknown)?;
    let now = Timestamp::now();
    let filter = Filter {
        batch: Some(number),
        ..Filter::default()
    };
    Ok(html(&One {
        shell: Shell::of(&visitor, Section::Batches, own.source.clone()),
        failures: failures(store.as_ref(), filter, own.failed, now).await?,
        own: Batch {
            number: number.to_string(),
            created: When {
                at: own.created_at,
                now,
            },
            progress: BatchView::of(&own, now),
            failed: own.failed,
            failed_text: grouped(own.failed),
            source: own.source,
        },
    }))
}
