//! Whether the database file is still the one that was opened.
//!
//! Files are looked at by their paths and never opened here: closing any handle of a database gives up
//! the locks that SQLite holds on it in this process (POSIX).

use std::{
    ffi::OsString,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::UNIX_EPOCH,
};

use rusqlite::{Connection, FileControl, MAIN_DB};

use crate::{Error, Result};

/// Refuses a file that can be reached by another path: whoever opens it there would keep a write-ahead
/// log and locks of its own beside that path, and the two would write over each other's pages.
///
/// # Errors
/// [`Error::Unusable`] says what to do.
pub fn refuse_second_path(path: &Path) -> Result<()> {
    let Ok(found) = path.metadata() else {
        return Ok(());
    };
    let refuse = |message: String| {
        Err(Error::Unusable {
            place: format!("sqlite:{}", path.display()),
            message,
        })
    };
    if found.is_file() && found.nlink() > 1 {
        return refuse(format!(
            "the file has {} names (hard links), and its log would be beside one of them only; remove the other names (`find -samefile` finds them), or make this one a copy while no program uses it",
            found.nlink()
        ));
    }
    if is_mounted_alone(path) {
        return refuse(
            "the file is mounted by itself, so that its log, which is beside it, would be another one than where the file comes from; mount its folder instead".to_owned(),
        );
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn is_mounted_alone(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    // Where the kernel cannot tell, nothing is refused.
    statx(CWD, path, AtFlags::empty(), StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mounted_alone(_path: &Path) -> bool {
    false
}

/// A path with something behind its last part.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The files that were opened, by their inodes.
pub(super) struct FileIdentity {
    place: String,
    /// The database as it was named, its log, and the index of that.
    files: [(PathBuf, (u64, u64)); 3],
    /// The database's own name, however the path was spelled.
    real: PathBuf,
    born: i64,
    replaced: AtomicBool,
}

impl FileIdentity {
    /// Of the files that `connection` has open. It has to have read or written.
    pub(super) fn of(connection: &Connection, path: &Path, place: &str) -> Result<Self> {
        let failed = |what: String| Error::Unavailable {
            place: place.to_owned(),
            message: format!("{what}; try again"),
            source: None,
        };
        let look = |path: &Path| {
            path.metadata()
                .map_err(|error| failed(format!("{} cannot be looked at: {error}", path.display())))
        };
        let real = path
            .canonicalize()
            .map_err(|error| failed(format!("{} has no path: {error}", path.display())))?;
        let database = look(path)?;
        let (log, index) = (beside(&real, "-wal"), beside(&real, "-shm"));
        let files = [
            (path.to_owned(), inode(&database)),
            (log.clone(), inode(&look(&log)?)),
            (index.clone(), inode(&look(&index)?)),
        ];
        // SQLite knows what it opened. It says whether that is what was found at the path just now.
        let mut moved = 0;
        let asked = connection.file_control(Some(MAIN_DB), FileControl::HasMoved(&mut moved));
        if asked.is_ok() && moved != 0 {
            return Err(failed(
                "the file was replaced while it was opened".to_owned(),
            ));
        }
        Ok(Self {
            place: place.to_owned(),
            files,
            real,
            born: born(&database),
            replaced: AtomicBool::new(false),
        })
    }

    /// The database's own name, however the path was spelled.
    pub(super) fn real_path(&self) -> &Path {
        &self.real
    }

    /// What tells the database from a copy of it: its inode, and when it was made (ns; 0 where the
    /// file system does not tell), for numbers of inodes are given again.
    pub(super) fn of_database(&self) -> (i64, i64) {
        let (_, (_, inode)) = &self.files[0];
        (inode.cast_signed(), self.born)
    }

    /// Whether all files are where they were opened. Once they are not, they never are again: what
    /// this process has open is not what others use.
    ///
    /// # Errors
    /// [`Error::Replaced`].
    pub(super) fn check(&self) -> Result<()> {
        let gone = self.files.iter().find(|(path, opened)| {
            // Only a file that is not there is gone; a look that fails says nothing.
            match path.metadata() {
                Ok(found) => inode(&found) != *opened,
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            }
        });
        if gone.is_none() && !self.is_replaced() {
            return Ok(());
        }
        self.replaced.store(true, Ordering::Relaxed);
        Err(Error::Replaced {
            place: self.place.clone(),
        })
    }

    /// Whether they were found replaced.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Relaxed)
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn born(file: &Metadata) -> i64 {
    let since = file
        .created()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
