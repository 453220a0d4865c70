//! A connection that is made again when it is lost.
//!
//! `redis` has a manager that does this for one address. This one finds the server anew each time,
//! drops a connection that does not answer (a partition closes nothing), checks what it finds
//! before anybody may use it, fails callers in bounded time and tells of a loss once.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::RngExt;
use redis::{Value, aio::MultiplexedConnection};
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tracing::{debug, warn};

use super::{
    dial::{Dialer, Purpose, Wire},
    failure::{Failure, FailureKind},
    server::Server,
};

/// How long a caller waits for a connection that is not there.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first pause between attempts to connect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// A server that is back is used at most this much later.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that lasted this long was a good one. One that was lost sooner counts as a failed
/// attempt, so that a server which drops or refuses everybody is not stormed.
const SETTLED: Duration = Duration::from_secs(5);
/// How often a connection is asked whether it lives. With the time that an answer may take, a silent
/// partition is noticed within four seconds.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Every so many heartbeats one connection of a process reads the server's INFO: its configuration and role
/// may change at any time, and no answer to a command shows that.
const BEATS_TO_A_LOOK: u32 = 2;

/// A task that ends when this is dropped.
pub(super) struct Running(JoinHandle<()>);

impl Running {
    pub(super) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    async fn ended(&mut self) {
        // A task that panicked is as ended as another.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who tells people about the loss of the server: one connection of a process does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Heard,
    Quiet,
}

/// A connection, now.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) connection: MultiplexedConnection,
    pub(super) tells_durability: bool,
    /// What tells the server's run from every other.
    pub(super) run_id: Arc<str>,
    id: u64,
}

#[derive(Clone)]
enum State {
    Up(Line),
    Down(Failure),
}

/// A connection that is kept.
pub(super) struct Kept {
    state: watch::Receiver<State>,
    /// The latest connection that somebody found to be of no use.
    spoiled: watch::Sender<u64>,
    _task: Running,
}

impl Kept {
    /// Keeps `first`, or a connection that is yet to be made.
    pub(super) fn start(
        dialer: Arc<Dialer>,
        purpose: Purpose,
        first: Option<Wire>,
        voice: Voice,
    ) -> Self {
        let (state, told) = watch::channel(State::Down(Failure::unavailable(
            "the connection is being made",
        )));
        let (spoiled, seen) = watch::channel(0);
        let first = first.map(|wire| up(&state, wire, 1));
        let keeper = Keeper {
            dialer,
            purpose,
            state,
            spoiled: seen,
            voice,
            last: 1,
            pause: FIRST_PAUSE,
        };
        Self {
            state: told,
            spoiled,
            _task: Running::start(keeper.keep(first)),
        }
    }

    /// The connection; waits a little for one, but not for what an operator has to correct.
    pub(super) async fn line(&self) -> Result<Line, Failure> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| match state {
            State::Up(_) => true,
            State::Down(failure) => failure.kind == FailureKind::Unfit,
        });
        let now = match tokio::time::timeout(PATIENCE, up).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => self.state.borrow().clone(),
        };
        match now {
            State::Up(line) => Ok(line),
            State::Down(failure) => Err(failure),
        }
    }

    /// Says that `line` is of no more use.
    pub(super) fn spoil(&self, line: &Line) {
        self.spoiled.send_if_modified(|latest| {
            let newer = line.id > *latest;
            *latest = line.id.max(*latest);
            newer
        });
    }
}

struct Keeper {
    dialer: Arc<Dialer>,
    purpose: Purpose,
    state: watch::Sender<State>,
    spoiled: watch::Receiver<u64>,
    voice: Voice,
    /// The connection made last.
    last: u64,
    /// How long to wait before the next attempt that follows another.
    pause: Duration,
}

fn up(state: &watch::Sender<State>, wire: Wire, id: u64) -> Held {
    let line = Line {
        connection: wire.connection,
        tells_durability: wire.server.tells_durability(),
        run_id: wire.server.run_id().into(),
        id,
    };
    state.send_replace(State::Up(line.clone()));
    Held {
        line,
        driver: wire.driver,
        server: wire.server,
    }
}

struct Held {
    line: Line,
    driver: Running,
    /// As it was when it was last looked at.
    server: Server,
}

impl Keeper {
    async fn keep(mut self, mut held: Option<Held>) {
        loop {
            let lost_at = match held.take() {
                Some(now) => {
                    let made_at = Instant::now();
                    self.until_lost(now).await;
                    if made_at.elapsed() > SETTLED {
                        self.pause = FIRST_PAUSE;
                    } else {
                        self.rest().await;
                    }
                    Some(Instant::now())
                }
                None => None,
            };
            let wire = self.again(lost_at).await;
            self.last += 1;
            if let Some(since) = lost_at {
                self.tell_return(since);
            }
            held = Some(up(&self.state, wire, self.last));
        }
    }

    /// Returns when the connection is of no more use, and drops it.
    async fn until_lost(&mut self, held: Held) {
        let Held {
            line,
            mut driver,
            server,
        } = held;
        let lost = || Failure::unavailable("the connection was lost");
        let mut spoiled = self.spoiled.clone();
        let why = tokio::select! {
            () = driver.ended() => lost(),
            _ = spoiled.wait_for(|latest| *latest >= line.id) => lost(),
            unfit = self.look_after(line.clone(), server) => unfit.unwrap_or_else(lost),
        };
        self.state.send_replace(State::Down(why));
    }

    /// Returns when a ping is not answered, or when the server is not fit to keep the store any more.
    /// A connection that blocks by design is not asked anything.
    async fn look_after(&self, mut line: Line, mut server: Server) -> Option<Failure> {
        if self.purpose.blocks {
            return std::future::pending().await;
        }
        let (ping, info) = (redis::cmd("PING"), redis::cmd("INFO"));
        let looks = self.voice == Voice::Heard;
        for beat in 1_u32.. {
            sleep(HEARTBEAT).await;
            if !looks || beat % BEATS_TO_A_LOOK != 0 {
                line.connection.send_packed_command(&ping).await.ok()?;
                continue;
            }
            let told = line.connection.send_packed_command(&info).await;
            let told = told.and_then(Value::extract_error).ok()?;
            // What is no INFO is no reason to let a connection go that works.
            let Ok(told) = redis::from_redis_value::<String>(told) else {
                continue;
            };
            let now = match self.dialer.fit(&told, true) {
                Ok(now) => now,
                Err(unfit) => return Some(unfit),
            };
            now.say_what_changed(&server, self.dialer.place());
            if now.tells_durability() != line.tells_durability {
                line.tells_durability = now.tells_durability();
                self.state.send_replace(State::Up(line.clone()));
            }
            server = now;
        }
        None
    }

    async fn again(&mut self, lost_at: Option<Instant>) -> Wire {
        let mut told = false;
        loop {
            match self.dialer.connect(&self.purpose).await {
                Ok(wire) => {
                    if lost_at.is_some() && !told {
                        self.tell_loss(None);
                    }
                    return wire;
                }
                Err(failure) => {
                    if lost_at.is_some() && !told {
                        self.tell_loss(Some(&failure));
                        told = true;
                    }
                    self.state.send_replace(State::Down(failure));
                }
            }
            self.rest().await;
        }
    }

    /// Waits before the next attempt; longer each time.
    async fn rest(&mut self) {
        // Half to whole, so that a fleet does not come back in step.
        let part = rand::rng().random_range(0.5..=1.0);
        sleep(self.pause.mul_f64(part)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn tell_loss(&self, failure: Option<&Failure>) {
        let store = self.dialer.place();
        let error = failure.map_or("the connection was closed", |failure| &failure.message);
        let unfit = failure.is_some_and(|failure| failure.kind == FailureKind::Unfit);
        match self.voice {
            Voice::Heard if unfit => warn!(
                store,
                error,
                "the Redis must not be used as it is configured now; nothing is accepted or handed out until that is corrected"
            ),
            Voice::Heard => warn!(
                store,
                error, "lost the Redis; trying to reach it again until it answers"
            ),
            Voice::Quiet => debug!(store, error, "lost a further connection to the Redis"),
        }
    }

    fn tell_return(&self, since: Instant) {
        let store = self.dialer.place();
        let duration_ms = since.elapsed().as_millis();
        match self.voice {
            // A warning too: who was told of the loss has to hear of its end.
            Voice::Heard => warn!(store, duration_ms, "the Redis answers again"),
            Voice::Quiet => debug!(
                store,
                duration_ms, "made a further connection to the Redis again"
            ),
        }
    }
}
