//! Authentic webhooks that were refused for their content.

use std::time::Instant;

use axum::{body::Bytes, extract::State, response::Response};
use http::Uri;
use records::{RefusedProblem, RefusedRecord};
use serde_json::Value;
use store::NewRefused;

use super::{
    answer::{self, Listed},
    cursor,
    params::Params,
    schema,
};
use crate::{App, Problem};

/// Refused messages of a page, unless the client says otherwise.
const PAGE: usize = 50;

/// Most refused messages of a page.
const PAGE_MAX: usize = 200;

/// Values of a message that are shorter are parts of many words.
const VALUE_CHARS_MIN: usize = 4;

/// Lists authentic webhooks that were refused for their content, the newest first. Their signups were not
/// accepted. A message that is accepted by a later attempt leaves the list.
#[utoipa::path(
    get, path = "/v1/refused", operation_id = "list_refused", tag = "webhooks",
    params(
        ("sender" = Option<String>, Query, description = "Only of this sender", pattern = "^[A-Za-z0-9_.-]{1,64}$"),
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before, with the same filter"),
        ("limit" = Option<u16>, Query, description = "How many at most; 50 where it is left out", minimum = 1, maximum = 200),
    ),
    responses((status = 200, description = "A page", body = schema::RefusedPage)),
)]
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::read(&uri, &["sender", "cursor", "limit"]);
    let sender = params.name("sender", "write the name of a sender of the settings");
    let list = format!("refused {sender:?}");
    let after = cursor::open(&app, &list, &mut params);
    let limit = params.number("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    params.done()?;
    let page = app
        .store()
        .refusals(sender.as_deref(), after.as_ref(), limit)
        .await?;
    Ok(answer::ok(&Listed {
        items: page.items.iter().map(RefusedRecord::of).collect(),
        next: page.next.map(|next| cursor::seal(&app, &list, &next.0)),
    }))
}

/// Records a refused message and logs it. The record also triggers the event for endpoints.
pub(super) async fn record_refusal(
    app: &App,
    sender: &str,
    message: &str,
    body: &Bytes,
    problem: &Problem,
) -> Result<(), Problem> {
    let whole = || RefusedProblem {
        pointer: String::new(),
        field: String::new(),
        message: problem.detail().to_owned(),
    };
    let mut problems: Vec<RefusedProblem> = problem
        .errors()
        .iter()
        .map(|error| RefusedProblem {
            pointer: error.pointer.clone(),
            field: error.field.clone(),
            message: error.message.clone(),
        })
        .collect();
    if problems.is_empty() {
        problems.push(whole());
    }
    log_refusal(app, sender, body, problem, &problems);
    let refused = NewRefused {
        sender: sender.to_owned(),
        message: message.to_owned(),
        status: problem.code().status().as_u16(),
        problems: RefusedProblem::written(problems),
    };
    Ok(app.store().refuse(refused).await?)
}

/// Logs the first problem, without any value of the message; rate limited per sender and reason.
fn log_refusal(
    app: &App,
    sender: &str,
    body: &Bytes,
    problem: &Problem,
    problems: &[RefusedProblem],
) {
    let Some(first) = problems.first() else {
        return;
    };
    let kind = (sender.to_owned(), problem.code(), first.field.clone());
    let Some(count) = app.refused_signups().count(kind, Instant::now()) else {
        return;
    };
    tracing::warn!(
        sender,
        code = problem.code().as_str(),
        status = problem.code().status().as_u16(),
        pointer = first.pointer,
        field = first.field,
        error = without_values(&first.message, body),
        problems = problems.len(),
        count,
        "the signups of a webhook were refused: correct the sender or its mapping; GET /v1/refused lists refused messages"
    );
}

/// A problem without what is quoted in it, and without any value of the message.
fn without_values(problem: &str, body: &Bytes) -> String {
    let mut out = String::with_capacity(problem.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in problem.chars() {
        match c {
            '"' if !escaped => {
                quoted = !quoted;
                out.push_str(if quoted { "\"..." } else { "\"" });
            }
            _ if quoted => escaped = c == '\\' && !escaped,
            _ => out.push(c),
        }
    }
    let mut values = Vec::new();
    gather(
        &serde_json::from_slice(body).unwrap_or(Value::Null),
        &mut values,
    );
    // The longest first, so that none leaves a part of another one.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
        .iter()
        .filter(|value| value.chars().count() >= VALUE_CHARS_MIN)
        .fold(out, |text, value| text.replace(value.as_str(), "..."))
}

/// The texts and numbers of a message.
fn gather(value: &Value, values: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => values.push(number.to_string()),
        Value::String(text) => values.push(text.trim().to_owned()),
        Value::Array(list) => list.iter().for_each(|one| gather(one, values)),
        Value::Object(object) => object.values().for_each(|one| gather(one, values)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_problem_has_no_value_of_the_message() {
        let body = Bytes::from_static(
            br#"{"did": " +91 80000 ", "n": 8012345, "who": "globex", "odd": "a\"b", "on": true, "x": "no"}"#,
        );
        for (problem, logged) in [
            (
                "\"+91 80000\" is not a phone number; write it as +918012345678",
                "\"...\" is not a phone number; write it as +91...678",
            ),
            ("\"a\\\"b\" is odd", "\"...\" is odd"),
            (
                "there is no account \"globex\"; add [accounts.globex]",
                "there is no account \"...\"; add [accounts....]",
            ),
            ("it is empty, and no more", "it is empty, and no more"),
            ("cut off \"in the mid", "cut off \"..."),
        ] {
            assert_eq!(without_values(problem, &body), logged);
        }
        let no_json = Bytes::from_static(b"account=acme");
        assert_eq!(without_values("no JSON", &no_json), "no JSON");
    }
}
