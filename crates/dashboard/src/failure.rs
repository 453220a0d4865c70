//! Requests that failed, as pages.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use onboarding::visible::visible;
use serve::{Problem, problem::Code};

use crate::{
    assets::{Paths, paths},
    view::parts::Prose,
    visitor::Theme,
};

/// Why there is no page, and what to do next.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    status: StatusCode,
    title: String,
    message: String,
    back: (String, &'static str),
}

impl Failure {
    pub(crate) fn new(
        status: StatusCode,
        title: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title: title.into(),
            message: message.into(),
            back: ("/".to_owned(), "To the overview"),
        }
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such page",
            format!("{what} Perhaps it has left the store, or the address was cut short."),
        )
    }

    /// A form that is not as our pages send it.
    pub(crate) fn bad_form() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The form cannot be read",
            "Go back, load the page again and repeat what you did.",
        )
    }

    /// With another way out than the overview.
    pub(crate) fn back_to(mut self, href: impl Into<String>, name: &'static str) -> Self {
        self.back = (href.into(), name);
        self
    }

    /// The page.
    pub(crate) fn page(self, theme: Option<Theme>) -> Response {
        let page = Page {
            shell: Alone {
                title: self.title,
                theme,
                assets: paths(),
            },
            message: Prose(self.message),
            back: self.back.0,
            back_name: self.back.1,
        };
        let mut response = (self.status, html(&page)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

/// What a page has around it that is not part of the dashboard.
#[derive(Debug)]
pub(crate) struct Alone {
    pub(crate) title: String,
    pub(crate) theme: Option<Theme>,
    pub(crate) assets: &'static Paths,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    shell: Alone,
    message: Prose,
    back: String,
    back_name: &'static str,
}

/// A template as a page. Characters that act on a page, such as those that change the direction of
/// what follows, are shown instead: only text of others has any.
pub(crate) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(visible(&text).into_owned()).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The page is written further out, where it is known in which colours.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let code = problem.code();
        let detail = sentence(problem.detail());
        let failure = Self::new(code.status(), code.title(), detail);
        if code == Code::Unauthenticated {
            failure.back_to("/login", "Sign in")
        } else {
            failure
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Problem::from(error).into()
    }
}

/// With a capital letter and a full stop, as pages have it.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let mut told: String = first.to_uppercase().chain(chars).collect();
    if !told.ends_with(['.', '!', '?']) {
        told.push('.');
    }
    told
}
