//! SIGINT and SIGTERM: the first asks to stop, the second does it.

use std::io;

use rustix::process::Signal as Number;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::output::note;

/// Lets a write that would make a file larger than `ulimit -f` allows fail, as on a full disk: without a
/// handler the system's signal ends the process. Once installed it stays; no one waits for it.
///
/// # Errors
/// Where the system refuses a handler.
pub(crate) fn outlive_file_limit() -> io::Result<()> {
    signal(SignalKind::from_raw(Number::XFSZ.as_raw())).map(drop)
}

/// Tells when to stop.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    asked: watch::Receiver<bool>,
}

impl Shutdown {
    /// Begins to listen for signals.
    ///
    /// # Errors
    /// Where the system refuses a handler.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(listen(interrupt, terminate, ask));
        Ok(Self { asked })
    }

    /// Ready when it is time to stop.
    pub(crate) async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // No signal can come any more.
            std::future::pending::<()>().await;
        }
    }
}

async fn listen(mut interrupt: Signal, mut terminate: Signal, ask: watch::Sender<bool>) {
    let mut first = true;
    loop {
        // 128 and the signal's number is what shells expect of a process that a signal ended.
        let status = tokio::select! {
            Some(()) = interrupt.recv() => 130,
            Some(()) = terminate.recv() => 143,
            else => return,
        };
        if !first {
            std::process::exit(status);
        }
        first = false;
        note("stopping: the requests in flight are finished first; a second signal stops at once");
        ask.send_replace(true);
    }
}
