//! One onboarding.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use onboarding::OnboardingId;
use records::Parked;
use serde::Deserialize;
use store::{DeliveryFilter, Onboarding};

use crate::{
    failure::{Failure, html},
    link,
    shell::{Section, Shell},
    site::Site,
    view::{delivery::DeliveryView, handoff::HandoffView, onboarding::Detail},
    visitor::Visitor,
};

/// Most deliveries about one onboarding that are shown.
const DELIVERIES: usize = 50;

#[derive(Template)]
#[template(path = "onboarding.html")]
struct Page {
    shell: Shell,
    own: Detail,
    handoff: Result<HandoffView, String>,
    deliveries: Vec<DeliveryView>,
}

/// The onboarding that a path names.
pub(super) async fn find(site: &Site, id: &str) -> Result<Onboarding, Failure> {
    let unknown = || {
        Failure::not_found("There is no onboarding with this id.")
            .back_to("/onboardings", "To all onboardings")
    };
    let id: OnboardingId = id.parse().map_err(|_| unknown())?;
    site.app.store().get(id).await?.ok_or_else(unknown)
}

/// The page.
pub(super) async fn page(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let own = find(&site, &id).await?;
    render(&site, &visitor, &own, false).await
}

async fn render(
    site: &Site,
    visitor: &Visitor,
    own: &Onboarding,
    show_secrets: bool,
) -> Result<Response, Failure> {
    let store = site.app.store();
    let now = Timestamp::now();
    let parked = Parked::read(store.as_ref()).await?;
    let caller = visitor.session.caller();
    let handoff = match site.app.handoff(caller, own, show_secrets).await {
        Ok(handoff) => Ok(HandoffView::of(&handoff)),
        // Who asked for a secret is told that it was not to be had; else the rest is worth seeing.
        Err(problem) if show_secrets => return Err(problem.into()),
        Err(problem) => Err(problem.detail().to_owned()),
    };
    let filter = DeliveryFilter {
        onboarding: Some(own.id),
        ..DeliveryFilter::default()
    };
    let deliveries = store.deliveries(&filter, None, DELIVERIES).await?;
    let shell = Shell::of(visitor, Section::Onboardings, own.key.to_string());
    Ok(html(&Page {
        // A page with a secret on it is not asked for again.
        shell: if show_secrets { shell.still() } else { shell },
        own: Detail::of(own, &parked, now),
        handoff,
        deliveries: deliveries
            .items
            .iter()
            .map(|one| DeliveryView::of(one, false, now))
            .collect(),
    }))
}

#[derive(Deserialize)]
pub(super) struct Csrf {
    csrf: String,
}

/// The page with the password on it. It is asked for by a form, so that it has no address that
/// could be opened by mistake, and logged by [`serve::App::handoff`].
pub(super) async fn with_password(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Result<Form<Csrf>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(form) = form.map_err(|_| Failure::bad_form())?;
    visitor.session.check_change(&form.csrf)?;
    let own = find(&site, &id).await?;
    render(&site, &visitor, &own, true).await
}

/// Loading the page with the password anew leads to the one without.
pub(super) async fn back(
    State(site): State<Site>,
    _: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let own = find(&site, &id).await?;
    Ok(Redirect::to(&link::onboarding(own.id)).into_response())
}
