//! Writes of many onboardings as one call: while one is at the server, the next gathers. A write
//! by itself waits for nobody.

use std::sync::Arc;

use redis::Value;
use tokio::sync::{mpsc, oneshot};

use super::{answer::Answer, keeper::Running, link::Link, script::ADVANCE};
use crate::{Error, Result};

/// Most writes of one call: about a millisecond of the server's time.
const TOGETHER: usize = 32;

/// A write and who waits for its answer.
struct Write {
    args: Vec<Vec<u8>>,
    done: oneshot::Sender<Result<Answer>>,
}

/// The writes on their way.
pub(super) struct Advancing {
    writes: mpsc::Sender<Write>,
    place: String,
    _task: Running,
}

impl Advancing {
    pub(super) fn start(link: Arc<Link>, keys: Arc<[String]>, holder: [u8; 8]) -> Self {
        let (writes, mut next) = mpsc::channel::<Write>(TOGETHER);
        let place = link.place().to_owned();
        let task = Running::start(async move {
            let mut group = Vec::with_capacity(TOGETHER);
            while next.recv_many(&mut group, TOGETHER).await > 0 {
                let Err(error) = send(&link, &keys, holder, &mut group).await else {
                    continue;
                };
                // Who waits behind them does not wait for a connection once more.
                while let Ok(write) = next.try_recv() {
                    let _ = write.done.send(Err(error.again()));
                }
            }
        });
        Self {
            writes,
            place,
            _task: task,
        }
    }

    /// The answer to one write.
    pub(super) async fn write(&self, args: Vec<Vec<u8>>) -> Result<Answer> {
        let (done, answer) = oneshot::channel();
        let closed = || Error::Unavailable {
            place: self.place.clone(),
            message: "the store is being closed".to_owned(),
            source: None,
        };
        let write = Write { args, done };
        self.writes.send(write).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

async fn send(link: &Link, keys: &[String], holder: [u8; 8], group: &mut Vec<Write>) -> Result<()> {
    let mut args = vec![holder.to_vec()];
    let mut waiting = Vec::with_capacity(group.len());
    for write in group.drain(..) {
        args.push(write.args.len().to_string().into_bytes());
        args.extend(write.args);
        waiting.push(write.done);
    }
    let answers = link.run(&ADVANCE.code, keys, &args).await;
    let mut answers = answers.map(|answers| {
        let answers = if let Value::Array(answers) = answers {
            answers
        } else {
            Vec::new()
        };
        answers.into_iter()
    });
    for done in waiting {
        let answer = match &mut answers {
            // No answer is an odd one.
            Ok(answers) => Ok(Answer::new(
                answers.next().unwrap_or(Value::Array(Vec::new())),
                link.place(),
            )),
            Err(error) => Err(error.again()),
        };
        // A caller that gave up does not wait for it.
        let _ = done.send(answer);
    }
    answers.map(drop)
}
