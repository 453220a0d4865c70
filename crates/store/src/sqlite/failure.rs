//! What SQLite's errors mean to a caller.

use rusqlite::ErrorCode;

use crate::Error;

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
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => unusable(
                "this file is not a SQLite database; choose another with --store sqlite:PATH",
            ),
            Some(ErrorCode::CannotOpen) => unusable(
                "the file cannot be opened or made; see that its folder exists and can be written",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                unusable("the file cannot be written; see its permissions and its folder's")
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                place,
                message: "SQLite finds the file damaged; restore a backup".to_owned(),
            },
            Some(ErrorCode::DiskFull) => Self::Unavailable {
                place,
                message: "the disk is full; nothing was changed, free some space".to_owned(),
                source: Some(Box::new(error)),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Unavailable {
                place,
                message:
                    "another process has held the file locked for too long; nothing was changed"
                        .to_owned(),
                source: Some(Box::new(error)),
            },
            _ => Self::Unavailable {
                place,
                message: "SQLite could not do it; nothing was changed".to_owned(),
                source: Some(Box::new(error)),
            },
        }
    }
}
