//! What concerns the account stops the account, not its onboardings one by one.
//!
//! - An answer about the account itself parks it: a wrong key, SID or address, or an account that
//!   may create no trunks. No attempt is counted.
//! - A request that failed is followed by one cheap read. Where that fails as well, Exotel is out:
//!   the account is closed, and no attempt is counted. Where it works, the failure is the
//!   onboarding's own.
//!
//! Either way [`crate::probe`] finds out when it is over. Until an account has given its first answer
//! that is in order, its requests are sent one after the other, so that a cause which concerns all of
//! them costs one.

use std::time::Duration;

use exotel::{Class, NextPage};
use onboarding::AccountName;
use store::{ProbeKind, Stop, StopKind};
use tokio::time::Instant;

use crate::{
    account::Checked,
    execute::{Ending, Halt, Run},
    fault::Interrupt,
    observe::{Event, StepOutcome, count},
    probe,
    settings::Settings,
    shared::Shared,
};

/// The cheap read: key, SID, region and Exotel itself have to be in order for it to work.
pub(crate) const CHEAP_READ: NextPage = NextPage {
    offset: 0,
    page_size: 1,
};

/// What an answer says of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The key is wrong, or it is the other region's.
    Key,
    /// Exotel knows no such account at this address.
    Place,
    /// The account may create no trunks.
    MayNotCreate,
    /// The account may not list its trunks.
    MayNotList,
}

impl Trouble {
    /// What `error` says of the account, if it is not about something in it. Calls that Exotel's API
    /// reference does not have may be refused for their own sake, so that they say nothing but 401.
    pub(crate) fn of(error: &exotel::Error) -> Option<Self> {
        let may_not = match error.call() {
            _ if error.class() == Class::Unauthorized => return Some(Self::Key),
            "create_trunk" => Self::MayNotCreate,
            "trunks_page" => Self::MayNotList,
            _ => return None,
        };
        let status = error.inner_code().or(error.http_status());
        match (error.class(), error.error_code(), status) {
            (Class::NotThere, Some(1000), _) | (Class::NotThere, _, Some(404)) => Some(Self::Place),
            (Class::NotThere, _, _) | (Class::Refused, _, Some(402 | 403)) => Some(may_not),
            _ => None,
        }
    }

    /// What shows that it is over.
    fn probe(self) -> ProbeKind {
        match self {
            Self::MayNotCreate => ProbeKind::Create,
            Self::Key | Self::Place | Self::MayNotList => ProbeKind::Read,
        }
    }

    /// What a person reads.
    fn reason(self, error: &exotel::Error, account: &AccountName) -> String {
        let happened = error.what_happened();
        let why = match self {
            Self::Key => {
                "the API key or token is wrong, or they are right and belong to the other region's host; check the account's credentials and its region".to_owned()
            }
            Self::Place => format!(
                "Exotel knows no such account at this address; check account_sid and region or base_url of [accounts.{account}]"
            ),
            Self::MayNotCreate => {
                "this account may not create trunks: is SIP trunking enabled, is it in good standing (paid)? Ask Exotel's support".to_owned()
            }
            Self::MayNotList => {
                "this account may not list its trunks: is SIP trunking enabled, is it in good standing (paid)? Ask Exotel's support".to_owned()
            }
        };
        format!("{happened}; {why}; then run `trunkline accounts resume {account}`")
    }
}

impl Run<'_> {
    /// The account is at fault, none of its onboardings is.
    pub(crate) async fn account_at_fault(
        &mut self,
        trouble: Trouble,
        error: &exotel::Error,
    ) -> Halt {
        self.settle(true);
        self.outcome = Some(StepOutcome::PutBack);
        let parked = park_for(self.shared, &self.account.name, trouble, error).await;
        // Without the parking it would be claimed again at once.
        let delay = if parked {
            Duration::ZERO
        } else {
            self.shared.settings.retry.delay(1)
        };
        self.release(delay).await
    }

    /// Before a request: `false` where the account was stopped since this onboarding was claimed, or
    /// the worker is to stop. Waits for the turn of an account that has not given an answer yet.
    pub(crate) async fn account_goes_on(&mut self) -> Result<bool, Halt> {
        let account = self.account;
        if account.is_proven() {
            self.turn = None;
            return Ok(true);
        }
        // Nobody waits for the turn who may have what another waits for: see `account_is_out`.
        if account.was_stopped_after(self.claimed.1) {
            return Ok(false);
        }
        if self.turn.is_none() {
            self.turn = tokio::select! {
                turn = account.turn() => Some(turn),
                () = self.shared.stop.wait() => return Ok(false),
                () = self.held.lost() => return Err(Halt(Ending::Lost)),
            };
        }
        Ok(!account.was_stopped_after(self.claimed.1))
    }

    /// After a request that gave no answer: gives the onboarding back where Exotel is out for its
    /// account. `None`: the failure is its own. What the request left in doubt is on record before.
    pub(crate) async fn waits_for_exotel(&mut self, error: &exotel::Error) -> Option<Halt> {
        match self.account_is_out(error).await {
            Ok(false) => return None,
            Ok(true) => {}
            Err(halt) => return Some(halt),
        }
        // Where the store could not be told, it would be claimed again at once.
        let told = self.account.was_stopped_after(self.claimed.1);
        let delay = match told {
            true => Duration::ZERO,
            false => self.shared.settings.retry.delay(1),
        };
        Some(self.release(delay).await)
    }

    /// Whether Exotel is out. One read finds out for all onboardings of the account whose requests
    /// failed meanwhile.
    async fn account_is_out(&mut self, error: &exotel::Error) -> Result<bool, Halt> {
        let failed = Instant::now();
        let account = self.account;
        let mut checked = tokio::select! {
            checked = account.checked.lock() => checked,
            () = self.held.lost() => return Err(Halt(Ending::Lost)),
        };
        if account.was_stopped_after(self.claimed.1) {
            return Ok(true);
        }
        if let Some(last) = *checked
            && last.ended >= failed
        {
            return Ok(last.out);
        }
        let client = self.client;
        let read = self.read_once(|| Box::pin(client.trunks_page(CHEAP_READ)));
        let out = match read.await {
            Ok(_) | Err(Interrupt::TooLong { .. } | Interrupt::Unreadable { .. }) => false,
            Err(Interrupt::Refused(error)) => no_answer(&error),
            Err(Interrupt::Halt(halt)) => return Err(halt),
        };
        *checked = Some(Checked {
            ended: Instant::now(),
            out,
        });
        if out {
            outage(self.shared, &account.name, error).await;
        }
        Ok(out)
    }
}

/// Whether a read came to nothing because Exotel gave no answer that can be read.
pub(crate) fn no_answer(error: &exotel::Error) -> bool {
    matches!(error.class(), Class::Unknown | Class::NeverSent) && error.code() != "paging_stuck"
}

/// Parks an account because of an answer. `false`: the store did not take it.
pub(crate) async fn park_for(
    shared: &Shared,
    account: &AccountName,
    trouble: Trouble,
    error: &exotel::Error,
) -> bool {
    let reason = trouble.reason(error, account);
    park(shared, account, reason, trouble.probe()).await
}

/// Parks an account and says so, once. `false`: the store did not take it.
pub(crate) async fn park(
    shared: &Shared,
    account: &AccountName,
    reason: String,
    probe: ProbeKind,
) -> bool {
    let after = probe::parked_pause(&shared.settings, 0);
    let stop = Stop {
        kind: StopKind::Parked,
        reason,
        probe: after.map(|after| (probe, after)),
    };
    stopped(shared, account, &stop).await
}

/// Closes an account because Exotel does not answer.
async fn outage(shared: &Shared, account: &AccountName, error: &exotel::Error) {
    let stop = Stop {
        kind: StopKind::Outage,
        reason: format!("Exotel does not answer: {}", error.what_happened()),
        probe: Some((ProbeKind::Read, probe::outage_pause(&shared.settings, 0))),
    };
    stopped(shared, account, &stop).await;
}

async fn stopped(shared: &Shared, account: &AccountName, stop: &Stop) -> bool {
    let news = match shared.store.stop_account(account, stop).await {
        Ok(news) => news,
        Err(error) => {
            tracing::warn!(
                account = %account,
                error = &error as &dyn std::error::Error,
                "the account could not be stopped; its onboardings are tried again"
            );
            return false;
        }
    };
    if let Some(served) = shared.served.get(account) {
        served.stop();
    }
    if news {
        match stop.kind {
            StopKind::Parked => say_parked(shared, account, &stop.reason),
            StopKind::Outage => {
                tracing::warn!(
                    account = %account,
                    reason = stop.reason,
                    "account closed until Exotel answers again; no attempt is counted"
                );
                shared.tell(Event::Outage { account });
            }
        }
    }
    true
}

/// Says that an account was parked.
pub(crate) fn say_parked(shared: &Shared, account: &AccountName, reason: &str) {
    tracing::warn!(account = %account, reason, "account parked; its onboardings are blocked");
    count(&shared.counters.parked);
    shared.tell(Event::Parked { account, reason });
}

/// Says in the log that an account is closed for long, where it was open until now.
pub(crate) fn say_closed(settings: &Settings, account: &AccountName, delay: Duration, news: bool) {
    let delay = delay.min(store::CLOSED_AT_MOST);
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    if !news || delay <= settings.retry.cap {
        tracing::info!(account = %account, delay_ms, "account closed: Exotel answered 429");
        return;
    }
    let until = jiff::Timestamp::now() + delay;
    let until = until.strftime("%FT%TZ");
    tracing::warn!(
        account = %account,
        %until,
        delay_ms,
        "account closed: Exotel answered 429 and asks for so long; `trunkline accounts resume {account}` opens it before"
    );
}
