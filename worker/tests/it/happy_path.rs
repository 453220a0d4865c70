//! Nothing goes wrong.

use onboarding::{State, Step, StepResult, StepState};
use store::Inspect;

use crate::world::{World, full, full_signup, settings, signup};

#[tokio::test(flavor = "multi_thread")]
async fn the_happy_path_sends_one_request_per_step() {
    let world = World::new().await;
    let signups = (0..20).map(|n| full_signup(["acme", "bolt"][n % 2], n as u32));
    let ids = world.enqueue(signups.collect()).await;
    let accounts = vec![world.account("acme"), world.account("bolt")];
    let stats = world.drain(settings("w"), accounts).await;
    assert_eq!(stats.requests, 20 * 6);
    assert_eq!((stats.succeeded, stats.failed), (20, 0));
    for id in ids {
        let onboarding = world.onboarding(id).await;
        assert_eq!(onboarding.state, State::Succeeded);
        for record in onboarding.journal.records() {
            assert_eq!((record.state, record.attempts), (StepState::Done, 1));
            assert_eq!(record.error, None);
        }
    }
    let requests = world.requests("acme").await;
    assert_eq!(requests.len(), 60);
    assert!(
        requests.iter().all(|it| it.starts_with("POST ")),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_drain_sends_nothing() {
    let world = World::new().await;
    world.enqueue(vec![full_signup("acme", 1)]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let stats = world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    assert_eq!((stats.requests, stats.succeeded), (0, 0));
    assert_eq!(world.store.tally().await.unwrap().of(State::Succeeded), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifying_plan_reads_everything_once_and_says_how_much() {
    let world = World::new().await;
    let new = signup("acme", 1, |id| {
        let mut steps = full(id, 1);
        steps.push(Step::Verify);
        steps
    });
    let planned = u64::from(new.plan.requests());
    let id = world.enqueue(vec![new]).await[0];
    let stats = world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    world.assert_exactly_one("verify", "acme", id).await;
    assert_eq!(stats.requests, planned);
    let result = world.onboarding(id).await.journal.records()[6]
        .result
        .clone();
    assert_eq!(result, Some(StepResult::Verified { verified: 6 }));
}
