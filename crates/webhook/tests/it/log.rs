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

#[tokio::test]
async fn an_endpoint_that_fails_is_told_of_once_and_once_when_it_works_again() {
    let place = Place::new().await;
    let receiver = Receiver::new(|n| Reply::Status(if n < 6 { 500 } else { 200 })).await;
    let running = place.run(vec![receiver.endpoint("failing", &Event::ALL)], QUICK);
    place.begun().await;
    for n in 0..3 {
        place.end(n, Then::Succeed).await;
    }
    let delivered = async || {
        let all = place.deliveries().await;
        all.len() == 3 && all.iter().all(|one| one.state == DeliveryState::Delivered)
    };
    eventually("all are delivered", delivered).await;
    running.stop().await.unwrap();

    let log = String::from_utf8(PAGE.0.lock().unwrap().clone()).unwrap();
    let ours = |level: &str| {
        let lines = log
            .lines()
            .filter(|line| line.contains("endpoint=\"failing\"") && line.contains(level));
        lines.count()
    };
    assert_eq!((ours(" WARN "), ours(" INFO ")), (1, 1));
    assert_eq!(ours(" DEBUG "), 9);
    // At any level, of any crate, of any test.
    for secret in ["planted", "MfKQ9r8", "v1,"] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret}");
    }
}
