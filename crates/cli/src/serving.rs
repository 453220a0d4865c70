//! What the HTTP side is made of: settings and files of this process, as `serve` takes them.

use serve::{
    ConnectionLimits, SessionKey,
    auth::{Scope, Token, Tokens},
};

use webhook::{
    Sender, Senders,
    signature::{SigningKey, Verifier},
};

use crate::{
    error::{Error, Result, refuse_if_any},
    problem::Problem,
    secret_source::Placed,
    settings::{Settings, tables::Tables, tokens},
    store_place::Place,
};

/// Who may ask.
///
/// # Errors
/// Nobody may.
pub(crate) fn tokens(tables: &Tables) -> Result<Tokens> {
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

/// Who sends signups by webhook.
///
/// # Errors
/// Every secret that is not where the file says, or is none, at once.
pub(crate) fn senders(tables: &Tables) -> Result<Senders> {
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

/// The keys that these places hold.
fn keys(
    places: &[Placed],
    of: &str,
    file: &str,
    problems: &mut Vec<Problem>,
) -> Option<Vec<SigningKey>> {
    let mut key = |place: &Placed| {
        let read = place.source.load().and_then(|secret| {
            SigningKey::parse(&secret).map_err(|error| {
                // Its own name for it is in the field already.
                let message = match error {
                    webhook::Error::Settings(problems) => {
                        let each = problems.into_iter().map(|problem| problem.message);
                        each.collect::<Vec<_>>().join("; ")
                    }
                    other => other.to_string(),
                };
                format!("{}: {message}", place.source)
            })
        });
        read.map_err(|message| {
            let field = format!("{of}.secrets");
            problems.push(Problem::at(file, Some(place.line), field, message));
        })
        .ok()
    };
    let keys: Vec<Option<SigningKey>> = places.iter().map(&mut key).collect();
    keys.into_iter().collect()
}
