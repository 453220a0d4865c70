//! Which store, and with which key.

mod redis;
mod sqlite;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use onboarding::Secret;
use store::{SealingKey, Store, World, sqlite::BUSY_TIMEOUT};

use self::{redis::Redis, sqlite::SqlitePlace};
use crate::{
    error::{Error, Result},
    secret_source::SecretSource,
    settings::{LIVE_STORE, SANDBOX_STORE, Settings},
};

/// How long a client of `serve` waits for the store: longer, and it asks again anyway.
const CLIENTS_WAIT: Duration = Duration::from_secs(5);

/// A store that a URL names, made or not.
pub(crate) enum Place {
    /// One file.
    Sqlite(SqlitePlace),
    /// A Redis that several machines share.
    Redis(Redis),
}

impl Place {
    /// The place that the settings name.
    pub(crate) fn of_settings(settings: &Settings) -> Result<Self> {
        Self::of(&settings.store, &settings.store_base, settings)
    }

    /// The place of a URL; a relative path in it starts at `base`.
    pub(crate) fn of(url: &str, base: &Path, settings: &Settings) -> Result<Self> {
        if redis::is_url(url) {
            return Redis::of(url, settings).map(Self::Redis);
        }
        SqlitePlace::of(url, base).map(Self::Sqlite)
    }

    /// Opens the store, and makes it if it is not there.
    pub(crate) async fn open(&self, settings: &Settings, world: World) -> Result<Arc<dyn Store>> {
        self.open_within(BUSY_TIMEOUT, settings, world).await
    }

    /// The same, where a write that waits for another process is given up after `patience`.
    async fn open_within(
        &self,
        patience: Duration,
        settings: &Settings,
        world: World,
    ) -> Result<Arc<dyn Store>> {
        match self {
            Self::Sqlite(place) => place.open(settings, world, patience),
            Self::Redis(place) => place.open(settings, world).await,
        }
    }

    /// The world of the store; `None` where nothing was accepted yet.
    pub(crate) async fn world(&self, settings: &Settings) -> Result<Option<World>> {
        match self {
            Self::Sqlite(place) => place.world(),
            Self::Redis(place) => place.world(settings).await,
        }
    }

    /// The secret that the store's own are sealed with, for keys that follow from it: every process of
    /// the same store has the same one.
    pub(crate) fn secret(&self, settings: &Settings) -> Result<Secret> {
        let source = match self {
            Self::Sqlite(place) => place.key_source(settings)?,
            Self::Redis(_) => Redis::key_source(settings)?,
        };
        source
            .load()
            .map_err(|message| Error::refused("secret_key", message))
    }

    /// Whether looking at it makes nothing that was not there.
    pub(crate) async fn is_made(&self) -> Result<bool> {
        match self {
            Self::Sqlite(place) => Ok(place.is_made()),
            Self::Redis(place) => place.is_made().await,
        }
    }
}

/// As a URL, without a secret; a file with its whole path.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(place) => write!(f, "sqlite:{}", place.full().display()),
            Self::Redis(place) => place.fmt(f),
        }
    }
}

/// Opens the store, and makes it if it is not there.
pub(crate) async fn open(settings: &Settings, world: World) -> Result<Arc<dyn Store>> {
    let opened = Place::of_settings(settings)?.open(settings, world).await;
    opened.map_err(Error::unchanged)
}

/// The same for those who have clients that wait.
pub(crate) async fn open_for_clients(settings: &Settings, world: World) -> Result<Arc<dyn Store>> {
    let place = Place::of_settings(settings)?;
    let opened = place.open_within(CLIENTS_WAIT, settings, world).await;
    opened.map_err(Error::unchanged)
}

/// Opens a store that must be there, in whatever world it is.
pub(crate) async fn open_existing(settings: &Settings) -> Result<(Arc<dyn Store>, World)> {
    look_into(settings).await.map_err(Error::unchanged)
}

async fn look_into(settings: &Settings) -> Result<(Arc<dyn Store>, World)> {
    let place = Place::of_settings(settings)?;
    let world = match place.world(settings).await? {
        Some(world) => world,
        // Made, and nothing accepted yet: looking at it decides nothing.
        None if place.is_made().await? => World::Live,
        None => return Err(nothing_there(settings).await),
    };
    Ok((place.open(settings, world).await?, world))
}

/// Says where something is instead, if the other default store has something.
async fn nothing_there(settings: &Settings) -> Error {
    let other = match settings.store.as_str() {
        LIVE_STORE => Some((SANDBOX_STORE, "--sandbox opens it")),
        SANDBOX_STORE => Some((LIVE_STORE, "leave --sandbox out to open it")),
        _ => None,
    };
    let mut way =
        "`trunkline onboard` or `trunkline enqueue` fills it, or name another with --store"
            .to_owned();
    if let Some((other, how)) = other
        && let Ok(place) = Place::of(other, &settings.store_base, settings)
        && place.is_made().await.unwrap_or(false)
    {
        way = format!("{other} is there, and {how}");
    }
    Error::refused(
        "store",
        format!("there is nothing in {} yet; {way}", settings.store),
    )
}

/// The world of the store, if there is a store.
pub(crate) async fn peek(settings: &Settings) -> Result<Option<World>> {
    Place::of_settings(settings)?.world(settings).await
}

/// Whether others may work on the store at the same time.
pub(crate) fn is_shared(settings: &Settings) -> bool {
    redis::is_url(&settings.store)
}

/// The file beside the database that holds the simulator's state.
pub(crate) fn sandbox_file(settings: &Settings) -> Result<PathBuf> {
    match Place::of_settings(settings)? {
        Place::Sqlite(place) => Ok(place.sandbox_file()),
        Place::Redis(_) => Err(redis::no_simulator()),
    }
}

/// The key that `source` names.
fn key_from(source: &SecretSource) -> Result<SealingKey> {
    let refused = |message| Error::refused("secret_key", message);
    let text = source.load().map_err(refused)?;
    SealingKey::from_base64(&text).map_err(|error| refused(format!("{source}: {error}")))
}
