//! Batches of several producers at once, and of producers that die.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Fixture, count_waits, cut_after, in_time, pause_after, two};
use crate::{
    Batch, Candidate, Committed, Filter, Store,
    conformance::sample::{
        RECIPE, claim, offer, register, signup, wide, with_content, with_trunk_name,
    },
};

/// Far more than a store takes in one go.
const LARGE: u64 = 3000;
/// How much a producer adds at once.
const CHUNK: usize = 500;

fn signups(range: impl IntoIterator<Item = u64>) -> Vec<Candidate> {
    range
        .into_iter()
        .map(|n| signup(&format!("account-{}", n % 5), n))
        .collect()
}

/// A batch that is ready to be committed.
async fn filled(store: &Arc<dyn Store>, signups: Vec<Candidate>) -> Box<dyn Batch> {
    let mut batch = store.begin().await.expect("a batch begins");
    batch
        .add_recipe(RECIPE, "{\"made\":\"up\"}")
        .await
        .expect("a recipe is taken");
    for chunk in signups.chunks(CHUNK) {
        batch.add(chunk.to_vec()).await.expect("signups are taken");
    }
    batch
}

/// As a producer offers a file.
async fn produce(store: &Arc<dyn Store>, signups: Vec<Candidate>) -> Committed {
    let batch = filled(store, signups).await;
    batch.commit().await.expect("a batch is committed")
}

/// How many are new and how many were there, of a batch that must be accepted.
fn accepted(committed: &Committed) -> (u64, u64) {
    let Committed::Accepted {
        accepted,
        duplicates,
        ..
    } = committed
    else {
        panic!("it must be accepted: {committed:?}");
    };
    (*accepted, *duplicates)
}

async fn total(store: &Arc<dyn Store>) -> u64 {
    store.tally().await.expect("counted").total()
}

/// Everything is listed exactly once, and as much is counted.
async fn assert_there_once(store: &Arc<dyn Store>, expected: u64) {
    let mut seen = HashSet::new();
    let mut after = None;
    loop {
        let page = store
            .list(&Filter::default(), after.as_ref(), 1000)
            .await
            .expect("listed");
        for item in page.items {
            assert!(seen.insert(item.id), "{} is listed twice", item.key);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len() as u64, expected);
    assert_eq!(total(store).await, expected);
    let accounts = store.accounts().await.expect("listed");
    let waiting: u64 = accounts.iter().map(|account| account.waiting).sum();
    assert_eq!(waiting, expected);
}

/// Two files that say the same, sent by two people.
pub async fn the_same_signups_from_two_producers_at_once_are_one_onboarding_each(
    fixture: Box<dyn Fixture>,
) {
    let (one, two) = two(fixture.as_ref()).await;
    for round in 0..50_u64 {
        let first = 10 * round;
        let (mine, theirs) = tokio::join!(
            produce(&one, signups(first..first + 10)),
            produce(&two, signups((first..first + 10).rev()))
        );
        let (mine, theirs) = (accepted(&mine), accepted(&theirs));
        assert_eq!(mine.0 + theirs.0, 10, "round {round}: {mine:?} {theirs:?}");
        assert_eq!(mine.1 + theirs.1, 10, "round {round}: {mine:?} {theirs:?}");
    }
    assert_there_once(&one, 500).await;
}

/// Neither waits for the other for good.
pub async fn large_batches_that_overlap_in_reverse_are_both_accepted(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    for round in 0..3_u64 {
        let first = 10_000 * round;
        let forward = signups(first..first + LARGE);
        let reverse = signups((first + LARGE / 2..first + LARGE / 2 + LARGE).rev());
        let (mine, theirs) = in_time("both are accepted", async {
            tokio::join!(produce(&one, forward), produce(&two, reverse))
        })
        .await;
        let (mine, theirs) = (accepted(&mine), accepted(&theirs));
        assert_eq!(mine.0 + theirs.0, LARGE / 2 * 3, "{mine:?} {theirs:?}");
        assert_eq!(mine.1 + theirs.1, LARGE / 2, "{mine:?} {theirs:?}");
        assert_there_once(&one, (round + 1) * LARGE / 2 * 3).await;
    }
}

/// Exactly one of the two was accepted, as many as it has.
fn assert_one_of(mine: &Committed, theirs: &Committed, many: u64) {
    let one_is = |committed: &Committed| match committed {
        Committed::Accepted {
            accepted,
            duplicates,
            ..
        } => {
            assert_eq!((*accepted, *duplicates), (many, 0));
            true
        }
        Committed::Refused { clashes } => {
            assert!(!clashes.is_empty(), "it says why");
            false
        }
    };
    assert_ne!(one_is(mine), one_is(theirs), "{mine:?} {theirs:?}");
}

/// The key that both have goes to one, with all the rest of its batch.
pub async fn of_two_contents_at_once_one_is_accepted_and_one_refused_whole(
    fixture: Box<dyn Fixture>,
) {
    let (one, two) = two(fixture.as_ref()).await;
    for round in 0..30_u64 {
        let first = 20 * round;
        let mut other = signups(first + 10..first + 19);
        other.insert(4, with_content("account-0", first, "other"));
        let (mine, theirs) = tokio::join!(
            produce(&one, signups(first..first + 10)),
            produce(&two, other)
        );
        assert_one_of(&mine, &theirs, 10);
        assert_eq!(total(&one).await, 10 * (round + 1));
    }
    assert_there_once(&two, 300).await;
}

/// Also where the clash is found late.
pub async fn of_two_large_batches_with_one_clash_one_is_refused_whole(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    for round in 0..3_u64 {
        let first = 10_000 * round;
        let mut other = signups(first + LARGE..first + 2 * LARGE - 1);
        other.push(with_content("account-0", first, "other"));
        let mine = signups((first..first + LARGE).rev());
        let (mine, theirs) = in_time("both are decided", async {
            tokio::join!(produce(&one, mine), produce(&two, other))
        })
        .await;
        assert_one_of(&mine, &theirs, LARGE);
        assert_there_once(&one, LARGE * (round + 1)).await;
    }
}

/// A name that a person chose is one trunk's.
pub async fn of_two_batches_with_one_trunk_name_at_once_one_is_refused_whole(
    fixture: Box<dyn Fixture>,
) {
    let (one, two) = two(fixture.as_ref()).await;
    for round in 0..20_u64 {
        let first = 20 * round;
        let name = format!("chosen_{round}");
        let mut mine = signups(first..first + 5);
        mine.push(with_trunk_name("acme", first + 5, &name));
        let mut theirs = signups(first + 10..first + 15);
        theirs.insert(0, with_trunk_name("acme", first + 15, &name));
        let (mine, theirs) = tokio::join!(produce(&one, mine), produce(&two, theirs));
        assert_one_of(&mine, &theirs, 6);
        assert_eq!(total(&two).await, 6 * (round + 1));
    }
}

/// Dropping a batch is as if it never was, however much of it was there.
pub async fn a_large_batch_that_is_not_committed_leaves_nothing(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let batch = filled(&one, signups(0..LARGE)).await;
    assert_eq!(total(&two).await, 0);
    drop(batch);
    assert_eq!(total(&two).await, 0);
    assert!(two.accounts().await.expect("listed").is_empty());
    // Its keys are free for any content.
    let others: Vec<_> = (0..LARGE)
        .map(|n| with_content("other", n, "other"))
        .collect();
    let committed = in_time("the keys are free", produce(&two, others)).await;
    assert_eq!(accepted(&committed), (LARGE, 0));
    assert_there_once(&one, LARGE).await;
}

/// Most moments at which producers of a test are cut off; with more, some are left out.
const CUTS_MAX: usize = 40;

/// Cuts producers off at every moment at which one waits, each with a batch of its own and all at
/// the same time.
async fn cut_off_anywhere(fixture: &dyn Fixture, many: u64) {
    let (one, two) = two(fixture).await;
    // Serves none of the accounts, so that it takes nothing, and claims as every worker does.
    register(&two, "two", &["nobodys"], wide()).await;
    let mut waits = 0;
    let whole = count_waits(&mut waits, produce(&one, signups(0..many))).await;
    assert_eq!(accepted(&whole), (many, 0));
    let mut cuts = tokio::task::JoinSet::new();
    for at in (0..=waits).step_by(waits / CUTS_MAX + 1) {
        let first = (at as u64 + 1) * 10 * many;
        let batch = signups(first..first + many);
        let (dying, one, two) = (fixture.elsewhere().await, one.clone(), two.clone());
        cuts.spawn(async move {
            cut_after(at, produce(&dying, batch.clone())).await;
            drop(dying);
            ended_by_others(&one, &two, &batch, at).await;
        });
    }
    let mut batches = 1;
    while let Some(cut) = cuts.join_next().await {
        cut.expect("a cut-off batch is whole");
        batches += 1;
    }
    assert_there_once(&two, batches * many).await;
}

/// Where a producer was cut off, others find all of its batch or nothing, and who offers it again
/// has all of it.
async fn ended_by_others(
    one: &Arc<dyn Store>,
    two: &Arc<dyn Store>,
    batch: &[Candidate],
    at: usize,
) {
    let many = batch.len() as u64;
    let ids: Vec<_> = batch.iter().map(|candidate| candidate.new.id).collect();
    let there = async || one.get_many(&ids).await.expect("read").len() as u64;
    in_time("what was begun is ended by others", async {
        while ![0, many].contains(&there().await) {
            claim(two, "two", 1).await;
        }
    })
    .await;
    let again = produce(one, batch.to_vec());
    let again = in_time("the same batch can be offered again", again).await;
    let (new, old) = accepted(&again);
    assert_eq!(new + old, many, "cut after {at} waits");
    assert!(
        new == 0 || old == 0,
        "by halves after {at} waits: {new} {old}"
    );
    in_time("all of it is there", async {
        while there().await != many {
            claim(two, "two", 1).await;
        }
    })
    .await;
}

/// What one command decides.
pub async fn a_small_batch_cut_off_anywhere_is_there_whole_or_not_at_all(
    fixture: Box<dyn Fixture>,
) {
    cut_off_anywhere(fixture.as_ref(), 20).await;
}

/// What takes many commands, of which any can be the last.
pub async fn a_large_batch_cut_off_anywhere_is_there_whole_or_not_at_all(
    fixture: Box<dyn Fixture>,
) {
    cut_off_anywhere(fixture.as_ref(), 1000).await;
}

/// Stopped at any moment, for as long as another one needs to have the same keys with other content
/// decided: one of the two has them all.
pub async fn a_producer_that_was_stopped_for_long_is_accepted_whole_or_refused_whole(
    fixture: Box<dyn Fixture>,
) {
    let many = 600;
    let store = fixture.store();
    let mut waits = 0;
    let whole = count_waits(&mut waits, produce(&store, signups(0..many))).await;
    assert_eq!(accepted(&whole), (many, 0));
    let mut pauses = tokio::task::JoinSet::new();
    for at in (0..=waits).step_by(waits / CUTS_MAX + 1) {
        let first = (at as u64 + 1) * 10 * many;
        let batch = signups(first..first + many);
        let others: Vec<_> = (first..first + many)
            .map(|n| with_content(&format!("account-{}", n % 5), n, "other"))
            .collect();
        let (stopped, rival) = (fixture.elsewhere().await, store.clone());
        pauses.spawn(async move {
            let mut theirs = None;
            let pause = async { theirs = Some(produce(&rival, others).await) };
            let mine = pause_after(at, pause, produce(&stopped, batch));
            let mine = in_time("both are decided", mine).await;
            assert_one_of(&mine, &theirs.expect("decided meanwhile"), many);
        });
    }
    let mut batches = 1;
    while let Some(paused) = pauses.join_next().await {
        paused.expect("one of two is accepted whole");
        batches += 1;
    }
    assert_there_once(&store, batches * many).await;
}

/// A reader who looks all the time: what it finds, until told to stop.
async fn watch(store: &Arc<dyn Store>, stop: &AtomicBool) -> Vec<u64> {
    let mut found = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        found.push(total(store).await);
        let page = store
            .list(&Filter::default(), None, 10)
            .await
            .expect("listed");
        found.push(page.items.len() as u64);
    }
    found
}

/// Before the commit, nothing; once it is accepted, everything. Between the two a part may be seen
/// of what is accepted already.
pub async fn a_large_batch_is_seen_by_nobody_before_it_is_accepted(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let stop = AtomicBool::new(false);
    let filling = async {
        let batch = filled(&one, signups(0..2 * LARGE)).await;
        stop.store(true, Ordering::SeqCst);
        batch
    };
    let (batch, found) = tokio::join!(filling, watch(&two, &stop));
    assert!(found.iter().all(|n| *n == 0), "seen before the commit");
    let committed = batch.commit().await.expect("committed");
    assert_eq!(accepted(&committed), (2 * LARGE, 0));
    assert_there_once(&two, 2 * LARGE).await;
}

/// Not for a moment.
pub async fn a_large_batch_that_is_refused_is_seen_by_nobody(fixture: Box<dyn Fixture>) {
    let (one, two) = two(fixture.as_ref()).await;
    let mut refused = signups(0..2 * LARGE);
    refused.push(with_content("account-0", 0, "other"));
    let stop = AtomicBool::new(false);
    let offering = async {
        let committed = produce(&one, refused).await;
        stop.store(true, Ordering::SeqCst);
        committed
    };
    let (committed, found) = tokio::join!(offering, watch(&two, &stop));
    assert!(
        matches!(&committed, Committed::Refused { clashes } if clashes.len() == 1),
        "{committed:?}"
    );
    assert!(found.iter().all(|n| *n == 0), "seen for a moment");
    assert!(two.accounts().await.expect("listed").is_empty());
    let again = offer(&two, signups(0..100)).await;
    assert_eq!(accepted(&again), (100, 0));
}
