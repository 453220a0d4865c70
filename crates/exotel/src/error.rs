//! What went wrong with a call, told by what the caller can do about it.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use crate::proxy::REFUSED as PROXY_REFUSED;

/// A call that did not succeed.
///
/// It never holds credentials, URLs or request bodies: what Exotel says is taken over only after
/// secrets, control and format characters and excess length were taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error(Box<Details>);

/// What is known of a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) call: &'static str,
    pub(crate) class: Class,
    pub(crate) code: &'static str,
    pub(crate) http_status: Option<u16>,
    pub(crate) inner_code: Option<u16>,
    pub(crate) error_code: Option<u32>,
    pub(crate) date: Option<Timestamp>,
    pub(crate) request_id: Option<String>,
    pub(crate) description: Option<String>,
}

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Something of that name or value is there already. Not a failure yet: read it back, and see
    /// whether it is the one that was wanted.
    Duplicate,
    /// The account's allowance is used up. Nothing happened; the whole account waits.
    Throttled {
        /// How long Exotel asks to wait, at most a day; `None` when it does not say.
        retry_after: Option<Duration>,
    },
    /// The account's credentials or region are wrong. Nothing happened; park the account.
    Unauthorized,
    /// The trunk, or the entry, is not there for this account. Nothing happened.
    NotThere,
    /// Exotel refuses the request for good. Nothing happened; a person or a fix is needed.
    Refused,
    /// Exotel does not have this call here. Nothing happened; use what the reference documents.
    ///
    /// Only for calls that are published outside of the API reference, and only where it can be
    /// told from a missing resource: HTTP 405, or a 404 without Exotel's error code 1000.
    Unsupported,
    /// The request never left this machine. Repeat it safely.
    NeverSent,
    /// Whether it happened is not known. Repeat a read; after a write, read back first.
    Unknown,
}

impl Error {
    pub(crate) fn new(details: Details) -> Self {
        Self(Box::new(details))
    }

    /// A failure with nothing known of an answer but perhaps its time.
    pub(crate) fn bare(
        call: &'static str,
        class: Class,
        code: &'static str,
        date: Option<Timestamp>,
        description: String,
    ) -> Self {
        Self::new(Details {
            call,
            class,
            code,
            http_status: None,
            inner_code: None,
            error_code: None,
            date,
            request_id: None,
            description: Some(description),
        })
    }

    /// The call's name: `create_trunk`.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.0.call
    }

    /// What can be done.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// A stable word for programs: `duplicate`, `invalid_parameter`, `timeout`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The HTTP status, if there was an answer. It decides nothing alone.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// The envelope's `response.code`, if there was an envelope.
    #[must_use]
    pub fn inner_code(&self) -> Option<u16> {
        self.0.inner_code
    }

    /// Exotel's own error code: 1000, 1002, 1008 and so on.
    #[must_use]
    pub fn error_code(&self) -> Option<u32> {
        self.0.error_code
    }

    /// When the answer was made, by Exotel's clock: its `Date` header, to the second. `None`: there
    /// was no answer, or it does not say.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        self.0.date
    }

    /// Exotel's id of the request, to give to its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What Exotel says about it, or what the network said. At most 300 characters.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether the call may have taken effect: only of [`Class::Unknown`]. After a write, look
    /// before repeating. A [`Class::Duplicate`] did nothing itself, an earlier attempt may have.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        self.0.class == Class::Unknown
    }

    /// What happened, without what can be done about it: for a caller that knows more of that.
    pub fn what_happened(&self) -> impl fmt::Display + '_ {
        WhatHappened(&self.0)
    }

    fn what_to_do(&self) -> &'static str {
        match self.0.class {
            Class::Duplicate => "it is there already; read it back to see whose it is",
            Class::Throttled { .. } => "the account's rate limit is reached; wait, then repeat",
            Class::Unauthorized => {
                "the API key or token is wrong, or they are right and belong to the other region's host; check the account's credentials and its region"
            }
            Class::NotThere => {
                "it does not exist for this account, or belongs to another one; check the SID or id"
            }
            Class::Refused => "repeating it will not help; correct what it names",
            Class::Unsupported => {
                "Exotel does not offer this call here, and its API reference does not have it; use the documented calls"
            }
            // What to do is in the proxy's part of it.
            Class::NeverSent if self.code() == PROXY_REFUSED => "the request never left",
            Class::NeverSent => {
                "the request never left; check the network and the base URL, then repeat"
            }
            Class::Unknown => {
                "whether it took effect is not known; after a write, read back before repeating"
            }
        }
    }
}

/// See [`Error::what_happened`].
struct WhatHappened<'e>(&'e Details);

impl fmt::Display for WhatHappened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.0;
        write!(f, "{}: {}", details.call, details.code)?;
        let numbers = [
            ("HTTP", details.http_status.map(u32::from)),
            ("inner code", details.inner_code.map(u32::from)),
            ("error", details.error_code),
        ];
        let mut open = false;
        for (name, number) in numbers {
            if let Some(number) = number {
                f.write_str(if open { ", " } else { " (" })?;
                write!(f, "{name} {number}")?;
                open = true;
            }
        }
        if open {
            f.write_str(")")?;
        }
        if let Some(description) = &details.description {
            write!(f, ": {description}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what_happened(), self.what_to_do())?;
        if let Some(id) = &self.0.request_id {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}
