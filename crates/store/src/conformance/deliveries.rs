//! Looking at deliveries.

use std::sync::Arc;

use super::{
    Fixture,
    outbox::{about, attempted, delivery, lay_out, refused, take, took_it},
};
use crate::{
    AfterAttempt, Cursor, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Error, Store,
};

/// All pages of a list. Fails where there are more pages than one per delivery and some.
async fn all_of(store: &Arc<dyn Store>, filter: &DeliveryFilter, limit: usize) -> Vec<Delivery> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..200 {
        let page = store.deliveries(filter, cursor.as_ref(), limit).await;
        let page = page.expect("listed");
        assert!(page.items.len() <= limit);
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
    panic!("the list does not end");
}

fn ids(all: &[Delivery]) -> Vec<&DeliveryId> {
    all.iter().map(|one| &one.id).collect()
}

/// Paging misses nothing and repeats nothing; what is laid out meanwhile is not in the way.
pub async fn the_newest_are_listed_first_page_by_page(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let mut expected = Vec::new();
    for n in 0..25 {
        let new = delivery("crm", n);
        expected.insert(0, new.id.clone());
        lay_out(&store, vec![new]).await;
    }
    let filter = DeliveryFilter::default();
    for limit in [1, 10, 25, 200] {
        let all = all_of(&fixture.elsewhere().await, &filter, limit).await;
        assert!(ids(&all).into_iter().eq(&expected), "by {limit}");
    }
    let page = store.deliveries(&filter, None, 10).await.expect("listed");
    lay_out(&store, vec![delivery("crm", 25)]).await;
    let rest = store.deliveries(&filter, page.next.as_ref(), 200).await;
    let rest = rest.expect("listed").items;
    let both = ids(&page.items).into_iter().chain(ids(&rest));
    assert!(both.eq(&expected));
    let whole = all_of(&store, &filter, 200).await;
    for one in whole {
        let alone = store.delivery(&one.id).await.expect("readable");
        assert_eq!(alone, Some(one));
    }
}

/// By endpoint, state, onboarding, and together.
pub async fn filters_narrow_a_list_of_deliveries(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    for n in 0..10 {
        let all = vec![delivery("crm", n), delivery("billing", n)];
        lay_out(&store, all).await;
    }
    let taken = take(&store, 20).await;
    for one in &taken {
        let (made, then) = match one.endpoint.as_str() {
            "crm" if one.onboarding == Some(about(3)) => (took_it(), AfterAttempt::Delivered),
            "crm" => (refused(), AfterAttempt::GiveUp),
            _ => continue,
        };
        assert!(attempted(&store, one, made, then).await);
    }
    let (waiting, delivered, given_up) = (
        Some(DeliveryState::Waiting),
        Some(DeliveryState::Delivered),
        Some(DeliveryState::GivenUp),
    );
    let rows = [
        (None, None, None, 20),
        (None, waiting, None, 10),
        (None, delivered, None, 1),
        (None, given_up, None, 9),
        (Some("crm"), None, None, 10),
        (Some("crm"), waiting, None, 0),
        (Some("crm"), given_up, None, 9),
        (None, None, Some(3), 2),
        (None, delivered, Some(3), 1),
        (Some("billing"), waiting, Some(3), 1),
        (Some("billing"), delivered, Some(3), 0),
        (Some("nobody"), None, None, 0),
        (None, None, Some(99), 0),
    ];
    for (endpoint, state, onboarding, expected) in rows {
        let filter = DeliveryFilter {
            endpoint: endpoint.map(str::to_owned),
            state,
            onboarding: onboarding.map(about),
        };
        for limit in [3, 200] {
            let all = all_of(&store, &filter, limit).await;
            assert_eq!(all.len(), expected, "{filter:?} by {limit}");
            let order: Vec<_> = all.iter().filter_map(|one| one.onboarding).collect();
            let newest_first = (0..10).rev().map(about);
            let newest_first: Vec<_> = newest_first.filter(|one| order.contains(one)).collect();
            let mut distinct = order.clone();
            distinct.dedup();
            assert_eq!(distinct, newest_first, "{filter:?} by {limit}");
        }
    }
}

/// Into another state, and back into the line.
pub async fn a_list_follows_what_becomes_of_deliveries(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, (0..3).map(|n| delivery("crm", n)).collect()).await;
    let taken = take(&store, 1).await.remove(0);
    let count = async |state| {
        let filter = DeliveryFilter {
            state: Some(state),
            ..DeliveryFilter::default()
        };
        all_of(&store, &filter, 10).await.len()
    };
    assert_eq!(count(DeliveryState::Waiting).await, 3, "also what is held");
    assert!(attempted(&store, &taken, refused(), AfterAttempt::GiveUp).await);
    assert_eq!(count(DeliveryState::Waiting).await, 2);
    assert_eq!(count(DeliveryState::GivenUp).await, 1);
    assert!(store.resend(&taken.id).await.expect("answered"));
    assert_eq!(count(DeliveryState::Waiting).await, 3);
    assert_eq!(count(DeliveryState::GivenUp).await, 0);
}

/// It came from a user.
pub async fn what_is_no_cursor_of_deliveries_is_refused(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    lay_out(&store, vec![delivery("crm", 0)]).await;
    for text in ["", "made up", "-1x", "1 2", "\u{661}"] {
        let cursor = Cursor(text.to_owned());
        let page = store
            .deliveries(&DeliveryFilter::default(), Some(&cursor), 10)
            .await;
        assert!(matches!(page, Err(Error::Unusable { .. })), "{text:?}");
    }
}
