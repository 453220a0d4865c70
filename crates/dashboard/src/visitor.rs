//! Who looks at a page, and how.

use std::fmt;

use axum::{
    extract::{FromRequestParts, Query},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, Method, header::COOKIE, request::Parts};
use serde::Deserialize;
use serve::Session;

use crate::{
    failure::Failure,
    link::{Address, is_own_page},
    note::{Done, Note},
    site::Site,
};

/// The colours that somebody chose; without a choice they are the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "light",
            Self::Dark => "dark",
        })
    }
}

/// A cookie of ours that is no secret.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(own, value)| (own == name).then_some(value))
}

/// The colours that the script's cookie names.
pub(crate) fn theme(headers: &HeaderMap) -> Option<Theme> {
    match cookie(headers, "theme")? {
        "light" => Some(Theme::Light),
        "dark" => Some(Theme::Dark),
        _ => None,
    }
}

/// Somebody who is logged in. Who is not is asked to, and then comes back.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) session: Session,
    pub(crate) theme: Option<Theme>,
    pub(crate) note: Option<Note>,
}

#[derive(Deserialize)]
struct Noted {
    note: Option<Done>,
}

impl FromRequestParts<Site> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let session = site.app.session_of(&parts.headers).await;
        let session = session.map_err(|error| Failure::from(error).into_response())?;
        let Some(session) = session else {
            return Err(Redirect::to(&login(parts)).into_response());
        };
        let noted = Query::<Noted>::try_from_uri(&parts.uri);
        Ok(Self {
            session,
            theme: theme(&parts.headers),
            note: noted.ok().and_then(|noted| noted.0.note).map(Done::note),
        })
    }
}

/// Where one logs in to come back to what was asked for, if that can be asked for again.
fn login(parts: &Parts) -> String {
    let wanted = parts
        .uri
        .path_and_query()
        .map_or("", |wanted| wanted.as_str());
    let comes_back = parts.method == Method::GET && wanted != "/" && is_own_page(wanted);
    Address::of("/login")
        .with("next", if comes_back { wanted } else { "" })
        .end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_from_the_cookie_and_from_nothing_else() {
        for (cookie, expected) in [
            ("theme=dark", Some(Theme::Dark)),
            ("a=b; theme=light; c=d", Some(Theme::Light)),
            ("theme=\"><script>", None),
            ("themes=dark", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            assert_eq!(theme(&headers), expected, "{cookie}");
        }
    }
}
