//! Which accounts a signup may name.

use std::collections::BTreeSet;

use onboarding::{AccountName, Problem, nearest};

/// Most accounts that a message names.
const NAMED_MAX: usize = 10;

/// Which accounts a signup may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// Any: the simulator makes them up.
    Any,
    /// Those of the accounts file.
    Known(BTreeSet<AccountName>),
}

impl Accounts {
    /// Adds to the problem of a `given` account that is no name the one that seems to be meant.
    pub(crate) fn hint(&self, given: Option<&str>, problems: &mut [Problem]) {
        let (Self::Known(known), Some(given)) = (self, given) else {
            return;
        };
        for problem in problems.iter_mut().filter(|p| p.field == "account") {
            let names = known.iter().map(AccountName::as_str);
            problem.message += &nearest::hint(given, names);
        }
    }

    /// That there is no such account, and which there are.
    pub(crate) fn check(&self, account: &AccountName) -> Result<(), Problem> {
        let Self::Known(known) = self else {
            return Ok(());
        };
        if known.contains(account) {
            return Ok(());
        }
        let names: Vec<&str> = known.iter().map(AccountName::as_str).collect();
        let hint = nearest::hint(account.as_str(), names.iter().copied());
        let there = match names.as_slice() {
            [] => "none".to_owned(),
            few if few.len() <= NAMED_MAX => few.join(", "),
            many => format!(
                "{} and {} more",
                many[..NAMED_MAX].join(", "),
                many.len() - NAMED_MAX
            ),
        };
        Err(Problem::new(
            "account",
            format!(
                "there is no account \"{account}\"{hint} in the accounts file, which has {there}; write one of them, or add [accounts.{account}] there"
            ),
        ))
    }
}
