//! The one worker's place.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    path::Path,
};

use crate::{Error, Result};

/// Held as long as this process works on the file; the operating system frees it when the process
/// ends, however it ends.
pub(super) struct WorkerPlace(#[expect(dead_code, reason = "holding the lock is its use")] File);

impl WorkerPlace {
    /// Takes the place, on a file beside the database that ends in `.worker`.
    pub(super) fn take(database: &Path, place: &str) -> Result<Self> {
        // However the path is spelled, the place is the same.
        let database = database
            .canonicalize()
            .unwrap_or_else(|_| database.to_owned());
        let mut path = OsString::from(database);
        path.push(".worker");
        let fail = |error: std::io::Error| Error::Unusable {
            place: place.to_owned(),
            message: format!("the lock file {} cannot be used: {error}", path.display()),
        };
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::WorkerRunning {
                place: place.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(fail(error)),
        }
    }
}
