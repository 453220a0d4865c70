//! Whether a message is from whom it says.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::Mac;
use http::HeaderMap;
use jiff::Timestamp;
use onboarding::Problem;

use super::{Names, SigningKey, VERSION, key};
use crate::{Error, Unauthentic};

/// How far a message's time may be from ours unless configured, as in the published libraries.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Within this a message is remembered, so a wider window would let replays through.
const TOLERANCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Most bytes of an id. It is kept to recognise repeats.
const ID_BYTES_MAX: usize = 200;

/// Most signatures of one message that are looked at: one per secret of a sender that replaces
/// one by another, in a few versions.
const SIGNATURES_MAX: usize = 16;

/// Tells messages of those who know one of some secrets from all others.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<SigningKey>,
    tolerance_seconds: u64,
}

/// What the headers of an authentic message say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The message's id: the same for every attempt to deliver it. 1 to 200 visible ASCII
    /// characters, no `.`.
    pub id: String,
    /// When this attempt was signed.
    pub at: Timestamp,
}

impl Verifier {
    /// Of up to [`KEYS_MAX`](super::KEYS_MAX) secrets, any of which will do, and the time that a message's may differ
    /// from ours, either way: 1 s to a day.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn new(keys: Vec<SigningKey>, tolerance: Duration) -> Result<Self, Error> {
        let mut problems: Vec<Problem> = key::check_count(&keys).err().into_iter().collect();
        if !(Duration::from_secs(1)..=TOLERANCE_MAX).contains(&tolerance) {
            problems.push(Problem::new(
                "tolerance_seconds",
                format!(
                    "{} is out of bounds; write 1 to {}",
                    tolerance.as_secs(),
                    TOLERANCE_MAX.as_secs()
                ),
            ));
        }
        if problems.is_empty() {
            Ok(Self {
                keys,
                tolerance_seconds: tolerance.as_secs(),
            })
        } else {
            Err(Error::Settings(problems))
        }
    }

    /// Whether this message is signed with one of the secrets, and lately. The signature is looked at
    /// before the time, so that only those who know a secret learn what is wrong with their clock.
    ///
    /// The time a comparison takes does not depend on how much of a signature is right.
    ///
    /// # Errors
    /// [`Unauthentic`], by what to answer.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, Unauthentic> {
        let headers = Headers::read(headers)?;
        self.check(&headers, body, now)
    }

    pub(crate) fn check(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, Unauthentic> {
        let mut matches = false;
        for key in &self.keys {
            let code = key.code(headers.id, headers.seconds, body);
            for signature in &headers.signatures {
                matches |= code.clone().verify_slice(signature).is_ok();
            }
        }
        if !matches {
            return Err(Unauthentic::NoMatch);
        }
        let age = now.as_second().saturating_sub(headers.at.as_second());
        let tolerance_seconds = self.tolerance_seconds;
        if age.unsigned_abs() <= tolerance_seconds {
            Ok(Signed {
                id: headers.id.to_owned(),
                at: headers.at,
            })
        } else if age > 0 {
            Err(Unauthentic::TooOld { tolerance_seconds })
        } else {
            Err(Unauthentic::TooNew { tolerance_seconds })
        }
    }
}

/// The three headers, read once for all who may have signed.
pub(crate) struct Headers<'h> {
    id: &'h str,
    /// As it was signed.
    seconds: &'h str,
    at: Timestamp,
    /// Those of our version.
    signatures: Vec<Vec<u8>>,
}

impl<'h> Headers<'h> {
    pub(crate) fn read(headers: &'h HeaderMap) -> Result<Self, Unauthentic> {
        let names = Names::of(headers);
        let id = only(headers, names.id, "send it once, in visible ASCII")?;
        let id_char = |byte: u8| byte.is_ascii_graphic() && byte != b'.';
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(id_char) {
            // A dot could move the border between id and time.
            return Err(Unauthentic::Malformed {
                header: names.id,
                right: "an id has 1 to 200 visible ASCII characters, and no dot",
            });
        }
        let right = "write whole seconds since 1970";
        let seconds = only(headers, names.timestamp, right)?;
        let at = Some(seconds)
            .filter(|text| (1..=11).contains(&text.len()))
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| Timestamp::from_second(text.parse().ok()?).ok())
            .ok_or(Unauthentic::Malformed {
                header: names.timestamp,
                right,
            })?;
        Ok(Self {
            id,
            seconds,
            at,
            signatures: signatures(headers, names.signature)?,
        })
    }
}

/// The value of a header that may be there only once: of two, each side could believe another.
fn only<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
    right: &'static str,
) -> Result<&'h str, Unauthentic> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Unauthentic::Missing(name))?;
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(text.trim()),
        _ => Err(Unauthentic::Malformed {
            header: name,
            right,
        }),
    }
}

/// The signatures of our version. A malformed one is as good as none: another may match.
fn signatures(headers: &HeaderMap, name: &'static str) -> Result<Vec<Vec<u8>>, Unauthentic> {
    let mut values = headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        return Err(Unauthentic::Missing(name));
    }
    let listed: Vec<&str> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(' '))
        .filter(|text| !text.is_empty())
        .take(SIGNATURES_MAX + 1)
        .collect();
    if listed.len() > SIGNATURES_MAX {
        return Err(Unauthentic::Malformed {
            header: name,
            right: "send at most 16 signatures",
        });
    }
    let ours = listed.iter().filter_map(|text| {
        let (version, signature) = text.split_once(',')?;
        (version == VERSION).then(|| BASE64_STANDARD.decode(signature).ok())?
    });
    Ok(ours.collect())
}
