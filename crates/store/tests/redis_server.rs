//! What is particular to the store on Redis: its server.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be set up is a failed test"
)]

mod opening;

use std::{collections::BTreeMap, ops::Range, path::Path, sync::Arc, time::Duration};

use onboarding::{OnboardingId, Secret, State, StepState};
use redis_fixture::Server;
use store::{
    Advanced, Cancelled, Committed, Error, Filter, Granted, SealingKey, Store, Then, World,
    conformance::sample::{
        LEASE, RECIPE, TIMEOUT, WINDOW, accept, advance, answered, claim, claim_one, done, failure,
        offer, register, signup, wide, with_content, with_trunk_name, worker,
    },
    redis::world_of,
};

use opening::{Opening, PATIENCE, at_last};

/// Every key and how many fields, members, items or bytes it has; without those that go by
/// themselves when their time is over, and the feed, which keeps what happened for days.
fn sizes(server: &Server) -> BTreeMap<String, u64> {
    let ask = |command: &[&str]| server.ask(command).expect("answered");
    let number = |command: &[&str]| ask(command).parse::<i64>().expect("a number");
    let keys = ask(&["KEYS", "*"]);
    keys.lines()
        .filter(|key| number(&["TTL", key]) == -1 && !key.ends_with(":feed"))
        .map(|key| {
            let size = match ask(&["TYPE", key]).as_str() {
                "hash" => "HLEN",
                "zset" => "ZCARD",
                "list" => "LLEN",
                "set" => "SCARD",
                _ => "STRLEN",
            };
            let size = u64::try_from(number(&[size, key])).expect("a size");
            (key.to_owned(), size)
        })
        .collect()
}

/// Claims, as workers do all the time, and ends what it gets, until nothing is left.
async fn until_empty(store: &Arc<dyn Store>, name: &str) {
    let emptied = async {
        while store.tally().await.expect("counted").total() > 0 {
            for held in claim(store, name, 100).await {
                advance(store, &held, done(0, &held.permit, Then::Succeed)).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, emptied)
        .await
        .expect("what is finished leaves when its time is over");
}

#[tokio::test]
async fn what_was_accepted_and_recorded_survives_kill_9_of_the_server() {
    let mut server = Server::with_aof();
    let opening = Opening::of(&server, "made-up");
    let store = opening.open().await;
    accept(&store, (0..1000).map(|n| signup("acme", n)).collect()).await;
    accept(&store, vec![signup("globex", 2000)]).await;
    register(&store, "one", &["globex"], wide()).await;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, done(0, &held.permit, Then::Keep)).await;
    server.kill();
    server.restart();
    // The handle from before finds its way back, and another one sees the same.
    for store in [&store, &opening.open().await] {
        let found = at_last(|| store.get(held.lease.id)).await.expect("there");
        let first = found.journal.record(0).map(|record| record.state);
        assert_eq!(
            (found.state, first),
            (State::Running, Some(StepState::Done))
        );
        assert_eq!(store.tally().await.expect("counted").total(), 1001);
        let last = signup("acme", 999).new;
        let password = store.password(last.id).await.expect("read");
        assert_eq!(password, last.password);
    }
    let kept = store
        .advance(&held.lease, done(1, &held.permit, Then::Keep))
        .await;
    assert!(kept.is_ok(), "the lease is still held: {kept:?}");
}

#[tokio::test]
async fn nothing_accepted_is_lost_or_doubled_however_often_the_server_is_killed() {
    let mut server = Server::with_aof();
    let opening = Opening::of(&server, "made-up");
    let store = opening.open().await;
    let batches = 60_u64;
    // Large ones among the small: they take many commands.
    let size = |batch: u64| if batch % 6 == 5 { 600 } else { 3 };
    let signups = move |batch: u64| -> Vec<_> {
        (0..size(batch))
            .map(|n| signup("acme", 1000 * batch + n))
            .collect()
    };
    let producing = tokio::spawn({
        let store = store.clone();
        async move {
            for batch in 0..batches {
                let committed = at_last(async || {
                    let mut adding = store.begin().await?;
                    adding.add_recipe(RECIPE, "{}").await?;
                    adding.add(signups(batch)).await?;
                    adding.commit().await
                })
                .await;
                let Committed::Accepted {
                    accepted,
                    duplicates,
                    ..
                } = committed
                else {
                    panic!("{committed:?}");
                };
                assert_eq!(accepted + duplicates, size(batch), "batch {batch}");
            }
        }
    });
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.kill();
        server.restart();
    }
    tokio::time::timeout(PATIENCE, producing)
        .await
        .expect("the producer comes to its end")
        .expect("all is accepted");
    let expected: u64 = (0..batches).map(size).sum();
    let store = opening.open().await;
    assert_eq!(store.tally().await.expect("counted").total(), expected);
    register(&store, "one", &["acme"], wide()).await;
    let mut seen = std::collections::HashSet::new();
    while seen.len() < usize::try_from(expected).expect("few") {
        let claims = claim(&store, "one", 100).await;
        assert!(!claims.is_empty(), "{} of {expected}", seen.len());
        for held in claims {
            assert!(seen.insert(held.lease.id), "handed out twice");
            assert_eq!(held.lease.epoch, 1);
            advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
        }
    }
    assert!(claim(&store, "one", 100).await.is_empty());
}

fn files_under(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            bytes.extend(files_under(&path));
        } else {
            bytes.extend(std::fs::read(path).expect("read"));
        }
    }
    bytes
}

#[tokio::test]
async fn a_password_is_in_clear_nowhere_on_the_server() {
    let server = Server::start(&["appendonly yes", "appendfsync always", "rdbcompression no"]);
    let opening = Opening::of(&server, "made-up");
    let store = opening.open().await;
    accept(&store, (0..300).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    assert_eq!(
        held.password.as_ref().map(|password| password.secret()),
        Some(&Secret::new("planted-password"))
    );
    advance(&store, &held, done(0, &held.permit, Then::Keep)).await;
    server.ask(&["SAVE"]).expect("a dump is written");
    let written = files_under(server.folder());
    let has = |needle: &[u8]| written.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"{made-up}:"), "the search finds what is there");
    assert!(has(b"REDIS0"), "the dump is among the files");
    assert!(!has(b"planted-password"));
    assert!(!server.log().contains("planted-password"));
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let server = Server::start(&[]);
    let opening = Opening::of(&server, "made-up");
    drop(opening.open().await);
    let newer = ["HSET", "{made-up}:meta", "schema", "999"];
    server.ask(&newer).expect("written");
    let refused = opening.refusal().await;
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused:?}");
    assert!(refused.to_string().contains("999"), "{refused}");
}

#[tokio::test]
async fn another_secret_key_is_refused() {
    let server = Server::start(&[]);
    let opening = Opening::of(&server, "made-up");
    drop(opening.open().await);
    let other = Opening {
        key: SealingKey::generate().0,
        ..opening.clone()
    };
    let refused = other.refusal().await;
    assert!(matches!(refused, Error::Unusable { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains("another secret key"),
        "{refused}"
    );
    drop(opening.open().await);
}

#[tokio::test]
async fn sandbox_and_live_are_never_mixed_in_one_store() {
    let server = Server::start(&[]);
    for (made, asked) in [(World::Live, World::Sandbox), (World::Sandbox, World::Live)] {
        let made = Opening {
            world: made,
            ..Opening::of(&server, &format!("made-up-{made:?}"))
        };
        let asked = Opening {
            world: asked,
            ..made.clone()
        };
        // Nothing is in it yet, so it may still become either.
        drop(asked.open().await);
        assert_eq!(world_of(&made.place()).await.expect("readable"), None);
        accept(&made.open().await, vec![signup("acme", 1)]).await;
        let world = world_of(&made.place()).await.expect("readable");
        assert_eq!(world, Some(made.world));
        let refused = asked.refusal().await;
        assert!(matches!(refused, Error::Unusable { .. }), "{refused:?}");
        drop(made.open().await);
    }
}

#[tokio::test]
async fn who_opened_an_empty_store_neither_fills_nor_runs_what_another_world_put_there() {
    let server = Server::start(&[]);
    let opening = Opening::of(&server, "made-up");
    let live = opening.open().await;
    register(&live, "one", &["acme"], wide()).await;
    let sandbox = Opening {
        world: World::Sandbox,
        ..opening.clone()
    };
    accept(&sandbox.open().await, vec![signup("acme", 1)]).await;
    let refused = live.claim(&worker("one"), 1, LEASE, TIMEOUT).await;
    assert!(
        matches!(refused, Err(Error::Unusable { .. })),
        "{refused:?}"
    );
    for many in [1, 1000_u64] {
        let mut batch = live.begin().await.expect("begins");
        batch.add_recipe(RECIPE, "{}").await.expect("added");
        let signups = (0..many).map(|n| signup("acme", 10 + n)).collect();
        batch.add(signups).await.expect("added");
        let refused = batch.commit().await;
        assert!(
            matches!(refused, Err(Error::Unusable { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_may_throw_work_away_is_refused() {
    let server = Server::start(&["maxmemory-policy allkeys-lru"]);
    let refused = Opening::of(&server, "made-up").refusal().await;
    assert!(matches!(refused, Error::Unusable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("noeviction"), "{refused}");
}

#[tokio::test]
async fn all_keys_of_a_store_carry_its_name_and_stores_do_not_see_each_other() {
    let server = Server::start(&[]);
    let first = Opening::of(&server, "first").open().await;
    // A large batch and a small one, and all that can become of an onboarding.
    accept(&first, (0..600).map(|n| signup("acme", n)).collect()).await;
    accept(&first, vec![signup("globex", 1000)]).await;
    register(&first, "one", &["acme", "globex"], wide()).await;
    let ends = [
        Then::Keep,
        Then::Succeed,
        failure(),
        Then::PermitOrWait,
        Then::Abandon,
        Then::Release {
            delay: Duration::from_secs(600),
        },
    ];
    for then in ends {
        let held = claim_one(&first, "one").await;
        advance(&first, &held, done(0, &held.permit, then)).await;
    }
    let account = signup("globex", 1).new.account;
    first
        .park_account(&account, "made up")
        .await
        .expect("parked");
    let id = signup("acme", 500).new.id;
    assert_eq!(first.cancel(id).await.expect("answered"), Cancelled::Now);
    let keys = server.ask(&["KEYS", "*"]).expect("listed");
    assert!(keys.lines().count() > 5, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("{first}:"), "{key}");
    }
    let second = Opening::of(&server, "second").open().await;
    assert_eq!(second.tally().await.expect("counted").total(), 0);
    assert!(second.accounts().await.expect("listed").is_empty());
    accept(&second, vec![with_content("acme", 1, "other")]).await;
    assert_eq!(first.tally().await.expect("counted").total(), 601);
}

#[tokio::test]
async fn what_is_finished_leaves_when_its_time_is_over_and_its_ids_are_free_again() {
    let keep = Duration::from_millis(600);
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").keeping(keep).open().await;
    accept(&store, (0..4).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let id = |n| -> OnboardingId { signup("acme", n).new.id };
    for then in [Then::Succeed, failure()] {
        let held = claim_one(&store, "one").await;
        advance(&store, &held, done(0, &held.permit, then)).await;
    }
    store.cancel(id(2)).await.expect("cancelled");
    // Until then it is the same onboarding.
    let committed = offer(&store, vec![signup("acme", 0)]).await;
    let known = Committed::Accepted {
        accepted: 0,
        duplicates: 1,
        batch: None,
        numbers_in_use: Vec::new(),
    };
    assert_eq!(committed, known);
    let left = async {
        while store.tally().await.expect("counted").total() > 2 {
            claim(&store, "one", 0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, left)
        .await
        .expect("both leave");
    // A person still has to decide about the failed one, and the waiting one waits.
    for (n, state) in [(1, State::Failed), (3, State::Queued)] {
        let found = store.get(id(n)).await.expect("read").expect("there");
        assert_eq!(found.state, state);
    }
    for n in [0, 2] {
        assert!(store.get(id(n)).await.expect("read").is_none());
        assert_eq!(store.password(id(n)).await.expect("read"), None);
    }
    let page = store.list(&Filter::default(), None, 10).await;
    assert_eq!(page.expect("listed").items.len(), 2);
    accept(
        &store,
        vec![with_content("acme", 0, "other"), signup("acme", 2)],
    )
    .await;
    let found = store.get(id(0)).await.expect("read").expect("there");
    assert_eq!((found.state, found.epoch), (State::Queued, 0));
    let claims = claim(&store, "one", 10).await;
    assert_eq!(claims.len(), 3);
    assert!(claims.iter().all(|claim| claim.lease.epoch == 1));
}

#[tokio::test]
async fn a_cancelled_onboarding_that_was_retried_does_not_leave() {
    let keep = Duration::from_millis(300);
    let server = Server::start(&[]);
    let store = Opening::of(&server, "made-up").keeping(keep).open().await;
    accept(&store, vec![signup("acme", 1), signup("acme", 2)]).await;
    register(&store, "one", &["globex"], wide()).await;
    let (retried, cancelled) = (signup("acme", 1).new.id, signup("acme", 2).new.id);
    store.cancel(retried).await.expect("cancelled");
    store.cancel(cancelled).await.expect("cancelled");
    store.retry(retried, false).await.expect("retried");
    let gone = async {
        while store.get(cancelled).await.expect("read").is_some() {
            claim(&store, "one", 1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("the other one leaves");
    let found = store.get(retried).await.expect("read").expect("there");
    assert_eq!(found.state, State::Queued);
}

/// A thousand onboardings, in a batch that is laid down in chunks and in small ones, a tenth of
/// them with trunk names that a person chose; all come to an end, in every way that ends for good.
async fn thousand_go_through(store: &Arc<dyn Store>, first: u64) {
    let chosen = |n: u64| with_trunk_name("globex", n, &format!("chosen_{n}"));
    let plain = |range: Range<u64>| range.map(|n| signup("acme", n)).collect::<Vec<_>>();
    accept(store, plain(first..first + 800)).await;
    accept(store, plain(first + 800..first + 900)).await;
    accept(store, (first + 900..first + 1000).map(chosen).collect()).await;
    for waiting in (first..first + 1000).step_by(20) {
        let account = if waiting < first + 900 {
            "acme"
        } else {
            "globex"
        };
        let cancelled = store.cancel(signup(account, waiting).new.id).await;
        assert_eq!(cancelled.expect("answered"), Cancelled::Now);
    }
    let others = [
        failure(),
        Then::Abandon,
        Then::Release {
            delay: Duration::from_millis(50),
        },
        Then::PermitOrWait,
    ];
    for then in others.iter().cycle().take(40) {
        let held = claim_one(store, "one").await;
        let advanced = advance(store, &held, done(0, &held.permit, then.clone())).await;
        if let Advanced::Permitted(permit) = advanced {
            advance(store, &held, done(1, &permit, failure())).await;
        }
        if matches!(then, Then::Fail { .. } | Then::PermitOrWait) {
            let cancelled = store.cancel(held.lease.id).await;
            assert_eq!(cancelled.expect("answered"), Cancelled::Now);
        }
    }
    until_empty(store, "one").await;
}

#[tokio::test]
async fn onboardings_that_went_through_leave_nothing_behind() {
    let server = Server::start(&[]);
    let keep = Duration::from_millis(200);
    let store = Opening::of(&server, "made-up").keeping(keep).open().await;
    register(&store, "one", &["acme", "globex"], wide()).await;
    let mut before = None;
    for round in 0..4_u64 {
        thousand_go_through(&store, 10_000 * round).await;
        // The permits come back, which the next request of each account notices.
        tokio::time::sleep(WINDOW + Duration::from_millis(150)).await;
        for account in ["acme", "globex"] {
            let account = signup(account, 0).new.account;
            let granted = store.permit(&account, TIMEOUT).await.expect("answered");
            let Granted::Permit(permit) = granted else {
                panic!("a permit was due: {granted:?}");
            };
            let settled = vec![answered(&permit)];
            store.settle(settled).await.expect("settled");
        }
        let now = sizes(&server);
        for gone in ["onboarding", "progress", "names", "queue", "failed", "done"] {
            assert_eq!(now.get(&format!("{{made-up}}:{gone}")), None, "{now:?}");
        }
        if let Some(before) = before.replace(now.clone()) {
            assert_same_size(&before, &now);
        }
    }
}

/// Ids lie packed in segments, of which the last one stays until it is full. Permits lie in segments of
/// time, and a round that took longer, or began later in one, lies in two more of each lane's two.
fn assert_same_size(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) {
    for (key, size) in now {
        let slack = u64::from(key.ends_with("order")) * 2 + u64::from(key.ends_with(":out")) * 4;
        let was = before.get(key).copied();
        let may = was.or((slack > 0).then_some(0)).map(|was| was + slack);
        assert!(Some(*size) <= may, "{key}: {size} after {was:?}");
    }
}

#[tokio::test]
async fn an_accepted_batch_waits_for_the_disk_where_the_server_can_tell() {
    let Some(server) = Server::newer(&["appendonly yes", "appendfsync everysec"]) else {
        return;
    };
    let store = Opening::of(&server, "made-up").open().await;
    accept(&store, vec![signup("acme", 1)]).await;
    let stats = server.ask(&["INFO", "commandstats"]).expect("answered");
    assert!(stats.contains("cmdstat_waitaof"), "{stats}");
}
