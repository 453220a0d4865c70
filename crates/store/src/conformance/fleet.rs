//! What a store for several workers and producers keeps besides: `store::fleet_conformance!(fixture)`
//! makes one test per promise.
//!
//! Every body has two handles on the same data, as two processes have them.

pub mod allowance;
pub mod batches;
pub mod leases;
pub mod repeats;
pub mod turns;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use super::Fixture;
use crate::Store;

/// Longer than any store needs for what it does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two handles on the fixture's data.
async fn two(fixture: &dyn Fixture) -> (Arc<dyn Store>, Arc<dyn Store>) {
    (fixture.store(), fixture.elsewhere().await)
}

/// Fails where something takes too long.
async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    assert!(ended.is_ok(), "not in time: {what}");
    ended.expect("just asserted")
}

/// Drops a future at the `waits`-th time that it has to wait, as if its process had died there:
/// what it had sent by then arrives, and nobody is left to see the answer. `None` where it did not
/// come to its end.
async fn cut_after<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = waits;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Stops a future at the `waits`-th time that it has to wait, as if its process was stopped, until
/// `pause` has ended.
async fn pause_after<T>(
    waits: usize,
    pause: impl Future<Output = ()>,
    future: impl Future<Output = T>,
) -> T {
    let mut future = pin!(future);
    let ended = cut_after(waits, future.as_mut()).await;
    pause.await;
    match ended {
        Some(value) => value,
        None => future.await,
    }
}

/// Counts how often a future has to wait until its end.
async fn count_waits<T>(waits: &mut usize, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        *waits += usize::from(polled.is_pending());
        polled
    })
    .await
}

/// Makes one test per promise that only a store for several workers can keep. The argument is an
/// expression of a new [`Fixture`]; it is awaited.
#[macro_export]
macro_rules! fleet_conformance {
    ($fixture:expr) => {
        $crate::fleet_conformance!(@tests $fixture;
            leases::what_one_worker_holds_is_not_handed_to_another,
            leases::a_killed_workers_lease_is_taken_over_in_doubt_with_the_next_epoch,
            leases::a_late_worker_is_refused_and_changes_nothing,
            leases::a_late_worker_is_refused_after_the_other_has_finished,
            leases::a_worker_gives_back_its_own_leases_only,
            leases::a_renewal_keeps_a_lease_from_the_other_worker,
            leases::what_one_worker_gives_back_another_goes_on_with,
            leases::two_workers_that_claim_at_once_share_what_is_there,
            allowance::requests_in_flight_are_bounded_for_all_workers_together,
            allowance::no_window_holds_more_than_the_limit_whoever_sends,
            allowance::sending_is_paced_for_all_workers_together,
            allowance::a_429_closes_the_account_for_every_worker,
            allowance::an_account_parked_by_one_worker_is_parked_for_all,
            turns::a_signup_wakes_the_idle_worker_that_serves_it,
            turns::an_account_without_allowance_holds_nobody_back,
            turns::workers_get_only_their_accounts_however_many_others_are_due,
            turns::workers_share_the_accounts_that_both_serve,
            turns::lanes_take_turns_whoever_claims,
            repeats::a_repeated_write_is_answered_as_the_first_time,
            repeats::a_repeated_write_does_nothing_twice,
            repeats::a_write_that_arrives_twice_at_once_happens_once,
            repeats::another_write_on_an_ended_lease_is_refused,
            repeats::a_repeat_that_comes_after_the_next_claim_changes_nothing,
            batches::the_same_signups_from_two_producers_at_once_are_one_onboarding_each,
            batches::large_batches_that_overlap_in_reverse_are_both_accepted,
            batches::of_two_contents_at_once_one_is_accepted_and_one_refused_whole,
            batches::of_two_large_batches_with_one_clash_one_is_refused_whole,
            batches::of_two_batches_with_one_trunk_name_at_once_one_is_refused_whole,
            batches::a_large_batch_that_is_not_committed_leaves_nothing,
            batches::a_small_batch_cut_off_anywhere_is_there_whole_or_not_at_all,
            batches::a_large_batch_cut_off_anywhere_is_there_whole_or_not_at_all,
            batches::a_producer_that_was_stopped_for_long_is_accepted_whole_or_refused_whole,
            batches::a_large_batch_is_seen_by_nobody_before_it_is_accepted,
            batches::a_large_batch_that_is_refused_is_seen_by_nobody,
        );
    };
    (@tests $fixture:expr; $($module:ident :: $case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let fixture = Box::new($fixture.await);
                $crate::conformance::fleet::$module::$case(fixture).await;
            }
        )+
    };
}
