//! Accepting.

use onboarding::State;

use super::{
    Fixture,
    sample::{accept, offer, signup, with_content, with_trunk_name},
};
use crate::{Batch, ClashKind, Committed, Filter};

/// What was committed is durable.
pub async fn a_committed_batch_is_there_after_a_restart(mut fixture: Box<dyn Fixture>) {
    let wanted = signup("acme", 1);
    accept(&fixture.store(), vec![wanted.clone()]).await;
    let store = fixture.restart().await;
    let found = store
        .get(wanted.new.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(found.key, wanted.new.key);
    assert_eq!(found.account, wanted.new.account);
    assert_eq!(found.partner, wanted.new.partner);
    assert_eq!(found.number, wanted.new.number);
    assert_eq!(found.plan, wanted.new.plan);
    assert_eq!(found.signup, wanted.new.signup);
    assert_eq!(found.state, State::Queued);
    let password = store
        .password(found.id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(Some(password), wanted.new.password);
}

/// Dropping a batch is as if it never was.
pub async fn a_batch_that_was_not_committed_leaves_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let mut batch = store.begin().await.expect("a batch begins");
    batch
        .add(vec![signup("acme", 1)])
        .await
        .expect("signups are taken");
    drop(batch);
    assert_eq!(store.tally().await.expect("countable").total(), 0);
    accept(&store, vec![signup("acme", 1)]).await;
}

/// Idempotency: same key, same content.
pub async fn the_same_signup_twice_is_one_onboarding(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let twice = vec![signup("acme", 1), signup("acme", 2), signup("acme", 1)];
    let expected = Committed::Accepted {
        accepted: 2,
        duplicates: 1,
        batch: None,
        numbers_in_use: Vec::new(),
    };
    assert_eq!(offer(&store, twice.clone()).await, expected);
    let expected = Committed::Accepted {
        accepted: 0,
        duplicates: 3,
        batch: None,
        numbers_in_use: Vec::new(),
    };
    assert_eq!(offer(&store, twice).await, expected);
    assert_eq!(store.tally().await.expect("countable").total(), 2);
}

/// All or nothing.
pub async fn the_same_key_with_other_content_refuses_the_whole_batch(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    accept(&store, vec![signup("acme", 1)]).await;
    let other = with_content("acme", 1, "other");
    let Committed::Refused { clashes } = offer(
        &store,
        vec![signup("acme", 2), other.clone(), signup("acme", 3)],
    )
    .await
    else {
        panic!("the batch must be refused");
    };
    assert_eq!(clashes.len(), 1);
    assert_eq!(clashes[0].origin, other.origin);
    let expected = ClashKind::Content {
        refused: other.new.signup,
        existing: signup("acme", 1).new.signup,
        existing_origin: None,
    };
    assert_eq!(clashes[0].kind, expected);
    assert_eq!(store.tally().await.expect("countable").total(), 1);
}

/// The message to a person needs both lines.
pub async fn a_clash_inside_a_batch_names_both_places(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let first = signup("acme", 1);
    let mut second = with_content("acme", 1, "other");
    second.origin.line = 99;
    let Committed::Refused { clashes } = offer(&store, vec![first.clone(), second.clone()]).await
    else {
        panic!("the batch must be refused");
    };
    assert_eq!(clashes[0].origin, second.origin);
    let ClashKind::Content {
        existing_origin, ..
    } = &clashes[0].kind
    else {
        panic!("the content clashes");
    };
    assert_eq!(*existing_origin, Some(first.origin));
    assert_eq!(store.tally().await.expect("countable").total(), 0);
}

/// Two onboardings that ask Exotel for the same name could take each other's trunk.
pub async fn a_trunk_name_that_is_taken_in_the_account_is_refused(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let first = with_trunk_name("acme", 1, "main_trunk");
    accept(
        &store,
        vec![first.clone(), with_trunk_name("globex", 2, "main_trunk")],
    )
    .await;
    let Committed::Refused { clashes } =
        offer(&store, vec![with_trunk_name("acme", 3, "main_trunk")]).await
    else {
        panic!("the batch must be refused");
    };
    let expected = ClashKind::TrunkName {
        name: "main_trunk".to_owned(),
        taken_by: first.new.id,
        taken_origin: None,
    };
    assert_eq!(clashes[0].kind, expected);

    let (one, other) = (
        with_trunk_name("initech", 4, "same"),
        with_trunk_name("initech", 5, "same"),
    );
    let Committed::Refused { clashes } = offer(&store, vec![one.clone(), other.clone()]).await
    else {
        panic!("the batch must be refused");
    };
    let ClashKind::TrunkName { taken_origin, .. } = &clashes[0].kind else {
        panic!("the trunk name clashes");
    };
    assert_eq!(*taken_origin, Some(one.origin));
}

/// What a refused batch was the first to name is not there after it.
pub async fn an_account_first_named_in_a_refused_batch_is_accepted_later(
    fixture: Box<dyn Fixture>,
) {
    let store = fixture.store();
    let refused = offer(
        &store,
        vec![signup("newcomer", 1), with_content("newcomer", 1, "other")],
    )
    .await;
    assert!(matches!(refused, Committed::Refused { .. }), "{refused:?}");
    assert!(store.accounts().await.expect("listed").is_empty());
    accept(&store, vec![signup("newcomer", 1)]).await;
}

/// Large batches take another way than small ones and end the same.
pub async fn a_batch_larger_than_memory_is_accepted_whole(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let mut batch = store.begin().await.expect("a batch begins");
    batch
        .add_recipe(super::sample::RECIPE, "{}")
        .await
        .expect("a recipe is taken");
    for chunk in 0..20_u64 {
        let signups = (0..1000)
            .map(|n| signup("acme", chunk * 1000 + n))
            .collect();
        batch.add(signups).await.expect("signups are taken");
    }
    batch
        .add(vec![signup("acme", 0)])
        .await
        .expect("signups are taken");
    let expected = Committed::Accepted {
        accepted: 20_000,
        duplicates: 1,
        batch: None,
        numbers_in_use: Vec::new(),
    };
    assert_eq!(batch.commit().await.expect("committed"), expected);
    let page = store
        .list(&Filter::default(), None, 3)
        .await
        .expect("listed");
    let numbers: Vec<_> = page
        .items
        .iter()
        .map(|item| item.number.to_string())
        .collect();
    assert_eq!(numbers, ["+918000000000", "+918000000001", "+918000000002"]);

    let mut refused = store.begin().await.expect("a batch begins");
    for chunk in 20..40_u64 {
        let signups = (0..1000)
            .map(|n| signup("acme", chunk * 1000 + n))
            .collect();
        refused.add(signups).await.expect("signups are taken");
    }
    let clashing = (0..2000)
        .map(|n| with_content("acme", n, "other"))
        .collect();
    refused.add(clashing).await.expect("signups are taken");
    let Committed::Refused { clashes } = refused.commit().await.expect("answered") else {
        panic!("the batch must be refused");
    };
    assert_eq!(clashes.len(), <dyn Batch>::CLASHES_MAX);
    assert_eq!(store.tally().await.expect("countable").total(), 20_000);
}
