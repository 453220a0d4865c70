//! Deliveries.

use askama::Template;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use jiff::Timestamp;
use serde::Deserialize;
use store::{Cursor, DeliveryFilter, DeliveryState};

use crate::{
    failure::{Failure, html},
    link::Address,
    shell::{Section, Shell},
    site::Site,
    view::{delivery::DeliveryView, figures::grouped},
    visitor::Visitor,
};

/// Deliveries of a page.
const SHOWN: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    after: String,
}

struct Tab {
    href: String,
    name: &'static str,
    here: bool,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Page {
    shell: Shell,
    waiting: String,
    tabs: Vec<Tab>,
    deliveries: Vec<DeliveryView>,
    first_page: bool,
    first: String,
    next: Option<String>,
}

/// The page.
pub(super) async fn page(
    State(site): State<Site>,
    visitor: Visitor,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let asked = asked.map(|asked| asked.0).unwrap_or_default();
    let state = DeliveryState::parse(&asked.state);
    let store = site.app.store();
    let filter = DeliveryFilter {
        state,
        ..DeliveryFilter::default()
    };
    let after = Some(Cursor(asked.after)).filter(|after| !after.0.is_empty());
    let page = store.deliveries(&filter, after.as_ref(), SHOWN).await?;
    let waiting = store.deliveries_waiting().await?;
    let now = Timestamp::now();
    let here = state.map_or("", DeliveryState::as_str);
    let address = || Address::of("/deliveries").with("state", here);
    let tabs = [
        ("", "All"),
        (DeliveryState::Waiting.as_str(), "Waiting"),
        (DeliveryState::Delivered.as_str(), "Delivered"),
        (DeliveryState::GivenUp.as_str(), "Given up"),
    ];
    Ok(html(&Page {
        shell: Shell::of(&visitor, Section::Deliveries, "Deliveries").still(),
        waiting: match waiting {
            0 => "None is waiting.".to_owned(),
            1 => "1 is waiting.".to_owned(),
            waiting => format!("{} are waiting.", grouped(waiting)),
        },
        tabs: tabs
            .into_iter()
            .map(|(state, name)| Tab {
                href: Address::of("/deliveries").with("state", state).end(),
                name,
                here: state == here,
            })
            .collect(),
        deliveries: page
            .items
            .iter()
            .map(|one| DeliveryView::of(one, true, now))
            .collect(),
        first_page: after.is_none(),
        first: address().end(),
        next: page.next.map(|next| address().with("after", &next.0).end()),
    }))
}
