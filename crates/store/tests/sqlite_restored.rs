//! A database that was restored, or copied, is noticed: what is not finished in it is read back before
//! it is written again.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use onboarding::State;
use store::{
    SealingKey, SqliteOptions, Store, Then, World,
    clock::ManualClock,
    conformance::sample::{
        WINDOW, accept, account, advance, claim, claim_one, done, failure, register, signup, wide,
    },
    sqlite::{BUSY_TIMEOUT, SqliteStore},
};

/// In which a counter grows.
const STEP: Duration = Duration::from_secs(1);

/// For how long accounts are closed after a restore.
const CLOSED: Duration = Duration::from_secs(12);

struct File {
    folder: tempfile::TempDir,
    key: SealingKey,
    clock: ManualClock,
}

impl File {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            key: SealingKey::generate().0,
            clock: ManualClock::at(1_800_000_000_000),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Arc<dyn Store> {
        SqliteStore::open(SqliteOptions {
            path: self.path("store.db"),
            key: self.key.clone(),
            world: World::Live,
            clock: Arc::new(self.clock.clone()),
            patience: BUSY_TIMEOUT,
        })
        .expect("the store opens")
    }

    fn back_up(&self) -> PathBuf {
        let backup = self.path("backup.db");
        let file = rusqlite::Connection::open(self.path("store.db")).expect("opens");
        file.execute("VACUUM INTO ?1", [backup.to_str()])
            .expect("backed up");
        backup
    }

    /// Opens it as a worker does that begins.
    async fn work(&self, name: &str) -> Arc<dyn Store> {
        let store = self.open();
        register(&store, name, &["acme"], wide()).await;
        store
    }

    /// Whether all of the first `n` that can be claimed are handed out in doubt, or none of them; and
    /// whether their account was closed before.
    async fn doubted(&self, n: usize) -> bool {
        let store = self.work("later").await;
        let closed = claim(&store, "later", n).await.is_empty();
        self.clock.advance(if closed { CLOSED } else { STEP * 4 });
        let claims = claim(&store, "later", n).await;
        assert_eq!(claims.len(), n);
        // What was claimed at the first try came back in doubt, as after any worker's end.
        let doubted = claims.iter().filter(|claim| claim.verify).count();
        assert!(!closed || doubted == n, "{closed} {doubted}");
        closed
    }
}

/// Done in the time between a backup and the restore: one ends, the others go on to wait.
async fn work_on(store: &Arc<dyn Store>, clock: &ManualClock) {
    for _ in 0..3 {
        clock.advance(STEP);
        let held = claim_one(store, "one").await;
        advance(store, &held, done(0, &held.permit, Then::Succeed)).await;
    }
}

fn remove_logs(path: &Path) {
    for suffix in ["-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{suffix}", path.display())));
    }
}

#[tokio::test]
async fn a_backup_that_is_put_in_place_is_noticed() {
    let file = File::new();
    let store = file.work("one").await;
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    let backup = file.back_up();
    // Right after the backup, and not for long: the counter has not grown.
    let held = claim_one(&store, "one").await;
    advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    drop(store);
    fs::rename(backup, file.path("store.db")).expect("restored");
    assert!(file.doubted(5).await);
    // It is worked on as any other then.
    assert!(!file.doubted(5).await);
}

#[tokio::test]
async fn a_backup_that_is_written_over_the_file_is_noticed() {
    let file = File::new();
    let store = file.work("one").await;
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    let backup = file.back_up();
    work_on(&store, &file.clock).await;
    drop(store);
    let path = file.path("store.db");
    remove_logs(&path);
    fs::copy(backup, &path).expect("written over");
    assert!(file.doubted(5).await);
}

#[tokio::test]
async fn a_backup_from_before_the_first_worker_is_noticed() {
    let file = File::new();
    let store = file.open();
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    let backup = file.back_up();
    drop(store);
    let store = file.work("one").await;
    work_on(&store, &file.clock).await;
    drop(store);
    fs::rename(backup, file.path("store.db")).expect("restored");
    assert!(file.doubted(5).await);
}

#[tokio::test]
async fn a_file_whose_counter_is_gone_or_damaged_is_taken_for_a_restored_one() {
    for damage in [None, Some(""), Some("12x"), Some("-1")] {
        let file = File::new();
        let store = file.work("one").await;
        accept(&store, (0..4).map(|n| signup("acme", n)).collect()).await;
        work_on(&store, &file.clock).await;
        drop(store);
        let counter = file.path("store.db.mark");
        match damage {
            None => fs::remove_file(counter).expect("removed"),
            Some(text) => fs::write(counter, text).expect("written"),
        }
        assert!(file.doubted(1).await, "{damage:?}");
    }
}

#[tokio::test]
async fn a_restart_and_a_change_of_the_clock_are_no_restore() {
    let file = File::new();
    let store = file.work("one").await;
    accept(&store, (0..5).map(|n| signup("acme", n)).collect()).await;
    work_on(&store, &file.clock).await;
    drop(store);
    assert!(!file.doubted(2).await);
    file.clock.set_by(-3_600_000);
    assert!(!file.doubted(2).await);
    file.clock.reboot();
    assert!(!file.doubted(2).await);
}

#[tokio::test]
async fn what_is_finished_is_left_as_it_is_after_a_restore() {
    let file = File::new();
    let store = file.work("one").await;
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    for then in [Then::Succeed, failure()] {
        let held = claim_one(&store, "one").await;
        advance(&store, &held, done(0, &held.permit, then)).await;
    }
    let before = store.tally().await.expect("countable");
    drop(store);
    fs::remove_file(file.path("store.db.mark")).expect("removed");
    let store = file.work("two").await;
    assert_eq!(store.tally().await.expect("countable"), before);
    assert_eq!(before.of(State::Succeeded), 1);
    file.clock.advance(CLOSED);
    assert!(claim_one(&store, "two").await.verify);
    let opened = store.accounts().await.expect("readable");
    let acme = opened.iter().find(|it| it.name == account("acme"));
    assert_eq!(acme.expect("there").closed_until, None);
    assert!(CLOSED >= WINDOW);
}

#[tokio::test]
async fn the_counter_beside_the_file_is_never_ahead_of_it_and_its_owners_alone() {
    let file = File::new();
    let store = file.work("one").await;
    accept(&store, (0..20).map(|n| signup("acme", n)).collect()).await;
    let counter = file.path("store.db.mark");
    let reader = rusqlite::Connection::open(file.path("store.db")).expect("opens");
    let mut last = 0;
    for _ in 0..6 {
        work_on(&store, &file.clock).await;
        let beside = fs::read_to_string(&counter).expect("there");
        let beside: i64 = beside.trim_end().parse().expect("a number");
        let inside: i64 = reader
            .query_row("SELECT counter FROM work_mark", [], |row| row.get(0))
            .expect("there");
        assert!(
            beside <= inside && beside > last,
            "{beside} {inside} {last}"
        );
        last = beside;
    }
    let mode = fs::metadata(&counter).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
