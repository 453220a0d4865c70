//! Nothing is acknowledged into a file that is not at its path any more, and what is there instead is
//! not touched.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use store::{
    Batch, Error, Health, SealingKey, SqliteOptions, Store, World,
    clock::SystemClock,
    conformance::sample::{
        LEASE, RECIPE, TIMEOUT, accept, claim_one, done, register, signup, wide, worker,
    },
    sqlite::{BUSY_TIMEOUT, SqliteStore},
};

fn try_open(path: &Path, key: &SealingKey, patience: Duration) -> store::Result<Arc<SqliteStore>> {
    SqliteStore::open(SqliteOptions {
        path: path.to_owned(),
        key: key.clone(),
        world: World::Live,
        clock: Arc::new(SystemClock::default()),
        patience,
    })
}

struct File {
    folder: tempfile::TempDir,
    key: SealingKey,
    patience: Duration,
}

impl File {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            key: SealingKey::generate().0,
            patience: BUSY_TIMEOUT,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Arc<dyn Store> {
        try_open(&self.path("store.db"), &self.key, self.patience).expect("the store opens")
    }
}

async fn batch(store: &Arc<dyn Store>, n: u64) -> Box<dyn Batch> {
    let mut batch = store.begin().await.expect("begins");
    batch.add_recipe(RECIPE, "{}").await.expect("added");
    batch.add(vec![signup("acme", n)]).await.expect("added");
    batch
}

/// What is done to the files of a store that is open, and what that is.
type Replacing = (&'static str, fn(&File));

const REPLACED: [Replacing; 6] = [
    ("another file is put in place", |file| {
        fs::copy(file.path("store.db"), file.path("other.db")).expect("copied");
        fs::rename(file.path("other.db"), file.path("store.db")).expect("renamed");
    }),
    ("the file is renamed", |file| {
        fs::rename(file.path("store.db"), file.path("old.db")).expect("renamed");
    }),
    ("the file is removed", |file| {
        fs::remove_file(file.path("store.db")).expect("removed");
    }),
    ("its log is removed", |file| {
        fs::remove_file(file.path("store.db-wal")).expect("removed");
    }),
    ("its log's index is removed", |file| {
        fs::remove_file(file.path("store.db-shm")).expect("removed");
    }),
    (
        "a backup is written over it and its logs are removed",
        |file| {
            fs::remove_file(file.path("store.db-wal")).expect("removed");
            fs::remove_file(file.path("store.db-shm")).expect("removed");
            fs::copy(file.path("backup.db"), file.path("store.db")).expect("written over");
        },
    ),
];

fn is_replaced<T: std::fmt::Debug>(result: Result<T, Error>, what: &str) {
    assert!(
        matches!(&result, Err(Error::Replaced { .. })),
        "{what}: {result:?}"
    );
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_is_not_at_its_path_any_more() {
    for (what, replace) in REPLACED {
        let file = File::new();
        let store = file.open();
        accept(&store, vec![signup("acme", 1), signup("acme", 2)]).await;
        register(&store, "one", &["acme"], wide()).await;
        let held = claim_one(&store, "one").await;
        let sqlite = rusqlite::Connection::open(file.path("store.db")).expect("opens");
        let backup = file.path("backup.db");
        sqlite
            .execute("VACUUM INTO ?1", [backup.to_str()])
            .expect("backed up");
        drop(sqlite);
        let ready = batch(&store, 3).await;
        replace(&file);
        is_replaced(ready.commit().await, what);
        let lease = std::slice::from_ref(&held.lease);
        is_replaced(store.renew(lease, LEASE).await, what);
        let claimed = store.claim(&worker("one"), 1, LEASE, TIMEOUT).await;
        is_replaced(claimed.map(|it| it.claims.len()), what);
        let done = done(0, &held.permit, store::Then::Succeed);
        is_replaced(store.advance(&held.lease, done).await, what);
        is_replaced(store.tally().await, what);
        is_replaced(store.health().await, what);
        // Whoever waits for work hears of it.
        store.changed().await;

        let there = |name: &str| fs::read(file.path(name)).ok();
        let files = ["store.db", "store.db-wal", "store.db-shm"];
        let before = files.map(there);
        drop(store);
        assert_eq!(files.map(there), before, "{what}: it is left alone");
    }
}

#[tokio::test]
async fn a_symbolic_link_that_is_set_to_another_file_is_noticed() {
    let file = File::new();
    drop(file.open());
    fs::copy(file.path("store.db"), file.path("other.db")).expect("copied");
    let link = file.path("link.db");
    let lead = |to: &str| {
        drop(fs::remove_file(&link));
        std::os::unix::fs::symlink(file.path(to), &link).expect("linked");
    };
    lead("store.db");
    let store: Arc<dyn Store> = try_open(&link, &file.key, BUSY_TIMEOUT).expect("opens");
    accept(&store, vec![signup("acme", 1)]).await;
    lead("other.db");
    is_replaced(batch(&store, 2).await.commit().await, "the link");
}

#[tokio::test]
async fn a_file_with_two_names_is_refused_by_both() {
    let file = File::new();
    let store = file.open();
    accept(&store, vec![signup("acme", 1)]).await;
    let other = file.path("elsewhere.db");
    fs::hard_link(file.path("store.db"), &other).expect("linked");
    for path in [&file.path("store.db"), &other] {
        let refused = try_open(path, &file.key, BUSY_TIMEOUT).map(drop);
        let text = refused.expect_err("refused").to_string();
        assert!(text.contains("hard links"), "{text}");
        let refused = store::sqlite::world_of(path).expect_err("refused");
        assert!(refused.to_string().contains("hard links"), "{refused}");
    }
    // Who has it open already goes on.
    accept(&store, vec![signup("acme", 2)]).await;
    fs::remove_file(other).expect("removed");
    drop(file.open());
}

#[tokio::test]
async fn a_write_that_waits_for_too_long_is_given_up_and_not_made_later() {
    let mut file = File::new();
    file.patience = Duration::from_millis(200);
    let store = file.open();
    let foreign = rusqlite::Connection::open(file.path("store.db")).expect("opens");
    foreign.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let refused = batch(&store, 1).await.commit().await;
    let Err(Error::Unavailable { message, .. }) = refused else {
        panic!("it is refused: {refused:?}");
    };
    assert!(message.contains("keeps the file locked"), "{message}");
    // Nor is one whose caller goes away.
    let left = batch(&store, 2).await.commit();
    drop(tokio::time::timeout(Duration::from_millis(50), left).await);
    foreign.execute_batch("ROLLBACK").expect("unlocked");
    accept(&store, vec![signup("acme", 3)]).await;
    assert_eq!(store.tally().await.expect("countable").total(), 1);
}

#[tokio::test]
async fn a_store_whose_writes_wait_says_so() {
    let file = File::new();
    let store = file.open();
    let foreign = rusqlite::Connection::open(file.path("store.db")).expect("opens");
    foreign.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let waiting = tokio::spawn(batch(&store, 1).await.commit());
    let health = loop {
        match store.health().await.expect("answered") {
            Health::Well => tokio::time::sleep(Duration::from_millis(20)).await,
            other @ (Health::Stuck(_) | Health::Failing(_)) => break other,
        }
    };
    assert!(
        matches!(health, Health::Stuck(waited) if waited > Duration::from_secs(5)),
        "{health:?}"
    );
    foreign.execute_batch("ROLLBACK").expect("unlocked");
    waiting.await.expect("ended").expect("accepted");
    let health = store.health().await.expect("answered");
    assert!(matches!(health, Health::Well), "{health:?}");
}

#[tokio::test]
async fn a_store_whose_writes_fail_says_so_until_one_succeeds() {
    let file = File::new();
    let store = file.open();
    let sqlite = rusqlite::Connection::open(file.path("store.db")).expect("opens");
    for table in ["meta", "onboarding"] {
        sqlite
            .execute_batch(&format!(
                "CREATE TRIGGER broken_{table} BEFORE INSERT ON {table} \
                 BEGIN SELECT RAISE(ABORT, 'made up'); END"
            ))
            .expect("broken");
    }
    assert!(batch(&store, 1).await.commit().await.is_err());
    let health = store.health().await.expect("answered");
    assert!(matches!(health, Health::Failing(_)), "{health:?}");
    sqlite
        .execute_batch("DROP TRIGGER broken_meta; DROP TRIGGER broken_onboarding")
        .expect("mended");
    let health = store.health().await.expect("answered");
    assert!(matches!(health, Health::Well), "{health:?}");
    accept(&store, vec![signup("acme", 1)]).await;
}
