//! The store fails now and then, for a while, or for good.
#![expect(
    clippy::unwrap_used,
    reason = "a worker that does not end fails its test"
)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use std::time::Duration;

use onboarding::{State, StepState};
use store::{Store, Then};
use worker::{Error, Stats};

use crate::{
    line::{Call, Line, fails, free},
    taken::chosen,
    world::{DEADLINE, World, full_signup, settings, signup},
};

fn unavailable() -> store::Error {
    store::Error::Unavailable {
        place: "made up".into(),
        message: "the line is down".into(),
        source: None,
    }
}

async fn drain(world: &World, name: &str, line: &Arc<Line>) -> Result<Stats, Error> {
    let mut settings = settings(name);
    settings.drain = true;
    let store = Arc::clone(line) as Arc<dyn Store>;
    let accounts = vec![world.account("acme")];
    let running = worker::run(settings, store, accounts, std::future::pending());
    tokio::time::timeout(DEADLINE, running).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_neither_ends_the_worker_nor_repeats_a_request() {
    let world = World::new().await;
    let new = (0..12).map(|n| full_signup("acme", n));
    let ids = world.enqueue(new.collect()).await;
    let down = Arc::new(AtomicBool::new(true));
    let refused = Arc::new(AtomicU32::new(0));
    let calls = AtomicU32::new(0);
    let line = {
        let (down, refused) = (Arc::clone(&down), Arc::clone(&refused));
        // Every call while it is down, then every third.
        Line::new(&world.store, move |_| {
            let third = calls.fetch_add(1, Ordering::SeqCst) % 3 == 2;
            if !third && !down.load(Ordering::SeqCst) {
                return free();
            }
            refused.fetch_add(1, Ordering::SeqCst);
            fails(unavailable())
        })
    };
    let up = async {
        while refused.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        down.store(false, Ordering::SeqCst);
    };
    let stats = tokio::join!(drain(&world, "w", &line), up).0.unwrap();
    assert_eq!(
        (stats.succeeded, stats.requests, stats.lost),
        (12, 12 * 6, 0)
    );
    for id in ids {
        assert_eq!(world.state(id).await, State::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_a_person_has_to_see_to_ends_the_worker_with_what_it_says() {
    let errors: [fn() -> store::Error; 2] = [
        || store::Error::Unusable {
            place: "made up".into(),
            message: "the file is read-only".into(),
        },
        || store::Error::Corrupt {
            place: "made up".into(),
            message: "no such version".into(),
        },
    ];
    for (row, error) in errors.into_iter().enumerate() {
        for at_claim in [true, false] {
            let world = World::new().await;
            let line = Line::new(&world.store, move |call| match call {
                Call::Claim if at_claim => fails(error()),
                Call::Accounts if !at_claim => fails(error()),
                Call::Claim | Call::Advance(_) | Call::Accounts | Call::Other => free(),
            });
            let ended = drain(&world, "w", &line).await;
            let Err(Error::Store(told)) = ended else {
                panic!("row {row}, {at_claim}: {ended:?}");
            };
            assert_eq!(told.to_string(), error().to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_that_grew_old_while_an_intent_was_recorded_is_not_used() {
    let world = World::new().await;
    let id = world
        .enqueue(vec![signup("acme", 1, |_| chosen("front_desk"))])
        .await[0];
    let told = Arc::new(Mutex::new(Vec::new()));
    let line = {
        let told = Arc::clone(&told);
        Line::new(&world.store, move |call| {
            let Call::Advance(advance) = call else {
                return free();
            };
            let mut told = told.lock().unwrap();
            let state = advance.steps.first().map(|(_, record)| record.state);
            told.push((advance.then.clone(), state, advance.settled.len()));
            if told.len() > 1 {
                return free();
            }
            // Longer than a permit may wait for its request.
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1_200)).await;
                Ok(())
            })
        })
    };
    let stats = drain(&world, "w", &line).await.unwrap();
    assert_eq!((stats.succeeded, stats.requests), (1, 1));
    assert_eq!(world.state(id).await, State::Succeeded);
    let told = told.lock().unwrap();
    let intent = (Then::Keep, Some(StepState::Unknown), 0);
    // The old permit goes back unused and the intent with it, until there is a new one.
    let renewed = (Then::PermitOrWait, Some(StepState::Pending), 1);
    assert_eq!(told[..3], [intent.clone(), renewed, intent], "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_breaks_before_its_intent_is_on_record_gives_no_right_to_a_name() {
    let mut world = World::new().await;
    world
        .enqueue(vec![signup("acme", 1, |_| chosen("front_desk"))])
        .await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    world.lose_the_store();
    let id = world
        .enqueue(vec![signup("acme", 2, |_| chosen("front_desk"))])
        .await[0];
    let broken = AtomicBool::new(false);
    let line = Line::new(&world.store, move |call| {
        if let Call::Advance(advance) = call
            && advance.then == Then::Keep
            && !broken.swap(true, Ordering::SeqCst)
        {
            panic!("made up by a test");
        }
        free()
    });
    let stats = drain(&world, "w2", &line).await.unwrap();
    assert_eq!((stats.broken, stats.failed), (1, 1));
    assert_eq!(world.fault(id).await.0, "trunk_name_taken");
}
