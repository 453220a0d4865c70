//! Stopping accounts, and trying them again.

use std::{sync::Arc, time::Duration};

use onboarding::State;

use super::{
    Fixture,
    sample::{
        LEASE, TIMEOUT, accept, account, advance, claim, done, only, register, signup, wide, worker,
    },
};
use crate::{
    AccountStatus, Advanced, Claim, Claims, Granted, Probe, ProbeKind, Probed, Resumed, Stop,
    StopKind, Store, Then,
};

/// After this long what was stopped is tried.
const PAUSE: Duration = Duration::from_millis(600);

/// A little more, for stores with clocks of their own.
const MORE: Duration = Duration::from_millis(100);

fn stop(kind: StopKind, probe: ProbeKind) -> Stop {
    Stop {
        kind,
        reason: "made up".to_owned(),
        probe: Some((probe, PAUSE)),
    }
}

async fn stopped(store: &Arc<dyn Store>, kind: StopKind, probe: ProbeKind) {
    let (acme, stop) = (account("acme"), stop(kind, probe));
    let news = store.stop_account(&acme, &stop).await;
    assert!(news.expect("stopped"), "it is news");
}

async fn claims(store: &Arc<dyn Store>) -> Claims {
    let claims = store.claim(&worker("one"), 10, LEASE, TIMEOUT).await;
    claims.expect("answered")
}

/// The one probe that is handed out, and nothing else.
async fn one_probe(store: &Arc<dyn Store>) -> Probe {
    let mut given = claims(store).await;
    assert!(given.claims.is_empty(), "only a read");
    assert_eq!(given.probes.len(), 1);
    let given = given.probes.remove(0);
    let settled = crate::Settled {
        permit: given.permit,
        answered: true,
    };
    store.settle(vec![settled]).await.expect("settled");
    given.probe
}

async fn nothing(store: &Arc<dyn Store>) {
    let given = claims(store).await;
    assert!(
        given.claims.is_empty() && given.probes.is_empty(),
        "{given:?}"
    );
}

async fn status(store: &Arc<dyn Store>) -> AccountStatus {
    let accounts = store.accounts().await.expect("listed");
    let wanted = account("acme");
    let found = accounts.into_iter().find(|one| one.name == wanted);
    found.expect("the account is known")
}

async fn told(store: &Arc<dyn Store>) -> usize {
    store.happenings(None, 100).await.expect("readable").len()
}

async fn ready(fixture: &dyn Fixture, signups: u64) -> Arc<dyn Store> {
    let store = fixture.store();
    accept(&store, (0..signups).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    store
}

/// By one, once, when it is due; the others wait for what comes of it.
pub async fn a_stopped_account_is_tried_by_one_read_when_it_is_due(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 3).await;
    for kind in [StopKind::Outage, StopKind::Parked] {
        stopped(&store, kind, ProbeKind::Read).await;
        let given = claims(&store).await;
        assert!(given.claims.is_empty() && given.probes.is_empty());
        let next = given.next.expect("it knows when");
        assert!(next <= PAUSE, "{next:?}");
        fixture.pass(PAUSE + MORE).await;
        let probe = one_probe(&store).await;
        assert_eq!((probe.kind, probe.stopped), (ProbeKind::Read, kind));
        assert_eq!((&probe.account, probe.failures), (&account("acme"), 0));
        assert!(probe.lasts >= PAUSE, "{:?}", probe.lasts);
        nothing(&store).await;
        assert!(store.probed(&probe, &Probed::Works).await.expect("told"));
        let held = claim(&store, "one", 10).await;
        assert_eq!(held.len(), 3, "it goes on");
        for one in held {
            let then = Then::Release {
                delay: Duration::ZERO,
            };
            advance(&store, &one, only(&one.permit, then)).await;
        }
    }
}

/// Nobody is to decide anything about them: they wait.
pub async fn an_outage_blocks_nothing_and_is_no_news_of_the_feed(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 2).await;
    let held = claim(&store, "one", 1).await;
    stopped(&store, StopKind::Outage, ProbeKind::Read).await;
    let again = stop(StopKind::Outage, ProbeKind::Read);
    let news = store.stop_account(&account("acme"), &again).await;
    assert!(!news.expect("answered"), "one outage, however many notice");
    let released = advance(&store, &held[0], done(0, &held[0].permit, Then::Permit)).await;
    assert_eq!(released, Advanced::Released);
    let own = store.get(held[0].lease.id).await.expect("readable");
    assert_eq!(own.expect("there").state, State::Queued);
    let found = status(&store).await;
    assert_eq!(found.parked, None);
    assert_eq!(found.outage.expect("told").reason, "made up");
    assert_eq!(found.next_probe.expect("told").0, ProbeKind::Read);
    assert!(found.next_permit_at.is_some());
    assert_eq!(store.tally().await.expect("counted").of(State::Blocked), 0);
    // Whoever looks from outside waits for the probe's time, and is as good as one.
    let outside = async || {
        store
            .permit(&account("acme"), TIMEOUT)
            .await
            .expect("answered")
    };
    assert!(matches!(outside().await, Granted::Wait(wait) if wait <= PAUSE));
    fixture.pass(PAUSE + MORE).await;
    assert!(matches!(outside().await, Granted::Permit(_)));
    let probe = one_probe(&store).await;
    store.probed(&probe, &Probed::Works).await.expect("told");
    assert_eq!(told(&store).await, 0);
}

/// What people see and are sent does not change while it is tried.
pub async fn a_probe_that_fails_changes_its_next_time_alone(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 1).await;
    stopped(&store, StopKind::Parked, ProbeKind::Read).await;
    let parked = status(&store).await.parked.expect("told");
    for failures in 0..3 {
        fixture.pass(PAUSE + MORE).await;
        let probe = one_probe(&store).await;
        assert_eq!(probe.failures, failures);
        assert_eq!(status(&store).await.parked, Some(parked.clone()));
        let failed = Probed::Failed {
            next: Some(PAUSE),
            park: None,
        };
        assert!(store.probed(&probe, &failed).await.expect("told"));
        assert!(!store.probed(&probe, &failed).await.expect("told"), "once");
        assert_eq!(status(&store).await.parked, Some(parked.clone()));
        assert_eq!(told(&store).await, 1);
        nothing(&store).await;
    }
    fixture.pass(PAUSE + MORE).await;
    let probe = one_probe(&store).await;
    store.probed(&probe, &Probed::Works).await.expect("told");
    assert_eq!(status(&store).await.parked, None);
    assert_eq!(told(&store).await, 2, "it was parked, it goes on");
}

/// Whoever had it is gone.
pub async fn a_probe_of_which_nothing_is_heard_is_handed_out_again(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 1).await;
    stopped(&store, StopKind::Parked, ProbeKind::Read).await;
    fixture.pass(PAUSE + MORE).await;
    let lost = one_probe(&store).await;
    nothing(&store).await;
    fixture.pass(2 * TIMEOUT + MORE).await;
    let probe = one_probe(&store).await;
    assert!(!store.probed(&lost, &Probed::Works).await.expect("told"));
    assert!(status(&store).await.parked.is_some(), "it came too late");
    assert!(store.probed(&probe, &Probed::Works).await.expect("told"));
}

fn creator(mut given: Claims) -> (Claim, Probe) {
    assert_eq!((given.claims.len(), given.probes.len()), (1, 0));
    let claim = given.claims.remove(0);
    let probe = claim.probe.clone().expect("it tries its account");
    assert_eq!(probe.kind, ProbeKind::Create);
    (claim, probe)
}

/// Only its own `create_trunk` shows whether the account may create any.
pub async fn one_onboarding_without_a_trunk_tries_an_account(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 4).await;
    let held = claim(&store, "one", 2).await;
    let mine = signup("acme", 1).new.id;
    for one in &held {
        // The first of them has its trunk.
        let then = Then::Release {
            delay: Duration::ZERO,
        };
        let write = match one.lease.id == mine {
            false => done(0, &one.permit, then),
            true => only(&one.permit, then),
        };
        advance(&store, one, write).await;
    }
    stopped(&store, StopKind::Parked, ProbeKind::Create).await;
    nothing(&store).await;
    fixture.pass(PAUSE + MORE).await;
    let (claim_, probe) = creator(claims(&store).await);
    assert_eq!(claim_.lease.id, mine);
    nothing(&store).await;
    // It goes on where others do not.
    let asked = advance(&store, &claim_, only(&claim_.permit, Then::PermitOrWait)).await;
    let Advanced::Permitted(permit) = asked else {
        panic!("{asked:?}");
    };
    assert!(status(&store).await.parked.is_some());
    assert!(store.probed(&probe, &Probed::Works).await.expect("told"));
    let kept = advance(&store, &claim_, done(0, &permit, Then::Permit)).await;
    assert!(matches!(kept, Advanced::Permitted(_)), "{kept:?}");
    assert_eq!(claim(&store, "one", 10).await.len(), 3);
}

/// Nothing is created for the sake of trying; where all that waits has its trunk, a read has to do.
pub async fn an_account_is_tried_with_what_there_is(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], wide()).await;
    stopped(&store, StopKind::Parked, ProbeKind::Create).await;
    fixture.pass(PAUSE + MORE).await;
    nothing(&store).await;
    accept(&store, vec![signup("acme", 1)]).await;
    let (claim_, probe) = creator(claims(&store).await);
    let failed = Probed::Failed {
        next: Some(PAUSE),
        park: None,
    };
    store.probed(&probe, &failed).await.expect("told");
    let then = Then::Release {
        delay: Duration::ZERO,
    };
    advance(&store, &claim_, done(0, &claim_.permit, then)).await;
    fixture.pass(PAUSE + MORE).await;
    let probe = one_probe(&store).await;
    assert_eq!((probe.kind, probe.failures), (ProbeKind::Create, 1));
}

/// A person is to know, and it is tried all the same.
pub async fn an_outage_that_lasts_is_parked_by_its_probe(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 1).await;
    stopped(&store, StopKind::Outage, ProbeKind::Read).await;
    fixture.pass(PAUSE + MORE).await;
    let probe = one_probe(&store).await;
    let failed = Probed::Failed {
        next: Some(PAUSE),
        park: Some("for an hour".to_owned()),
    };
    assert!(store.probed(&probe, &failed).await.expect("told"));
    let found = status(&store).await;
    assert_eq!(found.outage, None);
    assert_eq!(found.parked.expect("told").reason, "for an hour");
    assert_eq!(told(&store).await, 1);
    fixture.pass(PAUSE + MORE).await;
    let probe = one_probe(&store).await;
    assert_eq!((probe.stopped, probe.failures), (StopKind::Parked, 1));
    let given_up = Probed::Failed {
        next: None,
        park: None,
    };
    assert!(store.probed(&probe, &given_up).await.expect("told"));
    fixture.pass(2 * TIMEOUT).await;
    nothing(&store).await;
    let found = status(&store).await;
    assert!(found.parked.is_some() && found.next_probe.is_none());
}

/// What a person says holds until a person says otherwise.
pub async fn an_account_that_a_person_parked_is_not_tried(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 1).await;
    stopped(&store, StopKind::Parked, ProbeKind::Read).await;
    fixture.pass(PAUSE + MORE).await;
    let under_way = one_probe(&store).await;
    let elsewhere = fixture.elsewhere().await;
    let news = elsewhere.park_account(&account("acme"), "by hand").await;
    assert!(!news.expect("answered"), "it is parked already");
    assert!(
        !store
            .probed(&under_way, &Probed::Works)
            .await
            .expect("told")
    );
    fixture.pass(2 * TIMEOUT + PAUSE).await;
    nothing(&store).await;
    let found = status(&store).await;
    assert_eq!(found.parked.expect("told").reason, "by hand");
    assert_eq!((found.next_probe, told(&store).await), (None, 1));
    let again = stop(StopKind::Parked, ProbeKind::Read);
    let news = store.stop_account(&account("acme"), &again).await;
    assert!(!news.expect("answered"), "nor does a worker change that");
    assert_eq!(status(&store).await.next_probe, None);
}

/// Whatever closed it.
pub async fn a_person_opens_a_closed_account(fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 1).await;
    let elsewhere = fixture.elsewhere().await;
    let resume = async || {
        elsewhere
            .resume_account(&account("acme"))
            .await
            .expect("answered")
    };
    let day = Duration::from_secs(24 * 60 * 60);
    for open in [true, false] {
        let was = store.close_account(&account("acme"), day).await;
        assert_eq!(was.expect("closed"), open);
    }
    nothing(&store).await;
    assert_eq!(resume().await, Resumed::Closed);
    assert_eq!(status(&store).await.closed_until, None);
    let held = claim(&store, "one", 10).await;
    assert_eq!(held.len(), 1);
    stopped(&store, StopKind::Outage, ProbeKind::Read).await;
    assert_eq!(resume().await, Resumed::Closed);
    let kept = advance(&store, &held[0], done(0, &held[0].permit, Then::Permit)).await;
    assert!(matches!(kept, Advanced::Permitted(_)), "{kept:?}");
    assert_eq!((resume().await, told(&store).await), (Resumed::Open, 0));
}

/// It is known by whoever comes after.
pub async fn what_stops_an_account_survives_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = ready(&*fixture, 1).await;
    stopped(&store, StopKind::Outage, ProbeKind::Read).await;
    let before = status(&store).await;
    drop(store);
    let store = fixture.restart().await;
    register(&store, "one", &["acme"], wide()).await;
    let after = status(&store).await;
    assert_eq!(after.outage, before.outage);
    assert_eq!(after.next_probe, before.next_probe);
    fixture.pass(PAUSE + MORE).await;
    let probe = one_probe(&store).await;
    assert_eq!(probe.stopped, StopKind::Outage);
}
