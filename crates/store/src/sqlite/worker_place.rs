//! The one worker's place, and what it says of itself there.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::steady_clock::SteadyClock;
use crate::{Error, Result, Unusable, WorkerName, WorkerStatus, workers::Said};

/// What the file says. It is written over, never flushed: who reads it wants to know about now.
#[derive(Serialize, Deserialize)]
struct Line {
    worker: String,
    /// In the store's time.
    at_ms: i64,
    #[serde(flatten)]
    said: Said,
}

/// The file beside the database, however its path is spelled.
fn file_of(database: &Path) -> PathBuf {
    let database = database
        .canonicalize()
        .unwrap_or_else(|_| database.to_owned());
    let mut path = OsString::from(database);
    path.push(".worker");
    path.into()
}

/// The worker that has the place, or had it and vanished.
pub(super) fn heard_of(database: &Path, clock: &SteadyClock) -> Vec<WorkerStatus> {
    // It may be read while it is written.
    let read = || {
        let text = fs::read_to_string(file_of(database)).ok()?;
        serde_json::from_str::<Line>(text.lines().next()?).ok()
    };
    let line = read().or_else(read);
    let heard = line.map(|line| {
        let ago = clock.now_ms().saturating_sub(line.at_ms);
        let ago = Duration::from_millis(u64::try_from(ago).unwrap_or(0));
        line.said.heard(line.worker, ago)
    });
    heard.into_iter().collect()
}

/// Held as long as this process works on the file; the operating system frees it when the process
/// ends, however it ends.
pub(super) struct WorkerPlace(File);

impl WorkerPlace {
    /// Takes the place, on a file beside the database that ends in `.worker`.
    pub(super) fn take(database: &Path, place: &str) -> Result<Self> {
        let path = file_of(database);
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

    /// Writes down what the worker says; nothing: it has ended.
    pub(super) fn hear(
        &self,
        worker: &WorkerName,
        says: Option<&[Unusable]>,
        clock: &SteadyClock,
        place: &str,
    ) -> Result<()> {
        let mut text = Vec::new();
        if let Some(unusable) = says {
            let line = Line {
                worker: worker.0.clone(),
                at_ms: clock.now_ms(),
                said: Said::new(unusable),
            };
            text = serde_json::to_vec(&line).unwrap_or_default();
            text.push(b'\n');
        }
        let mut file = &self.0;
        file.rewind()
            .and_then(|()| file.write_all(&text))
            .and_then(|()| file.set_len(text.len() as u64))
            .map_err(|error| Error::Unavailable {
                place: place.to_owned(),
                message: format!(
                    "the file beside it that ends in .worker cannot be written: {error}"
                ),
                source: None,
            })
    }
}
