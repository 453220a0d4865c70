//! Accounts.

use askama::Template;
use axum::{extract::State, response::Response};
use jiff::Timestamp;

use crate::{
    failure::{Failure, html},
    shell::{Section, Shell},
    site::Site,
    view::account::{self, AccountView, LISTED_MAX},
    visitor::Visitor,
};

#[derive(Template)]
#[template(path = "accounts.html")]
struct Page {
    shell: Shell,
    accounts: Vec<AccountView>,
    more: usize,
}

/// The page.
pub(super) async fn page(State(site): State<Site>, visitor: Visitor) -> Result<Response, Failure> {
    let now = Timestamp::now();
    let book = site.app.directory();
    let known = site.app.store().accounts().await?;
    let mut all = account::all(known, book.as_ref());
    account::in_order(&mut all, now);
    let shown = all.iter().take(LISTED_MAX);
    Ok(html(&Page {
        shell: Shell::of(&visitor, Section::Accounts, "Accounts"),
        accounts: shown
            .map(|own| AccountView::of(own, book.find(&own.name).as_ref(), now))
            .collect(),
        more: all.len().saturating_sub(LISTED_MAX),
    }))
}
