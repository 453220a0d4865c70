//! What the HTTP side is made of: settings and files of this process, as `serve` takes them.

use onboarding::Secret;
use serve::{
    ConnectionLimits, SessionKey,
    auth::{Scope, Token, Tokens},
};
use webhook::{
    Outgoing, Sender, Senders,
    signature::{SigningKey, Verifier},
};

use crate::{
    endpoints,
    error::{Error, Result, refuse_if_any},
    problem::Problem,
    secret_source::Placed,
    settings::{Settings, tables::Tables, tokens},
    store_place::Place,
};

/// What the tables of the settings file come to.
pub(crate) struct Attached {
    /// Who may ask.
    pub(crate) tokens: Tokens,
    /// Who sends signups by webhook.
    pub(crate) senders: Senders,
    /// Who is told of onboardings.
    pub(crate) outgoing: Outgoing,
}

impl Attached {
    /// Loads what they name.
    ///
    /// # Errors
    /// Everything that is wrong, at once: nobody may ask, or a secret is not where the file says.
    pub(crate) fn load(tables: &Tables) -> Result<Self> {
        let mut problems = Vec::new();
        let tokens = part(tokens(tables), &mut problems)?;
        let senders = part(senders(tables), &mut problems)?;
        let outgoing = part(endpoints::outgoing(tables), &mut problems)?;
        let attached = tokens.zip(senders).zip(outgoing);
        attached
            .map(|((tokens, senders), outgoing)| Self {
                tokens,
                senders,
                outgoing,
            })
            .ok_or(Error::Refused(problems))
    }
}

/// A part, or what is wrong with it among all that is.
fn part<T>(loaded: Result<T>, problems: &mut Vec<Problem>) -> Result<Option<T>> {
    match loaded {
        Ok(part) => Ok(Some(part)),
        Err(Error::Refused(found)) => {
            problems.extend(found);
            Ok(None)
        }
        Err(other @ (Error::Away { .. } | Error::Failed(_))) => Err(other),
    }
}

fn tokens(tables: &Tables) -> Result<Tokens> {
    if tables.tokens.is_empty() {
        return Err(Error::refused(
            "tokens",
            "nobody could ask, because there is no token; make one with `trunkline tokens new NAME --scope write`, and paste the table that it prints into trunkline.toml",
        ));
    }
    let each = tables.tokens.iter().map(|own| Token {
        name: own.name.clone(),
        sha256: own.sha256,
        scope: match own.scope {
            tokens::Scope::Read => Scope::Read,
            tokens::Scope::Write => Scope::Write,
        },
        requests_per_minute: own.requests_per_minute,
    });
    Tokens::new(each.collect()).map_err(|error| Error::refused("tokens", error.to_string()))
}

/// What sessions are signed with: it follows from the store's key, so that every process of a store
/// knows the sessions of the others, and a restart ends none.
pub(crate) fn session_key(settings: &Settings) -> Result<SessionKey> {
    let secret = Place::of_settings(settings)?.secret(settings)?;
    Ok(SessionKey::derived_from(&secret))
}

/// Whether browsers may send the session's cookie without TLS: where a person said that there is
/// none, or where nobody else is on the way.
pub(crate) fn is_plain_http(settings: &Settings) -> bool {
    match &settings.public_url {
        Some(url) => url.starts_with("http://"),
        None => settings.listen.ip().is_loopback(),
    }
}

/// What clients may take.
pub(crate) fn limits(settings: &Settings) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: settings.connections_max,
        shutdown_timeout: settings.shutdown_timeout,
        ..ConnectionLimits::default()
    }
}

fn senders(tables: &Tables) -> Result<Senders> {
    let mut problems = Vec::new();
    let mut senders = Vec::new();
    for own in &tables.senders {
        let field = format!("senders.{}", own.name);
        let Some(keys) = keys(&own.secrets, &field, &tables.file, &mut problems) else {
            continue;
        };
        match Verifier::new(keys, own.tolerance) {
            Ok(verifier) => senders.push(Sender {
                name: own.name.clone(),
                verifier,
                mapping: own.mapping.clone(),
            }),
            Err(error) => {
                problems.push(Problem::at(&tables.file, None, field, error.to_string()));
            }
        }
    }
    refuse_if_any(problems)?;
    Senders::new(senders).map_err(|error| Error::refused("senders", error.to_string()))
}

/// What of the tables works and may be meant otherwise, or works only as long as a sender's form stays
/// as it is.
pub(crate) fn warnings(tables: &Tables) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut secrets = |of: String, places: &[Placed]| {
        for place in places {
            let reading = place.source.load().ok();
            if let Some(reading) = reading.as_ref().and_then(SigningKey::reading) {
                warnings.push(format!("{of}.secrets: {}: {reading}", place.source));
            }
        }
    };
    for own in &tables.senders {
        secrets(format!("senders.{}", own.name), &own.secrets);
    }
    for own in &tables.endpoints {
        secrets(format!("endpoints.{}", own.name), &own.secrets);
    }
    for own in &tables.senders {
        for problem in own.mapping.warnings() {
            let (field, message) = (problem.field, problem.message);
            warnings.push(format!("senders.{}.{field}: {message}", own.name));
        }
    }
    warnings
}

/// The keys that these places hold.
pub(crate) fn keys(
    places: &[Placed],
    of: &str,
    file: &str,
    problems: &mut Vec<Problem>,
) -> Option<Vec<SigningKey>> {
    let mut key = |place: &Placed| {
        let read = place
            .source
            .load()
            .and_then(|secret| key_of(&secret, place));
        read.map_err(|message| {
            let field = format!("{of}.secrets");
            problems.push(Problem::at(file, Some(place.line), field, message));
        })
        .ok()
    };
    let keys: Vec<Option<SigningKey>> = places.iter().map(&mut key).collect();
    keys.into_iter().collect()
}

/// The key that a secret is. What is wrong is told without the name of the field, which is told besides.
fn key_of(secret: &Secret, place: &Placed) -> Result<SigningKey, String> {
    SigningKey::parse(secret).map_err(|error| {
        let message = if let webhook::Error::Settings(problems) = &error {
            let each = problems.iter().map(|problem| problem.message.as_str());
            each.collect::<Vec<_>>().join("; ")
        } else {
            error.to_string()
        };
        format!("{}: {message}", place.source)
    })
}
