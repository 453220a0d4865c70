//! What is particular to how the embedded store tells: what leaves the file, what an older file
//! becomes, and that its counts are those of its rows.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use onboarding::{OnboardingId, State};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use store::{
    AfterAttempt, Attempt, BatchNumber, Committed, DeliveryFilter, DeliveryId, DeliveryState,
    Error, NewDelivery, NewRefused, Position, Remembered, SealingKey, SqliteOptions, Store, Then,
    What, World,
    clock::ManualClock,
    conformance::sample::{
        accept, account, advance, claim, claim_one, done, failure, offer_from, only, register,
        signup, traced, wide,
    },
    feed, outbox, refused,
    sqlite::SqliteStore,
};

/// More than the store takes between two looks for what is to leave.
const A_WHILE: Duration = Duration::from_secs(10);

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
    key: SealingKey,
    clock: ManualClock,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            path: folder.path().join("store.db"),
            _folder: folder,
            key: SealingKey::generate().0,
            clock: ManualClock::at(1_800_000_000_000),
        }
    }

    fn open(&self) -> Arc<dyn Store> {
        let opened = SqliteStore::open(SqliteOptions {
            path: self.path.clone(),
            patience: store::sqlite::BUSY_TIMEOUT,
            key: self.key.clone(),
            world: World::Live,
            clock: Arc::new(self.clock.clone()),
        });
        opened.expect("the store opens")
    }

    /// The file, beside the store.
    fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(&self.path).expect("opens")
    }

    fn rows(&self, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        let counted = self.raw().query_row(&sql, [], |row| row.get(0));
        counted.expect("counted")
    }

    /// Fills the feed without doing it all: so many accounts that went on, just now.
    fn fill_feed(&self, store_lane: i64, many: u64) {
        let now = store::clock::Clock::now_ms(&self.clock);
        let filled = self.raw().execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
             INSERT INTO happening (at, what, subject) SELECT ?2, 17, ?3 FROM n",
            (many, now, store_lane),
        );
        filled.expect("filled");
    }
}

/// Some write, which takes the time to see what is to leave.
async fn write(store: &Arc<dyn Store>) {
    let asked = store.remember("any", "any", [1; 32], A_WHILE / 2).await;
    asked.expect("answered");
}

async fn lay_out(store: &Arc<dyn Store>, before: Option<&str>, n: u64) -> DeliveryId {
    let onboarding = signup("acme", n).new.id;
    let new = NewDelivery {
        id: DeliveryId::of("crm", &Position(n.to_string()), &onboarding.to_bytes()),
        endpoint: "crm".to_owned(),
        event: "onboarding.succeeded".to_owned(),
        onboarding: Some(onboarding),
        payload: "{}".to_owned(),
    };
    let id = new.id.clone();
    let laid = store.lay_out(before, &n.to_string(), vec![new]).await;
    assert!(laid.expect("laid out"));
    id
}

#[tokio::test]
async fn what_happened_leaves_after_its_time_in_pieces_and_no_position_comes_twice() {
    let file = File::new();
    let store = file.open();
    let park = async |reason| store.park_account(&account("acme"), reason).await;
    park("first").await.expect("parked");
    file.fill_feed(1, 1200);
    file.clock.advance(feed::KEPT / 2);
    let resumed = store.resume_account(&account("acme")).await;
    resumed.expect("resumed");
    assert_eq!(file.rows("happening"), 1202);
    file.clock.advance(feed::KEPT / 2 + A_WHILE);
    for left in [702, 202, 1] {
        write(&store).await;
        assert_eq!(file.rows("happening"), left);
        write(&store).await;
        assert_eq!(file.rows("happening"), left, "not again at once");
        file.clock.advance(Duration::from_millis(100));
    }
    let told = store.happenings(Some(&Position("3".to_owned())), 10).await;
    let told = told.expect("readable");
    assert_eq!(told.len(), 1, "from the oldest that is kept");
    let last = told[0].position.clone();
    // However long nothing happens, what comes next is after what was.
    file.clock.advance(feed::KEPT + A_WHILE);
    write(&store).await;
    drop(store);
    let store = file.open();
    let parked = store.park_account(&account("acme"), "again").await;
    parked.expect("parked");
    let told = store.happenings(Some(&last), 10).await.expect("readable");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].position, Position("1203".to_owned()));
}

#[tokio::test]
async fn a_delivery_leaves_a_week_after_it_ended_and_never_while_it_waits() {
    let file = File::new();
    let store = file.open();
    let delivered = lay_out(&store, None, 1).await;
    let waiting = lay_out(&store, Some("1"), 2).await;
    let due = store.take_due(1, A_WHILE).await.expect("answered");
    assert_eq!(due.deliveries[0].id, delivered);
    let made = Attempt {
        status: Some(204),
        error: None,
        duration_ms: 1,
    };
    let told = store.attempted(&delivered, 1, made, AfterAttempt::Delivered);
    assert!(told.await.expect("answered"));
    file.clock.advance(outbox::ENDED_KEPT - A_WHILE);
    write(&store).await;
    assert!(store.delivery(&delivered).await.expect("read").is_some());
    file.clock.advance(A_WHILE * 2);
    write(&store).await;
    assert_eq!(store.delivery(&delivered).await.expect("read"), None);
    let left = store.delivery(&waiting).await.expect("read");
    assert_eq!(left.expect("there").state, DeliveryState::Waiting);
    let all = store.deliveries(&DeliveryFilter::default(), None, 10).await;
    assert_eq!(all.expect("listed").items.len(), 1);
}

#[tokio::test]
async fn a_question_that_is_over_leaves_the_file() {
    let file = File::new();
    let store = file.open();
    for n in 0..20 {
        let keep = Duration::from_secs(if n < 15 { 60 } else { 3600 });
        let key = format!("key-{n}");
        let asked = store.remember("partner", &key, [n; 32], keep).await;
        assert_eq!(asked.expect("answered"), Remembered::New);
    }
    file.clock.advance(Duration::from_secs(61));
    write(&store).await;
    assert_eq!(file.rows("answer WHERE scope = 'partner'"), 5);
}

#[tokio::test]
async fn a_refused_message_leaves_a_week_after_its_last_attempt() {
    let file = File::new();
    let store = file.open();
    let refuse = async |message: &str| {
        let refused = NewRefused {
            sender: "forms".to_owned(),
            message: message.to_owned(),
            status: 422,
            problems: "[]".to_owned(),
        };
        store.refuse(refused).await.expect("recorded");
    };
    refuse("given up").await;
    refuse("tried again").await;
    file.clock.advance(refused::KEPT - A_WHILE);
    refuse("tried again").await;
    file.clock.advance(A_WHILE * 2);
    write(&store).await;
    let left = store.refusals(None, None, 10).await.expect("listed").items;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].message, "tried again");
}

#[tokio::test]
async fn what_was_undone_is_neither_told_nor_counted() {
    let file = File::new();
    let store = file.open();
    let offered = offer_from(&store, "made up", vec![signup("acme", 0)]).await;
    let Committed::Accepted {
        batch: Some(number),
        ..
    } = offered
    else {
        panic!("it must be accepted: {offered:?}");
    };
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    let raw = file.raw();
    raw.execute_batch(
        "CREATE TRIGGER made_up AFTER UPDATE ON batch BEGIN SELECT RAISE(ABORT, 'made up'); END",
    )
    .expect("broken");
    for _ in 0..2 {
        let write = done(0, &held.permit, Then::Succeed);
        let refused = store.advance(&held.lease, write).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })));
    }
    raw.execute_batch("DROP TRIGGER made_up").expect("mended");
    let before = store.batch(number).await.expect("read").expect("there");
    assert_eq!((before.succeeded, before.open()), (0, 1));
    assert_eq!(store.latest().await.expect("read"), None);
    advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    assert_eq!(store.happenings(None, 10).await.expect("read").len(), 1);
    let after = store.batch(number).await.expect("read").expect("there");
    assert_eq!((after.succeeded, after.open()), (1, 0));
}

#[tokio::test]
async fn a_row_that_is_set_aside_is_told_of() {
    let file = File::new();
    let store = file.open();
    accept(&store, vec![signup("acme", 1)]).await;
    let damaged = file.raw().execute("UPDATE onboarding SET plan = '{}'", []);
    damaged.expect("damaged");
    register(&store, "one", &["acme"], wide()).await;
    assert!(claim(&store, "one", 1).await.is_empty());
    let told = store.happenings(None, 10).await.expect("readable");
    let expected = What::Moved {
        id: signup("acme", 1).new.id,
        state: State::Failed,
    };
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].what, expected);
}

/// What the rows themselves say of a batch: succeeded, failed, cancelled.
fn counted(file: &File, from: BatchNumber, many: u64) -> [u64; 3] {
    let last = from.0 + many - 1;
    [2, 3, 5].map(|state| {
        file.rows(&format!(
            "progress WHERE state = {state} AND seq BETWEEN {} AND {last}",
            from.0
        ))
    })
}

#[tokio::test]
async fn a_batch_counts_what_its_rows_say_whatever_was_done() {
    const SEED: u64 = 0x7e11;
    let mut random = StdRng::seed_from_u64(SEED);
    let file = File::new();
    let (store, elsewhere) = (file.open(), file.open());
    let mut batches = Vec::new();
    for b in 0..6_u64 {
        let signups: Vec<_> = (b * 20..b * 20 + 15).map(|n| signup("acme", n)).collect();
        let stray = vec![signup("acme", b * 20 + 15)];
        let offered = offer_from(&store, "made up", signups).await;
        let Committed::Accepted {
            batch: Some(number),
            accepted,
            ..
        } = offered
        else {
            panic!("it must be accepted: {offered:?}");
        };
        batches.push((number, accepted));
        // Between two batches there is one of none.
        accept(&store, stray).await;
    }
    register(&store, "one", &["acme"], wide()).await;
    let any = |random: &mut StdRng| -> OnboardingId {
        signup("acme", random.random_range(0..120)).new.id
    };
    for round in 0..60 {
        for held in claim(&store, "one", 5).await {
            let then = match random.random_range(0..4) {
                0 => failure(),
                1 => Then::Abandon,
                _ => Then::Succeed,
            };
            if random.random_bool(0.2) {
                elsewhere.cancel(held.lease.id).await.expect("answered");
            }
            advance(&store, &held, only(&held.permit, then)).await;
        }
        for _ in 0..4 {
            let id = any(&mut random);
            elsewhere.cancel(id).await.expect("answered");
            store
                .retry(any(&mut random), false)
                .await
                .expect("answered");
        }
        for (number, accepted) in &batches {
            let status = elsewhere
                .batch(*number)
                .await
                .expect("read")
                .expect("there");
            let told = [status.succeeded, status.failed, status.cancelled];
            let rows = counted(&file, *number, *accepted);
            assert_eq!(told, rows, "batch {number}, round {round}, seed {SEED:#x}");
        }
    }
}

#[tokio::test]
async fn a_file_of_the_last_version_goes_on_with_what_it_had() {
    let file = File::new();
    let raw = file.raw();
    for version in [
        include_str!("../src/sqlite/migrations/0001_initial.sql"),
        include_str!("../src/sqlite/migrations/0002_moves.sql"),
    ] {
        raw.execute_batch(version).expect("made");
    }
    raw.pragma_update(None, "user_version", 2).expect("set");
    let old = signup("acme", 1).new;
    let plan = serde_json::to_string(&old.plan).expect("written");
    raw.execute_batch(
        "INSERT INTO recipe (digest, json) VALUES ('made up', '{}'); \
         INSERT INTO lane (account) VALUES ('acme')",
    )
    .expect("filled");
    raw.execute(
        "INSERT INTO onboarding (id, key, lane, partner, number, direction, signup, recipe, \
         plan, created_at) VALUES (?1, ?2, 1, 'vapi', ?3, 0, ?4, 'made up', ?5, 0)",
        (
            old.id.to_bytes(),
            old.key.as_str(),
            old.number.as_str(),
            &old.signup,
            plan,
        ),
    )
    .expect("filled");
    raw.execute_batch("INSERT INTO progress (seq, lane, updated_at) VALUES (1, 1, 0)")
        .expect("filled");
    drop(raw);
    let store = file.open();
    accept(&store, vec![traced("acme", 2)]).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    assert_eq!((held.lease.id, held.trace), (old.id, None));
    advance(&store, &held, only(&held.permit, Then::Succeed)).await;
    let newer = claim_one(&store, "one").await;
    assert_eq!(newer.trace, traced("acme", 2).new.trace);
    assert_eq!(store.happenings(None, 10).await.expect("read").len(), 1);
    assert!(store.batches(None, 10).await.expect("listed").is_empty());
}
