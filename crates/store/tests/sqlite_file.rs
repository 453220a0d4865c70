//! What is particular to the embedded store: its file.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use onboarding::{Secret, State};
use store::{
    Committed, Error, SealingKey, SqliteOptions, Store, Then, Work, World,
    clock::SystemClock,
    conformance::sample::{
        LEASE, RECIPE, TIMEOUT, accept, advance, claim, claim_one, done, failure, offer, register,
        signup, wide, worker,
    },
    sqlite::{SqliteStore, world_of},
};

fn open(path: &Path, key: &SealingKey, world: World) -> store::Result<Arc<SqliteStore>> {
    let clock = Arc::new(SystemClock::default());
    SqliteStore::open(SqliteOptions {
        path: path.to_owned(),
        patience: store::sqlite::BUSY_TIMEOUT,
        key: key.clone(),
        world,
        clock,
    })
}

/// A live store in a folder of its own, which goes with the first part.
fn fresh() -> (tempfile::TempDir, PathBuf, Arc<dyn Store>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let store = open(&path, &SealingKey::generate().0, World::Live).expect("opens");
    (folder, path, store)
}

fn message(result: store::Result<Arc<SqliteStore>>) -> String {
    match result {
        Ok(_) => panic!("the store must be refused"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_second_worker_process_is_told_so_and_may_follow_when_the_first_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let key = SealingKey::generate().0;
    let first = open(&path, &key, World::Live).expect("opens");
    first
        .register(&worker("one"), &[])
        .await
        .expect("the place is free");
    first
        .register(&worker("one"), &[])
        .await
        .expect("registering twice is fine");
    let second = open(&path, &key, World::Live).expect("opens");
    let refused = second.register(&worker("two"), &[]).await;
    assert!(
        matches!(refused, Err(Error::WorkerRunning { .. })),
        "{refused:?}"
    );
    drop(first);
    second
        .register(&worker("two"), &[])
        .await
        .expect("the place is free again");
}

#[tokio::test]
async fn a_worker_that_follows_a_dead_one_takes_its_leases_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let key = SealingKey::generate().0;
    let first: Arc<dyn Store> = open(&path, &key, World::Live).expect("opens");
    accept(&first, vec![signup("acme", 1)]).await;
    register(&first, "one", &["acme"], wide()).await;
    let held = claim_one(&first, "one").await;
    drop(first);
    let second: Arc<dyn Store> = open(&path, &key, World::Live).expect("opens");
    register(&second, "two", &["acme"], wide()).await;
    let again = claim_one(&second, "two").await;
    assert_eq!(again.lease.id, held.lease.id);
    assert!(again.verify);
}

#[tokio::test]
async fn sandbox_and_live_are_never_mixed_in_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = SealingKey::generate().0;
    for (made, asked) in [(World::Live, World::Sandbox), (World::Sandbox, World::Live)] {
        let path = folder.path().join(format!("{made:?}.db"));
        // Nothing is in it yet, so it may still become either.
        drop(open(&path, &key, asked).expect("opens"));
        assert_eq!(world_of(&path).expect("readable"), None);
        let store: Arc<dyn Store> = open(&path, &key, made).expect("opens");
        accept(&store, vec![signup("acme", 1)]).await;
        drop(store);
        assert_eq!(world_of(&path).expect("readable"), Some(made));
        let text = message(open(&path, &key, asked));
        assert!(text.contains("--store"), "{text}");
        drop(open(&path, &key, made).expect("opens again"));
    }
}

#[tokio::test]
async fn who_opened_an_empty_file_neither_fills_nor_runs_what_another_world_put_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let key = SealingKey::generate().0;
    let live: Arc<dyn Store> = open(&path, &key, World::Live).expect("opens");
    register(&live, "one", &["acme"], wide()).await;
    let sandbox: Arc<dyn Store> = open(&path, &key, World::Sandbox).expect("opens");
    accept(&sandbox, vec![signup("acme", 1)]).await;
    let refused = live.claim(&worker("one"), 1, LEASE, TIMEOUT).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    let mut batch = live.begin().await.expect("begins");
    batch.add_recipe(RECIPE, "{}").await.expect("added");
    batch.add(vec![signup("acme", 2)]).await.expect("added");
    let refused = batch.commit().await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    assert_eq!(world_of(&path).expect("readable"), Some(World::Sandbox));
}

#[tokio::test]
async fn another_secret_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    drop(open(&path, &SealingKey::generate().0, World::Live).expect("opens"));
    let text = message(open(&path, &SealingKey::generate().0, World::Live));
    assert!(text.contains("another secret key"), "{text}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let key = SealingKey::generate().0;
    drop(open(&path, &key, World::Live).expect("opens"));
    let file = rusqlite::Connection::open(&path).expect("opens");
    file.pragma_update(None, "user_version", 99).expect("set");
    drop(file);
    let text = message(open(&path, &key, World::Live));
    assert!(text.contains("version 99"), "{text}");
}

#[tokio::test]
async fn what_is_not_a_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    let text = "these are my notes, please keep them ".repeat(100);
    std::fs::write(&path, &text).expect("written");
    let refused = message(open(&path, &SealingKey::generate().0, World::Live));
    assert!(refused.contains("not a SQLite database"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    let refused = message(open(
        &folder.path().join("no/such/folder.db"),
        &SealingKey::generate().0,
        World::Live,
    ));
    assert!(refused.contains("folder"), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _path, store) = fresh();
    accept(&store, vec![signup("acme", 1)]).await;
    for file in ["store.db", "store.db-wal", "store.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(file))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_password_is_in_clear_nowhere_in_the_files() {
    let (folder, _path, store) = fresh();
    accept(&store, (0..100).map(|n| signup("acme", n)).collect()).await;
    let password = store
        .password(signup("acme", 7).new.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(password.secret(), &Secret::new("planted-password"));
    for entry in std::fs::read_dir(folder.path()).expect("listed") {
        let bytes = std::fs::read(entry.expect("listed").path()).expect("read");
        assert!(
            !bytes
                .windows(16)
                .any(|window| window == b"planted-password")
        );
    }
}

#[tokio::test]
async fn an_operation_that_fails_undoes_its_neighbours_and_says_so_and_the_store_goes_on() {
    let (_folder, _path, store) = fresh();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    // A batch whose recipe is missing breaks a foreign key, which is found out while writing.
    let mut broken = signup("acme", 2);
    broken.new.recipe = "no such recipe".to_owned();
    let mut batch = store.begin().await.expect("begins");
    batch.add(vec![broken]).await.expect("added");
    let refused = batch.commit().await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    let held = claim_one(&store, "one").await;
    assert_eq!(held.lease.id, signup("acme", 1).new.id);
    let again = offer(&store, vec![signup("acme", 2)]).await;
    assert_eq!(
        again,
        Committed::Accepted {
            accepted: 1,
            duplicates: 0,
            batch: None,
            numbers_in_use: Vec::new(),
        }
    );
    assert!(store.recipe(RECIPE).await.expect("read").is_some());
}

/// Makes every write of progress fail, or no more.
fn break_writes(path: &Path, broken: bool) {
    let file = rusqlite::Connection::open(path).expect("opens");
    file.execute_batch(if broken {
        "CREATE TRIGGER made_up BEFORE UPDATE ON progress BEGIN SELECT RAISE(ABORT, 'made up'); END"
    } else {
        "DROP TRIGGER made_up"
    })
    .expect("changed");
}

#[tokio::test]
async fn a_write_that_was_undone_leaves_the_lease_and_can_be_made_again() {
    let (_folder, path, store) = fresh();
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let ends = [
        (Then::Succeed, State::Succeeded),
        (failure(), State::Failed),
        (
            Then::Release {
                delay: Duration::from_secs(60),
            },
            State::Queued,
        ),
    ];
    for (then, state) in ends {
        let held = claim_one(&store, "one").await;
        break_writes(&path, true);
        let refused = store
            .advance(&held.lease, done(0, &held.permit, then.clone()))
            .await;
        assert!(
            matches!(refused, Err(Error::Unavailable { .. })),
            "{refused:?}"
        );
        break_writes(&path, false);
        advance(&store, &held, done(0, &held.permit, then)).await;
        let found = store
            .get(held.lease.id)
            .await
            .expect("read")
            .expect("there");
        assert_eq!(found.state, state);
        assert!(
            found.journal.trunk_sid().is_some(),
            "what was done is on record"
        );
    }
}

#[tokio::test]
async fn a_claim_that_was_undone_is_handed_out_again() {
    let (_folder, path, store) = fresh();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    break_writes(&path, true);
    let refused = store.claim(&worker("one"), 1, LEASE, TIMEOUT).await;
    assert!(refused.is_err());
    break_writes(&path, false);
    let held = claim_one(&store, "one").await;
    assert_eq!(held.lease.epoch, 1);
    assert!(!held.verify, "nothing was handed out before");
}

#[tokio::test]
async fn a_damaged_row_is_set_aside_and_keeps_nobody_back() {
    let (_folder, path, store) = fresh();
    accept(
        &store,
        vec![signup("acme", 1), signup("acme", 2), signup("globex", 3)],
    )
    .await;
    let file = rusqlite::Connection::open(&path).expect("opens");
    file.execute(
        "UPDATE onboarding SET plan = '{\"steps\":[{\"step\":\"from_the_future\"}]}' WHERE seq = 1",
        [],
    )
    .expect("damaged");
    drop(file);
    register(&store, "one", &["acme", "globex"], wide()).await;
    assert_eq!(claim(&store, "one", 10).await.len(), 2);
    let tally = store.tally().await.expect("countable");
    assert_eq!((tally.of(State::Failed), tally.of(State::Running)), (1, 2));
}

#[cfg(unix)]
#[tokio::test]
async fn one_file_has_one_worker_however_its_path_is_spelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let key = SealingKey::generate().0;
    let first = open(&path, &key, World::Live).expect("opens");
    first
        .register(&worker("one"), &[])
        .await
        .expect("the place is free");
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    let second = open(&link, &key, World::Live).expect("opens");
    let refused = second.register(&worker("two"), &[]).await;
    assert!(
        matches!(refused, Err(Error::WorkerRunning { .. })),
        "{refused:?}"
    );
}
