//! What a worker says of an outage: once, however many onboardings it has in hand.
#![expect(
    clippy::unwrap_used,
    reason = "a worker that does not end fails its test"
)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use store::Store;
use tracing::subscriber::DefaultGuard;

use crate::{
    line::{Call, Line, fails, free},
    world::{DEADLINE, World, full_signup, settings},
};

/// What is logged on this thread from `warn` on, as by default.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        // With one subscriber alone, what a thread without it logs first is never heard by anybody.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self, with: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(with));
        lines.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_store_that_refuses_to_record_is_told_once_for_all_in_hand() {
    let (log, _guard) = Log::start();
    let world = World::new().await;
    let new = (0..20).map(|n| full_signup("acme", n));
    world.enqueue(new.collect()).await;
    let out = Arc::new(AtomicBool::new(false));
    let unusable = || {
        fails(store::Error::Unusable {
            place: "made up".into(),
            message: "the login does not work any more".into(),
        })
    };
    let line = Line::new(&world.store, move |call| match call {
        Call::Advance(_) => {
            out.store(true, Ordering::SeqCst);
            unusable()
        }
        Call::Claim if out.load(Ordering::SeqCst) => unusable(),
        Call::Claim | Call::Accounts | Call::Other => free(),
    });
    let accounts = vec![world.account("acme")];
    let store = line as Arc<dyn Store>;
    let running = worker::run(settings("w"), store, accounts, std::future::pending());
    let ended = tokio::time::timeout(DEADLINE, running).await.unwrap();
    assert!(ended.is_err(), "{ended:?}");
    let told = log.lines("does not record");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("login"), "{told:?}");
}
