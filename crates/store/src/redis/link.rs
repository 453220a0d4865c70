//! The one way to a store's server.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use redis::{Cmd, RedisError, Script, Value};

use super::{
    dial::{Dialer, Purpose},
    durable::Durable,
    failure::{Failure, spoils_connection},
    keeper::{Kept, Line, Voice},
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
        let failed = |failure: Failure| failure.at(&place.to_string());
        let dialer = Arc::new(Dialer::new(place.clone()).map_err(failed)?);
        let purpose = Purpose {
            answer: ANSWER,
            bell: None,
            blocks: false,
        };
        let wire = dialer.connect(&purpose).await.map_err(failed)?;
        wire.server.say_what_may_be_lost(dialer.place());
        Ok(Arc::new(Self {
            main: Kept::start(Arc::clone(&dialer), purpose, Some(wire), Voice::Heard),
            dialer,
            wake: OnceLock::new(),
            durable: OnceLock::new(),
        }))
    }

    /// Sends one command.
    pub(super) async fn query(&self, command: &Cmd) -> Result<Value> {
        let mut line = self.line().await?;
        let answer = line.connection.send_packed_command(command).await;
        self.settle(&line, answer)
    }

    /// Runs a script by its digest. A server that does not know it (it was restarted, or is
    /// another after a failover) is given its text first.
    pub(super) async fn run(
        &self,
        script: &Script,
        keys: &[impl AsRef<[u8]>],
        args: &[impl AsRef<[u8]>],
    ) -> Result<Value> {
        self.run_call(script, &call(script, keys, args)).await
    }

    /// As [`Self::run`], and where the server can tell (7.2 with the append-only file), returns
    /// once what was written is on its disk. A run that fails with `Unavailable` may have been
    /// done, so it must be safe to repeat.
    pub(super) async fn run_durable(
        &self,
        script: &Script,
        keys: &[impl AsRef<[u8]>],
        args: &[impl AsRef<[u8]>],
    ) -> Result<Value> {
        let call = call(script, keys, args);
        if !self.line().await?.tells_durability {
            return self.run_call(script, &call).await;
        }
        self.durable
            .get_or_init(|| Durable::start(Arc::clone(&self.dialer)))
            .run(script, call)
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

    async fn run_call(&self, script: &Script, call: &Cmd) -> Result<Value> {
        let mut line = self.line().await?;
        let mut answer = line.connection.send_packed_command(call).await;
        if matches!(&answer, Ok(Value::ServerError(error)) if error.code() == "NOSCRIPT") {
            if let Err(error) = script.load_async(&mut line.connection).await {
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

fn call(script: &Script, keys: &[impl AsRef<[u8]>], args: &[impl AsRef<[u8]>]) -> Cmd {
    let mut call = Cmd::new();
    call.arg("EVALSHA").arg(script.get_hash()).arg(keys.len());
    for key in keys {
        call.arg(key.as_ref());
    }
    for arg in args {
        call.arg(arg.as_ref());
    }
    call
}

#[cfg(test)]
mod tests;
