//! What SQLite's errors mean to a caller.

use std::{fs, path::Path};

use rusqlite::ErrorCode;
use rustix::{
    fs::{StatVfsMountFlags, statvfs},
    io::Errno,
    process::{Resource, getrlimit},
};

use crate::{Error, error::Untouched};

/// An error of SQLite with the file it is of.
pub(super) struct Failure {
    place: String,
    error: rusqlite::Error,
}

impl Failure {
    pub(super) fn new(place: &str, error: rusqlite::Error) -> Self {
        Self {
            place: place.to_owned(),
            error,
        }
    }
}

impl From<Failure> for Error {
    fn from(Failure { place, error }: Failure) -> Self {
        let unusable = |message: &str| Self::Unusable {
            place: place.clone(),
            message: message.into(),
        };
        let code = error.sqlite_error_code();
        let unavailable = |message: &str| Self::Unavailable {
            place: place.clone(),
            message: message.into(),
            source: Some(Box::new(Untouched(error.to_string()))),
        };
        let limit = || limit_reached(place.strip_prefix("sqlite:").unwrap_or(&place));
        match code {
            Some(ErrorCode::NotADatabase) => unusable(
                "this file is not a SQLite database; choose another with --store sqlite:PATH",
            ),
            Some(ErrorCode::CannotOpen) => unusable(limit().unwrap_or(
                "the file cannot be opened or made; see that its folder exists and can be written",
            )),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => unusable(
                limit()
                    .unwrap_or("the file cannot be written; see its permissions and its folder's"),
            ),
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                place,
                message: "SQLite finds the file damaged; restore a backup".to_owned(),
            },
            Some(ErrorCode::DiskFull) => unavailable("the disk is full; free some space"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                unavailable("another process has held the file locked for too long")
            }
            Some(ErrorCode::SystemIoFailure) => unavailable(limit().unwrap_or(
                "the file cannot be read or written; see the disk, and the quota of this user on it",
            )),
            _ => unavailable("SQLite could not do it"),
        }
    }
}

/// How close to the limit a file is that cannot grow: SQLite writes a page, or a few, at once.
const NEAR_BYTES: u64 = 1 << 20;

/// Which limit of the system stands in the way, and what to do. SQLite tells only that something failed,
/// so what the system would refuse now is looked at.
fn limit_reached(path: &str) -> Option<&'static str> {
    match rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    ) {
        Err(Errno::MFILE) => {
            return Some(
                "this process has as many files open as it may; raise the limit (`ulimit -n`)",
            );
        }
        Err(Errno::NFILE) => {
            return Some("this machine has as many files open as it may; raise fs.file-max");
        }
        Ok(_) | Err(_) => {}
    }
    let path = Path::new(path);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mount = statvfs(folder.unwrap_or(Path::new(".")));
    if mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Some(
            "its file system is mounted read-only; mount it for writing, or name another place",
        );
    }
    let most = getrlimit(Resource::Fsize).current?;
    let near = ["", "-wal", "-journal"].iter().any(|suffix| {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        fs::metadata(file).is_ok_and(|file| file.len().saturating_add(NEAR_BYTES) > most)
    });
    near.then_some("a file of it may not grow further; raise the limit (`ulimit -f`)")
}
