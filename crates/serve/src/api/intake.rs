//! Signups that programs send.

use axum::{extract::State, response::Response};
use http::{HeaderMap, Uri};
use onboarding::{Key, OnboardingId};
use producer::{About, Taken, accept};
use serde::Serialize;
use serde_json::Value;
use telemetry::{SignupOutcome, SignupSource, trace};

use super::{
    answer,
    idempotency::{Accepted, Asked},
    params::Params,
    payload::{Payload, check_json, json},
    schema,
};
use crate::{
    App,
    auth::Caller,
    layers::traceparent,
    problem::{Code, FieldProblem, Problem, field_problem},
};

/// Most signups of one request. More are for a file.
pub(super) const ITEMS_MAX: usize = 1000;

/// What was accepted.
#[derive(Serialize)]
pub(super) struct Enqueued<'t> {
    r#type: &'static str,
    accepted: u64,
    duplicates: u64,
    total: u64,
    onboardings: Vec<EnqueuedOne<'t>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldProblem>,
}

/// The onboarding of a signup.
#[derive(Serialize)]
pub(super) struct EnqueuedOne<'t> {
    id: OnboardingId,
    key: &'t Key,
}

impl<'t> Enqueued<'t> {
    /// Of what was taken; `kind` is its type.
    pub(super) fn of(taken: &'t Taken, kind: &'static str) -> Self {
        let each = taken
            .ids
            .iter()
            .map(|(id, key)| EnqueuedOne { id: *id, key });
        Self {
            r#type: kind,
            accepted: taken.report.accepted,
            duplicates: taken.report.duplicates,
            total: taken.report.accepted + taken.report.duplicates,
            onboardings: each.collect(),
            warnings: Vec::new(),
        }
    }

    /// With what the sender is to look at; `single` where the body is one signup.
    fn with_warnings(mut self, taken: &Taken, single: bool) -> Self {
        let warnings = taken.report.warnings.iter().cloned();
        self.warnings = warnings.map(|one| field_problem(one, single)).collect();
        self
    }
}

/// Accepts one signup or a list of them, all or none. Once this is answered with 202 they are durable.
///
/// With an `Idempotency-Key` the same request again gets the first answer again, for a day. Without
/// one a repeated signup is a duplicate of the first and does nothing.
#[utoipa::path(
    post, path = "/v1/onboardings", operation_id = "create_onboardings", tag = "onboardings",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 visible ASCII characters", pattern = "^[!-~]{1,255}$")),
    request_body(content = schema::Signups, content_type = "application/json"),
    responses((
        status = 202, description = "They are accepted, and durable", body = schema::Enqueued,
        headers(
            ("Location" = Option<String>, description = "Where the onboarding is, if one signup was sent by itself"),
            ("Idempotency-Replayed" = Option<String>, description = "`true` where this is the first answer again"),
        ),
    )),
)]
pub(super) async fn enqueue(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    check_json(&headers)?;
    let asked = Asked::read(&headers, caller.token(), "POST /v1/onboardings")?;
    let (items, single) = parse(&payload.bytes).inspect_err(|_| {
        // How many there are is not known.
        app.metrics()
            .signups(SignupSource::Api, SignupOutcome::Refused, 1);
    })?;
    if let Some(asked) = &asked
        && let Some(first) = asked.begin(&app, &payload.bytes).await?
    {
        return Ok(first.response(true));
    }
    let source = (!single).then(|| format!("API, token {}", caller.token()));
    let taken = take(&app, &items, source, single, SignupSource::Api, &headers).await?;
    let location = taken.ids.first().filter(|_| single);
    // A list can be told by its batch; a single signup nowhere else says who sent it.
    tracing::info!(
        target: "audit", token = caller.token(), action = "enqueue",
        onboarding = location.map(|(id, _)| tracing::field::display(id)),
        accepted = taken.report.accepted, duplicates = taken.report.duplicates, "enqueue"
    );
    let answer = Accepted {
        location: location.map(|(id, _)| format!("/v1/onboardings/{id}")),
        body: answer::to_bytes(&Enqueued::of(&taken, "enqueued").with_warnings(&taken, single)),
    };
    let answer = match &asked {
        Some(asked) => asked.end(&app, answer).await?,
        None => answer,
    };
    Ok(answer.response(false))
}

/// The signups of a body, and whether it is one by itself.
fn parse(body: &[u8]) -> Result<(Vec<Value>, bool), Problem> {
    match json(body)? {
        Value::Array(items) if items.is_empty() => Err(Problem::new(
            Code::InvalidBody,
            "the list is empty; send at least one signup",
        )),
        Value::Array(items) if items.len() > ITEMS_MAX => Err(Problem::new(
            Code::TooLarge,
            format!(
                "the list has {} signups and may have {ITEMS_MAX}; send it in parts, or enqueue a file",
                items.len()
            ),
        )),
        Value::Array(items) => Ok((items, false)),
        one @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => Ok((vec![one], true)),
    }
}

/// Accepts signups at hand.
pub(super) async fn take(
    app: &App,
    items: &[Value],
    source: Option<String>,
    single: bool,
    way: SignupSource,
    headers: &HeaderMap,
) -> Result<Taken, Problem> {
    let about = About {
        source,
        // Where this server exports no traces, the worker still goes on with the client's.
        trace: trace::current().or_else(|| traceparent(headers)),
    };
    let desk = app.directory().desk();
    let taken = accept(items, "the request", about, &desk, app.store().as_ref()).await;
    let count = |outcome, count| app.metrics().signups(way, outcome, count);
    match taken {
        Ok(taken) => {
            count(SignupOutcome::Accepted, taken.report.accepted);
            count(SignupOutcome::Duplicate, taken.report.duplicates);
            Ok(taken)
        }
        Err(error) => {
            // A store that is away refuses nothing: they come again.
            if matches!(error, producer::Error::Input { .. }) {
                count(SignupOutcome::Refused, items.len() as u64);
            }
            Err(Problem::of_signups(error, single))
        }
    }
}
