//! A folder of handoff files.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use onboarding::Handoff;

use crate::{
    error::{Error, Result},
    problem::Problem,
};

/// A folder of handoff files.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`; made with mode 0700 if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| {
            let message = format!("the folder cannot be made ({error}); name another");
            Error::Refused(vec![Problem::at(
                path.display().to_string(),
                None,
                "--out",
                message,
            )])
        })?;
        Ok(Self(path.to_path_buf()))
    }

    /// Writes `ID.json`, mode 0600, at once: a reader sees the old file or the new one, whole.
    /// Not flushed to disk, because it can be had again from the store at any time.
    pub(crate) fn write(&self, handoff: &Handoff) -> Result<()> {
        let path = self.0.join(format!("{}.json", handoff.id));
        self.write_file(&path, handoff)
            .map_err(|error| Error::failed(&path.display().to_string(), &error))
    }

    fn write_file(&self, path: &Path, handoff: &Handoff) -> io::Result<()> {
        let draft = self.0.join(format!(".{}.draft", handoff.id));
        // What a process left that was killed while it wrote.
        let _ = fs::remove_file(&draft);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let written = write_json(file, handoff).and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

fn write_json(file: fs::File, handoff: &Handoff) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, handoff)?;
    out.write_all(b"\n")?;
    out.flush()
}
