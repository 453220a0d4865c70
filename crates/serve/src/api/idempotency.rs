//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same request again gets the same
//! answer again.

use std::time::Duration;

use axum::{body::Bytes, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::LOCATION};
use sha2::{Digest, Sha256};
use store::Remembered;

use super::answer;
use crate::{
    App,
    problem::{Code, Problem},
};

/// The header that names a request.
static KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Most bytes of a key.
const KEY_BYTES_MAX: usize = 255;

/// How long an answer is kept: a day, in which anybody who repeats a request has done so.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that its client named.
pub(super) struct Asked {
    scope: String,
    key: String,
}

/// An answer that is kept, with 202.
pub(super) struct Accepted {
    /// Where the onboarding is, if it is one.
    pub(super) location: Option<String>,
    /// JSON.
    pub(super) body: Vec<u8>,
}

impl Accepted {
    /// As a store keeps it: the location, a line's end, the body.
    fn pack(&self) -> Vec<u8> {
        let location = self.location.as_deref().unwrap_or_default();
        [location.as_bytes(), b"\n", &self.body].concat()
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        let end = packed.iter().position(|byte| *byte == b'\n')?;
        let (location, rest) = packed.split_at(end);
        let location = std::str::from_utf8(location).ok()?;
        Some(Self {
            location: (!location.is_empty()).then(|| location.to_owned()),
            body: rest.get(1..)?.to_vec(),
        })
    }

    /// As the client gets it.
    pub(super) fn response(self, replayed: bool) -> Response {
        let mut response = answer::json(StatusCode::ACCEPTED, self.body);
        let headers = response.headers_mut();
        let location = self.location.and_then(|at| HeaderValue::try_from(at).ok());
        if let Some(location) = location {
            headers.insert(LOCATION, location);
        }
        if replayed {
            headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        response
    }
}

impl Asked {
    /// The name in these headers, if there is one; names of different tokens and routes are apart.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn read(
        headers: &HeaderMap,
        token: &str,
        route: &str,
    ) -> Result<Option<Self>, Problem> {
        let mut given = headers.get_all(&KEY).into_iter();
        let Some(key) = given.next() else {
            return Ok(None);
        };
        let bytes = key.as_bytes();
        let fits = (1..=KEY_BYTES_MAX).contains(&bytes.len());
        if !fits || !bytes.iter().all(u8::is_ascii_graphic) || given.next().is_some() {
            return Err(Problem::of_parameter(
                "Idempotency-Key",
                format!("write one key of 1 to {KEY_BYTES_MAX} visible ASCII characters"),
            ));
        }
        Ok(Some(Self {
            scope: format!("token:{token}:{route}"),
            key: String::from_utf8_lossy(bytes).into_owned(),
        }))
    }

    /// Remembers the request, or finds what it was answered.
    ///
    /// # Errors
    /// The key came with another body before, or the store's.
    pub(super) async fn begin(&self, app: &App, body: &Bytes) -> Result<Option<Accepted>, Problem> {
        let digest = Sha256::digest(body).into();
        let answers = app.store();
        match answers
            .remember(&self.scope, &self.key, digest, KEPT)
            .await?
        {
            // An answer that is not on record was never given, and doing it again changes nothing.
            Remembered::New | Remembered::Unanswered => Ok(None),
            Remembered::Answered(packed) => Accepted::unpack(&packed).map(Some).ok_or_else(|| {
                tracing::error!("an answer in the store cannot be read");
                Problem::new(
                    Code::Internal,
                    "the first answer to this request cannot be read",
                )
            }),
            Remembered::Other => Err(Problem::new(
                Code::IdempotencyKeyReused,
                "this Idempotency-Key came with another body before; send the same body, or another key",
            )),
        }
    }

    /// Keeps the answer, and returns the one that is kept: that of whoever was first.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn end(&self, app: &App, answer: Accepted) -> Result<Accepted, Problem> {
        let packed = answer.pack();
        let kept = app.store().answer(&self.scope, &self.key, &packed).await?;
        Ok(Accepted::unpack(&kept).unwrap_or(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(keys: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(&KEY, HeaderValue::from_bytes(key.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_1_to_255_visible_characters_and_there_is_one() {
        let long = "x".repeat(255);
        let longer = "x".repeat(256);
        for (keys, expected) in [
            (&[][..], Some(None)),
            (&["a"], Some(Some("a"))),
            (&[long.as_str()], Some(Some(long.as_str()))),
            (&["\"quoted\""], Some(Some("\"quoted\""))),
            (&[longer.as_str()], None),
            (&[""], None),
            (&["a b"], None),
            (&["\u{e9}"], None),
            (&["a", "a"], None),
        ] {
            let read = Asked::read(&headers(keys), "ops", "POST /x").ok();
            let read = read.map(|asked| asked.map(|asked| asked.key));
            assert_eq!(read, expected.map(|key| key.map(str::to_owned)), "{keys:?}");
        }
    }

    #[test]
    fn an_answer_is_kept_as_it_was() {
        for location in [None, Some("/v1/onboardings/onb_1".to_owned())] {
            let answer = Accepted {
                location: location.clone(),
                body: b"{\"a\":\n1}".to_vec(),
            };
            let kept = Accepted::unpack(&answer.pack()).unwrap();
            assert_eq!(kept.location, location);
            assert_eq!(kept.body, answer.body);
        }
        assert!(Accepted::unpack(b"").is_none());
    }
}
