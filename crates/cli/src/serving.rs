//! What the HTTP side is made of: settings and files of this process, as `serve` takes them.

use std::time::Duration;

use async_trait::async_trait;
use onboarding::AccountName;
use producer::Desk;
use records::{AccountBook, AccountFacts};
use serve::{
    ConnectionLimits, Directory, Meter, SessionKey,
    auth::{Scope, Token, Tokens},
};

use crate::{
    accounts::Accounts,
    error::{Error, Result},
    settings::{Settings, tables::Tables, tokens},
    store_place::Place,
};

/// Recipes and accounts.
pub(crate) struct Files {
    accounts: Accounts,
    desk: Desk,
}

impl Files {
    /// As they are now.
    pub(crate) fn read(settings: &Settings, sandbox: bool) -> Result<Self> {
        let accounts = Accounts::load(settings, sandbox)?;
        let book = crate::recipe_files::book(settings.recipes.as_deref())?;
        Ok(Self {
            desk: Desk::new(book, accounts.for_signups()),
            accounts,
        })
    }
}

impl AccountBook for Files {
    fn find(&self, name: &AccountName) -> Option<AccountFacts> {
        AccountBook::find(&self.accounts, name)
    }

    fn unknown(&self, name: &AccountName) -> String {
        self.accounts.unknown(name)
    }

    fn names(&self) -> Vec<AccountName> {
        AccountBook::names(&self.accounts)
    }
}

impl Directory for Files {
    fn desk(&self) -> Desk {
        self.desk.clone()
    }
}

/// What is counted.
pub(crate) struct Figures;

#[async_trait]
impl Meter for Figures {
    fn answered(&self, _method: &str, _route: &str, _status: u16, _took: Duration) {}

    async fn text(&self) -> (String, &'static str) {
        (String::new(), "text/plain")
    }
}

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
