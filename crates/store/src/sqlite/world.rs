//! Which world a file belongs to, before it is opened.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{failure::Failure, file_identity::refuse_second_path};
use crate::{Error, Result, World};

/// The world of the store in a file; `None` where there is no store yet, or nothing in it. Changes
/// nothing.
///
/// # Errors
/// [`Error::Unusable`] or [`Error::Unavailable`] where there is a file that cannot be read.
pub fn world_of(path: &Path) -> Result<Option<World>> {
    // An empty file is one whose store was not made yet.
    if !std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(None);
    }
    let place = format!("sqlite:{}", path.display());
    refuse_second_path(path)?;
    let fail = |error| Error::from(Failure::new(&place, error));
    // Not read-only: a file whose writer was killed is brought up to date by its first reader.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(super::BUSY_TIMEOUT).map_err(fail)?;
    let made: bool = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'",
            [],
            |row| row.get(0),
        )
        .map_err(fail)?;
    if !made {
        return Ok(None);
    }
    // One that holds nothing yet may still become either.
    let world: Option<Vec<u8>> = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'world' AND EXISTS (SELECT 1 FROM onboarding)",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(fail)?;
    Ok(world.as_deref().and_then(World::of))
}
