//! What a person reads of endpoints that fail.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
};

use store::{DeliveryState, Then};
use tracing_subscriber::fmt::MakeWriter;
use webhook::Event;

use crate::{
    place::{Place, QUICK, eventually},
    receiver::{Receiver, Reply},
};

/// Everything that is logged while these tests run.
static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let page = Page::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(page.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    page
});

/// Begins to write everything down. Each test does, because what is logged first decides whether
/// it is ever looked at.
pub(crate) fn begin() {
    LazyLock::force(&PAGE);
}

/// In how many lines this stands.
pub(crate) fn count(what: &str) -> usize {
    let log = String::from_utf8(PAGE.0.lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| line.contains(what)).count()
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Page {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

pub(crate) async fn an_endpoint_that_fails_is_told_of_once_and_once_when_it_works_again(
    place: Place,
) {
    // One message that fails three times, then three that are given up and sent again.
    let receiver = Receiver::new(|n| match n {
        0..=2 => Reply::Status(500),
        4..=6 => Reply::Status(410),
        _ => Reply::Status(200),
    })
    .await;
    // The page has the lines of all tests.
    let name = format!("failing-{}", rand::random::<u32>());
    let running = place.run(vec![receiver.endpoint(&name, &Event::ALL)], QUICK);
    place.begun().await;
    place.end(0, Then::Succeed).await;
    place.only(DeliveryState::Delivered).await;
    for n in 1..4 {
        place.end(n, Then::Succeed).await;
    }
    let are = async |state: DeliveryState, count: usize| {
        let all = place.deliveries().await;
        all.iter().filter(|one| one.state == state).count() == count
    };
    let given_up = DeliveryState::GivenUp;
    eventually("three are given up", async || are(given_up, 3).await).await;
    for delivery in place.deliveries().await {
        if delivery.state == given_up {
            assert!(place.store.resend(&delivery.id).await.unwrap());
        }
    }
    let delivered = DeliveryState::Delivered;
    eventually("all are delivered", async || are(delivered, 4).await).await;
    running.stop().await.unwrap();

    let log = String::from_utf8(PAGE.0.lock().unwrap().clone()).unwrap();
    let ours = |level: &str| {
        let lines = log
            .lines()
            .filter(|line| line.contains(&name) && line.contains(level));
        lines.count()
    };
    assert_eq!((ours(" WARN "), ours(" INFO ")), (2, 2));
    assert_eq!(ours(" DEBUG "), 10);
    // At any level, of any crate, of any test.
    for secret in ["planted", "MfKQ9r8", "v1,"] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret}");
    }
}
