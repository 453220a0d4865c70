//! Accounts that come while a worker runs.

use std::sync::Arc;

use onboarding::{OnboardingId, State};
use store::Store;
use tokio::sync::mpsc;
use worker::{Event, Observer, Served};

use crate::world::{DEADLINE, World, account, full_signup, settings};

/// Tells what finished.
struct Finished(mpsc::UnboundedSender<OnboardingId>);

impl Observer for Finished {
    fn event(&self, event: Event<'_>) {
        if let Event::Finished { id, .. } = event {
            let _ = self.0.send(id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_added_while_the_worker_runs_is_served_from_then_on() {
    let world = World::new().await;
    let signups = vec![full_signup("second", 2), full_signup("first", 1)];
    let ids = world.enqueue(signups).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut settings = settings("newcomers");
    settings.observer = Some(Arc::new(Finished(tell)));
    let served = Served::from(vec![world.account("first")]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(worker::run(
        settings,
        Arc::clone(&world.store) as Arc<dyn Store>,
        served.clone(),
        async { drop(stopped.await) },
    ));
    let next = tokio::time::timeout(DEADLINE, told.recv()).await;
    assert_eq!(next.unwrap(), Some(ids[1]));
    assert_eq!(world.state(ids[0]).await, State::Queued);
    assert!(!served.has(&account("second")));

    served.add(vec![world.account("second")]);
    let next = tokio::time::timeout(DEADLINE, told.recv()).await;
    assert_eq!(next.unwrap(), Some(ids[0]));
    world.assert_exactly_one("added", "second", ids[0]).await;
    drop(stop);
    let stats = tokio::time::timeout(DEADLINE, running).await;
    assert_eq!(stats.unwrap().unwrap().unwrap().succeeded, 2);
}
