//! Looking.

use std::time::Duration;

use onboarding::State;

use super::{
    Fixture,
    sample::{
        RECIPE, accept, account, advance, claim, claim_one, done, failure, narrow, only, register,
        signup, wide, worker,
    },
};
use crate::{Filter, Then, Unusable};

/// Paging misses nothing and repeats nothing.
pub async fn a_list_shows_everything_once_page_by_page(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..25).map(|n| signup("acme", n)).collect()).await;
    let (mut cursor, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = store
            .list(&Filter::default(), cursor.as_ref(), 10)
            .await
            .expect("listed");
        seen.extend(page.items.iter().map(|item| item.number.to_string()));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..25).map(|n| format!("+9180{n:08}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(pages, 3);
}

/// Asking for many is asking for each.
pub async fn many_are_found_at_once(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..4).map(|n| signup("acme", n)).collect()).await;
    let ids = [0, 3, 9].map(|n| signup("acme", n).new.id);
    let found = store.get_many(&ids).await.expect("readable");
    let mut numbers: Vec<_> = found.iter().map(|one| one.number.to_string()).collect();
    numbers.sort();
    assert_eq!(numbers, ["+918000000000", "+918000000003"]);
    assert!(store.get_many(&[]).await.expect("readable").is_empty());
}

/// By state, partner, account, and together.
pub async fn filters_narrow_a_list(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..4).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim_one(&store, "one").await;
    advance(&store, &held, only(&held.permit, failure())).await;
    accept(&store, (4..6).map(|n| signup("globex", n)).collect()).await;
    let count = async |filter: Filter| {
        store
            .list(&filter, None, 100)
            .await
            .expect("listed")
            .items
            .len()
    };
    let livekit = Some("livekit".parse().expect("valid"));
    assert_eq!(
        count(Filter {
            state: Some(State::Failed),
            ..Filter::default()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            state: Some(State::Queued),
            ..Filter::default()
        })
        .await,
        5
    );
    assert_eq!(
        count(Filter {
            account: Some(account("globex")),
            ..Filter::default()
        })
        .await,
        2
    );
    assert_eq!(
        count(Filter {
            partner: livekit.clone(),
            ..Filter::default()
        })
        .await,
        3
    );
    let all = Filter {
        state: Some(State::Queued),
        account: Some(account("globex")),
        partner: livekit,
        ..Filter::default()
    };
    assert_eq!(count(all).await, 1);
    assert_eq!(
        count(Filter {
            account: Some(account("nobody")),
            ..Filter::default()
        })
        .await,
        0
    );
}

/// Each onboarding counts once, in its state.
pub async fn counts_follow_the_states(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..6).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme"], wide()).await;
    let held = claim(&store, "one", 3).await;
    advance(&store, &held[0], done(0, &held[0].permit, Then::Succeed)).await;
    advance(&store, &held[1], only(&held[1].permit, failure())).await;
    store
        .cancel(signup("acme", 5).new.id)
        .await
        .expect("cancelled");
    let tally = store.tally().await.expect("countable");
    let counts = [
        State::Queued,
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Cancelled,
    ]
    .map(|state| tally.of(state));
    assert_eq!(counts, [2, 1, 1, 1, 1]);
    assert_eq!(tally.total(), 6);
}

/// What an operator asks about an account.
pub async fn accounts_tell_their_lanes_and_limits(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    register(&store, "one", &["acme", "globex"], narrow(10)).await;
    claim_one(&store, "one").await;
    store
        .park_account(&account("globex"), "made up")
        .await
        .expect("parked");
    store
        .close_account(&account("acme"), super::sample::LEASE)
        .await
        .expect("closed");
    let accounts = store.accounts().await.expect("listed");
    let names: Vec<_> = accounts
        .iter()
        .map(|status| status.name.to_string())
        .collect();
    assert_eq!(names, ["acme", "globex"]);
    assert_eq!((accounts[0].waiting, accounts[0].running), (2, 1));
    assert_eq!(accounts[0].permits_out, 1);
    assert_eq!(accounts[0].limits, Some(narrow(10)));
    assert!(accounts[0].closed_until.is_some());
    assert!(accounts[0].parked.is_none());
    assert_eq!(
        accounts[1].parked.as_ref().map(|p| p.reason.as_str()),
        Some("made up")
    );
}

/// Handoffs are rendered from the recipe of their time.
pub async fn a_recipe_is_kept_under_its_digest(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    let found = store.recipe(RECIPE).await.expect("readable");
    assert_eq!(found.as_deref(), Some("{\"made\":\"up\"}"));
    assert_eq!(
        store
            .recipe("ffffffffffffffffffffffffffffffff")
            .await
            .expect("readable"),
        None
    );
}

/// Blocked is what a person sees of a parked account's queue.
pub async fn onboardings_of_a_parked_account_are_blocked(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, (0..3).map(|n| signup("acme", n)).collect()).await;
    accept(&store, vec![signup("globex", 9)]).await;
    store
        .park_account(&account("acme"), "made up")
        .await
        .expect("parked");
    let blocked = Filter {
        state: Some(State::Blocked),
        ..Filter::default()
    };
    let page = store.list(&blocked, None, 10).await.expect("listed");
    assert_eq!(page.items.len(), 3);
    assert!(page.items.iter().all(|item| item.state == State::Blocked));
    let tally = store.tally().await.expect("countable");
    assert_eq!((tally.of(State::Blocked), tally.of(State::Queued)), (3, 1));
    store
        .resume_account(&account("acme"))
        .await
        .expect("resumed");
    let tally = store.tally().await.expect("countable");
    assert_eq!((tally.of(State::Blocked), tally.of(State::Queued)), (0, 4));
}

/// Whoever looks at the store knows of the workers, and of what they cannot do.
pub async fn a_worker_is_heard_of_while_it_runs_and_says_which_accounts_it_cannot_serve(
    fixture: Box<dyn Fixture>,
) {
    let (store, elsewhere) = (fixture.store(), fixture.elsewhere().await);
    let none = elsewhere.workers().await.expect("read");
    assert_eq!(none, [], "none has said anything");
    register(&store, "one", &["acme"], wide()).await;
    let unusable = [Unusable {
        account: account("globex"),
        reason: "its key cannot be read".to_owned(),
    }];
    for says in [&unusable[..], &[]] {
        let heard = store.heard(&worker("one"), Some(says)).await;
        heard.expect("noted");
        let known = elsewhere.workers().await.expect("read");
        assert_eq!(known.len(), 1);
        assert!(known[0].runs(), "{known:?}");
        assert_eq!(known[0].name, worker("one"));
        assert_eq!(known[0].unusable, says);
    }
    let left = store.heard(&worker("one"), None).await;
    left.expect("noted");
    assert_eq!(elsewhere.workers().await.expect("read"), []);
}

/// A worker that was killed says no farewell: it was heard of ever longer ago.
pub async fn a_worker_that_vanished_is_heard_of_ever_longer_ago(mut fixture: Box<dyn Fixture>) {
    const A_WHILE: Duration = Duration::from_millis(300);
    let store = fixture.store();
    register(&store, "one", &["acme"], wide()).await;
    let heard = store.heard(&worker("one"), Some(&[])).await;
    heard.expect("noted");
    drop(store);
    let store = fixture.restart().await;
    fixture.pass(A_WHILE).await;
    let known = store.workers().await.expect("read");
    assert_eq!(known.len(), 1, "{known:?}");
    assert!(known[0].heard_ago >= A_WHILE, "{known:?}");
}
