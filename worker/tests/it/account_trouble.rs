//! The account is at fault, or Exotel is out.
#![expect(
    clippy::unwrap_used,
    reason = "a worker that does not end fails its test"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use onboarding::{OnboardingId, State, StepState};
use serde_json::json;
use store::{Feed, Inspect, NewOnboarding, Operate, Resumed, Store, What};
use worker::{Account, Event, Observer, Settings, Stats};

use crate::world::{DEADLINE, World, account, full, full_signup, settings, sid, signup, wide};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_answers_401_is_parked_others_go_on_and_resuming_finishes_it() {
    let world = World::new().await;
    let key = |name: &str, token: &str| json!({"account_sid": sid(name), "api_key": "key", "api_token": token});
    world
        .put(
            "accounts",
            &json!([key("acme", "other"), key("bolt", "token")]),
        )
        .await;
    let mut signups: Vec<_> = (0..5).map(|n| full_signup("acme", n)).collect();
    signups.extend((5..10).map(|n| full_signup("bolt", n)));
    let ids = world.enqueue(signups).await;
    let accounts = || vec![world.account("acme"), world.account("bolt")];
    let stats = world.drain(settings("w1"), accounts()).await;
    assert_eq!((stats.succeeded, stats.failed, stats.parked), (5, 0, 1));
    for id in &ids[..5] {
        assert_eq!(world.state(*id).await, State::Blocked);
    }
    let all = world.store.accounts().await.unwrap();
    let acme = all.iter().find(|it| it.name == account("acme")).unwrap();
    let reason = &acme.parked.as_ref().unwrap().reason;
    for word in ["token", "region", "accounts resume acme"] {
        assert!(reason.contains(word), "{reason}");
    }

    world
        .put(
            "accounts",
            &json!([key("acme", "token"), key("bolt", "token")]),
        )
        .await;
    let was = world.store.resume_account(&account("acme")).await.unwrap();
    assert_eq!(was, Resumed::Parked);
    let stats = world.drain(settings("w2"), accounts()).await;
    assert_eq!(stats.succeeded, 5);
    for id in &ids[..5] {
        let onboarding = world.onboarding(*id).await;
        assert_eq!(onboarding.state, State::Succeeded);
        let attempts = onboarding.journal.records().iter().map(|it| it.attempts);
        assert!(
            attempts.into_iter().all(|attempts| attempts == 1),
            "{onboarding:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_an_account_that_the_worker_does_not_have_is_left_for_others() {
    let world = World::new().await;
    let ids = world
        .enqueue(vec![full_signup("acme", 1), full_signup("bolt", 2)])
        .await;
    let stats = world
        .drain(settings("w1"), vec![world.account("bolt")])
        .await;
    assert_eq!(
        (stats.succeeded, stats.parked, stats.released),
        (1, 0, 0),
        "{stats:?}"
    );
    let waiting = world.onboarding(ids[0]).await;
    assert_eq!((waiting.state, waiting.epoch), (State::Queued, 0));
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    assert_eq!(world.state(ids[0]).await, State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_entry_that_cannot_be_used_parks_the_account_with_the_field() {
    let world = World::new().await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let mut config = world.config("acme");
    config.account_sid = "a/b".into();
    let broken = Account::new(account("acme"), config, wide());
    world.drain(settings("w"), vec![broken]).await;
    assert_eq!(world.state(id).await, State::Blocked);
    let all = world.store.accounts().await.unwrap();
    let reason = &all[0].parked.as_ref().unwrap().reason;
    assert!(reason.contains("account_sid"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_leave_fail_nothing_and_park_the_account_in_the_end() {
    let world = World::new().await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = world.config("acme");
    config.base_url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let account = Account::new(account("acme"), config, wide());
    let mut settings = settings("w");
    settings.outage_max = Duration::from_millis(300);
    let stats = world.drain(settings, vec![account]).await;
    assert_eq!((stats.failed, stats.parked, stats.requests), (0, 1, 0));
    let onboarding = world.onboarding(id).await;
    assert_eq!(onboarding.state, State::Blocked);
    let record = &onboarding.journal.records()[0];
    assert_eq!((record.state, record.attempts), (StepState::Pending, 0));
    assert_eq!(record.error.as_ref().unwrap().code, "connect_failed");
    let reason = parked(&world, "acme").await.unwrap();
    for word in ["has not answered", "connect", "accounts resume acme"] {
        assert!(reason.contains(word), "{reason}");
    }
}

/// Why an account is parked, if it is.
async fn parked(world: &World, name: &str) -> Option<String> {
    let all = world.store.accounts().await.unwrap();
    let own = all.into_iter().find(|it| it.name == account(name));
    own.unwrap().parked.map(|parked| parked.reason)
}

/// How often something was told of a worker, and of which accounts.
#[derive(Default)]
struct Told(Mutex<Vec<&'static str>>);

impl Observer for Told {
    fn event(&self, event: Event<'_>) {
        let mut told = self.0.lock().unwrap();
        if matches!(event, Event::Parked { .. }) {
            told.push("parked");
        } else if matches!(event, Event::Outage { .. }) {
            told.push("outage");
        } else if matches!(event, Event::Resumed { .. }) {
            told.push("resumed");
        }
    }
}

impl Told {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A worker that does not drain, until everything of `ids` is in `state`.
async fn work_until(
    world: &World,
    settings: Settings,
    ids: &[OnboardingId],
    state: State,
) -> Stats {
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let reached = async {
        for id in ids {
            while world.state(*id).await != state {
                tokio::task::yield_now().await;
            }
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let running = worker::run(settings, store, vec![world.account("acme")], shutdown);
    let asking = async {
        reached.await;
        drop(stop);
    };
    let both = async { tokio::join!(running, asking) };
    tokio::time::timeout(DEADLINE, both)
        .await
        .unwrap()
        .0
        .unwrap()
}

fn told_by(settings: &mut Settings) -> Arc<Told> {
    let told = Arc::new(Told::default());
    settings.observer = Some(Arc::clone(&told) as Arc<dyn Observer>);
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_create_no_trunks_is_parked_by_one_request_and_said_so() {
    for status in [402, 403] {
        let world = World::new().await;
        world
            .put(
                "faults",
                &json!([{"method": "POST", "path": "/trunks$", "status": status}]),
            )
            .await;
        let new = (0..50).map(|n| full_signup("acme", n)).collect();
        let ids = world.enqueue(new).await;
        let stats = world
            .drain(settings("w"), vec![world.account("acme")])
            .await;
        assert_eq!((stats.parked, stats.failed, stats.requests), (1, 0, 1));
        for id in ids {
            let onboarding = world.onboarding(id).await;
            assert_eq!(onboarding.state, State::Blocked);
            assert_eq!(onboarding.journal.records()[0].attempts, 0);
        }
        let reason = parked(&world, "acme").await.unwrap();
        for word in [
            "create_trunk",
            "may not create trunks",
            "SIP trunking",
            "good standing",
        ] {
            assert!(reason.contains(word), "{word}: {reason}");
        }
        assert!(!reason.contains("check the SID"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_account_sid_parks_the_account_with_what_to_correct() {
    let world = World::new().await;
    let rule = json!([{"path": "/trunks$", "status": 404}]);
    world.put("faults", &rule).await;
    let new = (0..20).map(|n| full_signup("acme", n)).collect();
    let ids = world.enqueue(new).await;
    let stats = world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    assert_eq!((stats.parked, stats.failed, stats.requests), (1, 0, 1));
    assert_eq!(world.state(ids[19]).await, State::Blocked);
    let reason = parked(&world, "acme").await.unwrap();
    for word in ["no such account", "account_sid", "region", "base_url"] {
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_exotel_may_not_offer_stops_no_account() {
    for status in [403, 404, 405] {
        let mut world = World::new().await;
        world.enqueue(vec![full_signup("acme", 1)]).await;
        world
            .drain(settings("w1"), vec![world.account("acme")])
            .await;
        // Another trunk has the number, and trunk-maps is not to be asked which.
        let other = signup("acme", 1, |id| full(id, 1));
        let mut other = NewOnboarding {
            key: "other".parse().unwrap(),
            id: OnboardingId::of(&"other".parse().unwrap()),
            ..other
        };
        other.plan.steps = full(other.id, 1);
        // In this store nobody has it.
        world.lose_the_store();
        world
            .put("faults", &json!([{"path": "trunk-maps", "status": status}]))
            .await;
        let other = world.enqueue(vec![other]).await[0];
        let stats = world
            .drain(settings("w2"), vec![world.account("acme")])
            .await;
        assert_eq!((stats.parked, stats.failed), (0, 1), "{status}");
        assert_eq!(world.fault(other).await.0, "duplicate_number", "{status}");
        assert_eq!(parked(&world, "acme").await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_fails_nothing_counts_no_attempt_and_costs_a_handful_of_requests() {
    for rule in [
        json!({"status": 503}),
        json!({"html": true}),
        json!({"reset_before": true}),
        json!({"reset_after": true}),
        json!({"truncate": true}),
    ] {
        let world = World::new().await;
        let new: Vec<_> = (0..40).map(|n| full_signup("acme", n)).collect();
        let ids = world.enqueue(new).await;
        world.put("faults", &json!([rule])).await;
        let mut settings = settings("w");
        // Were attempts counted, they would be used up.
        settings.retry.attempts = 2;
        let told = told_by(&mut settings);
        let over = async {
            until_requests(&world, 12).await;
            let log = world.requests("acme").await;
            let writes = log.iter().filter(|it| it.starts_with("POST"));
            assert_eq!(writes.count(), 1, "the others are probes: {log:?}");
            world.delete("faults").await;
        };
        let working = work_until(&world, settings, &ids, State::Succeeded);
        let (stats, ()) = tokio::join!(working, over);
        assert_eq!((stats.failed, stats.parked), (0, 0), "{rule}");
        assert_eq!(told.take(), ["outage", "resumed"], "{rule}");
        for id in &ids {
            let onboarding = world.onboarding(*id).await;
            let attempts = onboarding.journal.records().iter().map(|it| it.attempts);
            assert!(attempts.max() <= Some(1), "{rule}: {onboarding:?}");
        }
        assert_eq!(world.trunks("acme").await.len(), 40, "{rule}");
    }
}

async fn until_requests(world: &World, count: usize) {
    while world.requests("acme").await.len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_onboarding_that_always_gets_500_fails_alone() {
    let world = World::new().await;
    let unlucky = world.enqueue(vec![full_signup("acme", 900)]).await[0];
    let on = |path: &str, status| json!([{"method": "POST", "path": path, "status": status}]);
    world.put("faults", &on("/phone-numbers$", 400)).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let failed = world.onboarding(unlucky).await;
    let trunk = failed.journal.trunk_sid().unwrap();
    world
        .put("faults", &on(&format!("{trunk}/phone-numbers$"), 500))
        .await;
    world.store.retry(unlucky, false).await.unwrap();
    let ids = world
        .enqueue((0..20).map(|n| full_signup("acme", n)).collect())
        .await;
    let mut settings = settings("w2");
    settings.retry.attempts = 3;
    let told = told_by(&mut settings);
    let stats = world.drain(settings, vec![world.account("acme")]).await;
    assert_eq!((stats.succeeded, stats.failed, stats.parked), (20, 1, 0));
    assert_eq!(told.take(), Vec::<&str>::new());
    assert_eq!(world.fault(unlucky).await.0, "attempts_exhausted");
    let failed = world.onboarding(unlucky).await;
    assert_eq!(failed.journal.records()[1].attempts, 3);
    for id in ids {
        assert_eq!(world.state(id).await, State::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_brings_an_account_back_after_401_without_flapping() {
    let world = World::new().await;
    let key =
        |token: &str| json!([{"account_sid": sid("acme"), "api_key": "key", "api_token": token}]);
    world.put("accounts", &key("other")).await;
    let new = (0..30).map(|n| full_signup("acme", n)).collect();
    let ids = world.enqueue(new).await;
    let mut settings = settings("w");
    settings.account_probe = Duration::from_millis(40);
    let told = told_by(&mut settings);
    let right = async {
        // A few probes that fail; nobody hears of them.
        until_requests(&world, 6).await;
        assert_eq!(told.take(), ["parked"]);
        assert_eq!(world.state(ids[0]).await, State::Blocked);
        let log = world.requests("acme").await;
        assert_eq!(log[0], "POST /trunks");
        assert!(log[1..].iter().all(|it| it == "GET /trunks"), "{log:?}");
        world.put("accounts", &key("token")).await;
    };
    let working = work_until(&world, settings, &ids, State::Succeeded);
    let (stats, ()) = tokio::join!(working, right);
    assert_eq!((stats.parked, stats.failed), (1, 0));
    assert_eq!(told.take(), ["resumed"]);
    let feed = world.store.happenings(None, 100).await.unwrap();
    let of_account = feed
        .iter()
        .filter(|it| !matches!(it.what, What::Moved { .. }));
    assert_eq!(of_account.count(), 2, "{feed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_onboardings_create_brings_an_account_back_that_might_create_none() {
    let world = World::new().await;
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/trunks$", "status": 403}]),
        )
        .await;
    let new = (0..30).map(|n| full_signup("acme", n)).collect();
    let ids = world.enqueue(new).await;
    let mut settings = settings("w");
    settings.account_probe = Duration::from_millis(40);
    let told = told_by(&mut settings);
    let right = async {
        until_requests(&world, 6).await;
        assert_eq!(told.take(), ["parked"]);
        let log = world.requests("acme").await;
        assert!(log.iter().all(|it| it == "POST /trunks"), "{log:?}");
        world.delete("faults").await;
    };
    let working = work_until(&world, settings, &ids, State::Succeeded);
    let (stats, ()) = tokio::join!(working, right);
    assert_eq!((stats.parked, stats.failed), (1, 0));
    assert_eq!(told.take(), ["resumed"]);
    for id in &ids {
        let record = world.onboarding(*id).await.journal.records()[0].clone();
        assert_eq!(
            record.attempts, 1,
            "refusals of the account are no attempts"
        );
    }
}
