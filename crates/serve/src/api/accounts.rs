//! Accounts.

use axum::{
    extract::{FromRequestParts, Path, State},
    response::Response,
};
use http::{Uri, request::Parts};
use onboarding::AccountName;
use records::{Time, Workers};
use serde::Serialize;

use super::{answer, params::Params, schema};
use crate::{
    AccountView, Accounts, App,
    auth::Caller,
    problem::{Code, Problem},
};

/// The account that a path means.
pub(super) struct Named(AccountName);

impl FromRequestParts<App> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        let name = text.ok().and_then(|Path(text)| text.parse().ok());
        name.map(Self).ok_or_else(unknown)
    }
}

fn unknown() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no account with this name; GET /v1/accounts lists those there are",
    )
}

/// Lists the accounts: what they may do, how much of it is used, and who waits.
#[utoipa::path(
    get, path = "/v1/accounts", operation_id = "list_accounts", tag = "accounts",
    responses((status = 200, description = "All of them, by name", body = schema::AccountList)),
)]
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    let statuses = app.store().accounts().await?;
    let workers = Workers::read(app.store().as_ref()).await?;
    let (workers_running, worker_heard_at) = (workers.running(), workers.heard_at());
    let accounts = Accounts::of(app.directory().as_ref(), statuses, workers);
    Ok(answer::ok(&List {
        items: accounts.iter().collect(),
        workers_running,
        worker_heard_at,
    }))
}

#[derive(Serialize)]
struct List<'a> {
    items: Vec<AccountView<'a>>,
    workers_running: u64,
    worker_heard_at: Option<Time>,
}

#[derive(Serialize)]
struct Resumed {
    r#type: &'static str,
    account: AccountName,
    was_parked: bool,
    was_closed: bool,
}

/// Lets a parked or closed account go on. One that is neither is left as it is.
#[utoipa::path(
    post, path = "/v1/accounts/{name}/resume", operation_id = "resume_account", tag = "accounts",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "It is neither parked nor closed any more", body = schema::Resumed)),
)]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Caller,
    Named(account): Named,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    let statuses = app.store().accounts().await?;
    let known = Accounts::of(app.directory().as_ref(), statuses, Workers::default());
    known.find(&account).ok_or_else(unknown)?;
    let was = app.resume(&caller, &account).await?;
    Ok(answer::ok(&Resumed {
        r#type: "resumed",
        account,
        was_parked: was == store::Resumed::Parked,
        was_closed: was == store::Resumed::Closed,
    }))
}
