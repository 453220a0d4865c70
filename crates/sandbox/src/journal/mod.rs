//! What survives the process: an append-only file of what was changed.
//!
//! Each line is a JSON list of records, and one request's changes are one line, so that it is kept
//! whole or not at all. A line is handed to the operating system before its request is answered:
//! killing the process loses nothing that was answered. Nothing is synced to the disk, so a power
//! cut may lose the newest lines.

pub(crate) mod record;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::world::World;
use record::Record;

/// The first line's `version`. It goes up when an older simulator could not read the file.
const VERSION: u32 = 1;

/// An open journal. While it is open, no other process can open it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// Held as long as the journal is open; the lock goes when the process does, however it ends.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    file: File,
    /// What has not been written yet. After a write that failed half way, this is the rest, so
    /// that the next one goes on where it stopped.
    pending: Vec<u8>,
}

/// What a journal held.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) world: World,
    /// Accepted requests, as account and microseconds since 1970.
    pub(crate) arrivals: Vec<(String, u64)>,
}

impl Journal {
    /// Reads a journal, or starts one with the given salt, and rewrites it without what is past.
    /// Arrivals before `since_us` are dropped.
    pub(crate) fn open(path: &Path, salt: u64, since_us: u64) -> io::Result<(Self, Loaded)> {
        let lock = lock_file(path)?;
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(path, "cannot be read", &error)),
        };
        let mut loaded = load(path, &text, salt)?;
        loaded.arrivals.retain(|(_, at)| *at >= since_us);
        loaded.arrivals.sort_unstable_by_key(|(_, at)| *at);
        let file = replace(path, &loaded.world, &loaded.arrivals)?;
        let pending = Vec::new();
        let journal = Self {
            path: path.to_owned(),
            writer: Mutex::new(Writer { file, pending }),
            _lock: lock,
        };
        Ok((journal, loaded))
    }

    /// Notes an accepted request, to be written by the next [`Journal::flush`].
    pub(crate) fn note_arrival(&self, account: &str, at_us: u64) {
        let account = account.into();
        append(
            &mut self.writer().pending,
            &[Record::Arrival { account, at_us }],
        );
    }

    /// Notes what a call has changed, to be written by the next [`Journal::flush`]. The world is
    /// still locked by the caller, so that changes are noted in the order in which they were made.
    pub(crate) fn note_changes(&self, world: &mut World) {
        let records = world.take_changes();
        if !records.is_empty() {
            append(&mut self.writer().pending, &records);
        }
    }

    /// Hands all that was noted to the operating system.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut writer = self.writer();
        let Writer { file, pending } = &mut *writer;
        let mut done = 0;
        let mut result = Ok(());
        while done < pending.len() {
            match file.write(&pending[done..]) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        pending.drain(..done);
        result.map_err(|error| failed(&self.path, "cannot be written", &error))
    }

    /// Replaces the file by one that holds this world and no arrivals.
    pub(crate) fn rewrite(&self, world: &World) -> io::Result<()> {
        let mut writer = self.writer();
        writer.file = replace(&self.path, world, &[])?;
        writer.pending.clear();
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(pending: &mut Vec<u8>, records: &[Record<'_>]) {
    let start = pending.len();
    if let Err(error) = serde_json::to_writer(&mut *pending, records) {
        // Cannot happen with our own types; half of a line would spoil the rest of the file.
        tracing::error!(%error, "a change could not be written as JSON");
        pending.truncate(start);
        return;
    }
    pending.push(b'\n');
}

fn load(path: &Path, text: &[u8], salt: u64) -> io::Result<Loaded> {
    let mut loaded = Loaded {
        world: World::journaled(salt),
        arrivals: Vec::new(),
    };
    if text.is_empty() {
        return Ok(loaded);
    }
    // What follows the last line feed was being written when the process was killed, so nobody
    // was told of it.
    let whole = text.iter().rposition(|&byte| byte == b'\n');
    let lines = text[..whole.unwrap_or(0)].split(|&byte| byte == b'\n');
    for (at, line) in lines.enumerate() {
        apply(&mut loaded, line, at == 0).map_err(|problem| {
            let text = format!(
                "the simulator's journal {}, line {}: {problem}; move the file away to start with \
                 nothing, or put an intact copy in its place",
                path.display(),
                at + 1
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
    }
    Ok(loaded)
}

fn apply(loaded: &mut Loaded, line: &[u8], first: bool) -> Result<(), String> {
    let records: Vec<Record<'_>> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    if first && !matches!(records.first(), Some(Record::Start { .. })) {
        return Err("this is not the start of a journal".into());
    }
    for record in records {
        if let Record::Start { version, .. } = record
            && version != VERSION
        {
            return Err(format!(
                "it is of version {version}, and this simulator reads version {VERSION}"
            ));
        }
        if let Record::Arrival { account, at_us } = record {
            loaded.arrivals.push((account.into_owned(), at_us));
        } else {
            loaded.world.apply(record)?;
        }
    }
    Ok(())
}

/// Writes a whole journal beside the old one and puts it in its place: at no moment is there none
/// or half of one.
fn replace(path: &Path, world: &World, arrivals: &[(String, u64)]) -> io::Result<File> {
    let beside = beside(path, ".new");
    let wrong = |error| failed(path, "cannot be written", &error);
    let mut lines = Vec::new();
    let version = VERSION;
    let salt = world.salt();
    append(&mut lines, &[Record::Start { version, salt }]);
    world.snapshot(&mut |records| append(&mut lines, records));
    for (account, at_us) in arrivals {
        let (account, at_us) = (account.as_str().into(), *at_us);
        append(&mut lines, &[Record::Arrival { account, at_us }]);
    }
    // A file that a killed process left behind is not opened but replaced, so that the mode is
    // that of a new file.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true))
        .open(&beside)
        .map_err(wrong)?;
    file.write_all(&lines).map_err(wrong)?;
    fs::rename(&beside, path).map_err(wrong)?;
    Ok(file)
}

fn lock_file(path: &Path) -> io::Result<File> {
    let file = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(beside(path, ".lock"))
        .map_err(|error| failed(path, "cannot be locked", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let text = format!(
                "the simulator's journal {} is in use by another simulator: stop that one, or name \
                 another file",
                path.display()
            );
            Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
        }
        Err(TryLockError::Error(error)) => Err(failed(path, "cannot be locked", &error)),
    }
}

/// Passwords are in it, so only its owner may read it.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, what: &str, error: &io::Error) -> io::Error {
    // What the system says of full disks and limits is right; of the others the folder is the cause.
    let of_folder = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];
    let remedy = if of_folder.contains(&error.kind()) {
        "; its folder must exist and be writable"
    } else {
        ""
    };
    let text = format!(
        "the simulator's journal {} {what}: {error}{remedy}",
        path.display()
    );
    io::Error::new(error.kind(), text)
}
