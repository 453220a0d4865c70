//! A store in a temporary folder, and how the tests feed it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test needs is there or the test fails"
)]

use std::{
    hash::{Hash, Hasher},
    io::Cursor,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use onboarding::{OnboardingId, RecipeBook};
use producer::{About, Accounts, Error, Format, Located, Report, Source, enqueue};
use store::{
    Filter, Inspect, Onboarding, SealingKey, SqliteOptions, Tally, World, clock::SystemClock,
    sqlite::SqliteStore,
};
use tempfile::TempDir;

/// A source of which the test has the bytes.
pub(crate) fn source(format: impl Into<Option<Format>>, text: impl Into<Vec<u8>>) -> Source {
    Source::from_reader("input", format.into(), Cursor::new(text.into()))
}

/// The accounts that the tests know.
pub(crate) fn accounts() -> Accounts {
    let names = ["acme", "globex"];
    Accounts::Known(
        names
            .into_iter()
            .map(|name| name.parse().unwrap())
            .collect(),
    )
}

/// The built-in recipes and these accounts.
pub(crate) fn builtin(accounts: Accounts) -> producer::Desk {
    producer::Desk::new(RecipeBook::builtin(), accounts)
}

/// A store and the folder that it is alone in.
pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) store: Arc<SqliteStore>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions {
            path: folder.path().join("trunkline.db"),
            patience: store::sqlite::BUSY_TIMEOUT,
            key: SealingKey::generate().0,
            world: World::Live,
            clock: Arc::new(SystemClock::default()),
        });
        Self {
            folder,
            store: store.unwrap(),
        }
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) async fn enqueue(&self, sources: Vec<Source>) -> Result<Report, Error> {
        self.enqueue_heard(sources, accounts()).await.0
    }

    /// Enqueues, and tells which ids were heard of.
    pub(crate) async fn enqueue_heard(
        &self,
        sources: Vec<Source>,
        accounts: Accounts,
    ) -> (Result<Report, Error>, Vec<OnboardingId>) {
        let heard = Mutex::new(Vec::new());
        let desk = builtin(accounts);
        let about = About::default();
        let on_id = |id| heard.lock().unwrap().push(id);
        let report = enqueue(sources, &desk, about, self.store.as_ref(), on_id).await;
        (report, heard.into_inner().unwrap())
    }

    /// The problems for which the input is refused.
    pub(crate) async fn refusal(&self, sources: Vec<Source>) -> (Vec<Located>, u64) {
        match self.enqueue(sources).await {
            Err(Error::Input { problems, more }) => (problems, more),
            other => panic!("not refused for its content: {other:?}"),
        }
    }

    /// Everything in the store, in the order of acceptance.
    pub(crate) async fn all(&self) -> Vec<Onboarding> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .store
                .list(&Filter::default(), after.as_ref(), 1000)
                .await;
            let page = page.unwrap();
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    /// What must not change where input is refused: the counts, the onboardings and the folder.
    pub(crate) async fn snapshot(&self) -> (Tally, Vec<Onboarding>, Vec<PathBuf>) {
        let tally = self.store.tally().await.unwrap();
        (tally, self.all().await, self.paths())
    }

    /// The content of every file, as a digest.
    pub(crate) fn bytes(&self) -> u64 {
        let mut digest = std::hash::DefaultHasher::new();
        for path in self.paths() {
            // The index of the log is shared memory that readers mark too.
            if path
                .extension()
                .is_none_or(|extension| extension != "db-shm")
            {
                std::fs::read(&path).expect("readable").hash(&mut digest);
            }
        }
        digest.finish()
    }

    fn paths(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}
