//! Looking from outside of any onboarding: `verify` and `accounts check`.

use std::time::Duration;

use exotel::{Answer, Class, Client, NextPage};
use onboarding::{AccountName, SipPassword};
use store::{Granted, Onboarding, Permit, Settled, Store};
use tokio::time::Instant;

use crate::{
    Account, Comparison, Error, Settings, compare,
    fault::Interrupt,
    read::{Reader, Reading, Request},
    shared::Shared,
};

/// Compares an onboarding with what Exotel has. Reads only, with permits of the store and the
/// settings' request timeout, which `client` must be built with too, and retry policy; waits for
/// permits as long as it takes.
///
/// Reads the trunk once and every list that its plan has resources in.
///
/// # Errors
///
/// [`Error::Parked`]; [`Error::Exotel`] when Exotel refuses, or gives no answer within the policy's
/// attempts; [`Error::Store`].
pub async fn verify_onboarding(
    store: &dyn Store,
    client: &Client,
    onboarding: &Onboarding,
    settings: &Settings,
) -> Result<Comparison, Error> {
    let mut outside = Outside::new(store, settings, &onboarding.account);
    let password = store.password(onboarding.id).await?;
    let client = &client.hiding(password.as_ref().map(SipPassword::secret));
    let (plan, journal) = (&onboarding.plan, &onboarding.journal);
    compare::compare(&mut outside, client, plan, journal, password.as_ref())
        .await
        .map_err(error_of)
}

/// What a check of an account came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountCheck {
    /// Key, token and region belong together.
    Works {
        /// The account's numbers on the first page, as Exotel writes them; `None` where it does
        /// not offer to list them.
        numbers: Option<Vec<String>>,
    },
    /// Key, token or region are wrong; the text names the causes.
    Unauthorized(String),
    /// Something else kept it from being known; the text says what.
    Unknown(String),
}

/// Checks an account's key, token and region with one cheap read, two where Exotel does not offer
/// the first. A parked account is checked too: that is when it is wanted most.
///
/// # Errors
///
/// [`Error::Store`]. What Exotel answers is not an error but the check's outcome.
pub async fn check_account(
    store: &dyn Store,
    account: &AccountName,
    client: &Client,
    settings: &Settings,
) -> Result<AccountCheck, Error> {
    let mut outside = Outside::new(store, settings, account);
    let permit = outside.permit_even_if_parked().await?;
    let numbers = outside.send(permit, client.account_numbers(None)).await?;
    let error = match numbers {
        Ok(answer) => {
            return Ok(AccountCheck::Works {
                numbers: Some(answer.value.numbers),
            });
        }
        Err(error) => error,
    };
    if !matches!(
        error.class(),
        Class::Unsupported | Class::NotThere | Class::Refused | Class::Unknown
    ) {
        return Ok(told(&error));
    }
    // The first call is published outside of the API reference only.
    let permit = outside.permit_even_if_parked().await?;
    let trunks = outside
        .send(permit, client.trunks_page(NextPage::FIRST))
        .await?;
    Ok(match trunks {
        Ok(_) => AccountCheck::Works { numbers: None },
        Err(error) => told(&error),
    })
}

fn told(error: &exotel::Error) -> AccountCheck {
    if error.class() == Class::Unauthorized {
        AccountCheck::Unauthorized(error.to_string())
    } else {
        AccountCheck::Unknown(error.to_string())
    }
}

pub(crate) fn error_of(interrupt: Interrupt<Error>) -> Error {
    match interrupt {
        Interrupt::Halt(error) => error,
        Interrupt::Refused(error) => Error::Exotel(error),
        Interrupt::TooLong { what, most } => Error::ListTooLong { what, most },
        Interrupt::Unreadable { what } => Error::Unreadable { what },
    }
}

pub(crate) struct Outside<'a> {
    store: &'a dyn Store,
    settings: &'a Settings,
    account: &'a AccountName,
    /// The worker within which it reads, and its account.
    within: Option<(&'a Shared, &'a Account)>,
}

/// The longest that a reader within a worker waits for one permit.
const PATIENCE: Duration = Duration::from_secs(10);

impl<'a> Outside<'a> {
    fn new(store: &'a dyn Store, settings: &'a Settings, account: &'a AccountName) -> Self {
        Self {
            store,
            settings,
            account,
            within: None,
        }
    }

    /// Within a worker: waits for a permit only for a while, and sends nothing once it stops.
    pub(crate) fn within(shared: &'a Shared, account: &'a Account) -> Self {
        Self {
            within: Some((shared, account)),
            ..Self::new(&*shared.store, &shared.settings, &account.name)
        }
    }

    async fn permit(&self) -> Result<Permit, Error> {
        loop {
            if self.is_stopped() {
                return Err(Error::Stopped);
            }
            let granted = self
                .store
                .permit(self.account, self.settings.permit_time())
                .await?;
            match granted {
                Granted::Permit(permit) => return Ok(permit),
                Granted::Wait(wait) if self.within.is_some() && wait > PATIENCE => {
                    let account = self.account.clone();
                    return Err(Error::NoPermit { account, wait });
                }
                Granted::Wait(wait) => self.pause(wait).await,
                Granted::Parked(reason) => {
                    return Err(Error::Parked {
                        account: self.account.clone(),
                        reason,
                    });
                }
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.within
            .is_some_and(|(shared, _)| shared.stop.is_raised())
    }

    async fn pause(&self, wait: Duration) {
        let stopped = async {
            match self.within {
                Some((shared, _)) => shared.stop.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped => {}
        }
    }

    /// `None`: the account is parked. Nothing else is sent to it then, so a single request without
    /// a permit stays within the limit as long as one permit is in.
    async fn permit_even_if_parked(&self) -> Result<Option<Permit>, Error> {
        loop {
            match self.permit().await {
                Ok(permit) => return Ok(Some(permit)),
                Err(Error::Parked { .. }) => {}
                Err(error) => return Err(error),
            }
            let all = self.store.accounts().await?;
            let status = all.iter().find(|status| status.name == *self.account);
            let room = status.is_none_or(|status| {
                let most = status.limits.map_or(u32::MAX, |it| it.requests_per_window);
                status.permits_out < most
            });
            if room {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits as long as the error wants. `false`: there is no point in another try.
    async fn wait_after(&self, error: &exotel::Error, failures: u32) -> Result<bool, Error> {
        let policy = &self.settings.retry;
        if failures >= policy.attempts {
            return Ok(false);
        }
        match error.class() {
            Class::Throttled { retry_after } => {
                let delay = retry_after.unwrap_or_else(|| policy.bound(failures));
                self.store.close_account(self.account, delay).await?;
            }
            Class::Unknown | Class::NeverSent => {
                self.pause(policy.delay(failures)).await;
            }
            Class::Duplicate
            | Class::Unauthorized
            | Class::NotThere
            | Class::Refused
            | Class::Unsupported
            | _ => return Ok(false),
        }
        Ok(true)
    }

    async fn send<T>(
        &mut self,
        permit: Option<Permit>,
        call: impl Future<Output = Result<Answer<T>, exotel::Error>>,
    ) -> Result<Result<Answer<T>, exotel::Error>, Error> {
        let before = Instant::now();
        let result = call.await;
        if let Some((shared, account)) = self.within {
            shared.sent(account, &result, before);
        }
        let answered = !matches!(&result, Err(error) if error.class() == Class::Unknown);
        let settled = permit.map(|permit| Settled { permit, answered });
        self.store.settle(settled.into_iter().collect()).await?;
        Ok(result)
    }
}

impl Reader for Outside<'_> {
    type Halt = Error;

    fn read<'r, T: Send + 'r>(
        &'r mut self,
        call: impl Fn() -> Request<'r, T> + Send + Sync + 'r,
    ) -> Reading<'r, T, Error> {
        Box::pin(async move {
            let mut failures = 0;
            loop {
                let permit = self.permit().await?;
                let error = match self.send(Some(permit), call()).await? {
                    Ok(answer) => return Ok(answer.value),
                    Err(error) => error,
                };
                failures += 1;
                if !self.wait_after(&error, failures).await? {
                    return Err(Interrupt::Refused(error));
                }
            }
        })
    }
}
