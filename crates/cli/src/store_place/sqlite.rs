//! A store in one file, and the key beside it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use onboarding::Secret;
use store::{
    SealingKey, SqliteOptions, Store, World,
    clock::SystemClock,
    sqlite::{SqliteStore, refuse_second_path, world_of},
};

use super::key_from;
use crate::{
    error::{Error, Result},
    secret_source::SecretSource,
    settings::Settings,
};

/// Files that this process looked into, or may have opened since as a store. They are not looked into
/// again: closing any handle of a file gives up all locks that the process has on it (POSIX), those of
/// SQLite too. Another process that closes the store would then take itself for the last, and remove
/// the log that this one goes on writing its commits to.
static LOOKED_INTO: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file that is a store, or may become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlitePlace(PathBuf);

impl SqlitePlace {
    /// The place of a URL. What is there already has to be a database: everything else is said of
    /// the wrong thing otherwise.
    pub(super) fn of(url: &str, base: &Path) -> Result<Self> {
        let path = database(url, base)?;
        let mut looked_into = LOOKED_INTO.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_into.contains(&path) {
            return Ok(Self(path));
        }
        let what = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => "is a folder",
            Ok(found) if found.is_file() && found.len() > 0 && !is_database(&path) => {
                "is no SQLite database"
            }
            Ok(_) | Err(_) => {
                refuse_second_path(&path)?;
                looked_into.insert(path.clone());
                return Ok(Self(path));
            }
        };
        Err(Error::refused(
            "store",
            format!(
                "{} {what}, and nothing was changed; name another file, sqlite:PATH",
                path.display()
            ),
        ))
    }

    /// Opens the store, and makes it if it is not there. One that was made with the key beside it
    /// stays open where another store's key is configured meanwhile.
    pub(super) fn open(
        &self,
        settings: &Settings,
        world: World,
        patience: Duration,
    ) -> Result<Arc<dyn Store>> {
        let opened = self.open_with(self.key(settings)?, world, patience);
        let beside = beside(&self.full(), KEY);
        if opened.is_ok() || settings.secret_key.is_none() || !beside.exists() {
            return opened;
        }
        let own = key_from(&SecretSource::File(beside))?;
        // What is told is what the configured key led to.
        self.open_with(own, world, patience).or(opened)
    }

    fn open_with(
        &self,
        key: SealingKey,
        world: World,
        patience: Duration,
    ) -> Result<Arc<dyn Store>> {
        Ok(SqliteStore::open(SqliteOptions {
            key,
            path: self.0.clone(),
            patience,
            world,
            clock: Arc::new(SystemClock::default()),
        })?)
    }

    /// The world of the store, if there is a store.
    pub(super) fn world(&self) -> Result<Option<World>> {
        Ok(world_of(&self.0)?)
    }

    /// Whether a store was made here.
    pub(super) fn is_made(&self) -> bool {
        fs::metadata(&self.0).is_ok_and(|file| file.len() > 0)
    }

    /// However the path is spelled, the place is the same.
    pub(super) fn full(&self) -> PathBuf {
        std::path::absolute(&self.0)
            .and_then(|path| path.canonicalize().or(Ok(path)))
            .unwrap_or_else(|_| self.0.clone())
    }

    /// The file beside the database that holds the simulator's state.
    pub(super) fn sandbox_file(&self) -> PathBuf {
        beside(&self.full(), ".sandbox")
    }

    /// The key of the store's secrets: the configured one, or the one beside the database.
    fn key(&self, settings: &Settings) -> Result<SealingKey> {
        key_from(&self.key_source(settings)?)
    }

    /// Where that key is.
    pub(super) fn key_source(&self, settings: &Settings) -> Result<SecretSource> {
        match &settings.secret_key {
            Some(source) => Ok(source.clone()),
            None => Ok(SecretSource::File(embedded_key(&self.full())?)),
        }
    }
}

/// What the embedded default of the secret key is called, after the database's name.
const KEY: &str = ".key";

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// What every SQLite file that holds anything begins with: the file format's documentation.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

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
    let Some(path) = url.strip_prefix("sqlite:") else {
        return refused(
            "is not a store; write sqlite:PATH, such as sqlite:trunkline.db, or redis://HOST",
        );
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

/// The key file beside the database; made on first use.
fn embedded_key(database: &Path) -> Result<PathBuf> {
    let path = beside(database, KEY);
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
/// process's, which may have been first. The draft's name is drawn: one made of the process's number
/// would be that of every killed process in a container, where all have number 1.
fn write_once(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let mut start = name.to_owned();
    start.push(".draft.");
    // Mode 0600, and removed unless it is kept.
    let mut draft = tempfile::Builder::new()
        .prefix(&start)
        .tempfile_in(folder)?;
    draft.write_all(secret.expose().as_bytes())?;
    draft.write_all(b"\n")?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Err(failed) if failed.error.kind() != ErrorKind::AlreadyExists => Err(failed.error),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_draft_of_a_killed_process_never_stops_one_of_the_same_number() {
        let folder = tempfile::TempDir::new().unwrap();
        let database = folder.path().join("t.db");
        // Any name that a process of this number could give its draft.
        for number in [1, std::process::id()] {
            for name in ["t.db.key.", "t.db.key.draft."] {
                let stale = folder.path().join(format!("{name}{number}"));
                fs::write(stale, "half a k").unwrap();
            }
        }
        let key = embedded_key(&database).unwrap();
        let (first, mode) = (fs::read(&key).unwrap(), fs::metadata(&key).unwrap());
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        assert!(first.len() > 40 && first.ends_with(b"\n"));
        write_once(&key, &Secret::new("another")).unwrap();
        assert_eq!(fs::read(&key).unwrap(), first, "the first one stays");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            5,
            "no draft is left"
        );
    }

    #[test]
    fn a_file_that_may_be_open_is_not_opened_and_closed_beside_sqlite() {
        let folder = tempfile::TempDir::new().unwrap();
        for (name, content) in [("new.db", &b""[..]), ("old.db", MAGIC)] {
            let path = folder.path().join(name);
            if !content.is_empty() {
                fs::write(&path, content).unwrap();
            }
            let url = format!("sqlite:{name}");
            let place = SqlitePlace::of(&url, folder.path()).unwrap();
            // Only somebody who reads it again can tell.
            fs::write(&path, "something else, of more than sixteen bytes").unwrap();
            assert_eq!(
                SqlitePlace::of(&url, folder.path()).unwrap(),
                place,
                "{name}"
            );
        }
    }

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
        ] {
            let message = database(bad, base).unwrap_err().to_string();
            assert!(message.contains("sqlite:PATH"), "{bad}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
