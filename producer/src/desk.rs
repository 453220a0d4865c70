//! What signups are checked against.

use std::{collections::BTreeMap, sync::Arc};

use onboarding::{PartnerName, RecipeBook};

use crate::accounts::Accounts;

/// What signups are checked against: the recipes, and which accounts there are.
///
/// Made once and used for any number of signups; a copy is as cheap as a pointer's. When a recipe
/// or an account changes, a new one takes its place.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Papers>);

#[derive(Debug)]
struct Papers {
    book: Arc<RecipeBook>,
    accounts: Accounts,
    /// To write and digest a recipe costs more than to check a signup against it.
    kept: BTreeMap<PartnerName, KeptRecipe>,
}

/// A recipe as a store keeps it.
#[derive(Debug, Default)]
pub(crate) struct KeptRecipe {
    pub(crate) digest: String,
    /// Canonical JSON.
    pub(crate) text: String,
}

impl Desk {
    /// Of these recipes and accounts.
    #[must_use]
    pub fn new(book: impl Into<Arc<RecipeBook>>, accounts: Accounts) -> Self {
        let book = book.into();
        let kept = book.iter().map(|recipe| {
            let kept = KeptRecipe {
                digest: recipe.digest().to_string(),
                text: recipe.to_canonical_json(),
            };
            (recipe.name.clone(), kept)
        });
        Self(Arc::new(Papers {
            kept: kept.collect(),
            book,
            accounts,
        }))
    }

    /// The recipes.
    #[must_use]
    pub fn book(&self) -> &Arc<RecipeBook> {
        &self.0.book
    }

    /// Which accounts a signup may name.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    /// The recipe of `partner` as a store keeps it.
    pub(crate) fn kept(&self, partner: &PartnerName) -> Option<&KeptRecipe> {
        self.0.kept.get(partner)
    }
}
