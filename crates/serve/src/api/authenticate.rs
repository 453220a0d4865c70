//! Who asks, whether they may, and how often.

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION},
    request::Parts,
};
use tracing::Span;

use crate::{
    App,
    auth::{Allowance, Caller, Scope},
    problem::{Code, Problem},
};

/// What our own pages send along with a change; see [`crate::Session::csrf`].
static CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// Lets those through who may, and tells each how much of its allowance is left.
pub(super) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&app, request.method(), request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    Span::current().record("token", caller.token());
    let Some(known) = app.tokens().find(caller.token()) else {
        return unknown().into_response();
    };
    let allowance = known.take();
    let mut response = match allowed(&caller, &allowance, &request) {
        Ok(()) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    tell(&allowance, response.headers_mut());
    response
}

/// Whose token or session it is. A header counts before a cookie, so that a program is never taken
/// for the person whose browser it runs in.
async fn identify(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).into_iter();
    if let Some(header) = given.next() {
        // Of two a proxy may have looked at the other.
        if given.next().is_some() {
            return Err(unknown());
        }
        let known = bearer(header).and_then(|text| app.tokens().identify(text));
        return known.map(|known| known.caller()).ok_or_else(unknown);
    }
    let Some(session) = app.session_of(headers).await? else {
        return Err(unknown());
    };
    if is_safe(method) {
        return Ok(session.caller().clone());
    }
    let csrf = headers.get(&CSRF).and_then(|value| value.to_str().ok());
    session.check_change(csrf.unwrap_or_default()).cloned()
}

fn bearer(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = header.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| rest.trim_ascii())
}

fn unknown() -> Problem {
    Problem::new(
        Code::Unauthenticated,
        "send a token that the settings name, as `Authorization: Bearer TOKEN`; `trunkline tokens new NAME` makes one",
    )
}

fn is_safe(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn allowed(caller: &Caller, allowance: &Allowance, request: &Request) -> Result<(), Problem> {
    if let Some(wait) = allowance.wait {
        let detail = format!(
            "the token {} may send {} requests a minute; wait as long as Retry-After says, or raise its requests_per_minute",
            caller.token(),
            allowance.per_minute
        );
        return Err(Problem::new(Code::RateLimited, detail).retry_after(wait));
    }
    if !is_safe(request.method()) {
        caller.may(Scope::Write)?;
    }
    acceptable(request)
}

/// That the client takes what there is.
fn acceptable(request: &Request) -> Result<(), Problem> {
    let offered: &[&str] = match request.uri().path() {
        "/v1/events" => &["text/event-stream"],
        "/metrics" => &["text/plain", "application/openmetrics-text"],
        _ => &["application/json", "application/problem+json"],
    };
    let mut values = request.headers().get_all(ACCEPT).into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let taken = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| takes(range, offered));
    if taken {
        return Ok(());
    }
    Err(Problem::new(
        Code::NotAcceptable,
        format!("this is answered as {}; accept it", offered.join(" or ")),
    ))
}

/// Whether a media range of `Accept` covers what is offered.
fn takes(range: &str, offered: &[&str]) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused = parts.any(|part| {
        let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
        weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
    });
    let covers = |own: &&str| match media.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => own.split('/').next() == Some(kind),
        None => media == **own,
    };
    !refused && offered.iter().any(covers)
}

/// The allowance as headers (draft-ietf-httpapi-ratelimit-headers).
fn tell(allowance: &Allowance, headers: &mut HeaderMap) {
    let policy = format!("\"token\";q={};w=60", allowance.per_minute);
    let state = match allowance.wait {
        Some(wait) => format!("\"token\";r=0;t={}", wait.as_millis().div_ceil(1000).max(1)),
        None => format!("\"token\";r={}", allowance.left),
    };
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_accepts_is_read_as_the_rfc_says() {
        let offered = ["application/json", "application/problem+json"];
        for (range, expected) in [
            ("*/*", true),
            (" application/* ", true),
            ("application/json", true),
            ("Application/JSON;q=0.5", true),
            ("application/json;q=0", false),
            ("application/json; q=0.0", false),
            ("application/problem+json", true),
            ("text/*", false),
            ("text/html", false),
            ("", false),
            ("/*", false),
        ] {
            assert_eq!(takes(range, &offered), expected, "{range}");
        }
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for (header, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("abc", None),
        ] {
            let header = HeaderValue::from_static(header);
            let read = bearer(&header);
            assert_eq!(read, expected.map(str::as_bytes), "{header:?}");
        }
    }
}
