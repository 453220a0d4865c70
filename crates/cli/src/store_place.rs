//! Which store, and with which key.

use std::{
    ffi::OsString,
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use onboarding::Secret;
use store::{
    SealingKey, SqliteOptions, World,
    clock::SystemClock,
    sqlite::{SqliteStore, world_of},
};

use crate::{
    error::{Error, Result},
    secret_source::SecretSource,
    settings::Settings,
};

/// Opens the store, and makes it if it is not there.
pub(crate) fn open(settings: &Settings, world: World) -> Result<Arc<SqliteStore>> {
    let path = place(settings)?;
    Ok(SqliteStore::open(SqliteOptions {
        key: key(settings, &path)?,
        path,
        world,
        clock: Arc::new(SystemClock::default()),
    })?)
}

/// Opens a store that must be there, in whatever world it is.
pub(crate) fn open_existing(settings: &Settings) -> Result<(Arc<SqliteStore>, World)> {
    match peek(settings)? {
        Some(world) => Ok((open(settings, world)?, world)),
        // Made, and nothing accepted yet: looking at it decides nothing.
        None if fs::metadata(place(settings)?).is_ok_and(|file| file.len() > 0) => {
            Ok((open(settings, World::Live)?, World::Live))
        }
        None => Err(Error::refused(
            "store",
            format!(
                "there is nothing in {} yet; `trunkline onboard` or `trunkline enqueue` fills it, or name another with --store",
                settings.store
            ),
        )),
    }
}

/// The world of the store, if there is a store.
pub(crate) fn peek(settings: &Settings) -> Result<Option<World>> {
    let path = place(settings)?;
    Ok(world_of(&path)?)
}

/// The file beside the database that holds the simulator's state.
pub(crate) fn sandbox_file(settings: &Settings) -> Result<PathBuf> {
    Ok(beside(&place(settings)?, ".sandbox"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// What every SQLite file that holds anything begins with: the file format's documentation.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The database of the settings. What is there already has to be one: everything else is said of
/// the wrong thing otherwise.
fn place(settings: &Settings) -> Result<PathBuf> {
    let path = database(&settings.store, &settings.store_base)?;
    let what = match fs::metadata(&path) {
        Ok(found) if found.is_dir() => "is a folder",
        Ok(found) if found.is_file() && found.len() > 0 && !is_database(&path) => {
            "is no SQLite database"
        }
        Ok(_) | Err(_) => return Ok(path),
    };
    Err(Error::refused(
        "store",
        format!(
            "{} {what}, and nothing was changed; name another file, sqlite:PATH",
            path.display()
        ),
    ))
}

/// Whether a file begins as one; where it cannot be read, opening it says why.
fn is_database(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    match fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) => head == *MAGIC,
        Err(error) => error.kind() != ErrorKind::UnexpectedEof,
    }
}

/// The database that a store's URL names.
fn database(url: &str, base: &Path) -> Result<PathBuf> {
    let refused = |message: &str| {
        // A URL of another kind may hold a password.
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        let shown: String = scheme.escape_debug().take(40).collect();
        Err(Error::refused(
            "store",
            format!("\"{shown}:...\" {message}"),
        ))
    };
    if url.starts_with("redis:") || url.starts_with("rediss:") {
        return refused(
            "is not supported by this version, which keeps everything in one file; write sqlite:PATH",
        );
    }
    let Some(path) = url.strip_prefix("sqlite:") else {
        return refused("is not a store; write sqlite:PATH, such as sqlite:trunkline.db");
    };
    if path.is_empty() || path.ends_with('/') {
        return refused("names no file; write sqlite:PATH, such as sqlite:trunkline.db");
    }
    if path.starts_with("//") && !path.starts_with("///") {
        return refused(
            "names a host, and this store is a file; write sqlite:PATH or sqlite:///PATH",
        );
    }
    if path.contains(['?', '#']) {
        return refused("has parameters, which this store has not; write sqlite:PATH");
    }
    Ok(base.join(path))
}

/// The key of the store's secrets: the configured one, or the one beside the database.
fn key(settings: &Settings, database: &Path) -> Result<SealingKey> {
    let (source, field) = match &settings.secret_key {
        Some(source) => (source.clone(), "secret_key"),
        None => (SecretSource::File(embedded_key(database)?), "secret_key"),
    };
    let text = source
        .load()
        .map_err(|message| Error::refused(field, message))?;
    SealingKey::from_base64(&text)
        .map_err(|error| Error::refused(field, format!("{source}: {error}")))
}

/// The key file beside the database; made on first use.
fn embedded_key(database: &Path) -> Result<PathBuf> {
    let path = beside(database, ".key");
    if path.exists() {
        return Ok(path);
    }
    if fs::metadata(database).is_ok_and(|file| file.len() > 0) {
        return Err(Error::refused(
            "secret_key",
            format!(
                "{} is missing, and only it opens the secrets in {}; bring it back from a backup, or say in secret_key where the key is",
                path.display(),
                database.display()
            ),
        ));
    }
    write_once(&path, &SealingKey::generate().1).map_err(|error| {
        Error::refused(
            "store",
            format!(
                "{} cannot be written ({error}); see that its folder exists and can be written",
                path.display()
            ),
        )
    })?;
    Ok(path)
}

/// Writes a secret to a file that is not there yet: all of it or nothing, and never over another
/// process's, which may have been first.
fn write_once(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let draft = beside(path, &format!(".{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let written = file
        .write_all(secret.expose().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => Ok(()),
        });
    let removed = fs::remove_file(&draft);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_is_a_store_and_passwords_in_urls_are_not_repeated() {
        let base = Path::new("/base");
        for (url, path) in [
            ("sqlite:a.db", "/base/a.db"),
            ("sqlite:/x/a.db", "/x/a.db"),
            ("sqlite:///x/a.db", "/x/a.db"),
        ] {
            assert_eq!(database(url, base).unwrap(), Path::new(path), "{url}");
        }
        for bad in [
            "",
            "a.db",
            "sqlite:",
            "sqlite:/x/",
            "sqlite://host/a.db",
            "sqlite:a.db?mode=ro",
            "postgres://me:hunter2@host/db",
            "redis://:hunter2@host/0",
            "rediss://:hunter2@host/0",
        ] {
            let message = database(bad, base).unwrap_err().to_string();
            assert!(message.contains("sqlite:PATH"), "{bad}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
