//! What the store knows, and a store that does not answer.

use std::time::{Duration, Instant};

use redis_fixture::Server;
use store::{
    SealingKey,
    redis::{RedisOptions, RedisPlace, RedisStore},
};
use telemetry::{Form, Metrics};

use crate::world::World;

#[tokio::test]
async fn the_stores_gauges_are_gathered_when_it_is_asked_for_them() {
    let world = World::new().await;
    world.accept(3, None).await;
    let metrics = Metrics::new();
    let text = metrics.text(Some(&*world.store)).await;
    for line in [
        "trunkline_store_up 1",
        "trunkline_onboardings{state=\"queued\"} 3",
        "trunkline_onboardings{state=\"succeeded\"} 0",
        "trunkline_queue_waiting 3",
        "trunkline_account_waiting{account=\"acme\"} 3",
        "trunkline_deliveries_waiting 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    let plain = Form::Plain.of(text);
    assert!(plain.contains("\n# TYPE trunkline_steps_total counter\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_told_as_down_and_holds_no_scrape_up() {
    let mut server = Server::start(&[]);
    let store = RedisStore::open(RedisOptions {
        place: RedisPlace::parse(&server.url()).unwrap(),
        key: SealingKey::generate().0,
        world: store::World::Live,
        keep_finished: Duration::from_secs(3600),
    });
    let store = store.await.unwrap();
    let metrics = Metrics::new();
    let up = metrics.text(Some(&*store)).await;
    assert!(up.contains("\ntrunkline_store_up 1\n"), "{up}");
    server.pause();
    until_down(&metrics, &store).await;
    let before = Instant::now();
    let scrapes = tokio::join!(metrics.text(Some(&*store)), metrics.text(Some(&*store)));
    assert!(before.elapsed() < Duration::from_secs(8));
    for down in [scrapes.0, scrapes.1] {
        assert!(down.contains("\ntrunkline_store_up 0\n"), "{down}");
        assert!(!down.contains("trunkline_onboardings{"), "{down}");
        assert!(down.contains("\ntrunkline_lease_losses_total 0\n"));
    }
    server.resume();
    let up = metrics.text(Some(&*store)).await;
    assert!(up.contains("\ntrunkline_store_up 1\n"), "{up}");
    server.kill();
    until_down(&metrics, &store).await;
}

/// Waits until what was gathered while the store answered is too old to be told.
async fn until_down(metrics: &Metrics, store: &RedisStore) {
    let down = async {
        while metrics
            .text(Some(store))
            .await
            .contains("\ntrunkline_store_up 1\n")
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), down).await;
    assert!(waited.is_ok(), "it is still told as up");
}
