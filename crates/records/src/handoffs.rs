//! Handoffs, rendered from what the store and the accounts file know.

use std::collections::BTreeMap;

use onboarding::{Facts, Handoff, Recipe, Signup, prepare};
use store::{Inspect, Onboarding};

use crate::{AccountBook, Error};

/// Renders handoffs. Recipes are read once each and kept, so one of these is for one question and
/// not for the life of a server.
pub struct Handoffs<'a> {
    store: &'a dyn Inspect,
    accounts: &'a dyn AccountBook,
    recipes: BTreeMap<String, Recipe>,
}

impl<'a> Handoffs<'a> {
    /// From this store and these accounts.
    #[must_use]
    pub fn new(store: &'a dyn Inspect, accounts: &'a dyn AccountBook) -> Self {
        Self {
            store,
            accounts,
            recipes: BTreeMap::new(),
        }
    }

    /// The handoff of an onboarding, in whatever state it is. The password is in it in clear with
    /// `show_secrets`, and masked without.
    ///
    /// # Errors
    /// [`Error::AccountUnknown`]: its account is not in the accounts file any more.
    /// [`Error::Store`] and [`Error::Damaged`] as the store answers.
    pub async fn render(&mut self, own: &Onboarding, show_secrets: bool) -> Result<Handoff, Error> {
        let unknown = || Error::AccountUnknown {
            message: self.accounts.unknown(&own.account),
        };
        let account = self.accounts.find(&own.account).ok_or_else(unknown)?;
        let password = self.store.password(own.id).await?;
        let recipe = self.recipe(&own.recipe).await?;
        let signup = signup(own, recipe)?;
        Ok(Handoff::render(&Facts {
            recipe,
            id: own.id,
            key: &own.key,
            signup: &signup,
            state: own.state,
            plan: &own.plan,
            journal: &own.journal,
            account_sid: &account.account_sid,
            edge: account.edge.as_ref(),
            signalling_ips: &account.signalling_ips,
            password: password.as_ref().map(|password| password.secret()),
            show_secrets,
        }))
    }

    async fn recipe(&mut self, digest: &str) -> Result<&Recipe, Error> {
        use std::collections::btree_map::Entry;
        match self.recipes.entry(digest.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let text = self.store.recipe(digest).await?.ok_or_else(|| {
                    Error::Damaged {
                        message: format!(
                            "the store has no recipe {digest}, which an onboarding was made from; it is damaged: restore a backup"
                        ),
                    }
                })?;
                let recipe =
                    Recipe::from_canonical_json(&text).map_err(|error| Error::Damaged {
                        message: format!("a recipe in the store: {error}"),
                    })?;
                Ok(new.insert(recipe))
            }
        }
    }
}

/// The signup as it was accepted. The store keeps it as it was given; its recipe, which the store
/// keeps too, fills in direction, mode and the defaults of its inputs.
fn signup(own: &Onboarding, recipe: &Recipe) -> Result<Signup, Error> {
    let mut given: Signup = serde_json::from_str(&own.signup).map_err(|error| Error::Damaged {
        message: format!("the signup of {} in the store: {error}", own.id),
    })?;
    given.key = Some(own.key.clone());
    given.direction = Some(own.direction);
    // A newer version may refuse what an older one accepted; what was accepted stays.
    Ok(match prepare(recipe, given.clone()) {
        Ok(accepted) => accepted.signup,
        Err(_) => given,
    })
}
