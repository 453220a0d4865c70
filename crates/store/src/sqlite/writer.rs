//! The one thread that writes: callers' operations share transactions and their flush to disk.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::{Connection, config::DbConfig};
use tokio::sync::oneshot;

use super::{failure::Failure, state::State, writer_health::WriterHealth};
use crate::{Error, Result, error::Untouched};

/// Most operations of one transaction: bounds how long the first waits for the last.
const GROUP_MAX: usize = 512;

/// Under load, transactions begin at least this far apart, so that more operations share one and
/// its flush. Far below a round trip to Exotel, and an idle store does not wait.
const SPACING: Duration = Duration::from_millis(4);

/// What an operation sees: the connection inside a transaction, and what is kept in memory.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) state: &'a mut State,
}

impl Tx<'_> {
    /// Turns SQLite's errors into ours.
    pub(super) fn fail(&self, error: rusqlite::Error) -> Error {
        Failure::new(&self.state.place, error).into()
    }
}

/// Tells the caller, once it is known whether the transaction was committed.
type Reply = Box<dyn FnOnce(Option<&Error>) + Send>;

trait Operation: Send {
    /// When it was asked for.
    fn asked(&self) -> Instant;
    /// Begins it, unless its caller has given up; from then on it does not any more.
    fn begin(&self) -> bool;
    /// Runs it. The flag says that the transaction cannot be committed any more.
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> (Reply, bool);
    /// Does not run it.
    fn refuse(self: Box<Self>, error: &Error);
}

struct Call<T, F> {
    run: F,
    reply: oneshot::Sender<Result<T>>,
    asked: Instant,
    turn: Arc<Turn>,
}

/// Taken once: by the thread that begins an operation, or by the caller that gives up before that.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// A caller that waits. One that goes away takes its operation along if that was not begun.
struct Waiting(Arc<Turn>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.take();
    }
}

impl<T, F> Operation for Call<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn asked(&self) -> Instant {
        self.asked
    }

    fn begin(&self) -> bool {
        self.turn.take()
    }

    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> (Reply, bool) {
        let result = (self.run)(tx);
        // A lost lease is an answer: nothing was written for it. Everything else leaves the
        // transaction half done.
        let broken = match &result {
            Ok(_) | Err(Error::LeaseLost { .. } | Error::WorkerRunning { .. }) => false,
            Err(_) => true,
        };
        let reply = self.reply;
        let tell: Reply = Box::new(move |failure| {
            // The caller may have gone away; then nobody wants to know.
            drop(reply.send(match failure {
                Some(error) if !broken => Err(error.again()),
                _ => result,
            }));
        });
        (tell, broken)
    }

    fn refuse(self: Box<Self>, error: &Error) {
        drop(self.reply.send(Err(error.again())));
    }
}

/// The thread, and the way to it.
pub(super) struct Writer {
    place: String,
    patience: Duration,
    health: Arc<WriterHealth>,
    operations: Option<Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, state: State, patience: Duration) -> Result<Self> {
        let place = state.place.clone();
        let (operations, queue) = channel();
        let health = Arc::new(WriterHealth::default());
        let told = Arc::clone(&health);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, state, &queue, &told))
            .map_err(|error| Error::Unavailable {
                place: place.clone(),
                message: "the thread that writes cannot be started".to_owned(),
                source: Some(Box::new(error)),
            })?;
        Ok(Self {
            place,
            patience,
            health,
            operations: Some(operations),
            thread: Some(thread),
        })
    }

    /// What is known of the thread.
    pub(super) fn health(&self) -> &WriterHealth {
        &self.health
    }

    /// Runs `run` in a transaction and returns when it is durable. It is not run where it was not
    /// begun within the store's patience, or before the caller went away.
    pub(super) async fn call<T, F>(&self, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let gone = || Error::Unavailable {
            place: self.place.clone(),
            message: "the thread that writes has ended".to_owned(),
            source: None,
        };
        let (reply, mut answer) = oneshot::channel();
        let operations = self.operations.as_ref().ok_or_else(gone)?;
        let waiting = Waiting(Arc::default());
        let call = Call {
            run,
            reply,
            asked: Instant::now(),
            turn: Arc::clone(&waiting.0),
        };
        operations.send(Box::new(call)).map_err(|_| gone())?;
        if let Ok(answer) = tokio::time::timeout(self.patience, &mut answer).await {
            return answer.map_err(|_| gone())?;
        }
        if waiting.0.take() {
            let why = "another process keeps the file locked";
            return Err(self.slow(why, Some(Untouched(why.to_owned()))));
        }
        // It is under way, and nothing but its end tells what became of it.
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => answer.map_err(|_| gone())?,
            Err(_) => Err(self.slow("it was still under way", None)),
        }
    }

    fn slow(&self, what: &str, untouched: Option<Untouched>) -> Error {
        Error::Unavailable {
            place: self.place.clone(),
            message: format!("a write took longer than {:?}: {what}", self.patience),
            source: untouched.map(|untouched| Box::new(untouched) as _),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing the queue ends the thread after what is in it; waiting for it closes the file.
        self.operations.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(
    connection: &Connection,
    mut state: State,
    queue: &Receiver<Box<dyn Operation>>,
    health: &WriterHealth,
) {
    let mut last = None::<Instant>;
    while let Ok(first) = queue.recv() {
        health.begin(first.asked());
        if let Some(wait) = last.and_then(|last| SPACING.checked_sub(last.elapsed())) {
            std::thread::sleep(wait);
        }
        last = Some(Instant::now());
        if let Err(error) = begin(connection, &mut state) {
            first.refuse(&error);
            health.end(true);
            continue;
        }
        let mut replies = Vec::new();
        let mut failure = run_group(connection, &mut state, first, queue, &mut replies);
        if failure.is_none() {
            failure = commit(connection, &mut state).err();
        }
        health.end(failure.is_some());
        if failure.is_some() {
            // What is in memory may be ahead of the file now.
            drop(connection.execute_batch("ROLLBACK"));
            state.forget();
        }
        for reply in replies {
            reply(failure.as_ref());
        }
        if failure.is_none() {
            state.announce();
        }
    }
    if state.identity.check().is_err() {
        leave_alone(connection);
    }
}

/// Keeps a connection from writing to the file when it is closed: what is at the file's path now was
/// put there by others.
pub(super) fn leave_alone(connection: &Connection) {
    let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    if let Err(error) = connection.set_db_config(option, true) {
        tracing::error!(%error, "a database that was replaced may be written to at the end");
    }
}

fn begin(connection: &Connection, state: &mut State) -> Result<()> {
    state.identity.check()?;
    let fail = |error| Error::from(Failure::new(&state.place, error));
    connection
        .prepare_cached("BEGIN IMMEDIATE")
        .and_then(|mut s| s.execute([]))
        .map_err(fail)?;
    state
        .refresh(connection)
        .inspect_err(|_| drop(connection.execute_batch("ROLLBACK")))
}

fn run_group(
    connection: &Connection,
    state: &mut State,
    first: Box<dyn Operation>,
    queue: &Receiver<Box<dyn Operation>>,
    replies: &mut Vec<Reply>,
) -> Option<Error> {
    let mut next = Some(first);
    while let Some(operation) = next {
        let mut broken = false;
        if operation.begin() {
            let mut tx = Tx { connection, state };
            let (reply, failed) = operation.run(&mut tx);
            replies.push(reply);
            broken = failed;
        }
        if broken {
            return Some(Error::Unavailable {
                place: state.place.clone(),
                message:
                    "another write of the same moment failed, so this one was undone too; try again"
                        .to_owned(),
                source: None,
            });
        }
        next = if replies.len() < GROUP_MAX {
            queue.try_recv().ok()
        } else {
            None
        };
    }
    None
}

fn commit(connection: &Connection, state: &mut State) -> Result<()> {
    state.save(connection)?;
    connection
        .prepare_cached("COMMIT")
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|error| Error::from(Failure::new(&state.place, error)))?;
    // Last of all: what is answered from here on is in the file that is at its path.
    state.identity.check()
}
