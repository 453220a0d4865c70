//! What a person may do.

use async_trait::async_trait;
use onboarding::{AccountName, Event, OnboardingId};

use super::{
    RedisStore,
    inspect::{AT_ONCE, FIRST_PAGE},
    progress::state_number,
    script::{CANCEL, DISTRUST, RETRY},
};
use crate::{
    Cancelled, Error, Inspect, Limits, Operate, Result, Resumed, Retried, Work,
    operate::LATE_REQUEST,
};

/// How often an action is begun anew because the onboarding changed while it was looked at.
const ATTEMPTS: usize = 100;

fn changes_too_fast(place: &str, id: OnboardingId) -> Error {
    Error::Unavailable {
        place: place.to_owned(),
        message: format!("{id} changes faster than it can be acted on; try again"),
        source: None,
    }
}

#[async_trait]
impl Operate for RedisStore {
    async fn retry(&self, id: OnboardingId, replace_credentials: bool) -> Result<Retried> {
        self.refuse_if_closed().await?;
        for _ in 0..ATTEMPTS {
            let Some(found) = self.get(id).await? else {
                return Ok(Retried::Unknown);
            };
            if found.state.after(Event::Retried).is_err() {
                return Ok(Retried::NotNow(found.state));
            }
            let mut journal = found.journal;
            let suspect = journal.reopen(replace_credentials);
            let mut args = vec![
                id.to_bytes().to_vec(),
                state_number(found.state).to_string().into_bytes(),
                found.updated_at.as_millisecond().to_string().into_bytes(),
                u8::from(suspect).to_string().into_bytes(),
            ];
            for record in journal.records() {
                let text = serde_json::to_string(record).map_err(|error| Error::Unusable {
                    place: self.place().to_owned(),
                    message: format!("a journal cannot be written as JSON: {error}"),
                })?;
                args.push(text.into_bytes());
            }
            match self.call(&RETRY, &args).await?.number()? {
                1 => return Ok(Retried::Queued),
                -1 => return Err(self.closed().await),
                _ => {}
            }
        }
        Err(changes_too_fast(self.place(), id))
    }

    async fn cancel(&self, id: OnboardingId) -> Result<Cancelled> {
        self.refuse_if_closed().await?;
        for _ in 0..ATTEMPTS {
            let Some(found) = self.get(id).await? else {
                return Ok(Cancelled::Unknown);
            };
            if found.state.after(Event::Cancelled).is_err() {
                return Ok(Cancelled::NotNow(found.state));
            }
            let args = [
                id.to_bytes().to_vec(),
                state_number(found.state).to_string().into_bytes(),
            ];
            match self.call(&CANCEL, &args).await?.number()? {
                1 => return Ok(Cancelled::Now),
                2 => return Ok(Cancelled::Soon),
                -1 => return Err(self.closed().await),
                _ => {}
            }
        }
        Err(changes_too_fast(self.place(), id))
    }

    async fn mark_restored(&self) -> Result<u64> {
        self.refuse_if_closed().await?;
        for account in self.accounts().await? {
            let limits = account.limits.unwrap_or(Limits::per_minute(200, 50));
            let closed = limits.window + LATE_REQUEST;
            self.close_account(&account.name, closed).await?;
        }
        let mut marked = 0;
        let mut cursor = Some(FIRST_PAGE.to_owned());
        while let Some(at) = cursor {
            let (entries, next) = self.scan("entry", &at).await?;
            let ids: Vec<Vec<u8>> = entries.into_iter().map(|(id, _)| id).collect();
            // A server gives more at once where it keeps the hash in another form.
            for some in ids.chunks(AT_ONCE) {
                let answer = self.call(&DISTRUST, some).await?.number()?;
                marked += u64::try_from(answer).unwrap_or(0);
            }
            cursor = next;
        }
        Ok(marked)
    }

    async fn resume_account(&self, account: &AccountName) -> Result<Resumed> {
        match self.change_account(account, &["resume"]).await? {
            -1 => Err(self.closed().await),
            1 => Ok(Resumed::Parked),
            2 => Ok(Resumed::Closed),
            _ => Ok(Resumed::Open),
        }
    }

    async fn park_account(&self, account: &AccountName, reason: &str) -> Result<bool> {
        match self.change_account(account, &["park", reason]).await? {
            -1 => Err(self.closed().await),
            did => Ok(did == 1),
        }
    }
}
