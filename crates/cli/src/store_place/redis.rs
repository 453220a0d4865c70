//! A store that several machines share.

use std::{fmt, fs, sync::Arc};

use store::{
    SealingKey, Store, World,
    redis::{RedisOptions, RedisPlace, RedisStore, is_made, world_of},
};

use super::key_from;
use crate::{
    error::{Error, Result},
    secret_source::SecretSource,
    settings::Settings,
    unreadable::cannot_be_read,
};

/// A Redis, with what it takes to log in.
pub(crate) struct Redis(RedisPlace);

/// Whether a URL is meant to be one of these.
pub(super) fn is_url(url: &str) -> bool {
    url.starts_with("redis:") || url.starts_with("rediss:")
}

/// Says why the built-in simulator does not go with a shared store.
pub(super) fn no_simulator() -> Error {
    Error::refused(
        "--sandbox",
        "the built-in simulator is this process's own, and a redis:// store is shared by many; run `trunkline sandbox` once and name its address as base_url of the accounts, without --sandbox",
    )
}

impl Redis {
    /// The place of a URL. Nothing is reached yet.
    pub(super) fn of(url: &str, settings: &Settings) -> Result<Self> {
        let mut place =
            RedisPlace::parse(url).map_err(|message| Error::refused("store", message))?;
        let load = |field: &str, source: &SecretSource| {
            let loaded = source.load();
            loaded.map_err(|message| Error::refused(field, message))
        };
        if let Some(source) = &settings.store_password {
            place = place.with_password(load("store_password", source)?);
        }
        if let Some(source) = &settings.sentinel_password {
            place = place.with_sentinel_password(load("sentinel_password", source)?);
        }
        if let Some(path) = &settings.store_ca {
            let pem = fs::read(path).map_err(|error| {
                let why = cannot_be_read(path, &error, "name a PEM file");
                let message = format!("{} {why}", path.display());
                Error::refused("store_ca", message)
            })?;
            place = place.with_ca(pem);
        }
        Ok(Self(place))
    }

    /// The key of the store's secrets. It is looked for before anything is reached, so that what is
    /// missing is told also while the store is away.
    fn key(settings: &Settings) -> Result<SealingKey> {
        key_from(&Self::key_source(settings)?)
    }

    /// Where that key is.
    pub(super) fn key_source(settings: &Settings) -> Result<SecretSource> {
        // Every machine has to have the same one, so that none can be made here.
        settings.secret_key.clone().ok_or_else(|| {
            let message = "a redis:// store needs a key that seals its secrets, the same on every machine; make one with `openssl rand -base64 32`, and say where it is: secret_key = { env = \"VARIABLE\" } or { file = \"PATH\" }";
            Error::refused("secret_key", message)
        })
    }

    /// Opens the store, and makes it if it is not there.
    pub(super) async fn open(&self, settings: &Settings, world: World) -> Result<Arc<dyn Store>> {
        if world == World::Sandbox {
            return Err(no_simulator());
        }
        let options = RedisOptions {
            place: self.0.clone(),
            key: Self::key(settings)?,
            world,
            keep_finished: settings.keep_finished,
        };
        Ok(RedisStore::open(options).await?)
    }

    /// The world of the store; `None` where nothing was accepted yet.
    pub(super) async fn world(&self, settings: &Settings) -> Result<Option<World>> {
        Self::key(settings)?;
        Ok(world_of(&self.0).await?)
    }

    /// Whether a store was made here.
    pub(super) async fn is_made(&self) -> Result<bool> {
        Ok(is_made(&self.0).await?)
    }
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
