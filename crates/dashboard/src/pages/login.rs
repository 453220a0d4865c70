//! Logging in and out.

use askama::Template;
use axum::{
    Form,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    response::{IntoResponse, Redirect, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{RETRY_AFTER, SET_COOKIE},
};
use onboarding::Secret;
use serde::Deserialize;
use serve::{Peer, problem::Code, session::LoginError};

use crate::{
    assets::paths,
    failure::{Alone, Failure, html},
    link::is_own_page,
    site::Site,
    view::figures::lasting,
    visitor::{Visitor, cookie, theme},
};

/// Holds what the form has to send back, so that no other page can send one: before there is a
/// session there is nothing else that only our own form knows.
const FORM_COOKIE: &str = "trunkline-form";

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    shell: Alone,
    csrf: String,
    next: String,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Typed {
    csrf: String,
    token: String,
    #[serde(default)]
    next: String,
}

/// The form.
pub(super) async fn form(
    State(site): State<Site>,
    headers: HeaderMap,
    query: Result<Query<Next>, QueryRejection>,
) -> Response {
    let next = query.map_or_else(|_| String::new(), |query| query.0.next);
    // A store that is away says nothing of who is logged in; one may log in all the same.
    if matches!(site.app.session_of(&headers).await, Ok(Some(_))) {
        return Redirect::to(after(&next)).into_response();
    }
    page(&headers, &next, StatusCode::OK, None)
}

fn after(next: &str) -> &str {
    if is_own_page(next) { next } else { "/" }
}

fn page(headers: &HeaderMap, next: &str, status: StatusCode, problem: Option<String>) -> Response {
    let csrf = format!("{:032x}", rand::random::<u128>());
    let cookie =
        format!("{FORM_COOKIE}={csrf}; Path=/login; Max-Age=3600; HttpOnly; SameSite=Strict");
    let page = Page {
        shell: Alone {
            title: "Sign in".to_owned(),
            theme: theme(headers),
            assets: paths(),
        },
        csrf,
        next: after(next).to_owned(),
        problem,
    };
    let mut response = (status, html(&page)).into_response();
    // Digits and our own words.
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Begins a session.
pub(super) async fn log_in(
    State(site): State<Site>,
    peer: Peer,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(typed) = typed.map_err(|_| Failure::bad_form().back_to("/login", "Sign in"))?;
    let token = Secret::new(typed.token);
    if !is_ours(&headers, &typed.csrf) {
        let problem = "The form was open for long, or your browser keeps no cookies for this page. Try once more.";
        return Ok(page(
            &headers,
            &typed.next,
            StatusCode::FORBIDDEN,
            Some(problem.to_owned()),
        ));
    }
    match site.app.sessions().log_in(peer.0, &token) {
        Ok((_, cookie)) => {
            let mut response = Redirect::to(after(&typed.next)).into_response();
            response.headers_mut().insert(SET_COOKIE, cookie);
            Ok(response)
        }
        Err(LoginError::Wrong) => Ok(page(
            &headers,
            &typed.next,
            StatusCode::UNAUTHORIZED,
            Some("There is no such token. Check that all of it was copied.".to_owned()),
        )),
        Err(LoginError::TooMany(wait)) => {
            let problem = format!(
                "Too many tokens were tried. Try again in {}.",
                lasting(wait)
            );
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = page(&headers, &typed.next, status, Some(problem));
            let seconds = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
            Ok(response)
        }
    }
}

/// Whether the form was ours and was sent by our page: both halves are the same, and the browser
/// does not say that another site sent it.
fn is_ours(headers: &HeaderMap, csrf: &str) -> bool {
    let from = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let ours = from.is_none_or(|from| from == b"same-origin" || from == b"none");
    ours && csrf.len() == 32 && cookie(headers, FORM_COOKIE) == Some(csrf)
}

#[derive(Deserialize)]
pub(super) struct Csrf {
    csrf: String,
}

/// Ends the session, in this browser and on the server.
pub(super) async fn log_out(
    State(site): State<Site>,
    visitor: Visitor,
    form: Result<Form<Csrf>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(form) = form.map_err(|_| Failure::bad_form())?;
    // Who may only read may also leave.
    if let Err(problem) = visitor.session.check_change(&form.csrf)
        && problem.code() == Code::CsrfFailed
    {
        return Err(problem.into());
    }
    // Where the store does not take it that is told, and this browser forgets the session all the same.
    let mut response = match site.app.end_session(&visitor.session).await {
        Ok(()) => Redirect::to("/login").into_response(),
        Err(error) => Failure::from(error).into_response(),
    };
    response
        .headers_mut()
        .insert(SET_COOKIE, site.app.sessions().forget());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;

    #[test]
    fn a_form_that_another_site_sent_is_not_ours() {
        let csrf = "0123456789abcdef0123456789abcdef";
        let headers = |cookie: &str, from: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("trunkline-form={cookie}").parse().unwrap());
            if let Some(from) = from {
                headers.insert("sec-fetch-site", HeaderValue::from_static(from));
            }
            headers
        };
        for (case, cookie, from, ours) in [
            ("an old browser", csrf, None, true),
            ("our page", csrf, Some("same-origin"), true),
            ("another site", csrf, Some("cross-site"), false),
            ("a neighbour", csrf, Some("same-site"), false),
            ("another form", "f".repeat(32).as_str(), None, false),
        ] {
            assert_eq!(is_ours(&headers(cookie, from), csrf), ours, "{case}");
        }
        assert!(!is_ours(&HeaderMap::new(), csrf));
        assert!(!is_ours(&headers("", None), ""));
    }
}
