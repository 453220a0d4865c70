//! The suite that every store passes: `store::conformance!(fixture)` makes one test per promise.
//!
//! A promise that only one kind of store can keep is not in here; what one for several workers
//! keeps besides is in [`fleet`]. `store::telling_conformance!(fixture)` is the part for those who are
//! told: what happened, deliveries, answers, batches, traces, and what accounts say of their lines.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "these are the bodies of tests; a broken promise is a panic with its name"
)]

pub mod accounts;
pub mod allowance;
pub mod answers;
pub mod batches;
pub mod deliveries;
pub mod feed;
pub mod fleet;
pub mod intake;
pub mod lanes;
pub mod late_checks;
pub mod leases;
pub mod looking;
pub mod numbers;
pub mod operating;
pub mod outbox;
pub mod refused;
pub mod sample;
pub mod sending;
pub mod stops;
pub mod traces;
pub mod transfer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::Store;

/// What a test needs of a kind of store. One fixture is one store with its own data.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store, open.
    fn store(&self) -> Arc<dyn Store>;

    /// Another handle on the same data, as another process has it.
    async fn elsewhere(&self) -> Arc<dyn Store>;

    /// Ends the process that has the store (its handles, without any farewell) and opens it anew.
    async fn restart(&mut self) -> Arc<dyn Store>;

    /// Lets this much of the store's time pass.
    async fn pass(&self, time: Duration);
}

/// Makes one test per promise. The argument is an expression of a new [`Fixture`]; it is awaited.
#[macro_export]
macro_rules! conformance {
    ($fixture:expr) => {
        $crate::conformance!(@tests $fixture;
            intake::a_committed_batch_is_there_after_a_restart,
            intake::a_batch_that_was_not_committed_leaves_nothing,
            intake::the_same_signup_twice_is_one_onboarding,
            intake::the_same_key_with_other_content_refuses_the_whole_batch,
            intake::a_clash_inside_a_batch_names_both_places,
            intake::a_trunk_name_that_is_taken_in_the_account_is_refused,
            intake::an_account_first_named_in_a_refused_batch_is_accepted_later,
            intake::a_batch_larger_than_memory_is_accepted_whole,
            lanes::a_claim_brings_the_onboarding_its_permit_and_its_password,
            lanes::nothing_is_handed_out_twice,
            lanes::within_a_lane_what_was_accepted_first_goes_first,
            lanes::lanes_take_turns_however_long_they_are,
            lanes::a_parked_account_is_not_served_and_delays_nobody,
            lanes::a_closed_account_is_served_again_when_its_time_has_come,
            lanes::what_was_begun_goes_before_what_was_not,
            lanes::a_delayed_onboarding_comes_back_in_its_turn_when_due,
            lanes::a_claimer_hears_of_signups_from_elsewhere,
            lanes::a_claimer_hears_of_operators_elsewhere,
            lanes::only_registered_accounts_are_handed_out,
            numbers::a_number_is_the_firsts_that_asks_for_it_whatever_its_account,
            numbers::a_large_batch_says_whose_numbers_are_in_use,
            numbers::a_claim_says_who_has_the_number,
            numbers::a_cancelled_onboarding_leaves_its_number_to_others,
            numbers::a_number_is_free_once_its_cancel_is_recorded,
            numbers::a_retry_takes_a_number_that_is_free,
            numbers::who_has_a_number_is_carried_along,
            numbers::a_refused_batch_takes_no_number,
            stops::a_stopped_account_is_tried_by_one_read_when_it_is_due,
            stops::an_outage_blocks_nothing_and_is_no_news_of_the_feed,
            stops::a_probe_that_fails_changes_its_next_time_alone,
            stops::a_probe_of_which_nothing_is_heard_is_handed_out_again,
            stops::one_onboarding_without_a_trunk_tries_an_account,
            stops::an_account_is_tried_with_what_there_is,
            stops::an_outage_that_lasts_is_parked_by_its_probe,
            stops::an_account_that_a_person_parked_is_not_tried,
            stops::a_person_opens_a_closed_account,
            stops::what_stops_an_account_survives_a_restart,
            leases::a_lease_that_ended_is_handed_out_again_in_doubt,
            leases::a_renewed_lease_does_not_end,
            leases::a_stale_epoch_writes_nothing,
            leases::what_was_recorded_survives_a_restart,
            leases::a_lease_given_back_leaves_no_doubt,
            leases::an_abandoned_lease_leaves_doubt,
            leases::all_leases_of_a_worker_can_be_given_back,
            leases::a_restarted_worker_takes_its_leases_back_in_doubt,
            allowance::no_window_holds_more_than_the_limit,
            allowance::a_permit_comes_back_a_window_after_the_answer,
            allowance::a_permit_without_an_answer_stays_out_for_its_timeout_too,
            allowance::permits_survive_a_restart,
            allowance::a_permit_that_is_settled_twice_counts_once,
            allowance::permits_taken_elsewhere_count,
            allowance::requests_in_flight_are_bounded,
            allowance::sending_is_paced_after_the_burst,
            allowance::without_a_permit_the_lease_goes_back_without_doubt,
            allowance::who_waits_for_a_permit_gets_the_next_one,
            looking::a_list_shows_everything_once_page_by_page,
            looking::many_are_found_at_once,
            looking::filters_narrow_a_list,
            looking::counts_follow_the_states,
            looking::a_worker_is_heard_of_while_it_runs_and_says_which_accounts_it_cannot_serve,
            looking::a_worker_that_vanished_is_heard_of_ever_longer_ago,
            looking::accounts_tell_their_lanes_and_limits,
            looking::a_recipe_is_kept_under_its_digest,
            looking::onboardings_of_a_parked_account_are_blocked,
            operating::a_failed_onboarding_can_be_retried_and_is_read_back_first,
            operating::a_waiting_onboarding_is_cancelled_at_once,
            operating::a_running_onboarding_is_cancelled_once_its_request_is_recorded,
            operating::a_cancel_that_comes_too_late_changes_nothing,
            operating::what_succeeded_is_neither_retried_nor_cancelled,
            operating::a_cancelled_onboarding_whose_worker_vanished_stays_cancelled,
            late_checks::a_late_check_is_taken_by_one_and_comes_back_if_it_vanishes,
            late_checks::what_a_late_check_found_is_on_record,
            late_checks::a_retry_ends_a_late_check,
            late_checks::what_was_cancelled_after_it_began_is_checked_once_more,
            late_checks::what_ended_without_doubt_is_not_checked_again,
            operating::after_a_restore_what_is_not_finished_is_read_back_once,
            transfer::what_is_carried_in_is_there_as_it_was,
            transfer::what_was_running_elsewhere_is_read_back_first,
            transfer::a_doubt_that_is_carried_in_ends_when_it_would_have_ended,
            transfer::what_arrived_earlier_is_left_as_it_is,
            transfer::one_that_differs_refuses_its_whole_page,
            transfer::a_store_is_closed_until_all_has_arrived,
            transfer::a_store_that_leaves_is_only_looked_at,
            transfer::a_departure_may_change_its_destination_until_it_has_ended,
            transfer::a_departure_waits_for_the_workers_end,
            transfer::what_is_carried_out_is_whole,
            transfer::a_store_with_something_in_it_takes_no_move_in,
            transfer::carried_accounts_keep_their_limits_and_their_trouble,
        );
    };
    (@tests $fixture:expr; $($module:ident :: $case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let fixture = Box::new($fixture.await);
                $crate::conformance::$module::$case(fixture).await;
            }
        )+
    };
}

/// Makes one test per promise to those who watch and are told. The argument is an expression of a
/// new [`Fixture`]; it is awaited.
#[macro_export]
macro_rules! telling_conformance {
    ($fixture:expr) => {
        $crate::conformance!(@tests $fixture;
            feed::what_becomes_of_onboardings_is_told_in_its_order,
            feed::what_ends_nothing_is_not_told,
            feed::a_cancel_that_waits_for_a_worker_is_told_when_it_is_recorded,
            feed::a_cancelled_onboarding_whose_worker_vanished_is_told,
            feed::an_account_is_told_of_when_it_is_parked_and_when_it_goes_on,
            feed::the_feed_is_read_on_from_where_one_stood,
            feed::a_position_of_no_store_is_before_everything,
            feed::a_write_that_is_refused_tells_nothing,
            feed::a_write_that_is_repeated_is_told_once,
            feed::what_was_told_survives_a_restart,
            feed::what_several_do_at_once_is_missed_by_no_reader,
            feed::what_is_carried_in_is_no_news,
            outbox::what_is_laid_out_is_there_whole,
            outbox::a_mark_that_moved_lays_nothing_out,
            outbox::a_delivery_that_is_there_already_is_left_as_it_is,
            outbox::of_two_that_lay_out_at_once_one_wins,
            outbox::a_delivery_that_is_held_is_given_to_nobody_else,
            outbox::two_takers_never_get_the_same_one,
            outbox::those_that_are_due_for_longest_go_first,
            outbox::what_was_delivered_is_not_tried_again,
            outbox::what_failed_is_tried_again_after_its_delay,
            outbox::what_was_given_up_waits_for_a_person,
            outbox::what_is_sent_again_counts_its_attempts_anew,
            outbox::a_late_answer_of_an_earlier_attempt_changes_nothing,
            outbox::an_answer_to_what_was_sent_again_meanwhile_changes_nothing,
            outbox::what_nobody_laid_out_is_not_there,
            outbox::deliveries_survive_a_restart,
            outbox::a_store_that_leaves_tells_nobody,
            outbox::a_delivery_may_be_about_no_onboarding,
            deliveries::the_newest_are_listed_first_page_by_page,
            deliveries::filters_narrow_a_list_of_deliveries,
            deliveries::a_list_follows_what_becomes_of_deliveries,
            deliveries::what_is_no_cursor_of_deliveries_is_refused,
            answers::a_question_is_new_once_and_answered_alike_from_then_on,
            answers::whether_a_question_is_remembered_is_told_without_asking_it,
            answers::another_question_under_the_same_key_is_known_as_such,
            answers::scopes_and_keys_are_not_mixed_up,
            answers::the_first_answer_is_kept,
            answers::what_is_over_counts_as_never_asked,
            answers::asking_again_prolongs_nothing,
            answers::an_answer_to_what_nobody_asked_is_not_kept,
            answers::questions_and_answers_survive_a_restart,
            answers::of_several_that_ask_at_once_one_is_new,
            answers::of_several_answers_at_once_one_is_kept,
            refused::a_refused_message_is_kept_whole_and_told,
            refused::another_attempt_of_a_refused_message_is_counted_and_not_told,
            refused::refused_messages_are_listed_page_by_page,
            refused::a_message_that_was_accepted_after_all_is_not_listed,
            refused::refused_messages_are_bounded_by_sender_and_in_all,
            batches::a_batch_that_says_where_it_comes_from_is_counted,
            batches::a_batch_that_brings_nothing_new_is_none,
            batches::the_counts_of_a_batch_follow_its_onboardings,
            batches::the_newest_batches_are_listed_first,
            batches::a_list_of_a_batch_shows_only_it,
            batches::batches_of_several_producers_at_once_are_told_apart,
            batches::a_large_batch_is_counted_whole,
            batches::a_long_source_is_cut,
            batches::batches_survive_a_restart,
            traces::a_claim_brings_the_trace_of_its_signup,
            traces::a_trace_is_there_for_every_claim,
            accounts::an_account_says_when_its_next_permit_comes,
            accounts::a_closed_account_says_when_it_opens,
            accounts::a_parked_account_has_no_next_permit,
            accounts::an_account_says_since_when_the_first_in_its_line_waits,
        );
    };
}
