//! Whether a file or a folder changed, without reading it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{recipe_files, settings::Settings};

/// What tells one content of some files from another, as far as the file system knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks(Vec<(PathBuf, Option<Mark>)>);

/// Of one file. A new file under the same name has another inode, even where an archive gave it
/// the same time and length; the time of its status cannot be set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    file: (u64, u64),
    length: u64,
    written: (i64, i64),
    status: (i64, i64),
}

impl Marks {
    /// Of one file, which may be missing.
    pub(crate) fn of_file(path: &Path) -> Self {
        Self(vec![(path.to_path_buf(), mark(path))])
    }

    /// Of the recipes' folder, if there is one. A folder that cannot be read is as an empty one.
    pub(super) fn of_recipes(settings: &Settings) -> Self {
        let files = match &settings.recipes {
            Some(folder) => recipe_files::files(folder).unwrap_or_default(),
            None => Vec::new(),
        };
        let marked = files.into_iter().map(|path| {
            let mark = mark(&path);
            (path, mark)
        });
        Self(marked.collect())
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let known = fs::metadata(path).ok()?;
    Some(Mark {
        file: (known.dev(), known.ino()),
        length: known.len(),
        written: (known.mtime(), known.mtime_nsec()),
        status: (known.ctime(), known.ctime_nsec()),
    })
}

/// Files that are watched.
#[derive(Debug)]
pub(crate) struct Watched {
    /// As they were when they were last read.
    read: Marks,
    /// As they were at the last look, where that was otherwise.
    seen: Option<Marks>,
}

impl Watched {
    /// Files that are read now.
    pub(crate) fn new(read: Marks) -> Self {
        Self { read, seen: None }
    }

    /// Whether they are to be read again: they changed, and did not since the last look. A file
    /// that is still being written may say less than it will, and be right all the same.
    pub(crate) fn is_due(&mut self, now: Marks) -> bool {
        if now == self.read {
            self.seen = None;
            return false;
        }
        let rests = self.seen.as_ref() == Some(&now);
        if rests {
            self.read = now;
            self.seen = None;
        } else {
            self.seen = Some(now);
        }
        rests
    }
}
