//! Signups that other systems send as webhooks.

use std::{
    mem,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{Path, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{RefusedId, Remembered};
use telemetry::{SignupOutcome, SignupSource};
use webhook::{Message, Read, Unauthentic, Unfit, Whence};

use super::{
    answer,
    intake::{Enqueued, take},
    payload::{Payload, json},
    refused::record_refusal,
    schema,
};
use crate::{
    App,
    problem::{Code, FieldProblem, Problem},
};

/// How long the id of a message is remembered. No signature is taken that is older than a day, so
/// that what is forgotten cannot be replayed.
const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Takes signups out of a message, whichever sender's secret signed it (Standard Webhooks).
///
/// Needs no token: its signature is checked over the body as it arrived. A message is taken once, by
/// its `webhook-id`, however often it is delivered.
#[utoipa::path(
    post, path = "/v1/webhooks/signups", operation_id = "receive_signups", tag = "webhooks", security(()),
    params(
        ("webhook-id" = String, Header, description = "Names the message"),
        ("webhook-timestamp" = String, Header, description = "When it was signed, in seconds since 1970"),
        ("webhook-signature" = String, Header, description = "`v1,` and the HMAC-SHA256 in base64; several separated by blanks"),
    ),
    request_body(content = Object, content_type = "application/json", description = "The sender's own JSON; its mapping says where the fields of signups are"),
    responses(
        (status = 200, description = "The message was taken before, or is none that is meant", body = schema::Received),
        (status = 202, description = "Its signups are accepted, and durable", body = schema::Enqueued),
    ),
)]
pub(super) async fn receive(
    State(app): State<App>,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Problem> {
    take_message(&app, None, &headers, &payload.bytes).await
}

/// The same for the sender with this name.
#[utoipa::path(
    post, path = "/v1/webhooks/signups/{sender}", operation_id = "receive_signups_of", tag = "webhooks", security(()),
    params(
        ("sender" = String, Path, description = "The name of a sender of the settings"),
        ("webhook-id" = String, Header, description = "Names the message"),
        ("webhook-timestamp" = String, Header, description = "When it was signed, in seconds since 1970"),
        ("webhook-signature" = String, Header, description = "`v1,` and the HMAC-SHA256 in base64; several separated by blanks"),
    ),
    request_body(content = Object, content_type = "application/json", description = "The sender's own JSON; its mapping says where the fields of signups are"),
    responses(
        (status = 200, description = "The message was taken before, or is none that is meant", body = schema::Received),
        (status = 202, description = "Its signups are accepted, and durable", body = schema::Enqueued),
    ),
)]
pub(super) async fn receive_of(
    State(app): State<App>,
    sender: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Problem> {
    // A name that is no text is one that nobody has.
    let sender = sender.map(|Path(sender)| sender).unwrap_or_default();
    take_message(&app, Some(&sender), &headers, &payload.bytes).await
}

#[derive(Serialize)]
struct Ignored {
    r#type: &'static str,
    reason: String,
}

async fn take_message(
    app: &App,
    sender: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Problem> {
    let message = app
        .senders()
        .verify(sender, headers, body, Timestamp::now())
        .map_err(|why| refused(app, sender, &why))?;
    match read_and_take(app, &message, headers, body).await {
        Err(problem) if is_of_content(&problem) => {
            let (name, id) = (&message.sender.name, &message.signed.id);
            record_refusal(app, name, id, body, &problem).await?;
            Err(problem)
        }
        other => other,
    }
}

/// Whether a problem is what its sender or a mapping has to change: sending it again as it is does
/// not help.
fn is_of_content(problem: &Problem) -> bool {
    matches!(
        problem.code(),
        Code::InvalidBody | Code::InvalidSignups | Code::MessageIdReused
    )
}

async fn read_and_take(
    app: &App,
    message: &Message<'_>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Problem> {
    let name = &message.sender.name;
    let count_refused = |count| {
        let (way, outcome) = (SignupSource::Webhook, SignupOutcome::Refused);
        app.metrics().signups(way, outcome, count);
    };
    // How many signups there would be is not known of what cannot be read.
    let read = json(body).and_then(|whole| message.sender.mapping.read(&whole).map_err(unfit));
    let (signups, origin) = match read.inspect_err(|_| count_refused(1))? {
        Read::Ignored { reason } => {
            tracing::debug!(sender = %name, reason, "a webhook is ignored");
            let ignored = Ignored {
                r#type: "ignored",
                reason,
            };
            return Ok(answer::ok(&ignored));
        }
        Read::Signups { signups, origin } => (signups, origin),
    };
    let (scope, id) = (format!("webhook:{name}"), &message.signed.id);
    let asked: [u8; 32] = Sha256::digest(answer::to_bytes(&signups)).into();
    // By the id alone: a sender may write the same message anew for each attempt.
    let digest = Sha256::digest(id).into();
    if let Remembered::Answered(kept) = app.store().remember(&scope, id, digest, KEPT).await? {
        return answer_again(&kept, asked, id).inspect_err(|_| count_refused(signups.len() as u64));
    }
    let source = (signups.len() > 1).then(|| format!("webhook {name}"));
    let taken = take(app, &signups, source, false, SignupSource::Webhook, headers)
        .await
        .map_err(|problem| in_senders_words(problem, message, &origin))?;
    tracing::info!(
        target: "audit", sender = %name, action = "enqueue",
        accepted = taken.report.accepted, duplicates = taken.report.duplicates, "webhook"
    );
    for warning in &taken.report.warnings {
        tracing::warn!(
            sender = %name,
            signup = warning.line,
            field = warning.field,
            "{}", warning.message
        );
    }
    let again = answer::to_bytes(&Enqueued::of(&taken, "duplicate"));
    let kept = [&asked[..], &again].concat();
    app.store().answer(&scope, id, &kept).await?;
    let refused = app.store().refused(RefusedId::of(name, id)).await?;
    if refused.is_some() {
        app.store().accepted_after_all(name, id).await?;
    }
    let first = answer::to_bytes(&Enqueued::of(&taken, "enqueued"));
    Ok(answer::json(StatusCode::ACCEPTED, first))
}

/// What is answered to a message whose id was accepted before. `kept` is the digest of the signups that
/// were accepted under it, and the answer; `asked` is the digest of those that it has now.
fn answer_again(kept: &[u8], asked: [u8; 32], id: &str) -> Result<Response, Problem> {
    match kept.split_first_chunk::<32>() {
        Some((accepted, again)) if *accepted == asked => {
            Ok(answer::json(StatusCode::OK, again.to_vec()))
        }
        _ => {
            let detail = format!(
                "the message {id} was accepted before, with other signups than it has now, so nothing was taken from it; send it under a webhook-id of its own"
            );
            Err(Problem::new(Code::MessageIdReused, detail))
        }
    }
}

/// A message that no sender signed. Anybody may send one, so that only some are told.
fn refused(app: &App, sender: Option<&str>, why: &Unauthentic) -> Problem {
    // What a stranger wrote into the path is not put into the log.
    let sender = sender.filter(|named| app.senders().iter().any(|known| known.name == *named));
    let turn = app
        .refused_webhooks()
        .count(mem::discriminant(why), Instant::now());
    match turn {
        Some(count) => tracing::warn!(sender, error = %why, count, "webhooks are refused"),
        None => tracing::debug!(sender, error = %why, "a webhook is refused"),
    }
    Problem::new(Code::BadSignature, why.to_string())
}

/// What is wrong with a message that is not what its mapping expects.
fn unfit(error: webhook::Error) -> Problem {
    let detail = format!("nothing was taken from the message: {error}");
    let problem = Problem::new(Code::InvalidBody, detail);
    let webhook::Error::Unfit { problems, .. } = error else {
        return problem;
    };
    let told = |one: Unfit| FieldProblem {
        pointer: one.pointer,
        field: one.field,
        message: one.message,
    };
    problem.with_errors(problems.into_iter().map(told).collect())
}

/// With pointers into the message as it was sent, instead of into the signups made of it.
fn in_senders_words(problem: Problem, message: &Message<'_>, origin: &Whence) -> Problem {
    let mapping = &message.sender.mapping;
    let moved = problem.errors().iter().map(|error| {
        let at = error.pointer.split('/').nth(1);
        let item = at.and_then(|at| at.parse::<usize>().ok()).unwrap_or(0) + 1;
        FieldProblem {
            pointer: mapping
                .pointer(origin, item, &error.field)
                .unwrap_or_default(),
            ..error.clone()
        }
    });
    let moved = moved.collect();
    problem.with_errors(moved)
}
