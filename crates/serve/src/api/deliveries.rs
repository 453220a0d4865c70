//! Deliveries: webhooks that were sent, or are to be.

use axum::{
    extract::{FromRequestParts, Path, State},
    response::Response,
};
use http::{Uri, request::Parts};
use onboarding::OnboardingId;
use records::Time;
use serde::Serialize;
use store::{Delivery, DeliveryFilter, DeliveryId, DeliveryState};

use super::{
    answer::{self, Listed},
    cursor, onboardings,
    params::Params,
    schema,
};
use crate::{
    App,
    auth::Caller,
    problem::{Code, Problem},
};

/// Deliveries of a page, unless the client says otherwise.
const PAGE: usize = 50;

/// Most deliveries of a page.
const PAGE_MAX: usize = 200;

#[derive(Serialize)]
#[serde(tag = "type", rename = "delivery")]
struct Line<'d> {
    id: &'d str,
    endpoint: &'d str,
    event: &'d str,
    onboarding: Option<OnboardingId>,
    state: &'static str,
    attempts: u32,
    created_at: Time,
    next_at: Option<Time>,
    last: Option<AttemptLine<'d>>,
}

#[derive(Serialize)]
struct AttemptLine<'d> {
    at: Time,
    status: Option<u16>,
    error: Option<&'d str>,
    duration_ms: u64,
}

impl<'d> Line<'d> {
    fn of(own: &'d Delivery) -> Self {
        let last = own.last.as_ref().map(|(made, at)| AttemptLine {
            at: Time(*at),
            status: made.status,
            error: made.error.as_deref(),
            duration_ms: made.duration_ms,
        });
        Self {
            id: own.id.as_str(),
            endpoint: &own.endpoint,
            event: &own.event,
            onboarding: own.onboarding,
            state: own.state.as_str(),
            attempts: own.attempts,
            created_at: Time(own.created_at),
            next_at: own.next_at.map(Time),
            last,
        }
    }
}

/// Lists deliveries, the newest first.
#[utoipa::path(
    get, path = "/v1/deliveries", operation_id = "list_deliveries", tag = "deliveries",
    params(
        ("endpoint" = Option<String>, Query, description = "Only to this endpoint", pattern = "^[A-Za-z0-9_.-]{1,64}$"),
        ("state" = Option<schema::DeliveryState>, Query, description = "Only in this state"),
        ("onboarding" = Option<String>, Query, description = "Only about this onboarding: its id or its key", min_length = 1, max_length = 200),
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before, with the same filter"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 where it is left out", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page", body = schema::DeliveryPage)),
)]
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let names = ["endpoint", "state", "onboarding", "cursor", "limit"];
    let mut params = Params::read(&uri, &names);
    let filter = filter(&mut params);
    let list = format!("deliveries {filter:?}");
    let after = cursor::open(&app, &list, &mut params);
    let limit = params.number("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    params.done()?;
    let page = app
        .store()
        .deliveries(&filter, after.as_ref(), limit)
        .await?;
    Ok(answer::ok(&Listed {
        items: page.items.iter().map(Line::of).collect(),
        next: page.next.map(|next| cursor::seal(&app, &list, &next.0)),
    }))
}

fn filter(params: &mut Params) -> DeliveryFilter {
    let endpoint = params.name("endpoint", "write the name of an endpoint of the settings");
    let state = params.text("state").map(DeliveryState::parse);
    if state == Some(None) {
        params.wrong("state", "write waiting, delivered or given_up");
    }
    let onboarding = params.text("onboarding").map(onboardings::id_of);
    if onboarding == Some(None) {
        params.wrong("onboarding", "write the id or the key of an onboarding");
    }
    DeliveryFilter {
        endpoint,
        state: state.flatten(),
        onboarding: onboarding.flatten(),
    }
}

/// The delivery that a path means.
pub(super) struct Named(DeliveryId);

impl FromRequestParts<App> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        let id = text.ok().and_then(|Path(text)| DeliveryId::parse(&text));
        id.map(Self).ok_or_else(unknown)
    }
}

fn unknown() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no delivery with this id; GET /v1/deliveries lists those there are",
    )
}

#[derive(Serialize)]
struct Resent {
    r#type: &'static str,
    id: String,
}

/// Makes a delivery due now, whatever became of it.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/resend", operation_id = "resend_delivery", tag = "deliveries",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 202, description = "It is due now", body = schema::Resent)),
)]
pub(super) async fn resend(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    if !app.resend(&caller, &id).await? {
        return Err(unknown());
    }
    let resent = Resent {
        r#type: "resent",
        id: id.to_string(),
    };
    Ok(answer::json(
        http::StatusCode::ACCEPTED,
        answer::to_bytes(&resent),
    ))
}
