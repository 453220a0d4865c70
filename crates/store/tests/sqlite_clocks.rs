//! The embedded store's time: whatever the clocks of its processes say, and whoever sets them, no
//! window holds more than the limit, and nothing waits for longer than it would have.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{sync::Arc, time::Duration};

use store::{
    Granted, Limits, Permit, SealingKey, SqliteOptions, Store, Then, World,
    clock::ManualClock,
    conformance::sample::{
        LEASE, TIMEOUT, WINDOW, accept, account, advance, answered, claim, claim_one, done, narrow,
        register, signup, wide, worker,
    },
    sqlite::{BUSY_TIMEOUT, SqliteStore},
};

/// By how much times of permits are rounded up.
const STEP: Duration = Duration::from_millis(150);

const HOUR_MS: i64 = 60 * 60 * 1000;

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

    fn open(&self) -> Arc<dyn Store> {
        self.open_with(&self.clock)
    }

    fn open_with(&self, clock: &ManualClock) -> Arc<dyn Store> {
        SqliteStore::open(SqliteOptions {
            path: self.folder.path().join("store.db"),
            key: self.key.clone(),
            world: World::Live,
            clock: Arc::new(clock.clone()),
            patience: BUSY_TIMEOUT,
        })
        .expect("the store opens")
    }
}

async fn ask(store: &Arc<dyn Store>) -> Granted {
    let asked = store.permit(&account("acme"), TIMEOUT).await;
    asked.expect("answered")
}

async fn granted(store: &Arc<dyn Store>) -> Permit {
    let answer = ask(store).await;
    let Granted::Permit(permit) = answer else {
        panic!("a permit was due, not {answer:?}")
    };
    permit
}

async fn waits(store: &Arc<dyn Store>) -> Duration {
    let answer = ask(store).await;
    let Granted::Wait(wait) = answer else {
        panic!("a wait was due, not {answer:?}")
    };
    wait
}

/// Sends `n` requests that are answered at once.
async fn send(store: &Arc<dyn Store>, n: usize) {
    for _ in 0..n {
        let permit = granted(store).await;
        let settled = store.settle(vec![answered(&permit)]).await;
        settled.expect("settled");
    }
}

#[tokio::test]
async fn processes_whose_clocks_are_ten_minutes_apart_keep_to_one_limit() {
    let file = File::new();
    let one = file.open();
    register(&one, "one", &["acme"], narrow(10)).await;
    let ahead = file.open_with(&file.clock.elsewhere(10 * 60 * 1000));
    let behind = file.open_with(&file.clock.elsewhere(-10 * 60 * 1000));
    send(&one, 4).await;
    send(&ahead, 3).await;
    send(&behind, 3).await;
    for store in [&one, &ahead, &behind] {
        let wait = waits(store).await;
        assert!(wait <= WINDOW + STEP && wait + STEP >= WINDOW, "{wait:?}");
    }
    file.clock.advance(WINDOW + STEP);
    send(&behind, 10).await;
}

#[tokio::test]
async fn a_restart_with_another_time_of_day_changes_no_wait() {
    for by in [61_000, -61_000, 24 * HOUR_MS, -24 * HOUR_MS] {
        let file = File::new();
        let store = file.open();
        accept(&store, vec![signup("acme", 1)]).await;
        accept(&store, vec![signup("globex", 2)]).await;
        accept(&store, vec![signup("initech", 3)]).await;
        register(&store, "one", &["acme", "globex", "initech"], narrow(3)).await;
        send(&store, 3).await;
        let closed = Duration::from_secs(30);
        let close = store.close_account(&account("globex"), closed).await;
        close.expect("closed");
        let held = claim_one(&store, "one").await;
        let delay = Duration::from_secs(20);
        advance(
            &store,
            &held,
            done(0, &held.permit, Then::Release { delay }),
        )
        .await;
        drop(store);

        file.clock.set_by(by);
        let store = file.open();
        register(&store, "two", &["acme", "globex", "initech"], narrow(3)).await;
        let wait = waits(&store).await;
        assert!(
            wait <= WINDOW + STEP && wait + STEP >= WINDOW,
            "{by}: {wait:?}"
        );
        let claims = store.claim(&worker("two"), 9, LEASE, TIMEOUT).await;
        let claims = claims.expect("answered");
        assert!(claims.claims.is_empty(), "{by}");
        for (pass, name) in [
            (WINDOW + STEP, "acme"),
            (delay - WINDOW, "initech"),
            (closed - delay, "globex"),
        ] {
            file.clock.advance(pass);
            let held = claim_one(&store, "two").await;
            assert_eq!(held.lease.account, account(name), "{by}");
            advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
            assert!(claim(&store, "two", 9).await.is_empty(), "{by}");
        }
    }
}

#[tokio::test]
async fn accounts_are_shown_to_open_by_the_time_of_day_that_people_read() {
    let file = File::new();
    let store = file.open();
    register(&store, "one", &["acme"], wide()).await;
    let closed = Duration::from_secs(30);
    let close = store.close_account(&account("acme"), closed).await;
    close.expect("closed");
    drop(store);
    file.clock.set_by(HOUR_MS);
    let store = file.open();
    let status = store.accounts().await.expect("readable").remove(0);
    let opens = status.closed_until.expect("closed").as_millisecond();
    assert_eq!(opens, 1_800_000_000_000 + HOUR_MS + 30_000);
}

#[tokio::test]
async fn after_a_boot_what_was_in_use_counts_as_used_for_a_whole_window() {
    for by in [0, HOUR_MS, -HOUR_MS] {
        let file = File::new();
        let store = file.open();
        register(&store, "one", &["acme"], narrow(3)).await;
        send(&store, 2).await;
        let _unanswered = granted(&store).await;
        drop(store);
        file.clock.advance(WINDOW / 2);
        file.clock.set_by(by);
        file.clock.reboot();
        let store = file.open();
        let wait = waits(&store).await;
        assert!(
            wait <= WINDOW + STEP && wait + STEP >= WINDOW,
            "{by}: {wait:?}"
        );
        file.clock.advance(WINDOW + STEP);
        send(&store, 2).await;
        let wait = waits(&store).await;
        assert!(wait <= TIMEOUT + Duration::from_secs(1), "{by}: {wait:?}");
    }
}

#[tokio::test]
async fn a_delay_goes_on_over_a_boot_and_is_never_longer_than_it_was() {
    let second = Duration::from_secs(1);
    for (by, left) in [(0, 40), (30_000, 10), (HOUR_MS, 0), (-HOUR_MS, 60)] {
        let file = File::new();
        let store = file.open();
        accept(&store, vec![signup("acme", 1)]).await;
        register(&store, "one", &["acme"], wide()).await;
        let held = claim_one(&store, "one").await;
        let delay = 60 * second;
        advance(
            &store,
            &held,
            done(0, &held.permit, Then::Release { delay }),
        )
        .await;
        drop(store);
        // Off for 20 s by a clock that may have been set.
        file.clock.advance(20 * second);
        file.clock.set_by(by);
        file.clock.reboot();
        let store = file.open();
        register(&store, "two", &["acme"], wide()).await;
        if left > 0 {
            file.clock.advance(left * second - second / 2);
            assert!(claim(&store, "two", 1).await.is_empty(), "{by}");
            file.clock.advance(second / 2);
        }
        claim_one(&store, "two").await;
    }
}

#[tokio::test]
async fn requests_outside_of_onboardings_are_bounded_for_all_processes_together() {
    let file = File::new();
    let limits = Limits {
        in_flight: 10,
        ..wide()
    };
    let worker = file.open();
    accept(&worker, (0..20).map(|n| signup("acme", n)).collect()).await;
    register(&worker, "one", &["acme"], limits).await;
    assert_eq!(claim(&worker, "one", 20).await.len(), 10);

    let others = [file.open(), file.open(), file.open()];
    let first = granted(&others[0]).await;
    let _second = granted(&others[1]).await;
    let wait = waits(&others[2]).await;
    assert!(wait < Duration::from_secs(1), "{wait:?}");
    let settled = others[0].settle(vec![answered(&first)]).await;
    settled.expect("settled");
    let _third = granted(&others[2]).await;
    waits(&others[0]).await;

    // Those of processes that are gone come back when their requests have timed out.
    drop(others);
    let later = file.open();
    waits(&later).await;
    file.clock.advance(TIMEOUT + Duration::from_secs(1));
    let _fourth = granted(&later).await;
}
