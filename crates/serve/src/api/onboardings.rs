//! Onboardings: looking at them, and what a person may do with one.

use axum::{
    extract::{FromRequestParts, Path, State},
    response::Response,
};
use http::{HeaderMap, StatusCode, Uri, request::Parts};
use onboarding::{Key, OnboardingId, State as OnboardingState};
use records::{OnboardingRecord, Parked, has_live_credentials};
use serde::{Deserialize, Serialize};
use store::{BatchNumber, Cancelled, Filter, Onboarding, Retried};

use super::{
    answer::{self, Listed},
    cursor,
    params::Params,
    payload::{Payload, check_json, json},
    schema,
};
use crate::{
    App,
    auth::Caller,
    problem::{Code, Problem},
};

/// Onboardings of a page, unless the client says otherwise.
const PAGE: usize = 50;

/// Most onboardings of a page.
const PAGE_MAX: usize = 200;

/// The onboarding that a path means: by its id, or by its key.
pub(super) struct Named(OnboardingId);

impl FromRequestParts<App> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        let Path(text) = text.map_err(|_| unknown())?;
        id_of(&text).map(Self).ok_or_else(unknown)
    }
}

/// The id that a client means: an id, or the key that it follows from.
pub(super) fn id_of(text: &str) -> Option<OnboardingId> {
    text.parse::<OnboardingId>()
        .ok()
        .or_else(|| Some(OnboardingId::of(&text.parse::<Key>().ok()?)))
}

fn unknown() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no onboarding with this id or key; GET /v1/onboardings lists those there are",
    )
}

async fn find(app: &App, id: OnboardingId) -> Result<Onboarding, Problem> {
    app.store().get(id).await?.ok_or_else(unknown)
}

async fn record(app: &App, own: &Onboarding) -> Result<Response, Problem> {
    // Only what is blocked needs to know why its account is parked.
    let parked = if own.state == OnboardingState::Blocked {
        Parked::read(app.store().as_ref()).await?
    } else {
        Parked::default()
    };
    Ok(answer::ok(&OnboardingRecord::of(own, &parked)))
}

/// Lists onboardings, in the order in which they were accepted.
#[utoipa::path(
    get, path = "/v1/onboardings", operation_id = "list_onboardings", tag = "onboardings",
    params(
        ("state" = Option<schema::State>, Query, description = "Only in this state"),
        ("partner" = Option<String>, Query, description = "Only of this partner", pattern = "^[a-z][a-z0-9_-]{0,31}$"),
        ("account" = Option<String>, Query, description = "Only of this account", pattern = "^[A-Za-z0-9_.-]{1,64}$"),
        ("batch" = Option<u64>, Query, description = "Only of the batch with this number", minimum = 0, maximum = 9007199254740991_i64),
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before, with the same filter"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 where it is left out", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page", body = schema::OnboardingPage)),
)]
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let names = ["state", "partner", "account", "batch", "cursor", "limit"];
    let mut params = Params::read(&uri, &names);
    let filter = Filter {
        state: params.value("state"),
        partner: params.value("partner"),
        account: params.value("account"),
        batch: batch_number(&mut params),
    };
    let list = format!("onboardings {filter:?}");
    let after = cursor::open(&app, &list, &mut params);
    let limit = params.number("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    params.done()?;
    let page = app.store().list(&filter, after.as_ref(), limit).await?;
    let blocked = page
        .items
        .iter()
        .any(|own| own.state == OnboardingState::Blocked);
    let parked = if blocked {
        Parked::read(app.store().as_ref()).await?
    } else {
        Parked::default()
    };
    let records = page
        .items
        .iter()
        .map(|own| OnboardingRecord::of(own, &parked));
    Ok(answer::ok(&Listed {
        items: records.collect(),
        next: page.next.map(|next| cursor::seal(&app, &list, &next.0)),
    }))
}

/// Numbers beyond this are not exact in JSON readers; there are no such batches.
const BATCH_MAX: usize = (1 << 53) - 1;

fn batch_number(params: &mut Params) -> Option<BatchNumber> {
    let number = params.number("batch", 0, BATCH_MAX)?;
    Some(BatchNumber(number as u64))
}

/// Shows one onboarding.
#[utoipa::path(
    get, path = "/v1/onboardings/{id}", operation_id = "get_onboarding", tag = "onboardings",
    params(("id" = String, Path, description = "Its id or its key")),
    responses((status = 200, description = "The onboarding", body = schema::Onboarding)),
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(id): Named,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    let own = find(&app, id).await?;
    record(&app, &own).await
}

/// Shows what the partner's side needs, in whatever state the onboarding is. With secrets the token
/// needs the write scope, and that they were shown is logged.
#[utoipa::path(
    get, path = "/v1/onboardings/{id}/handoff", operation_id = "get_handoff", tag = "onboardings",
    params(
        ("id" = String, Path, description = "Its id or its key"),
        ("show_secrets" = Option<bool>, Query, description = "Whether the password is shown in clear"),
    ),
    responses((status = 200, description = "The handoff", body = schema::Handoff)),
)]
pub(super) async fn handoff(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::read(&uri, &["show_secrets"]);
    let show_secrets = params.flag("show_secrets");
    params.done()?;
    let own = find(&app, id).await?;
    Ok(answer::ok(&app.handoff(&caller, &own, show_secrets).await?))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryBody {
    #[serde(default)]
    replace_credentials: bool,
}

impl RetryBody {
    /// A body may be left out.
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        check_json(headers)?;
        let read = serde_json::from_value::<Option<Self>>(json(body)?);
        read.map(Option::unwrap_or_default).map_err(|error| {
            let detail = format!(
                "the body is not one of a retry ({error}); send {{\"replace_credentials\": true}}, or none"
            );
            Problem::new(Code::InvalidBody, detail)
        })
    }
}

/// Queues a failed or cancelled onboarding again. What was done stays done.
///
/// One that failed as `credentials_live` has credentials in use with a password that this store does not
/// have. With `replace_credentials` they are replaced: the partner's calls fail from then on until it has
/// the new handoff.
#[utoipa::path(
    post, path = "/v1/onboardings/{id}/retry", operation_id = "retry_onboarding", tag = "onboardings",
    params(("id" = String, Path, description = "Its id or its key")),
    request_body(content = Option<schema::Retry>, content_type = "application/json"),
    responses((status = 200, description = "It is queued again", body = schema::Onboarding)),
)]
pub(super) async fn retry(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named,
    uri: Uri,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    let asked = RetryBody::read(&headers, &payload.bytes)?;
    if asked.replace_credentials && !has_live_credentials(&find(&app, id).await?) {
        return Err(Problem::new(
            Code::WrongState,
            "the onboarding did not fail as credentials_live, so there is nothing to replace; send the request without replace_credentials",
        ));
    }
    match app.retry(&caller, id, asked.replace_credentials).await? {
        Retried::Queued => record(&app, &find(&app, id).await?).await,
        Retried::NotNow(state) => Err(not_now(state, "retried", "failed or cancelled")),
        Retried::Unknown => Err(unknown()),
    }
}

#[derive(Serialize)]
struct Cancelling {
    r#type: &'static str,
    id: OnboardingId,
}

/// Calls an onboarding off. What it left on Exotel's side stays there.
#[utoipa::path(
    post, path = "/v1/onboardings/{id}/cancel", operation_id = "cancel_onboarding", tag = "onboardings",
    params(("id" = String, Path, description = "Its id or its key")),
    responses(
        (status = 200, description = "It is cancelled", body = schema::Onboarding),
        (status = 202, description = "A worker holds it; it will be cancelled once its request in flight is recorded", body = schema::CancelSoon),
    ),
)]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    match app.cancel(&caller, id).await? {
        Cancelled::Now => record(&app, &find(&app, id).await?).await,
        Cancelled::Soon => {
            let soon = Cancelling {
                r#type: "cancelling",
                id,
            };
            Ok(answer::json(StatusCode::ACCEPTED, answer::to_bytes(&soon)))
        }
        Cancelled::NotNow(state) => Err(not_now(
            state,
            "cancelled",
            "queued, running, blocked or failed",
        )),
        Cancelled::Unknown => Err(unknown()),
    }
}

fn not_now(state: OnboardingState, done: &str, allowed: &str) -> Problem {
    Problem::new(
        Code::WrongState,
        format!("the onboarding is {state}, and only one that is {allowed} can be {done}"),
    )
}
