//! Why onboardings are blocked: their account is parked, and the store knows the reason.

use std::collections::BTreeMap;

use onboarding::{AccountName, State};
use store::{Inspect, Onboarding};

/// The code of a blocked onboarding's error.
pub const ACCOUNT_PARKED: &str = "account_parked";

/// The parked accounts, and for each what a person reads.
#[derive(Debug, Clone, Default)]
pub struct Parked(BTreeMap<AccountName, String>);

impl Parked {
    /// Those of the store.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn read(store: &dyn Inspect) -> store::Result<Self> {
        let mut own = BTreeMap::new();
        for status in store.accounts().await? {
            if let Some(parked) = status.parked {
                let reason = with_remedy(&parked.reason, &status.name);
                own.insert(status.name, reason);
            }
        }
        Ok(Self(own))
    }

    /// Why `account` is parked, and what to do.
    #[must_use]
    pub fn of(&self, account: &AccountName) -> Option<&str> {
        self.0.get(account).map(String::as_str)
    }

    /// Why `own` is blocked, if it is.
    #[must_use]
    pub fn why(&self, own: &Onboarding) -> Option<&str> {
        match own.state {
            State::Blocked => self.of(&own.account),
            State::Queued
            | State::Running
            | State::Succeeded
            | State::Failed
            | State::Cancelled => None,
        }
    }
}

/// The reason with what to do, once: most reasons end with it.
#[must_use]
pub fn with_remedy(reason: &str, account: &AccountName) -> String {
    let remedy = format!("`trunkline accounts resume {account}`");
    if reason.contains(&remedy) {
        reason.to_owned()
    } else {
        format!("{reason}; then run {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_told_once() {
        let account = "acme".parse().unwrap();
        let told = with_remedy("the key is wrong", &account);
        assert_eq!(
            told,
            "the key is wrong; then run `trunkline accounts resume acme`"
        );
        assert_eq!(with_remedy(&told, &account), told);
    }
}
