//! Writes that are answered when they are on disk.
//!
//! WAITAOF blocks the connection that it is sent on, and waits for what that connection wrote. So
//! these writes have a connection of their own and go in groups: while one group waits for the
//! disk, the next gathers.

use std::{sync::Arc, time::Duration};

use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::sync::{mpsc, oneshot};

use super::{
    dial::{Dialer, Purpose},
    failure::{Failure, spoils_connection},
    keeper::{Kept, Line, Running, Voice},
    script::Code,
};

/// How many writes go in one group: a bound on how long the server is kept from others.
const GROUP: usize = 1024;
/// How long the disk may take, in milliseconds. With `appendfsync everysec` it takes up to a
/// second, on a busy disk two.
const DISK_MS: u64 = 5_000;
/// How long the whole answer may take: the disk, and the two seconds that any answer may.
const ANSWER: Duration = Duration::from_millis(DISK_MS + 2_000);

struct Write {
    code: Code,
    call: Cmd,
    done: oneshot::Sender<Result<Value, Failure>>,
}

/// The queue of writes to be made durable.
pub(super) struct Durable {
    queue: mpsc::Sender<Write>,
    _task: Running,
}

impl Durable {
    pub(super) fn start(dialer: Arc<Dialer>) -> Self {
        let purpose = Purpose {
            answer: ANSWER,
            bell: None,
            blocks: true,
        };
        let (queue, writes) = mpsc::channel(GROUP);
        let grouper = Grouper {
            kept: Kept::start(Arc::clone(&dialer), purpose, None, Voice::Quiet),
            dialer,
        };
        Self {
            queue,
            _task: Running::start(grouper.serve(writes)),
        }
    }

    pub(super) async fn run(&self, code: &Code, call: Cmd) -> Result<Value, Failure> {
        let (done, answer) = oneshot::channel();
        let write = Write {
            code: code.clone(),
            call,
            done,
        };
        let gone = |()| Failure::unavailable("the store is being closed");
        self.queue.send(write).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }
}

struct Grouper {
    kept: Kept,
    dialer: Arc<Dialer>,
}

impl Grouper {
    async fn serve(self, mut writes: mpsc::Receiver<Write>) {
        let mut group = Vec::with_capacity(GROUP);
        while writes.recv_many(&mut group, GROUP).await > 0 {
            let results = self.write(&group).await;
            for (write, result) in group.drain(..).zip(results) {
                // A caller that gave up does not wait for it.
                let _ = write.done.send(result);
            }
        }
    }

    /// One result for each of `group`.
    async fn write(&self, group: &[Write]) -> Vec<Result<Value, Failure>> {
        let all_failed = |failure: Failure| vec![Err(failure); group.len()];
        let mut line = match self.kept.line().await {
            Ok(line) => line,
            Err(failure) => return all_failed(failure),
        };
        let everyone: Vec<_> = group.iter().collect();
        let mut answers = match self.send(&mut line, &everyone).await {
            Ok(answers) => answers,
            Err(failure) => return all_failed(failure),
        };
        let unknown: Vec<_> = (0..group.len())
            .filter(|at| answers.get(*at).is_some_and(Code::is_missing))
            .collect();
        if !unknown.is_empty() {
            let again: Vec<_> = unknown.iter().filter_map(|at| group.get(*at)).collect();
            let repeated = match self.load(&mut line, &again).await {
                Ok(()) => self.send(&mut line, &again).await,
                Err(error) => Err(self.failure(&line, &error)),
            };
            match repeated {
                Ok(repeated) => {
                    for (at, answer) in unknown.into_iter().zip(repeated) {
                        if let Some(slot) = answers.get_mut(at) {
                            *slot = answer;
                        }
                    }
                }
                Err(failure) => return all_failed(failure),
            }
        }
        answers
            .into_iter()
            .map(|answer| {
                answer
                    .extract_error()
                    .map_err(|error| self.failure(&line, &error))
            })
            .collect()
    }

    async fn load(&self, line: &mut Line, writes: &[&Write]) -> Result<(), RedisError> {
        let mut loaded: Vec<&Code> = Vec::new();
        for write in writes {
            if !loaded.iter().any(|code| code.is_beside(&write.code)) {
                let load = write.code.load();
                let answer = line.connection.send_packed_command(&load).await;
                answer.and_then(Value::extract_error)?;
                loaded.push(&write.code);
            }
        }
        Ok(())
    }

    /// Sends the writes and waits for the disk; the answers are those of the writes.
    async fn send(&self, line: &mut Line, writes: &[&Write]) -> Result<Vec<Value>, Failure> {
        let mut pipeline = Pipeline::with_capacity(writes.len() + 1);
        for write in writes {
            pipeline.add_command(write.call.clone());
        }
        pipeline.cmd("WAITAOF").arg(1).arg(0).arg(DISK_MS);
        let mut answers = line
            .connection
            .send_packed_commands(&pipeline, 0, pipeline.len())
            .await
            .map_err(|error| self.failure(line, &error))?;
        match answers.pop().map(Value::extract_error) {
            Some(Ok(Value::Array(synced))) if matches!(synced.first(), Some(Value::Int(1..))) => {
                Ok(answers)
            }
            // The append-only file was turned off since we connected; the link warns of it.
            Some(Err(error)) if error.detail().is_some_and(|d| d.contains("appendonly")) => {
                Ok(answers)
            }
            Some(Err(error)) => Err(self.failure(line, &error)),
            Some(Ok(_)) | None => Err(Failure::unavailable(format!(
                "the server did not bring it to its disk within {} s, so it may or may not have been accepted; it is safe to send it again. Check the server's disk",
                DISK_MS / 1_000
            ))),
        }
    }

    fn failure(&self, line: &Line, error: &RedisError) -> Failure {
        if spoils_connection(error) {
            self.kept.spoil(line);
        }
        Failure::of(error, self.dialer.name())
    }
}
