//! Those who may send signups.

use std::collections::BTreeSet;

use http::HeaderMap;
use jiff::Timestamp;
use onboarding::Problem;

use crate::{
    Error, Mapping, Unauthentic,
    signature::{Signed, Verifier, verifier::Headers},
};

/// Most senders. A message without a sender's name costs a pass over its body for each secret of
/// each.
pub const SENDERS_MAX: usize = 16;

/// A system that sends signups.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Its name in the settings, logs and the scope of its messages' ids.
    pub name: String,
    /// Tells its messages from others'.
    pub verifier: Verifier,
    /// What its messages say.
    pub mapping: Mapping,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Senders(Vec<Sender>);

/// An authentic message.
#[derive(Debug, Clone)]
pub struct Message<'s> {
    /// Who sent it.
    pub sender: &'s Sender,
    /// Its id, the same in every attempt to deliver it, and when this one was signed. The same
    /// sender's message with the same id is the same message.
    pub signed: Signed,
}

impl Senders {
    /// At most 16, with names of 1 to 64 letters, digits, `_`, `.` and `-`.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn new(senders: Vec<Sender>) -> Result<Self, Error> {
        let mut problems = Vec::new();
        if senders.len() > SENDERS_MAX {
            problems.push(Problem::new(
                "senders",
                format!("there are {}; name at most {SENDERS_MAX}", senders.len()),
            ));
        }
        let mut names = BTreeSet::new();
        for Sender { name, .. } in &senders {
            problems.extend(check_name(name));
            if !names.insert(name) {
                problems.push(Problem::new(name, "this name is there twice; remove one"));
            }
        }
        if problems.is_empty() {
            Ok(Self(senders))
        } else {
            Err(Error::Settings(problems))
        }
    }

    /// Whether nobody may send anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, as they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Sender> {
        self.0.iter()
    }

    /// Whose message this is: of the sender `named`, or without a name of the one whose secret signed it.
    /// `body` is what arrived, byte for byte; bound its length before.
    ///
    /// # Errors
    /// [`Unauthentic`]; a name that nobody has is [`Unauthentic::NoMatch`], so that nobody learns
    /// names by asking.
    pub fn verify(
        &self,
        named: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Message<'_>, Unauthentic> {
        let headers = Headers::read(headers)?;
        let meant = |sender: &&Sender| named.is_none_or(|name| name == sender.name);
        for sender in self.0.iter().filter(meant) {
            match sender.verifier.check(&headers, body, now) {
                Ok(signed) => return Ok(Message { sender, signed }),
                Err(Unauthentic::NoMatch) => {}
                Err(known_secret) => return Err(known_secret),
            }
        }
        Err(Unauthentic::NoMatch)
    }
}

/// What is wrong with the name of a sender or an endpoint.
pub(crate) fn check_name(name: &str) -> Option<Problem> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_name = !name.is_empty() && name.len() <= 64 && name.chars().all(known);
    (!is_name).then(|| {
        let shown: String = name.escape_debug().take(80).collect();
        Problem::new(
            shown,
            "this is not a name; use 1 to 64 letters, digits, _, . or -",
        )
    })
}
