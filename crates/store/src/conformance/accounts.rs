//! What accounts say of their next permit and of their line.

use std::{sync::Arc, time::Duration};

use super::{
    Fixture,
    sample::{
        TIMEOUT, WINDOW, accept, account, advance, claim, claim_one, done, narrow, only, register,
        signup, wide,
    },
};
use crate::{AccountStatus, Store, Then};

/// What stores may round times by, and what a test on a slow machine takes.
const SLACK: Duration = Duration::from_secs(10);

async fn status(store: &Arc<dyn Store>) -> AccountStatus {
    let accounts = store.accounts().await.expect("listed");
    let wanted = account("acme");
    let found = accounts.into_iter().find(|one| one.name == wanted);
    found.expect("the account is known")
}

/// It comes back a window after the answer; until then there is none.
pub async fn an_account_says_when_its_next_permit_comes(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (1..=3).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], narrow(2)).await;
    let first = claim_one(&store, "one").await;
    assert_eq!(status(&store).await.next_permit_at, None, "one is left");
    let second = claim_one(&store, "one").await;
    let accepted = store.get(first.lease.id).await.expect("readable");
    let begun = accepted.expect("there").created_at;
    let next = status(&store).await.next_permit_at.expect("none is left");
    assert!(next > begun && next <= begun + WINDOW + TIMEOUT + SLACK);
    for held in [&first, &second] {
        advance(&store, held, done(0, &held.permit, Then::Succeed)).await;
    }
    let next = status(&store).await.next_permit_at.expect("none is left");
    assert!(next > begun && next <= begun + WINDOW + SLACK);
    fixture.pass(WINDOW + Duration::from_millis(500)).await;
    assert_eq!(status(&store).await.next_permit_at, None, "both are back");
}

/// However many permits it has.
pub async fn a_closed_account_says_when_it_opens(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], wide()).await;
    let delay = Duration::from_secs(2);
    let closed = store.close_account(&account("acme"), delay).await;
    closed.expect("closed");
    let found = status(&store).await;
    assert!(found.closed_until.is_some());
    assert_eq!(found.next_permit_at, found.closed_until);
    fixture.pass(delay + Duration::from_millis(500)).await;
    assert_eq!(status(&store).await.next_permit_at, None);
}

/// A person has to resume it first; nobody can say when.
pub async fn a_parked_account_has_no_next_permit(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    register(&store, "one", &["acme"], narrow(1)).await;
    claim_one(&store, "one").await;
    assert!(status(&store).await.next_permit_at.is_some());
    let parked = store.park_account(&account("acme"), "made up").await;
    parked.expect("parked");
    assert_eq!(status(&store).await.next_permit_at, None);
}

/// The oldest of what may be claimed now; what is held or delayed is not in the line.
pub async fn an_account_says_since_when_the_first_in_its_line_waits(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    register(&store, "one", &["acme"], wide()).await;
    assert_eq!(status(&store).await.oldest_waiting_at, None);
    let mut accepted = Vec::new();
    for n in 1..=2 {
        accept(&store, vec![signup("acme", n)]).await;
        let found = store.get(signup("acme", n).new.id).await.expect("readable");
        accepted.push(found.expect("there").created_at);
        fixture.pass(Duration::from_millis(50)).await;
    }
    assert!(accepted[0] < accepted[1]);
    assert_eq!(status(&store).await.oldest_waiting_at, Some(accepted[0]));
    let first = claim_one(&store, "one").await;
    assert_eq!(status(&store).await.oldest_waiting_at, Some(accepted[1]));
    let delay = Duration::from_secs(60);
    advance(&store, &first, only(&first.permit, Then::Release { delay })).await;
    assert_eq!(status(&store).await.oldest_waiting_at, Some(accepted[1]));
    assert_eq!(claim(&store, "one", 2).await.len(), 1);
    let found = status(&store).await;
    assert_eq!((found.waiting, found.oldest_waiting_at), (1, None));
}
