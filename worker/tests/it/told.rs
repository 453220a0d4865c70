//! What a worker says of an outage: once, however many onboardings it has in hand.
#![expect(
    clippy::unwrap_used,
    reason = "a worker that does not end fails its test"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use exotel::Class;
use store::Store;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tracing::subscriber::DefaultGuard;
use worker::{Account, Event, Observer};

use crate::{
    line::{Call, Line, fails, free},
    world::{DEADLINE, World, account, full_signup, settings, wide},
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

/// Counts requests that never left.
#[derive(Default)]
struct NeverSent(AtomicU32);

impl Observer for NeverSent {
    fn event(&self, event: Event<'_>) {
        if let Event::Request { failure, .. } = event
            && failure == Some(Class::NeverSent)
        {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Hands every connection on to `to`.
async fn hand_on(listener: TcpListener, to: SocketAddr) {
    loop {
        let mut caller = listener.accept().await.unwrap().0;
        tokio::spawn(async move {
            let mut exotel = TcpStream::connect(to).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut caller, &mut exotel).await);
        });
    }
}

#[tokio::test]
async fn an_exotel_out_of_reach_is_told_once_for_all_of_an_account_and_so_is_its_return() {
    let (log, _guard) = Log::start();
    let world = World::new().await;
    let new = (0..10).map(|n| full_signup("acme", n));
    world.enqueue(new.collect()).await;
    // Bound, but it does not listen: connections are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut config = world.config("acme");
    let exotel = config.base_url.strip_prefix("http://").unwrap();
    let exotel = exotel.parse().unwrap();
    config.base_url = format!("http://{}", socket.local_addr().unwrap());
    let never_sent = Arc::new(NeverSent::default());
    let mut settings = settings("w");
    settings.retry.never_sent_attempts = u32::MAX;
    settings.observer = Some(Arc::clone(&never_sent) as Arc<dyn Observer>);
    let back = async {
        while never_sent.0.load(Ordering::SeqCst) < 30 {
            tokio::task::yield_now().await;
        }
        hand_on(socket.listen(64).unwrap(), exotel).await;
    };
    let working = world.drain(
        settings,
        vec![Account::new(account("acme"), config, wide())],
    );
    let stats = tokio::select! {
        stats = working => stats,
        () = back => unreachable!("it hands on for ever"),
    };
    assert_eq!((stats.succeeded, stats.requests), (10, 10 * 6 + 1));
    let told = log.lines("Exotel");
    assert_eq!(told.len(), 2, "{told:#?}");
    for (line, words) in told.iter().zip([
        ["Exotel does not answer", "account=acme", "refused"],
        ["answers again", "account=acme", "WARN"],
    ]) {
        for word in words {
            assert!(line.contains(word), "{word} in {line}");
        }
    }
}
