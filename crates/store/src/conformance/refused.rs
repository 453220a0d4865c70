//! Messages that were refused.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Fixture;
use crate::{
    Cursor, Error, NewRefused, Refused, RefusedId, Store, What,
    refused::{IN_ALL_MAX, OF_A_SENDER_MAX},
};

fn message(sender: &str, message: &str, status: u16) -> NewRefused {
    NewRefused {
        sender: sender.to_owned(),
        message: message.to_owned(),
        status,
        problems: format!("[{{\"made\":\"up\",\"status\":{status}}}]"),
    }
}

async fn refuse(store: &Arc<dyn Store>, refused: NewRefused) {
    store.refuse(refused).await.expect("recorded");
}

/// All that are kept, page by page.
async fn all(store: &Arc<dyn Store>, sender: Option<&str>, limit: usize) -> Vec<Refused> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.refusals(sender, cursor.as_ref(), limit).await;
        let page = page.expect("readable");
        assert!(page.items.len() <= limit);
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

fn messages(all: &[Refused]) -> Vec<&str> {
    all.iter().map(|one| one.message.as_str()).collect()
}

/// Whole, for every process, after a restart, with an entry in the feed.
pub async fn a_refused_message_is_kept_whole_and_told(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    refuse(&store, message("forms", "msg-1", 422)).await;
    let id = RefusedId::of("forms", "msg-1");
    let told = store.happenings(None, 10).await.expect("readable");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].what, What::Refused { id });
    drop(store);
    let store = fixture.restart().await;
    for handle in [&store, &fixture.elsewhere().await] {
        let one = handle.refused(id).await.expect("readable").expect("kept");
        let new = message("forms", "msg-1", 422);
        assert_eq!(
            (one.id, &one.sender, &one.message, one.status, &one.problems),
            (id, &new.sender, &new.message, 422, &new.problems)
        );
        assert_eq!(one.attempts, 1);
        let apart = told[0].at.duration_since(one.first_at);
        assert!(apart.abs().as_secs() == 0, "{apart:?}");
        assert_eq!(one.last_at, one.first_at);
        assert_eq!(all(handle, None, 10).await, [one]);
    }
    let nobody = store.refused(RefusedId::of("forms", "msg-2")).await;
    assert_eq!(nobody.expect("readable"), None);
}

/// It is the same message: what was wrong last counts, and no second event is written.
pub async fn another_attempt_of_a_refused_message_is_counted_and_not_told(
    fixture: Box<dyn Fixture>,
) {
    let (store, elsewhere) = (fixture.store(), fixture.elsewhere().await);
    refuse(&store, message("forms", "msg-1", 400)).await;
    fixture.pass(std::time::Duration::from_millis(10)).await;
    refuse(&elsewhere, message("forms", "msg-1", 422)).await;
    let one = all(&store, None, 10).await.remove(0);
    assert_eq!((one.attempts, one.status), (2, 422));
    assert_eq!(one.problems, message("", "", 422).problems);
    assert!(one.last_at > one.first_at);
    assert_eq!(store.happenings(None, 10).await.expect("readable").len(), 1);
}

/// Of all, and of one sender.
pub async fn refused_messages_are_listed_page_by_page(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    for n in 0..5 {
        for sender in ["forms", "billing"] {
            refuse(&store, message(sender, &format!("{sender}-{n}"), 422)).await;
        }
    }
    // Another attempt does not change the order.
    refuse(&store, message("forms", "forms-0", 422)).await;
    for limit in [1, 3, 200] {
        let of_one = all(&store, Some("billing"), limit).await;
        let newest_first: Vec<String> = (0..5).rev().map(|n| format!("billing-{n}")).collect();
        assert_eq!(messages(&of_one), newest_first, "by {limit}");
        let of_all = all(&store, None, limit).await;
        assert_eq!(of_all.len(), 10);
        assert_eq!(messages(&of_all)[..2], ["billing-4", "forms-4"]);
    }
    assert_eq!(all(&store, Some("nobody"), 10).await, []);
    let odd = store
        .refusals(None, Some(&Cursor("x".to_owned())), 10)
        .await;
    assert!(matches!(odd, Err(Error::Unusable { .. })), "{odd:?}");
}

/// The list has only messages whose signups were not accepted.
pub async fn a_message_that_was_accepted_after_all_is_not_listed(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    for sender in ["forms", "billing"] {
        refuse(&store, message(sender, "msg-1", 422)).await;
    }
    for _ in 0..2 {
        let gone = store.accepted_after_all("forms", "msg-1").await;
        gone.expect("forgotten");
    }
    let left = all(&store, None, 10).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].sender, "billing");
    // Refused once more, it is news.
    refuse(&store, message("forms", "msg-1", 409)).await;
    assert_eq!(all(&store, Some("forms"), 10).await[0].attempts, 1);
    assert_eq!(store.happenings(None, 10).await.expect("readable").len(), 3);
}

/// One sender does not push out another, and all together do not fill the store.
pub async fn refused_messages_are_bounded_by_sender_and_in_all(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    refuse(&store, message("quiet", "msg-1", 422)).await;
    for n in 0..OF_A_SENDER_MAX + 3 {
        refuse(&store, message("loud", &n.to_string(), 422)).await;
    }
    let loud = all(&store, Some("loud"), 200).await;
    assert_eq!(loud.len(), OF_A_SENDER_MAX);
    assert_eq!(loud.last().expect("some").message, "3", "the oldest left");
    assert_eq!(all(&store, Some("quiet"), 200).await.len(), 1);
    let mut refusing = JoinSet::new();
    for n in 0..IN_ALL_MAX {
        let store = Arc::clone(&store);
        let sender = format!("s{}", n / OF_A_SENDER_MAX);
        refusing.spawn(async move { refuse(&store, message(&sender, &n.to_string(), 422)).await });
    }
    refusing.join_all().await;
    assert_eq!(all(&store, None, 200).await.len(), IN_ALL_MAX);
    assert_eq!(all(&store, Some("quiet"), 200).await.len(), 0);
}
