//! Answers that were given.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::Fixture;
use crate::{Remembered, Store};

const KEEP: Duration = Duration::from_secs(3600);
const QUESTION: [u8; 32] = [7; 32];

async fn ask(store: &Arc<dyn Store>, scope: &str, key: &str, digest: [u8; 32]) -> Remembered {
    let asked = store.remember(scope, key, digest, KEEP).await;
    asked.expect("answered")
}

async fn answer(store: &Arc<dyn Store>, key: &str, answer: &[u8]) -> Vec<u8> {
    let kept = store.answer("partner", key, answer).await;
    kept.expect("answered")
}

/// New, then asked and not answered, then answered; for every process.
pub async fn a_question_is_new_once_and_answered_alike_from_then_on(fixture: Box<dyn Fixture>) {
    let (store, elsewhere) = (fixture.store(), fixture.elsewhere().await);
    let first = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(first, Remembered::New);
    for handle in [&store, &elsewhere] {
        let again = ask(handle, "partner", "key", QUESTION).await;
        assert_eq!(again, Remembered::Unanswered);
    }
    // Any bytes, and many of them: an answer is no text to a store.
    let long: Vec<u8> = (0..1024 * 1024_u32).map(|n| n.to_le_bytes()[0]).collect();
    assert!(answer(&store, "key", &long).await == long);
    for handle in [&store, &elsewhere] {
        let again = ask(handle, "partner", "key", QUESTION).await;
        assert!(again == Remembered::Answered(long.clone()));
    }
}

/// Looking changes nothing: what nobody asked stays new, and what is over is none.
pub async fn whether_a_question_is_remembered_is_told_without_asking_it(fixture: Box<dyn Fixture>) {
    let (store, elsewhere) = (fixture.store(), fixture.elsewhere().await);
    let there = async |store: &Arc<dyn Store>, scope, key| {
        store.is_remembered(scope, key).await.expect("readable")
    };
    assert!(!there(&store, "partner", "key").await);
    let keep = Duration::from_secs(1);
    let asked = store.remember("partner", "key", QUESTION, keep).await;
    assert_eq!(asked.expect("answered"), Remembered::New);
    for handle in [&store, &elsewhere] {
        assert!(there(handle, "partner", "key").await);
        assert!(!there(handle, "partner", "other").await);
        assert!(!there(handle, "other", "key").await);
    }
    fixture.pass(keep + Duration::from_millis(100)).await;
    assert!(!there(&store, "partner", "key").await);
}

/// Answered or not.
pub async fn another_question_under_the_same_key_is_known_as_such(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    ask(&store, "partner", "key", QUESTION).await;
    let other = ask(&store, "partner", "key", [8; 32]).await;
    assert_eq!(other, Remembered::Other);
    answer(&store, "key", b"yes").await;
    let other = ask(&store, "partner", "key", [8; 32]).await;
    assert_eq!(other, Remembered::Other);
    let same = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(same, Remembered::Answered(b"yes".to_vec()));
}

/// Whatever is in them: no pair runs together with another one.
pub async fn scopes_and_keys_are_not_mixed_up(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let (widest, longest) = ("s".repeat(128), "k".repeat(256));
    let pairs = [
        ("partner", "key"),
        ("partner", "key2"),
        ("partnerk", "ey"),
        ("other", "key"),
        ("par:tner", "key"),
        ("par", "tner:key"),
        ("par\0tner", "key"),
        ("par", "tner\0key"),
        (widest.as_str(), longest.as_str()),
    ];
    for (scope, key) in pairs {
        let asked = ask(&store, scope, key, QUESTION).await;
        assert_eq!(asked, Remembered::New, "{scope:?} {key:?}");
    }
    answer(&store, "key", b"yes").await;
    let other = ask(&store, "other", "key", QUESTION).await;
    assert_eq!(other, Remembered::Unanswered);
}

/// Whoever comes second says what the first one said.
pub async fn the_first_answer_is_kept(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(answer(&store, "key", b"first").await, b"first");
    assert_eq!(answer(&store, "key", b"second").await, b"first");
    let asked = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(asked, Remembered::Answered(b"first".to_vec()));
}

/// With the same content or with other.
pub async fn what_is_over_counts_as_never_asked(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let keep = Duration::from_secs(1);
    for key in ["same", "other"] {
        let asked = store.remember("partner", key, QUESTION, keep).await;
        assert_eq!(asked.expect("answered"), Remembered::New);
        answer(&store, key, b"yes").await;
    }
    fixture.pass(keep + Duration::from_millis(100)).await;
    let same = ask(&store, "partner", "same", QUESTION).await;
    assert_eq!(same, Remembered::New);
    let again = ask(&store, "partner", "same", QUESTION).await;
    assert_eq!(again, Remembered::Unanswered, "its answer has gone too");
    let other = ask(&store, "partner", "other", [8; 32]).await;
    assert_eq!(other, Remembered::New);
}

/// It is kept from the first time on.
pub async fn asking_again_prolongs_nothing(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    let keep = Duration::from_secs(2);
    let asked = store.remember("partner", "key", QUESTION, keep).await;
    assert_eq!(asked.expect("answered"), Remembered::New);
    fixture.pass(keep / 2).await;
    let again = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(again, Remembered::Unanswered);
    answer(&store, "key", b"yes").await;
    fixture.pass(keep / 2 + Duration::from_millis(100)).await;
    let later = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(later, Remembered::New);
}

/// There is nothing that it could be kept for.
pub async fn an_answer_to_what_nobody_asked_is_not_kept(fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    assert_eq!(answer(&store, "key", b"yes").await, b"yes");
    let asked = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(asked, Remembered::New);
    let again = ask(&store, "partner", "key", QUESTION).await;
    assert_eq!(again, Remembered::Unanswered);
}

/// Both are durable once they are told.
pub async fn questions_and_answers_survive_a_restart(mut fixture: Box<dyn Fixture>) {
    let store = fixture.store();
    ask(&store, "partner", "open", QUESTION).await;
    ask(&store, "partner", "answered", QUESTION).await;
    answer(&store, "answered", b"yes").await;
    drop(store);
    let store = fixture.restart().await;
    let open = ask(&store, "partner", "open", QUESTION).await;
    assert_eq!(open, Remembered::Unanswered);
    let answered = ask(&store, "partner", "answered", QUESTION).await;
    assert_eq!(answered, Remembered::Answered(b"yes".to_vec()));
}

/// Through two handles, with the same content and with other.
pub async fn of_several_that_ask_at_once_one_is_new(fixture: Box<dyn Fixture>) {
    let handles = [fixture.store(), fixture.elsewhere().await];
    for round in 0..10 {
        let mut asking = JoinSet::new();
        for n in 0..8_usize {
            let store = Arc::clone(&handles[n % 2]);
            // Every fourth asks something else.
            let digest = if n % 4 == 3 { [8; 32] } else { QUESTION };
            asking.spawn(async move {
                let key = format!("key-{round}");
                (digest, ask(&store, "partner", &key, digest).await)
            });
        }
        let all = asking.join_all().await;
        let new: Vec<_> = all
            .iter()
            .filter(|(_, it)| *it == Remembered::New)
            .collect();
        assert_eq!(new.len(), 1, "{all:?}");
        let winner = new[0].0;
        for (digest, found) in &all {
            let expected = if *digest == winner {
                [Remembered::New, Remembered::Unanswered]
            } else {
                [Remembered::Other, Remembered::Other]
            };
            assert!(expected.contains(found), "{all:?}");
        }
    }
}

/// All are told the one that is kept.
pub async fn of_several_answers_at_once_one_is_kept(fixture: Box<dyn Fixture>) {
    let handles = [fixture.store(), fixture.elsewhere().await];
    ask(&handles[0], "partner", "key", QUESTION).await;
    let mut answering = JoinSet::new();
    for n in 0..8_u8 {
        let store = Arc::clone(&handles[usize::from(n % 2)]);
        answering.spawn(async move { answer(&store, "key", &[n]).await });
    }
    let kept = answering.join_all().await;
    let asked = ask(&handles[0], "partner", "key", QUESTION).await;
    for one in kept {
        assert_eq!(asked, Remembered::Answered(one));
    }
}
