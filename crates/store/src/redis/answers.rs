//! Answers that were given: a key per question, which goes by itself when its time is over.

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::{
    Own, RedisStore, hex,
    script::{KEEP_ANSWER, REMEMBER},
};
use crate::{Answers, Error, Remembered, Result, clock::millis};

/// What names the question that `scope` asked under `key`.
fn question(scope: &str, key: &str) -> Own {
    let mut digest = Sha256::new();
    // Its length first, so that no two pairs run together.
    digest.update((scope.len() as u64).to_be_bytes());
    digest.update(scope);
    digest.update(key);
    let mut name = [0; 16];
    name.copy_from_slice(&digest.finalize()[..16]);
    Own::Answer(name)
}

#[async_trait]
impl Answers for RedisStore {
    async fn remember(
        &self,
        scope: &str,
        key: &str,
        digest: [u8; 32],
        keep: Duration,
    ) -> Result<Remembered> {
        // Where the answer to this call is lost and it is repeated, the question is still new.
        let call: [u8; 8] = rand::random();
        let args = [
            digest.to_vec(),
            millis(keep).max(1).to_string().into_bytes(),
            call.to_vec(),
        ];
        let question = question(scope, key);
        let mut answer = self.again(&REMEMBER, question, &args, true).await?;
        match answer.text()?.as_str() {
            "new" => Ok(Remembered::New),
            "unanswered" => Ok(Remembered::Unanswered),
            "other" => Ok(Remembered::Other),
            "closed" => Err(self.closed().await),
            _ => Ok(Remembered::Answered(answer.bytes()?.unwrap_or_default())),
        }
    }

    async fn is_remembered(&self, scope: &str, key: &str) -> Result<bool> {
        let Own::Answer(asked) = question(scope, key) else {
            return Ok(false);
        };
        let mut command = redis::cmd("EXISTS");
        command.arg(self.name(&format!("answer:{}", hex(&asked))));
        Ok(self.link.query(&command).await? == redis::Value::Int(1))
    }

    async fn answer(&self, scope: &str, key: &str, answer: &[u8]) -> Result<Vec<u8>> {
        if answer.len() > ANSWER_MAX {
            return Err(Error::Unusable {
                place: self.place().to_owned(),
                message: format!("an answer of {} bytes is too long to be kept", answer.len()),
            });
        }
        let args = [answer.to_vec()];
        let question = question(scope, key);
        let mut kept = self.again(&KEEP_ANSWER, question, &args, true).await?;
        Ok(kept.bytes()?.unwrap_or_default())
    }
}

/// The longest answer that is kept: the trait's bound.
const ANSWER_MAX: usize = 1024 * 1024;
