//! The API's envelope, and everything that can be an answer.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::ids::RequestId;

/// One answer, ready to be sent.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The envelope's `response.code`; in a batch that of the first failed item. `None` when the
    /// body is not an envelope.
    pub(crate) inner: Option<u16>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html";

/// What every envelope repeats of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) request_id: RequestId,
    pub(crate) method: &'a str,
}

#[derive(Serialize)]
struct Single<'a, T> {
    request_id: RequestId,
    method: &'a str,
    http_code: u16,
    response: &'a Item<T>,
}

#[derive(Serialize)]
struct Many<'a, M, T> {
    request_id: RequestId,
    method: &'a str,
    http_code: u16,
    metadata: &'a M,
    response: &'a [Item<T>],
}

/// One `response` of the envelope.
#[derive(Serialize)]
pub(crate) struct Item<T> {
    pub(crate) code: u16,
    error_data: Option<ErrorData>,
    status: &'static str,
    data: Option<T>,
}

#[derive(Serialize)]
struct ErrorData {
    code: u16,
    message: &'static str,
    description: Cow<'static, str>,
}

impl<T> Item<T> {
    pub(crate) fn success(data: T) -> Self {
        Self {
            code: 200,
            error_data: None,
            status: "success",
            data: Some(data),
        }
    }

    pub(crate) fn failure(refusal: Refusal) -> Self {
        let Refusal {
            inner,
            code,
            message,
            description,
            ..
        } = refusal;
        let error_data = Some(ErrorData {
            code,
            message,
            description,
        });
        Self {
            code: inner,
            error_data,
            status: "failure",
            data: None,
        }
    }
}

/// A request that the API refuses.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// HTTP status, and the envelope's outer `http_code`.
    pub(crate) http: u16,
    /// The envelope's `response.code`.
    pub(crate) inner: u16,
    /// `error_data.code`.
    pub(crate) code: u16,
    message: &'static str,
    description: Cow<'static, str>,
}

impl Refusal {
    fn new(
        http: u16,
        code: u16,
        message: &'static str,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            http,
            inner: http,
            code,
            message,
            description: text.into(),
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, 1000, "Not Found", "Not Found")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            1000,
            "Method not allowed",
            "The path exists, but not with this method",
        )
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::new(
            400,
            1001,
            "Mandatory Parameter missing",
            format!("{field} is missing"),
        )
    }

    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, 1002, "Invalid parameter", text)
    }

    pub(crate) fn not_authorised() -> Self {
        Self::new(
            403,
            1003,
            "Authorization failed",
            "Not authorised for this trunk",
        )
    }

    pub(crate) fn malformed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, 1007, "Invalid request body", text)
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            413,
            1007,
            "Invalid request body",
            "The body is longer than 1 MiB",
        )
    }

    /// A duplicate as HTTP 409.
    pub(crate) fn conflict(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(409, 1008, "Duplicate resource", text)
    }

    /// A duplicate inside HTTP 200.
    pub(crate) fn duplicate(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            http: 200,
            ..Self::conflict(text)
        }
    }

    pub(crate) fn unauthorised() -> Self {
        Self::new(401, 1010, "Authorization failed", "Authorization failed")
    }

    pub(crate) fn content_type() -> Self {
        Self::new(
            415,
            1011,
            "Unsupported content type",
            "Use application/json",
        )
    }

    /// What was done could not be written to the journal.
    pub(crate) fn unkept(text: String) -> Self {
        Self::new(500, 500, "Internal error", text)
    }

    pub(crate) fn limited(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(429, 1030, "Too many requests", text)
    }

    /// The refusal that belongs to an inner code, for rules that inject one. Codes without a
    /// documented error code repeat the status.
    pub(crate) fn injected(http: u16, inner: u16) -> Self {
        let text = "Injected by a fault rule";
        let like = match inner {
            400 => Self::invalid(text),
            401 => Self::unauthorised(),
            403 => Self::not_authorised(),
            404 => Self::not_found(),
            409 => Self::conflict(text),
            415 => Self::content_type(),
            429 => Self::limited(text),
            other => Self::new(other, other, "Internal error", text),
        };
        Self {
            http,
            inner,
            ..like
        }
    }

    pub(crate) fn reply(self, head: Head<'_>) -> Reply {
        let status = self.http;
        single(head, status, &Item::<()>::failure(self))
    }
}

/// One object in the envelope.
pub(crate) fn single<T: Serialize>(head: Head<'_>, status: u16, item: &Item<T>) -> Reply {
    let Head { request_id, method } = head;
    let body = Single {
        request_id,
        method,
        http_code: status,
        response: item,
    };
    json(status, Some(item.code), &body)
}

/// One object in the envelope, as the answer of a call that worked.
pub(crate) fn success<T: Serialize>(head: Head<'_>, data: T) -> Reply {
    single(head, 200, &Item::success(data))
}

/// A list or a batch in the envelope.
pub(crate) fn many<M: Serialize, T: Serialize>(
    head: Head<'_>,
    status: u16,
    metadata: &M,
    items: &[Item<T>],
) -> Reply {
    let Head { request_id, method } = head;
    let inner = items
        .iter()
        .map(|item| item.code)
        .find(|&code| code != 200)
        .unwrap_or(200);
    let body = Many {
        request_id,
        method,
        http_code: status,
        metadata,
        response: items,
    };
    json(status, Some(inner), &body)
}

/// Any JSON.
pub(crate) fn json<T: Serialize>(status: u16, inner: Option<u16>, value: &T) -> Reply {
    let mut body = Vec::with_capacity(1024);
    if let Err(error) = serde_json::to_writer(&mut body, value) {
        // Cannot happen with our own types; an empty body is better than half of one.
        tracing::error!(%error, "an answer could not be written as JSON");
        body.clear();
    }
    let headers = Vec::new();
    Reply {
        status,
        inner,
        content_type: Some(JSON),
        headers,
        body: body.into(),
    }
}

/// What a gateway in front of the API says when it cannot reach it.
pub(crate) fn gateway_page(status: u16) -> Reply {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason());
    let title = format!("{status} {}", reason.unwrap_or("Error"));
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>\
         </center>\r\n<hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
    );
    let headers = Vec::new();
    Reply {
        status,
        inner: None,
        content_type: Some(HTML),
        headers,
        body: body.into(),
    }
}

/// A status without a body.
pub(crate) fn empty(status: u16) -> Reply {
    let headers = Vec::new();
    Reply {
        status,
        inner: None,
        content_type: None,
        headers,
        body: Bytes::new(),
    }
}
