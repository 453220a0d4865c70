//! The one way to a store's server.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use redis::{Cmd, Pipeline, RedisError, Value};

use super::{
    dial::{Dialer, Purpose},
    durable::Durable,
    failure::{Failure, spoils_connection},
    keeper::{Kept, Line, Voice},
    script::Code,
    server::Server,
    url::RedisPlace,
    wake::Wake,
};
use crate::Result;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// Connections to the server that holds a store, made again when they are lost. Commands of
/// concurrent callers share one and are pipelined.
///
/// A call fails with [`crate::Error::Unavailable`] within 2 s when there is no connection, and
/// within 2 s when there is no answer; whether the server did what was asked is not known then.
/// Nothing but connecting is tried twice here.
pub(super) struct Link {
    dialer: Arc<Dialer>,
    main: Kept,
    wake: OnceLock<Wake>,
    durable: OnceLock<Durable>,
}

impl Link {
    /// Connects once, and checks that a store may live there. Says in the log what a crash of the
    /// server could lose.
    pub(super) async fn open(place: &RedisPlace) -> Result<Arc<Self>> {
        let (link, server) = Self::connect(place).await?;
        server.say_what_may_be_lost(link.place());
        Ok(link)
    }

    /// As [`Self::open`], for a question that is asked before the store is opened.
    pub(super) async fn open_to_ask(place: &RedisPlace) -> Result<Arc<Self>> {
        Ok(Self::connect(place).await?.0)
    }

    async fn connect(place: &RedisPlace) -> Result<(Arc<Self>, Server)> {
        let failed = |failure: Failure| failure.at(&place.to_string());
        let dialer = Arc::new(Dialer::new(place.clone()).map_err(failed)?);
        let purpose = Purpose {
            answer: ANSWER,
            bell: None,
            blocks: false,
        };
        let wire = dialer.connect(&purpose).await.map_err(failed)?;
        let server = wire.server.clone();
        let link = Arc::new(Self {
            main: Kept::start(Arc::clone(&dialer), purpose, Some(wire), Voice::Heard),
            dialer,
            wake: OnceLock::new(),
            durable: OnceLock::new(),
        });
        Ok((link, server))
    }

    /// Sends one command.
    pub(super) async fn query(&self, command: &Cmd) -> Result<Value> {
        let mut line = self.line().await?;
        let answer = line.connection.send_packed_command(command).await;
        self.settle(&line, answer)
    }

    /// Sends commands that only look, at most some hundred, as one: what they answer is of one moment.
    pub(super) async fn query_together(&self, commands: &[Cmd]) -> Result<Vec<Value>> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        pipeline.atomic();
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let mut line = self.line().await?;
        let sent = line
            .connection
            .send_packed_commands(&pipeline, commands.len() + 1, 1);
        let answer = sent.await.map(|mut answers| answers.pop());
        let answer = answer.map(|answers| answers.unwrap_or(Value::Nil));
        let Value::Array(answers) = self.settle(&line, answer)? else {
            return Ok(Vec::new());
        };
        Ok(answers)
    }

    /// Calls a function. A server that does not know it (a new one, or one that lost it) is given
    /// its library first.
    pub(super) async fn run(
        &self,
        code: &Code,
        keys: &[impl AsRef<[u8]>],
        args: &[impl AsRef<[u8]>],
    ) -> Result<Value> {
        self.run_call(code, &code.call(keys, args)).await
    }

    /// As [`Self::run`], and tells the function as its last argument which run of which server it
    /// is sent to: another one may have forgotten what was written last.
    pub(super) async fn run_telling(
        &self,
        code: &Code,
        keys: &[impl AsRef<[u8]>],
        args: &[impl AsRef<[u8]>],
    ) -> Result<Value> {
        let line = self.line().await?;
        let mut call = code.call(keys, args);
        call.arg(&*line.run_id);
        self.run_on(line, code, &call).await
    }

    /// As [`Self::run`], and where the server can tell (7.2 with the append-only file), returns
    /// once what was written is on its disk. A run that fails with `Unavailable` may have been
    /// done, so it must be safe to repeat.
    pub(super) async fn run_durable(
        &self,
        code: &Code,
        keys: &[impl AsRef<[u8]>],
        args: &[impl AsRef<[u8]>],
    ) -> Result<Value> {
        let call = code.call(keys, args);
        if !self.line().await?.tells_durability {
            return self.run_call(code, &call).await;
        }
        self.durable
            .get_or_init(|| Durable::start(Arc::clone(&self.dialer)))
            .run(code, call)
            .await
            .map_err(|failure| failure.at(self.place()))
    }

    /// Returns when a message came on the store's channel since the last return (to any caller),
    /// or may have been missed: after every connection made for it. All who wait then return.
    pub(super) async fn changed(&self) {
        self.wake
            .get_or_init(|| Wake::start(Arc::clone(&self.dialer)))
            .changed()
            .await;
    }

    /// The place, for messages.
    pub(super) fn place(&self) -> &str {
        self.dialer.place()
    }

    async fn run_call(&self, code: &Code, call: &Cmd) -> Result<Value> {
        let line = self.line().await?;
        self.run_on(line, code, call).await
    }

    async fn run_on(&self, mut line: Line, code: &Code, call: &Cmd) -> Result<Value> {
        let mut answer = line.connection.send_packed_command(call).await;
        if answer.as_ref().is_ok_and(Code::is_missing) {
            let loaded = line.connection.send_packed_command(&code.load()).await;
            if let Err(error) = loaded.and_then(Value::extract_error) {
                return self.settle(&line, Err(error));
            }
            answer = line.connection.send_packed_command(call).await;
        }
        self.settle(&line, answer)
    }

    async fn line(&self) -> Result<Line> {
        self.main
            .line()
            .await
            .map_err(|failure| failure.at(self.place()))
    }

    fn settle(&self, line: &Line, answer: Result<Value, RedisError>) -> Result<Value> {
        answer.and_then(Value::extract_error).map_err(|error| {
            if spoils_connection(&error) {
                self.main.spoil(line);
            }
            Failure::of(&error, self.dialer.name()).at(self.place())
        })
    }
}

#[cfg(test)]
mod tests;
