//! Who gets what, and when a worker hears of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use onboarding::AccountName;

use super::{Fixture, in_time, two};
use crate::{
    Claim, Limits, Store, Then,
    conformance::sample::{
        LEASE, TIMEOUT, accept, account, advance, claim, done, register, signup, wide, worker,
    },
};

/// Waits as an idle worker does, until it is handed something.
async fn idle(store: &Arc<dyn Store>, name: &str) -> Vec<Claim> {
    loop {
        let claims = claim(store, name, 10).await;
        if !claims.is_empty() {
            return claims;
        }
        store.changed().await;
    }
}

/// Whoever accepts it, it starts at once where it can.
pub async fn a_signup_wakes_the_idle_worker_that_serves_it(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let producer = fixture.elsewhere().await;
    register(&one, "one", &["acme", "both"], wide()).await;
    register(&two, "two", &["globex", "both"], wide()).await;
    for round in 0..10_u64 {
        let signups = vec![signup("acme", 2 * round), signup("globex", 2 * round + 1)];
        let (mine, theirs, ()) = in_time("both hear of their signup", async {
            tokio::join!(
                idle(&one, "one"),
                idle(&two, "two"),
                accept(&producer, signups)
            )
        })
        .await;
        assert_eq!((mine.len(), theirs.len()), (1, 1));
        for (store, held) in [(&one, &mine[0]), (&two, &theirs[0])] {
            advance(store, held, done(0, &held.permit, Then::Succeed)).await;
        }
    }
    // One of two that could take it does.
    let (either, ()) = in_time("one of them hears", async {
        let idle = async {
            tokio::select! {
                claims = idle(&one, "one") => claims,
                claims = idle(&two, "two") => claims,
            }
        };
        tokio::join!(idle, accept(&producer, vec![signup("both", 100)]))
    })
    .await;
    assert_eq!(either.len(), 1);
}

/// A far permit is nobody else's wait.
pub async fn an_account_without_allowance_holds_nobody_back(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let spent = Limits {
        requests_per_window: 1,
        burst: 1,
        window: Duration::from_secs(600),
        ..wide()
    };
    let accounts = [(account("spent"), spent), (account("acme"), wide())];
    one.register(&worker("one"), &accounts)
        .await
        .expect("registered");
    two.register(&worker("two"), &accounts)
        .await
        .expect("registered");
    accept(&one, (0..50).map(|n| signup("spent", n)).collect()).await;
    assert_eq!(claim(&one, "one", 10).await.len(), 1);
    for (name, store) in [("one", &one), ("two", &two)] {
        assert!(claim(store, name, 10).await.is_empty());
    }
    let (claims, ()) = in_time("the signup is claimed", async {
        tokio::join!(idle(&two, "two"), accept(&one, vec![signup("acme", 100)]))
    })
    .await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].lease.account, account("acme"));
}

/// A worker without an account's keys is not kept from its own work by that account's.
pub async fn workers_get_only_their_accounts_however_many_others_are_due(
    fixture: Box<dyn Fixture>,
) {
    const OTHERS: u64 = 300;
    let (one, two) = two(fixture.as_ref()).await;
    let others: Vec<_> = (0..OTHERS).map(|n| format!("other-{n}")).collect();
    let mut signups: Vec<_> = (0..2 * OTHERS)
        .map(|n| signup(&others[usize::try_from(n % OTHERS).expect("small")], n))
        .collect();
    signups.push(signup("mine", 1000));
    accept(&one, signups).await;
    let accounts: Vec<&str> = others.iter().map(String::as_str).collect();
    register(&two, "two", &accounts, wide()).await;
    register(&one, "one", &["mine"], wide()).await;
    let mine = claim(&one, "one", 5).await;
    assert_eq!(mine.len(), 1, "it comes with the first claim");
    assert_eq!(mine[0].lease.account, account("mine"));
    let theirs = claim(&two, "two", 5).await;
    assert_eq!(theirs.len(), 5);
    assert!(claim(&one, "one", 5).await.is_empty());
    assert!(
        theirs
            .iter()
            .all(|claim| claim.lease.account != account("mine"))
    );
    accept(&two, vec![signup("mine", 1001)]).await;
    assert_eq!(claim(&one, "one", 5).await.len(), 1);
}

/// Sets of accounts may overlap.
pub async fn workers_share_the_accounts_that_both_serve(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let signups = ["first", "shared", "second"]
        .iter()
        .enumerate()
        .flat_map(|(at, name)| (0..20).map(move |n| signup(name, 100 * at as u64 + n)))
        .collect();
    accept(&one, signups).await;
    register(&one, "one", &["first", "shared"], wide()).await;
    register(&two, "two", &["shared", "second"], wide()).await;
    let (mut mine, mut theirs) = (Tallied::default(), Tallied::default());
    for _ in 0..20 {
        mine.add(&claim(&one, "one", 3).await);
        theirs.add(&claim(&two, "two", 3).await);
    }
    assert_eq!((mine.of("first"), theirs.of("first")), (20, 0));
    assert_eq!((mine.of("second"), theirs.of("second")), (0, 20));
    assert_eq!(mine.of("shared") + theirs.of("shared"), 20);
    assert!(mine.of("shared") > 0 && theirs.of("shared") > 0);
}

/// How many were handed out, by account.
#[derive(Default)]
struct Tallied(BTreeMap<AccountName, usize>);

impl Tallied {
    fn add(&mut self, claims: &[Claim]) {
        for claim in claims {
            *self.0.entry(claim.lease.account.clone()).or_default() += 1;
        }
    }

    fn of(&self, name: &str) -> usize {
        self.0.get(&account(name)).copied().unwrap_or(0)
    }
}

/// Turns are the lanes', not a worker's.
pub async fn lanes_take_turns_whoever_claims(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let lanes = ["huge", "large", "small"];
    let signups = lanes
        .iter()
        .zip([300, 100, 4])
        .enumerate()
        .flat_map(|(at, (name, many))| (0..many).map(move |n| signup(name, 1000 * at as u64 + n)))
        .collect();
    accept(&one, signups).await;
    register(&one, "one", &lanes, wide()).await;
    register(&two, "two", &lanes, wide()).await;
    let mut tallied = Tallied::default();
    for turn in 0..12 {
        let (store, name) = if turn % 2 == 0 {
            (&one, "one")
        } else {
            (&two, "two")
        };
        let claims = store
            .claim(&worker(name), 1, LEASE, TIMEOUT)
            .await
            .expect("answered");
        tallied.add(&claims.claims);
    }
    assert_eq!(lanes.map(|name| tallied.of(name)), [4, 4, 4]);
}
