//! Handoffs that cannot be rendered say what to do.

use onboarding::AccountName;
use records::{AccountBook, AccountFacts, Error, Handoffs};

use crate::shelf::{Shelf, onboarding};

/// Knows these accounts.
struct Book(Vec<AccountName>);

impl AccountBook for Book {
    fn find(&self, name: &AccountName) -> Option<AccountFacts> {
        self.0.contains(name).then(|| AccountFacts {
            account_sid: format!("{name}1"),
            base_url: None,
            edge: None,
            requests_per_minute: 200,
            connections: 50,
            signalling_ips: Vec::new(),
        })
    }

    fn unknown(&self, name: &AccountName) -> String {
        format!("add [accounts.{name}]")
    }

    fn names(&self) -> Vec<AccountName> {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_handoff_is_made_of_the_accounts_facts_and_the_stores_recipe() {
    let (own, recipe) = onboarding();
    let shelf = Shelf {
        recipe: Some(recipe),
        ..Shelf::default()
    };
    let book = Book(vec![own.account.clone()]);
    let mut handoffs = Handoffs::new(&shelf, &book);
    let handoff = handoffs.render(&own, false).await.unwrap();
    assert_eq!(handoff.id, own.id);
    assert!(handoff.trunk.domain.starts_with("acme1."), "{handoff:?}");
}

#[tokio::test]
async fn an_account_that_left_the_file_is_told_with_what_to_do() {
    let (own, recipe) = onboarding();
    let shelf = Shelf {
        recipe: Some(recipe),
        ..Shelf::default()
    };
    let book = Book(Vec::new());
    let error = Handoffs::new(&shelf, &book).render(&own, false).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::AccountUnknown { .. }), "{error:?}");
    assert_eq!(error.to_string(), "add [accounts.acme]");
}

#[tokio::test]
async fn what_the_store_should_have_and_has_not_is_damage() {
    let (own, recipe) = onboarding();
    let book = Book(vec![own.account.clone()]);
    let mut other = own.clone();
    other.signup = "{}".to_owned();
    for (own, recipe, told) in [
        (&own, None, "restore a backup"),
        (&own, Some("{}".to_owned()), "the stored recipe"),
        (&other, Some(recipe), "the signup of onb_"),
    ] {
        let shelf = Shelf {
            recipe,
            ..Shelf::default()
        };
        let error = Handoffs::new(&shelf, &book).render(own, false).await;
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(told), "{error}");
    }
}
