//! Errors as clients read them: `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Most problems of fields that one answer lists; `detail` says how many more there are.
const LISTED_MAX: usize = 1000;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $name:literal, $title:literal;)*) => {
        /// What went wrong, for programs. Stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it is written in a problem.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status that it comes with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it means, the same for each time that it happens.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or not of the form that is asked for.
    InvalidBody = BAD_REQUEST, "invalid_body", "The body cannot be read";
    /// A parameter or header is not what it has to be.
    InvalidParameter = BAD_REQUEST, "invalid_parameter", "A parameter is wrong";
    /// No token, a wrong one, or a session that ended.
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "A token is needed";
    /// A webhook whose signature does not hold.
    BadSignature = UNAUTHORIZED, "bad_signature", "The signature does not hold";
    /// The token's scope does not allow it.
    Forbidden = FORBIDDEN, "forbidden", "The token does not allow this";
    /// A change by cookie, without the token that only our own pages know.
    CsrfFailed = FORBIDDEN, "csrf_failed", "The request did not come from our pages";
    /// There is no such thing.
    NotFound = NOT_FOUND, "not_found", "There is no such thing";
    /// The path does not know this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The path does not know this method";
    /// The client takes none of the media types that there are.
    NotAcceptable = NOT_ACCEPTABLE, "not_acceptable", "There is no such representation";
    /// The body did not come in time.
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "The request did not come in time";
    /// The state of the onboarding does not allow it.
    WrongState = CONFLICT, "wrong_state", "The state does not allow this";
    /// The id of a webhook that came with other signups before.
    MessageIdReused = CONFLICT, "message_id_reused", "The message's id belongs to other signups";
    /// The body is larger, or the list longer, than allowed.
    TooLarge = PAYLOAD_TOO_LARGE, "too_large", "The body is too large";
    /// The body's media type is another than the one that is asked for.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The media type is not supported";
    /// Signups that cannot be accepted.
    InvalidSignups = UNPROCESSABLE_ENTITY, "invalid_signups", "The signups cannot be accepted";
    /// An `Idempotency-Key` that came with another body before.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The idempotency key belongs to another body";
    /// More requests than the token may send.
    RateLimited = TOO_MANY_REQUESTS, "rate_limited", "Too many requests";
    /// A mistake of ours, or a store that a person has to mend.
    Internal = INTERNAL_SERVER_ERROR, "internal", "The server cannot do this";
    /// The store did not answer.
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "The store does not answer";
    /// The store's file is not where it was opened any more.
    StoreReplaced = SERVICE_UNAVAILABLE, "store_replaced", "The store was replaced";
    /// As many watchers as allowed are there already.
    TooManyWatchers = SERVICE_UNAVAILABLE, "too_many_watchers", "Too many watch already";
    /// More large bodies than can be worked on at once.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "The server has too much to do";
    /// The server is about to stop.
    ShuttingDown = SERVICE_UNAVAILABLE, "shutting_down", "The server is stopping";
}

/// One thing that is wrong with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Where, as a JSON Pointer (RFC 6901) into the body; empty for the body as a whole, and for what
    /// is not in the body.
    #[schema(example = "/0/number")]
    pub pointer: String,
    /// The field or parameter, as a person writes it.
    #[schema(example = "number")]
    pub field: String,
    /// What is wrong and what would be right.
    #[schema(example = "\"0801\" is not a phone number; write it as +918012345678")]
    pub message: String,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldProblem>,
    retry_after: Option<Duration>,
    close: bool,
}

/// A problem as it is written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Written {
    /// Names the kind of problem; the same for each time that it happens.
    #[serde(rename = "type")]
    #[schema(example = "urn:trunkline:problem:invalid_signups")]
    kind: String,
    /// What the kind means.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    status: u16,
    /// What happened, and what to do next.
    detail: String,
    /// The kind, for programs.
    #[schema(example = "invalid_signups")]
    code: &'static str,
    /// Everything that is wrong with the request, as far as it is known; at most a thousand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldProblem>,
}

impl From<Problem> for Written {
    fn from(problem: Problem) -> Self {
        let code = problem.code;
        Self {
            kind: format!("urn:trunkline:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: problem.detail,
            code: code.as_str(),
            errors: problem.errors,
        }
    }
}

impl Problem {
    /// A problem of this kind. `detail` says what happened and what to do next.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            close: false,
        }
    }

    /// A parameter or header that is wrong.
    #[must_use]
    pub fn of_parameter(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(Code::InvalidParameter, format!("{name}: {message}")).with_errors(vec![
            FieldProblem {
                pointer: String::new(),
                field: name.to_owned(),
                message,
            },
        ])
    }

    /// With everything that is wrong; the first thousand of it.
    #[must_use]
    pub fn with_errors(mut self, mut errors: Vec<FieldProblem>) -> Self {
        errors.truncate(LISTED_MAX);
        self.errors = errors;
        self
    }

    /// With the time after which trying again may help.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Ends the connection with the answer: what is left of the request is not read.
    #[must_use]
    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The kind.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened, and what to do next.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Everything that is wrong with the request.
    #[must_use]
    pub fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry_after, close) = (self.code, self.retry_after, self.close);
        // Plain data with text keys: there is nothing in it that could fail.
        let body = serde_json::to_vec(&Written::from(self)).unwrap_or_default();
        let mut response = (code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(wait) = retry_after {
            let seconds = wait.as_millis().div_ceil(1000).clamp(1, 86_400);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
        }
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if code == Code::Unauthenticated {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"trunkline\""),
            );
        }
        response
    }
}

/// How long a client waits before it asks a store again that did not answer.
const STORE_RETRY: Duration = Duration::from_secs(2);

impl From<store::Error> for Problem {
    /// What is told to the client says nothing about where the store is; the log does.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable { .. } if error.unfit().is_some() => {
                tracing::warn!(error = %chain(&error), "a request was not done");
                let why = error.unfit().map(ToString::to_string).unwrap_or_default();
                Self::new(
                    Code::StoreUnavailable,
                    format!(
                        "nothing was done: {why}; send the request again when that is corrected"
                    ),
                )
                .retry_after(STORE_RETRY)
            }
            store::Error::Unavailable { .. } => {
                tracing::warn!(error = %chain(&error), "the store did not answer a request");
                Self::new(
                    Code::StoreUnavailable,
                    "the store did not answer, so what was asked may or may not be done; ask again, which does nothing twice",
                )
                .retry_after(STORE_RETRY)
            }
            store::Error::Replaced { .. } => {
                tracing::error!(error = %chain(&error), "the store was replaced");
                Self::new(
                    Code::StoreReplaced,
                    "the store's file was replaced while the server ran, so what was asked may be lost; ask again once the server was started again, which does nothing twice",
                )
                .retry_after(STORE_RETRY)
            }
            other @ (store::Error::Unusable { .. }
            | store::Error::Corrupt { .. }
            | store::Error::WorkerRunning { .. }
            | store::Error::LeaseLost { .. }
            | _) => {
                tracing::error!(error = %chain(&other), "the store cannot be used");
                Self::new(
                    Code::Internal,
                    "the store cannot be used as it is; the server's log says why, and its operator has to act",
                )
            }
        }
    }
}

impl Problem {
    /// Why signups were not accepted. `single`: it was one by itself, and not a list.
    pub(crate) fn of_signups(error: producer::Error, single: bool) -> Self {
        match error {
            producer::Error::Store(error) => error.into(),
            producer::Error::Input { problems, more } => {
                let count = problems.len() as u64 + more;
                let first = problems.first().map_or_else(String::new, |first| {
                    let separator = if first.field.is_empty() { "" } else { ": " };
                    format!(
                        "signup {}: {}{separator}{}",
                        first.line, first.field, first.message
                    )
                });
                let detail = format!(
                    "nothing was accepted; problems: {count}, first {first}. Correct them and send all of it again"
                );
                let errors = problems.into_iter().map(|one| field_problem(one, single));
                Self::new(Code::InvalidSignups, detail).with_errors(errors.collect())
            }
            other @ (producer::Error::Read { .. } | _) => {
                tracing::error!(error = %chain(&other), "signups could not be accepted");
                Self::new(
                    Code::Internal,
                    "the signups could not be taken; the server's log says why",
                )
            }
        }
    }
}

impl From<producer::Error> for Problem {
    fn from(error: producer::Error) -> Self {
        Self::of_signups(error, false)
    }
}

/// A problem of the signup on a line, which is its place in the list, from 1.
pub(crate) fn field_problem(located: producer::Located, single: bool) -> FieldProblem {
    let mut pointer = if single {
        String::new()
    } else {
        format!("/{}", located.line.saturating_sub(1))
    };
    for part in located.field.splitn(2, '.').filter(|part| !part.is_empty()) {
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
    }
    FieldProblem {
        pointer,
        field: located.field,
        message: located.message,
    }
}

/// An error with its causes, in one line, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_an_error_and_is_written_once() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        for code in Code::ALL {
            let status = code.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{code:?}"
            );
        }
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_problem_is_written_as_the_rfc_names_its_members() {
        let problem = Problem::of_parameter("limit", "write a number from 1 to 200");
        assert_eq!(
            serde_json::to_value(Written::from(problem)).unwrap(),
            serde_json::json!({
                "type": "urn:trunkline:problem:invalid_parameter",
                "title": "A parameter is wrong",
                "status": 400,
                "detail": "limit: write a number from 1 to 200",
                "code": "invalid_parameter",
                "errors": [{"pointer": "", "field": "limit", "message": "write a number from 1 to 200"}],
            })
        );
    }

    #[test]
    fn what_a_store_says_of_its_place_is_not_told_to_clients() {
        let error = store::Error::Unavailable {
            place: "redis://10.0.0.7".into(),
            message: "refused".into(),
            source: None,
        };
        let problem = Problem::from(error);
        assert_eq!(problem.code(), Code::StoreUnavailable);
        assert!(!problem.detail().contains("10.0.0.7"));
        let response = problem.into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }
}
