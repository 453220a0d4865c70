//! Files that were uploaded and checked, until they are enqueued: few, not large, not for long.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use producer::Format;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Most bytes of one upload: some half a million signups. More go through `trunkline enqueue`,
/// which reads a file where it is.
pub(crate) const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How long a checked file waits for its person.
pub(crate) const KEPT: Duration = Duration::from_secs(15 * 60);

/// Files of one session: the oldest goes when another comes.
const OF_ONE: usize = 4;

/// Files of all sessions, those included that are just coming in: 1 GiB at most.
const OF_ALL: usize = 32;

/// Checked at once; checking takes a whole processor.
const CHECKED_AT_ONCE: usize = 2;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Files that were uploaded and checked.
#[derive(Debug)]
pub(crate) struct Uploads {
    kept: Mutex<HashMap<u128, Kept>>,
    places: Arc<Semaphore>,
    checking: Arc<Semaphore>,
}

/// A file, checked. Its name in the file system is gone already: it ends with the process too.
#[derive(Debug)]
pub(crate) struct Upload<P> {
    pub(crate) name: String,
    pub(crate) format: Option<Format>,
    pub(crate) file: File,
    pub(crate) plan: P,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Kept {
    owner: String,
    since: Instant,
    upload: Upload<Arc<crate::pages::Planned>>,
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            places: Arc::new(Semaphore::new(OF_ALL)),
            checking: Arc::new(Semaphore::new(CHECKED_AT_ONCE)),
        }
    }
}

/// As many files are here as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Why a file could not be taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// It has more than [`BYTES_MAX`].
    TooLarge,
    /// It cannot be written.
    Disk(io::Error),
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// A file that is coming in.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: File,
    buffer: Vec<u8>,
    bytes: u64,
    place: OwnedSemaphorePermit,
}

impl Uploads {
    fn kept(&self) -> MutexGuard<'_, HashMap<u128, Kept>> {
        // Nothing in here is left half done by a panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to take a file in.
    pub(crate) fn begin(&self) -> Result<io::Result<Incoming>, Full> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Full)?;
        Ok(tempfile::tempfile().map(|file| Incoming {
            file,
            buffer: Vec::with_capacity(BUFFER),
            bytes: 0,
            place,
        }))
    }

    /// Waits for the right to check a file.
    pub(crate) async fn checking(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.checking).acquire_owned().await.ok()
    }

    /// Keeps a file that was checked; gives its id.
    pub(crate) fn keep(
        self: &Arc<Self>,
        owner: &str,
        upload: Upload<Arc<crate::pages::Planned>>,
    ) -> u128 {
        let id = rand::random();
        let mut kept = self.kept();
        let own = kept.iter().filter(|(_, one)| one.owner == owner);
        let mut own: Vec<(Instant, u128)> = own.map(|(id, one)| (one.since, *id)).collect();
        own.sort_unstable();
        let too_many = (own.len() + 1).saturating_sub(OF_ONE);
        for (_, oldest) in own.into_iter().take(too_many) {
            kept.remove(&oldest);
        }
        kept.insert(
            id,
            Kept {
                owner: owner.to_owned(),
                since: Instant::now(),
                upload,
            },
        );
        drop(kept);
        let uploads = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            if let Some(uploads) = uploads.upgrade() {
                uploads.kept().remove(&id);
            }
        });
        id
    }

    /// What was found of a file of this session.
    pub(crate) fn look(&self, owner: &str, id: u128) -> Option<Arc<crate::pages::Planned>> {
        let kept = self.kept();
        let own = kept.get(&id).filter(|own| own.owner == owner)?;
        Some(Arc::clone(&own.upload.plan))
    }

    /// Takes a file of this session out: it is used once.
    pub(crate) fn take(&self, owner: &str, id: u128) -> Option<Upload<Arc<crate::pages::Planned>>> {
        let mut kept = self.kept();
        kept.get(&id).filter(|own| own.owner == owner)?;
        kept.remove(&id).map(|own| own.upload)
    }
}

impl Incoming {
    /// Adds bytes.
    pub(crate) async fn add(mut self, bytes: &[u8]) -> Result<Self, NotTaken> {
        self.bytes += bytes.len() as u64;
        if self.bytes > BYTES_MAX {
            return Err(NotTaken::TooLarge);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BUFFER {
            return Ok(self);
        }
        self.write().await
    }

    /// Writing may wait for a disk, so it happens aside.
    async fn write(mut self) -> Result<Self, NotTaken> {
        let written = tokio::task::spawn_blocking(move || {
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
            Ok(self)
        });
        written
            .await
            .map_err(|_| io::Error::other("writing was broken off"))?
    }

    /// All of it is there: to be read from its beginning.
    pub(crate) async fn end(
        self,
        name: String,
        format: Option<Format>,
    ) -> Result<Upload<()>, NotTaken> {
        let mut own = self.write().await?;
        own.file.rewind()?;
        Ok(Upload {
            name,
            format,
            file: own.file,
            plan: (),
            _place: own.place,
        })
    }
}

impl<P> Upload<P> {
    /// The same with what was found.
    pub(crate) fn with<Q>(self, plan: Q) -> Upload<Q> {
        Upload {
            name: self.name,
            format: self.format,
            file: self.file,
            plan,
            _place: self._place,
        }
    }
}

#[cfg(test)]
mod tests {
    use producer::PlanReport;

    use super::*;
    use crate::{pages::Planned, view::plan::Before};

    async fn upload(uploads: &Uploads) -> Upload<Arc<Planned>> {
        let incoming = uploads.begin().unwrap().unwrap();
        let incoming = incoming.add(b"account,partner,number\n").await.unwrap();
        let upload = incoming.end("a.csv".into(), None).await.unwrap();
        upload.with(Arc::new(Planned {
            name: "a.csv".into(),
            report: PlanReport {
                total: 0,
                duplicates: 0,
                requests: 0,
                accounts: vec![],
                duration: Duration::ZERO,
                warnings: vec![],
                more_warnings: 0,
            },
            before: Before::default(),
            rates: std::collections::BTreeMap::new(),
        }))
    }

    #[tokio::test]
    async fn a_file_goes_after_its_time_and_makes_room() {
        let uploads = Arc::new(Uploads::default());
        let upload = upload(&uploads).await;
        tokio::time::pause();
        let id = uploads.keep("one", upload);
        tokio::time::sleep(KEPT - Duration::from_secs(1)).await;
        assert!(uploads.look("one", id).is_some());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(uploads.look("one", id).is_none());
        assert_eq!(uploads.places.available_permits(), OF_ALL);
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_files_and_no_more() {
        let uploads = Arc::new(Uploads::default());
        let mut kept = Vec::new();
        for _ in 0..OF_ALL {
            kept.push(upload(&uploads).await);
        }
        assert_eq!(uploads.begin().err(), Some(Full));
        kept.pop();
        assert!(uploads.begin().is_ok());
    }

    #[tokio::test]
    async fn a_file_is_its_sessions_own_and_is_used_once() {
        let uploads = Arc::new(Uploads::default());
        let id = uploads.keep("one", upload(&uploads).await);
        assert!(uploads.look("other", id).is_none());
        assert!(uploads.take("other", id).is_none());
        assert!(uploads.take("one", id).is_some());
        assert!(uploads.take("one", id).is_none());
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_kept() {
        let uploads = Uploads::default();
        let mut incoming = uploads.begin().unwrap().unwrap();
        let chunk = vec![b'x'; 1024 * 1024];
        for _ in 0..32 {
            incoming = incoming.add(&chunk).await.unwrap();
        }
        assert!(matches!(incoming.add(b"x").await, Err(NotTaken::TooLarge)));
        assert_eq!(uploads.places.available_permits(), OF_ALL);
    }
}
