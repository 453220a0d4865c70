//! The one thread that writes: callers' operations share transactions and their flush to disk.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{failure::Failure, state::State};
use crate::{Error, Result};

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
    /// Runs it. The flag says that the transaction cannot be committed any more.
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> (Reply, bool);
    /// Does not run it.
    fn refuse(self: Box<Self>, error: &Error);
}

struct Call<T, F> {
    run: F,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Operation for Call<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
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
                Some(error) if !broken => Err(copy(error)),
                _ => result,
            }));
        });
        (tell, broken)
    }

    fn refuse(self: Box<Self>, error: &Error) {
        drop(self.reply.send(Err(copy(error))));
    }
}

/// The same failure for another caller of the same transaction.
fn copy(error: &Error) -> Error {
    match error {
        Error::LeaseLost { id, epoch } => Error::LeaseLost {
            id: *id,
            epoch: *epoch,
        },
        Error::WorkerRunning { place } => Error::WorkerRunning {
            place: place.clone(),
        },
        Error::Unusable { place, message } => Error::Unusable {
            place: place.clone(),
            message: message.clone(),
        },
        Error::Corrupt { place, message } => Error::Corrupt {
            place: place.clone(),
            message: message.clone(),
        },
        Error::Unavailable {
            place,
            message,
            source,
        } => Error::Unavailable {
            place: place.clone(),
            message: match source {
                Some(source) => format!("{message} ({source})"),
                None => message.clone(),
            },
            source: None,
        },
    }
}

/// The thread, and the way to it.
pub(super) struct Writer {
    place: String,
    operations: Option<Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, state: State) -> Result<Self> {
        let place = state.place.clone();
        let (operations, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, state, &queue))
            .map_err(|error| Error::Unavailable {
                place: place.clone(),
                message: "the thread that writes cannot be started".to_owned(),
                source: Some(Box::new(error)),
            })?;
        Ok(Self {
            place,
            operations: Some(operations),
            thread: Some(thread),
        })
    }

    /// Runs `run` in a transaction and returns when it is durable.
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
        let (reply, answer) = oneshot::channel();
        let operations = self.operations.as_ref().ok_or_else(gone)?;
        operations
            .send(Box::new(Call { run, reply }))
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
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

fn serve(connection: &Connection, mut state: State, queue: &Receiver<Box<dyn Operation>>) {
    let mut last = None::<Instant>;
    while let Ok(first) = queue.recv() {
        if let Some(wait) = last.and_then(|last| SPACING.checked_sub(last.elapsed())) {
            std::thread::sleep(wait);
        }
        last = Some(Instant::now());
        if let Err(error) = begin(connection, &mut state) {
            first.refuse(&error);
            continue;
        }
        let mut replies = Vec::new();
        let mut failure = run_group(connection, &mut state, first, queue, &mut replies);
        if failure.is_none() {
            failure = commit(connection, &mut state).err();
        }
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
}

fn begin(connection: &Connection, state: &mut State) -> Result<()> {
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
        let mut tx = Tx { connection, state };
        let (reply, broken) = operation.run(&mut tx);
        replies.push(reply);
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
        .map_err(|error| Failure::new(&state.place, error).into())
}
