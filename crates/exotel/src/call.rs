//! The calls, by name, and how one is asked.

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Serialize;

/// What is encoded in a query's value: all but RFC 3986's unreserved characters.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One of the API's calls.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// Its path with names in the place of ids, for traces: the ids are an account's and its
    /// resources'.
    pub(crate) template: &'static str,
    /// Published by Exotel outside of its API reference only: it may not exist everywhere.
    pub(crate) undocumented: bool,
}

impl Call {
    /// A call that Exotel's API reference or guides have, or that is known to work.
    pub(crate) const fn known(name: &'static str, method: Method, template: &'static str) -> Self {
        Self {
            name,
            method,
            template,
            undocumented: false,
        }
    }

    /// A call that is published elsewhere only.
    pub(crate) const fn undocumented(
        name: &'static str,
        method: Method,
        template: &'static str,
    ) -> Self {
        Self {
            name,
            method,
            template,
            undocumented: true,
        }
    }
}

/// One request to be sent.
pub(crate) struct Ask<'a> {
    pub(crate) call: &'static Call,
    pub(crate) url: String,
    pub(crate) body: Option<Vec<u8>>,
    /// A secret in the body, to be taken out of whatever comes back.
    pub(crate) secret: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(call: &'static Call, url: String) -> Self {
        Self {
            call,
            url,
            body: None,
            secret: None,
        }
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        // Plain structs of text and numbers always serialise. Should one not, the empty body is
        // refused by the API with error 1007.
        self.body = Some(serde_json::to_vec(body).unwrap_or_default());
        self
    }

    pub(crate) fn secret(mut self, secret: Option<&'a str>) -> Self {
        self.secret = secret;
        self
    }
}
