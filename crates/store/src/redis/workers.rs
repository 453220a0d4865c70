//! Which workers run.

use std::time::Duration;

use super::{
    RedisStore,
    progress::json,
    script::{HEARD, WORKERS},
};
use crate::{Result, Unusable, WorkerName, WorkerStatus, workers::Said};

impl RedisStore {
    /// Keeps what a worker says of itself; nothing: it has ended.
    pub(super) async fn hear(&self, worker: &WorkerName, says: Option<&[Unusable]>) -> Result<()> {
        let said = match says {
            Some(unusable) => json(self.place(), &Said::new(unusable))?,
            None => Vec::new(),
        };
        let args = [worker.0.clone().into_bytes(), said];
        self.call(&HEARD, &args).await.map(drop)
    }

    /// Those that were heard of within a day, the last one first.
    pub(super) async fn heard_of(&self) -> Result<Vec<WorkerStatus>> {
        let mut answer = self.call(&WORKERS, &[]).await?;
        let mut all = Vec::new();
        while !answer.is_empty() {
            let name = answer.text()?;
            let ago = Duration::from_millis(answer.count()?);
            // One of another version may say it otherwise.
            if let Ok(said) = serde_json::from_str::<Said>(&answer.text()?) {
                all.push(said.heard(name, ago));
            }
        }
        Ok(all)
    }
}
