//! Moving from one store to another.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use onboarding::{Fault, Journal, Secret, SipPassword, State, StepRecord, StepState};

use super::{
    Fixture,
    sample::{
        LEASE, RECIPE, TIMEOUT, accept, account, advance, claim, claim_one, done, failure, narrow,
        only, register, signup, wide, with_content, worker,
    },
};
use crate::{
    Carried, CarriedAccount, CarriedIn, Error, Filter, Granted, MoveId, Onboarding, ProbeKind,
    Stopped, Store, Then,
};

/// The places that the samples move between.
const HERE: &str = "made-up:here";
const THERE: &str = "made-up:there";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).expect("a valid time")
}

/// The `n`th signup of `acme` as it comes from another store.
pub(super) fn carried(n: u64, state: State) -> Carried {
    let new = signup("acme", n).new;
    let mut journal = Journal::new(&new.plan);
    if state != State::Queued {
        let mut record = journal.record(0).cloned().expect("there is a step");
        record.state = StepState::Done;
        record.attempts = 2;
        journal.set(0, record);
    }
    let fault = Fault {
        code: "made_up".to_owned(),
        message: "made up".to_owned(),
    };
    let second = i64::try_from(n).expect("a small number");
    Carried {
        onboarding: Onboarding {
            id: new.id,
            key: new.key,
            account: new.account,
            partner: new.partner,
            number: new.number,
            direction: new.direction,
            state,
            signup: new.signup,
            recipe: new.recipe,
            plan: new.plan,
            journal,
            fault: (state == State::Failed).then_some((fault, Some(1))),
            epoch: n + 3,
            created_at: at(second),
            updated_at: at(second + 60),
            time_ahead_ms: 0,
        },
        password: Some(SipPassword::from_secret(Secret::new(format!(
            "planted-{n}"
        )))),
        in_doubt: false,
        has_number: state != State::Cancelled,
    }
}

fn recipes() -> Vec<(String, String)> {
    vec![(RECIPE.to_owned(), "{\"made\":\"up\"}".to_owned())]
}

async fn begin(store: &Arc<dyn Store>) -> MoveId {
    let id = MoveId::draw();
    assert!(store.begin_arrival(&id, HERE).await.expect("it is empty"));
    id
}

async fn carry(store: &Arc<dyn Store>, all: Vec<Carried>) -> CarriedIn {
    let came = store.carry_in(&recipes(), all).await;
    came.expect("a page is taken in")
}

async fn all_of(store: &Arc<dyn Store>) -> Vec<Onboarding> {
    let page = store.list(&Filter::default(), None, 1000).await;
    page.expect("listed").items
}

fn is_unusable<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unusable { .. }))
}

/// Order, states, journals, faults, times, epochs, passwords and recipes come along.
pub async fn what_is_carried_in_is_there_as_it_was(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = begin(&store).await;
    let states = [
        State::Succeeded,
        State::Queued,
        State::Failed,
        State::Running,
        State::Cancelled,
        State::Blocked,
    ];
    // The numbers are in no order, so that it is the pages' order which is kept.
    let order = [7, 3, 9, 1, 8, 2];
    let all = || {
        order
            .iter()
            .zip(states)
            .map(|(n, state)| carried(*n, state))
    };
    let first: Vec<Carried> = all().take(4).collect();
    let came = carry(&store, first).await;
    assert_eq!((came.new, came.there_before), (4, 0));
    carry(&store, all().skip(4).collect()).await;
    store.end_arrival(&id).await.expect("all has arrived");

    let expected: Vec<Onboarding> = all()
        .map(|one| Onboarding {
            state: one.arrives_as(),
            ..one.onboarding
        })
        .collect();
    assert_eq!(all_of(&store).await, expected);
    for (n, own) in order.iter().zip(&expected) {
        let password = store.password(own.id).await.expect("readable");
        let password = password.expect("it has one");
        assert_eq!(password.secret().expose(), format!("planted-{n}"));
    }
    let recipe = store.recipe(RECIPE).await.expect("readable");
    assert_eq!(recipe.as_deref(), Some("{\"made\":\"up\"}"));
    let tally = store.tally().await.expect("countable");
    let counts = State::ALL.map(|state| tally.of(state));
    assert_eq!(counts, [3, 0, 1, 1, 0, 1]);
    let waiting = store.accounts().await.expect("listed")[0].waiting;
    assert_eq!(waiting, 3);
}

/// Each store has a clock of its own; a doubt ends at the same time of day.
pub async fn a_doubt_that_is_carried_in_ends_when_it_would_have_ended(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = begin(&store).await;
    let mut one = carried(1, State::Failed);
    one.onboarding.time_ahead_ms = 7_000;
    let mut record = StepRecord::default();
    record.note_doubt(1_007_000, 1_037_000);
    one.onboarding.journal.set(1, record);
    let own = one.onboarding.id;
    carry(&store, vec![one]).await;
    store.end_arrival(&id).await.expect("all has arrived");
    let own = store.get(own).await.expect("readable").expect("there");
    let doubt = own.journal.record(1).and_then(|record| record.doubt);
    let doubt = doubt.expect("it is in doubt");
    let at = [doubt.first_ms, doubt.settles_ms].map(|ms| ms - own.time_ahead_ms);
    assert_eq!(at, [1_000_000, 1_030_000]);
}

/// Whoever held it elsewhere may have sent something; and no epoch is given twice.
pub async fn what_was_running_elsewhere_is_read_back_first(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = begin(&store).await;
    let doubtful = Carried {
        in_doubt: true,
        ..carried(2, State::Queued)
    };
    let all = vec![
        carried(1, State::Running),
        doubtful,
        carried(3, State::Queued),
    ];
    carry(&store, all).await;
    store.end_arrival(&id).await.expect("all has arrived");
    register(&store, "one", &["acme"], wide()).await;
    let mut found = Vec::new();
    while let Some(held) = claim(&store, "one", 1).await.pop() {
        found.push((held.lease.epoch, held.verify));
        let password = held.password.as_ref().expect("it has one").secret();
        assert!(password.expose().starts_with("planted-"));
    }
    found.sort_unstable();
    assert_eq!(found, [(5, true), (6, true), (7, false)]);
}

/// A copy that was cut is run again, also where a part of it has been worked on since.
pub async fn what_arrived_earlier_is_left_as_it_is(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = begin(&store).await;
    let all = || vec![carried(1, State::Queued), carried(2, State::Succeeded)];
    carry(&store, all()).await;
    assert!(store.begin_arrival(&id, HERE).await.expect("the same move"));
    let came = carry(&store, [all(), vec![carried(3, State::Queued)]].concat()).await;
    assert_eq!((came.new, came.there_before), (1, 2));
    store.end_arrival(&id).await.expect("all has arrived");
    store
        .end_arrival(&id)
        .await
        .expect("saying so twice is fine");

    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, done(0, &held.permit, Then::Succeed)).await;
    let before = all_of(&store).await;
    let to_come = store.begin_arrival(&id, HERE).await.expect("the same move");
    assert!(!to_come, "all of it arrived earlier");
    let came = carry(&store, all()).await;
    assert_eq!((came.new, came.there_before), (0, 2));
    assert_eq!(all_of(&store).await, before);
}

/// A store with something else under a key is not the unfinished copy that it seems to be.
pub async fn one_that_differs_refuses_its_whole_page(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    begin(&store).await;
    carry(&store, vec![carried(1, State::Queued)]).await;
    let mut other = carried(1, State::Queued);
    other.onboarding.signup = with_content("acme", 1, "other").new.signup;
    let mut later = carried(1, State::Queued);
    later.onboarding.epoch = 99;
    for different in [other, later] {
        let page = vec![carried(2, State::Queued), different];
        let refused = store.carry_in(&recipes(), page).await;
        let message = refused.expect_err("it differs").to_string();
        assert!(message.contains("acme-1"), "{message}");
    }
    assert_eq!(all_of(&store).await.len(), 1);
}

/// What is still to come must be neither accepted anew nor missed.
pub async fn a_store_is_closed_until_all_has_arrived(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let elsewhere = fixture.elsewhere().await;
    let id = begin(&store).await;
    carry(&store, vec![carried(1, State::Queued)]).await;
    assert!(is_unusable(&try_offer(&elsewhere, 2).await));
    let accounts = [(account("acme"), wide())];
    let registered = elsewhere.register(&worker("one"), &accounts).await;
    assert!(is_unusable(&registered), "{registered:?}");
    let another = store.begin_arrival(&MoveId::draw(), THERE).await;
    assert!(is_unusable(&another), "{another:?}");
    let early = store.end_arrival(&MoveId::draw()).await;
    assert!(is_unusable(&early), "{early:?}");
    assert_eq!(all_of(&elsewhere).await.len(), 1);
    store.end_arrival(&id).await.expect("all has arrived");
    try_offer(&elsewhere, 2).await.expect("it is open");
    register(&elsewhere, "one", &["acme"], wide()).await;
    assert_eq!(claim(&elsewhere, "one", 2).await.len(), 2);
}

async fn try_offer(store: &Arc<dyn Store>, n: u64) -> Result<(), Error> {
    let mut batch = store.begin().await?;
    batch.add_recipe(RECIPE, "{\"made\":\"up\"}").await?;
    batch.add(vec![signup("acme", n)]).await?;
    batch.commit().await.map(drop)
}

/// Two stores that run the same onboardings would make everything twice.
pub async fn a_store_that_leaves_is_only_looked_at(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    let elsewhere = fixture.elsewhere().await;
    let departure = store.begin_departure(THERE).await.expect("nobody works");
    assert!(!departure.ended);
    for ended in [false, true] {
        for store in [&store, &elsewhere] {
            closed(store).await;
        }
        if !ended {
            let again = store.begin_departure(THERE).await.expect("the same");
            assert_eq!(again, departure);
            store.end_departure(&departure.id).await.expect("carried");
        }
    }
    let again = store.begin_departure(THERE).await.expect("the same");
    assert_eq!((again.id, again.ended), (departure.id, true));
    let other = store.begin_departure(HERE).await;
    let message = other.expect_err("it has left").to_string();
    assert!(message.contains(THERE), "{message}");
}

async fn closed(store: &Arc<dyn Store>) {
    let id = signup("acme", 0).new.id;
    let acme = account("acme");
    let accounts = [(account("acme"), wide())];
    assert!(is_unusable(&try_offer(store, 9).await));
    assert!(is_unusable(&store.retry(id, false).await));
    assert!(is_unusable(&store.cancel(id).await));
    assert!(is_unusable(&store.resume_account(&acme).await));
    assert!(is_unusable(&store.permit(&acme, TIMEOUT).await));
    let registered = store.register(&worker("two"), &accounts).await;
    let refused = matches!(
        registered,
        Err(Error::Unusable { .. } | Error::WorkerRunning { .. })
    );
    assert!(refused, "{registered:?}");
    assert_eq!(all_of(store).await.len(), 3);
    assert!(store.get(id).await.expect("readable").is_some());
}

/// A departure that has not ended may be to another place; the earlier one is over then.
pub async fn a_departure_may_change_its_destination_until_it_has_ended(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    let first = store.begin_departure(THERE).await.expect("nobody works");
    let second = store.begin_departure(HERE).await.expect("not ended");
    assert_ne!(first.id, second.id);
    assert!(is_unusable(&store.end_departure(&first.id).await));
    store.end_departure(&second.id).await.expect("carried");
}

/// A worker that goes on would do what the other store does too.
pub async fn a_departure_waits_for_the_workers_end(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], wide()).await;
    claim_one(&store, "one").await;
    let elsewhere = fixture.elsewhere().await;
    let refused = elsewhere.begin_departure(THERE).await;
    assert!(
        matches!(refused, Err(Error::WorkerRunning { .. })),
        "{refused:?}"
    );
    drop((store, elsewhere));
    let store = fixture.restart().await;
    fixture.pass(LEASE + Duration::from_secs(1)).await;
    store.begin_departure(THERE).await.expect("the lease ended");
    let out = store.carry_out(None, 10).await.expect("carried");
    assert!(out.items[0].arrives_in_doubt());
    assert_eq!(out.items[0].arrives_as(), State::Queued);
    assert_eq!(out.items[0].onboarding.epoch, 1);
}

/// Everything leaves, in order, page by page, with passwords and doubt.
pub async fn what_is_carried_out_is_whole(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..7).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 3).await;
    advance(&store, &held[0], done(0, &held[0].permit, Then::Succeed)).await;
    advance(&store, &held[1], only(&held[1].permit, failure())).await;
    advance(&store, &held[2], only(&held[2].permit, failure())).await;
    store
        .retry(held[2].lease.id, false)
        .await
        .expect("queued again");
    store.begin_departure(THERE).await.expect("nothing is held");
    let (mut cursor, mut out) = (None, Vec::new());
    loop {
        let page = store.carry_out(cursor.as_ref(), 3).await.expect("carried");
        out.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let doubtful: Vec<bool> = out.iter().map(|one| one.in_doubt).collect();
    assert_eq!(
        doubtful,
        [false, false, true, false, false, false, false],
        "what was tried again is read back first"
    );
    for one in &out {
        let password = one.password.as_ref().expect("it has one");
        assert_eq!(password.secret().expose(), "planted-password");
    }
    let carried: Vec<Onboarding> = out.into_iter().map(|one| one.onboarding).collect();
    assert_eq!(carried, all_of(&store).await);
}

/// What a store has of its own cannot be told from what is to come.
pub async fn a_store_with_something_in_it_takes_no_move_in(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    let refused = store.begin_arrival(&MoveId::draw(), HERE).await;
    assert!(is_unusable(&refused), "{refused:?}");
    accept(&store, vec![signup("acme", 2)]).await;
}

/// A parked account stays so, and no window is opened for more than the limit.
pub async fn carried_accounts_keep_their_limits_and_their_trouble(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let id = begin(&store).await;
    let stopped = Stopped {
        reason: "made up".to_owned(),
        since: at(5),
    };
    let plain = |name: &str| CarriedAccount {
        name: account(name),
        limits: None,
        parked: None,
        outage: None,
        probe: None,
        closed_for: Duration::ZERO,
    };
    let accounts = [
        CarriedAccount {
            limits: Some(narrow(10)),
            closed_for: LEASE,
            ..plain("acme")
        },
        CarriedAccount {
            parked: Some(stopped.clone()),
            probe: Some(ProbeKind::Create),
            ..plain("globex")
        },
        plain("initech"),
        CarriedAccount {
            outage: Some(stopped.clone()),
            probe: Some(ProbeKind::Read),
            ..plain("umbrella")
        },
    ];
    for _ in 0..2 {
        store.carry_accounts(&accounts).await.expect("taken in");
    }
    carry(&store, vec![carried(1, State::Queued)]).await;
    store.end_arrival(&id).await.expect("all has arrived");
    let found = store.accounts().await.expect("listed");
    let names: Vec<_> = found.iter().map(|one| one.name.to_string()).collect();
    assert_eq!(names, ["acme", "globex", "initech", "umbrella"]);
    assert_eq!(found[0].limits, Some(narrow(10)));
    assert!(found[0].closed_until.is_some() && found[2].closed_until.is_none());
    assert_eq!(found[1].parked, Some(stopped.clone()));
    assert_eq!(
        (&found[3].parked, &found[3].outage),
        (&None, &Some(stopped))
    );
    let probes = found.iter().map(|one| one.next_probe.map(|(kind, _)| kind));
    let kinds = [None, Some(ProbeKind::Create), None, Some(ProbeKind::Read)];
    assert!(probes.eq(kinds));
    register(&store, "one", &["acme", "globex"], wide()).await;
    assert!(claim(&store, "one", 1).await.is_empty(), "it is closed");
    let granted = store.permit(&account("globex"), TIMEOUT).await;
    assert!(matches!(granted, Ok(Granted::Parked(_))), "{granted:?}");
    fixture.pass(LEASE + Duration::from_secs(1)).await;
    assert_eq!(claim(&store, "one", 1).await.len(), 1);
}
