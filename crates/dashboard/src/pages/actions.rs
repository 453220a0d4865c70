//! What a person may do: each is a question on a page of its own, and a form that answers it.

use askama::Template;
use axum::{
    Form,
    extract::{
        Path, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    response::{IntoResponse, Redirect, Response},
};
use onboarding::AccountName;
use serde::Deserialize;
use serve::auth::{Caller, Scope};
use store::{Cancelled, Delivery, DeliveryId, Onboarding, Resumed, Retried};

use super::onboarding::find;
use crate::{
    failure::{Failure, html},
    link::{self, Address},
    note::Done,
    shell::{Section, Shell},
    site::Site,
    view::{
        onboarding::{can_cancel, can_replace, can_retry},
        parts::Prose,
    },
    visitor::Visitor,
};

/// A question before something is done.
struct Ask {
    question: String,
    lines: Vec<Prose>,
    action: String,
    fields: Vec<(&'static str, String)>,
    verb: &'static str,
    tone: &'static str,
    leave: &'static str,
    back: String,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    shell: Shell,
    ask: Ask,
}

#[derive(Deserialize)]
pub(super) struct Csrf {
    csrf: String,
}

#[derive(Deserialize)]
pub(super) struct ResumeForm {
    csrf: String,
    account: String,
}

#[derive(Deserialize)]
pub(super) struct Named {
    account: String,
}

type Filled<T> = Result<Form<T>, FormRejection>;

fn prose<const N: usize>(lines: [String; N]) -> Vec<Prose> {
    lines.map(Prose).into()
}

fn page(visitor: &Visitor, section: Section, ask: Ask) -> Result<Response, Failure> {
    visitor.session.caller().may(Scope::Write)?;
    let shell = Shell::of(visitor, section, ask.question.clone()).still();
    Ok(html(&Page { shell, ask }))
}

/// Checks a form that changes something.
fn checked<T>(
    visitor: &Visitor,
    form: Filled<T>,
    csrf: impl Fn(&T) -> &str,
) -> Result<(T, Caller), Failure> {
    let Form(form) = form.map_err(|_| Failure::bad_form())?;
    let caller = visitor.session.check_change(csrf(&form))?.clone();
    Ok((form, caller))
}

fn done(address: &str, done: Done) -> Response {
    // What follows a `#` comes last.
    let (path, place) = address.split_once('#').unwrap_or((address, ""));
    let mut to = Address::of(path).with("note", done.as_str()).end();
    if !place.is_empty() {
        to.push('#');
        to.push_str(place);
    }
    Redirect::to(&to).into_response()
}

/// Whether to retry.
pub(super) async fn ask_retry(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let own = find(&site, &id).await?;
    let href = link::onboarding(own.id);
    if !can_retry(own.state) {
        return Ok(done(&href, Done::NotNow));
    }
    let ask = Ask {
        question: format!("Retry {}?", own.key),
        lines: prose([
            "It is queued again and goes on at its first unfinished step. That step is read back first, so that nothing is made twice.".to_owned(),
        ]),
        action: format!("{href}/retry"),
        fields: vec![],
        verb: "Retry",
        tone: "primary",
        leave: "Leave it as it is",
        back: href,
    };
    page(&visitor, Section::Onboardings, ask)
}

/// Queues it again.
pub(super) async fn retry(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Filled<Csrf>,
) -> Result<Response, Failure> {
    let (_, caller) = checked(&visitor, form, |form| &form.csrf)?;
    let own = find(&site, &id).await?;
    try_again(&site, &caller, &own, false).await
}

async fn try_again(
    site: &Site,
    caller: &Caller,
    own: &Onboarding,
    replace_credentials: bool,
) -> Result<Response, Failure> {
    let came = match site.app.retry(caller, own.id, replace_credentials).await? {
        Retried::Queued => Done::Retried,
        Retried::NotNow(_) | Retried::Unknown => Done::NotNow,
    };
    Ok(done(&link::onboarding(own.id), came))
}

/// Whether to replace credentials that are in use.
pub(super) async fn ask_replace(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let own = find(&site, &id).await?;
    let href = link::onboarding(own.id);
    if !can_replace(&own) {
        return Ok(done(&href, Done::NotNow));
    }
    let ask = Ask {
        question: format!("Replace the credentials of {}?", own.key),
        lines: prose([
            "The partner may be using them now. From then on its calls fail, until the new handoff with the new password is entered there.".to_owned(),
            "If another store made them, its handoff has the password that works; then nothing needs to be replaced. Cancel this onboarding instead.".to_owned(),
        ]),
        action: format!("{href}/replace-credentials"),
        fields: vec![],
        verb: "Replace the credentials",
        tone: "danger",
        leave: "Leave them as they are",
        back: href,
    };
    page(&visitor, Section::Onboardings, ask)
}

/// Queues it again, to replace its credentials.
pub(super) async fn replace(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Filled<Csrf>,
) -> Result<Response, Failure> {
    let (_, caller) = checked(&visitor, form, |form| &form.csrf)?;
    let own = find(&site, &id).await?;
    if !can_replace(&own) {
        return Ok(done(&link::onboarding(own.id), Done::NotNow));
    }
    try_again(&site, &caller, &own, true).await
}

/// Whether to cancel.
pub(super) async fn ask_cancel(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let own = find(&site, &id).await?;
    let href = link::onboarding(own.id);
    if !can_cancel(own.state) {
        return Ok(done(&href, Done::NotNow));
    }
    let left = own.journal.left_behind(&own.plan);
    let left = if left.is_empty() {
        "Nothing of it is at Exotel yet.".to_owned()
    } else {
        format!(
            "What it has made at Exotel stays there: {}.",
            left.join(", ")
        )
    };
    let ask = Ask {
        question: format!("Cancel {}?", own.key),
        lines: prose([
            "No further step is taken. It can be retried later.".to_owned(),
            left,
        ]),
        action: format!("{href}/cancel"),
        fields: vec![],
        verb: "Cancel the onboarding",
        tone: "danger",
        leave: "Leave it as it is",
        back: href,
    };
    page(&visitor, Section::Onboardings, ask)
}

/// Calls it off.
pub(super) async fn cancel(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Filled<Csrf>,
) -> Result<Response, Failure> {
    let (_, caller) = checked(&visitor, form, |form| &form.csrf)?;
    let own = find(&site, &id).await?;
    let came = match site.app.cancel(&caller, own.id).await? {
        Cancelled::Now => Done::Cancelled,
        Cancelled::Soon => Done::CancelledSoon,
        Cancelled::NotNow(_) | Cancelled::Unknown => Done::NotNow,
    };
    Ok(done(&link::onboarding(own.id), came))
}

fn account(name: &str) -> Result<AccountName, Failure> {
    name.parse().map_err(|_| {
        Failure::not_found("There is no account with this name.")
            .back_to("/accounts", "To all accounts")
    })
}

/// Whether to resume an account.
pub(super) async fn ask_resume(
    visitor: Visitor,
    named: Result<Query<Named>, QueryRejection>,
) -> Result<Response, Failure> {
    let name = account(named.as_ref().map_or("", |named| &named.0.account))?;
    let ask = Ask {
        question: format!("Resume {name}?"),
        lines: prose([
            "What waits for it goes on at once. Mend first what stopped it: the key, the token or the region in the accounts file, or what Exotel has to enable.".to_owned(),
            "If Exotel refuses it again, the account is stopped again; nothing is lost.".to_owned(),
        ]),
        action: "/accounts/resume".to_owned(),
        fields: vec![("account", name.to_string())],
        verb: "Resume the account",
        tone: "primary",
        leave: "Leave it as it is",
        back: link::account(&name),
    };
    page(&visitor, Section::Accounts, ask)
}

/// Lets an account go on.
pub(super) async fn resume(
    State(site): State<Site>,
    visitor: Visitor,
    form: Filled<ResumeForm>,
) -> Result<Response, Failure> {
    let (form, caller) = checked(&visitor, form, |form| &form.csrf)?;
    let name = account(&form.account)?;
    let came = match site.app.resume(&caller, &name).await? {
        Resumed::Parked => Done::Resumed,
        Resumed::Closed => Done::Opened,
        Resumed::Open => Done::WasOpen,
    };
    Ok(done(&link::account(&name), came))
}

async fn delivery(site: &Site, id: &str) -> Result<Delivery, Failure> {
    let unknown = || {
        Failure::not_found("There is no delivery with this id.")
            .back_to("/deliveries", "To all deliveries")
    };
    let id = DeliveryId::parse(id).ok_or_else(unknown)?;
    site.app.store().delivery(&id).await?.ok_or_else(unknown)
}

/// The page of what a delivery is about.
fn about(own: &Delivery) -> String {
    own.onboarding
        .map_or_else(|| "/deliveries".to_owned(), link::onboarding)
}

/// Whether to send a delivery again.
pub(super) async fn ask_resend(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let own = delivery(&site, &id).await?;
    let ask = Ask {
        question: format!("Send {} again?", own.event),
        lines: prose([format!(
            "The endpoint {} gets the same message, with the same id, now.",
            own.endpoint
        )]),
        action: format!("/deliveries/{}/resend", own.id),
        fields: vec![],
        verb: "Send it again",
        tone: "primary",
        leave: "Leave it as it is",
        back: about(&own),
    };
    page(&visitor, Section::Deliveries, ask)
}

/// Makes a delivery due now.
pub(super) async fn resend(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Filled<Csrf>,
) -> Result<Response, Failure> {
    let (_, caller) = checked(&visitor, form, |form| &form.csrf)?;
    let own = delivery(&site, &id).await?;
    let came = if site.app.resend(&caller, &own.id).await? {
        Done::Resent
    } else {
        Done::NotNow
    };
    Ok(done(&about(&own), came))
}
