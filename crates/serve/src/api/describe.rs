//! The API's description (OpenAPI 3.1), made of the handlers.

use std::sync::LazyLock;

use axum::{body::Bytes, response::Response};
use http::Uri;
use utoipa::{
    OpenApi,
    openapi::{
        Components, Content, Ref, RefOr, Response as Described, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{answer, params::Params};
use crate::{
    Problem,
    problem::{Code, MEDIA_TYPE, Written},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trunkline",
        description = "Turns signups into working SIP trunks. Names and numbers in examples are made up."
    ),
    components(schemas(Written)),
    security(("token" = []), ("session" = [])),
    tags(
        (name = "onboardings", description = "Signups that were accepted"),
        (name = "batches", description = "What came in together"),
        (name = "accounts", description = "Exotel accounts"),
        (name = "recipes", description = "What partners need"),
        (name = "webhooks", description = "Signups that other systems send"),
        (name = "deliveries", description = "Webhooks that are sent"),
        (name = "events", description = "What is going on"),
        (name = "operation", description = "The server itself"),
    )
)]
struct Description;

/// What can be answered besides what a handler says itself, by its operation.
const OWN: &[(&str, &[Code])] = &[
    (
        "list_onboardings",
        &[Code::InvalidParameter, Code::StoreUnavailable],
    ),
    (
        "create_onboardings",
        &[
            Code::InvalidBody,
            Code::RequestTimeout,
            Code::TooLarge,
            Code::UnsupportedMediaType,
            Code::InvalidSignups,
            Code::StoreUnavailable,
        ],
    ),
    (
        "get_onboarding",
        &[
            Code::InvalidParameter,
            Code::NotFound,
            Code::StoreUnavailable,
        ],
    ),
    (
        "get_handoff",
        &[
            Code::InvalidParameter,
            Code::NotFound,
            Code::WrongState,
            Code::StoreUnavailable,
        ],
    ),
    (
        "retry_onboarding",
        &[
            Code::InvalidBody,
            Code::RequestTimeout,
            Code::TooLarge,
            Code::UnsupportedMediaType,
            Code::NotFound,
            Code::WrongState,
            Code::StoreUnavailable,
        ],
    ),
    (
        "cancel_onboarding",
        &[
            Code::InvalidParameter,
            Code::NotFound,
            Code::WrongState,
            Code::StoreUnavailable,
        ],
    ),
    (
        "list_batches",
        &[Code::InvalidParameter, Code::StoreUnavailable],
    ),
    (
        "list_accounts",
        &[Code::InvalidParameter, Code::StoreUnavailable],
    ),
    (
        "resume_account",
        &[
            Code::InvalidParameter,
            Code::NotFound,
            Code::StoreUnavailable,
        ],
    ),
    ("list_recipes", &[Code::InvalidParameter]),
    (
        "list_deliveries",
        &[Code::InvalidParameter, Code::StoreUnavailable],
    ),
    (
        "list_refused",
        &[Code::InvalidParameter, Code::StoreUnavailable],
    ),
    (
        "resend_delivery",
        &[
            Code::InvalidParameter,
            Code::NotFound,
            Code::StoreUnavailable,
        ],
    ),
    (
        "watch_events",
        &[Code::InvalidParameter, Code::TooManyWatchers],
    ),
    ("get_metrics", &[Code::InvalidParameter]),
    ("get_description", &[Code::InvalidParameter]),
    ("is_alive", &[Code::InvalidParameter]),
    (
        "is_ready",
        &[Code::InvalidParameter, Code::StoreUnavailable],
    ),
    (
        "receive_signups",
        &[
            Code::InvalidBody,
            Code::BadSignature,
            Code::RequestTimeout,
            Code::MessageIdReused,
            Code::TooLarge,
            Code::InvalidSignups,
            Code::StoreUnavailable,
        ],
    ),
    (
        "receive_signups_of",
        &[
            Code::InvalidBody,
            Code::BadSignature,
            Code::RequestTimeout,
            Code::MessageIdReused,
            Code::TooLarge,
            Code::InvalidSignups,
            Code::StoreUnavailable,
        ],
    ),
];

/// What every operation with a token can be answered.
const GUARDED: &[Code] = &[
    Code::Unauthenticated,
    Code::Forbidden,
    Code::NotAcceptable,
    Code::RateLimited,
];

/// The description of the API, without the pages.
fn describe() -> utoipa::openapi::OpenApi {
    let (guarded, open) = super::routes();
    let mut description = Description::openapi();
    description.info.version = env!("CARGO_PKG_VERSION").to_owned();
    // The macro names an empty one.
    description.info.license = None;
    description.merge(guarded.into_openapi());
    description.merge(open.into_openapi());
    schemes(description.components.get_or_insert_default());
    for item in description.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            complete(operation);
        }
    }
    description
}

fn schemes(components: &mut Components) {
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
    );
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            "__Host-trunkline",
            "The session of somebody who is logged in to the dashboard; a change needs the header X-CSRF-Token besides",
        ))),
    );
}

fn complete(operation: &mut Operation) {
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let own = OWN.iter().find(|(known, _)| *known == id);
    let own = own.map_or(&[][..], |(_, codes)| codes);
    let guarded: &[Code] = if operation.security.is_none() {
        GUARDED
    } else {
        &[]
    };
    for code in own.iter().chain(guarded).chain(&[Code::Internal]) {
        let status = code.status().as_str().to_owned();
        operation
            .responses
            .responses
            .entry(status)
            .or_insert_with(|| RefOr::T(problem(*code)));
    }
}

fn problem(code: Code) -> Described {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(code.title())
        .content(MEDIA_TYPE, content)
        .build()
}

static TEXT: LazyLock<Bytes> =
    LazyLock::new(|| describe().to_pretty_json().unwrap_or_default().into());

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_description", tag = "operation",
    responses((status = 200, description = "The description (OpenAPI 3.1)", body = Object)),
)]
pub(super) async fn show(uri: Uri) -> Result<Response, Problem> {
    Params::read(&uri, &[]).done()?;
    Ok(answer::json(http::StatusCode::OK, TEXT.to_vec()))
}
