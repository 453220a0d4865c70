//! News that go out, from real stores to real receivers.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up is a failed test"
)]

mod away;
mod blocked;
mod crash;
mod damage;
mod delivering;
mod log;
mod page;
mod place;
mod receiver;
mod schedule;
mod secrecy;

/// Makes of each scenario a test per kind of store.
macro_rules! on_both_stores {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    let place = crate::place::Place::sqlite().await;
                    crate::$module::$case(place).await;
                }
            )+
        }
        mod redis {
            $(
                #[tokio::test]
                async fn $case() {
                    let place = crate::place::Place::redis().await;
                    crate::$module::$case(place).await;
                }
            )+
        }
    };
}

on_both_stores!(
    delivering::a_success_is_told_once_and_its_signature_verifies,
    delivering::each_endpoint_is_told_what_it_asked_for,
    delivering::signups_that_were_refused_are_told_of_once,
    delivering::a_receiver_that_fails_gets_the_same_message_again_signed_anew,
    delivering::a_redirect_is_a_failure_and_is_not_followed,
    delivering::a_redirect_is_taken_and_not_followed_where_the_endpoint_says_so,
    delivering::a_receiver_that_is_gone_is_not_tried_again,
    delivering::an_endless_answer_is_not_read_to_its_end,
    delivering::a_delivery_is_sent_again_when_a_person_wants_it,
    delivering::who_is_new_is_told_of_what_happens_from_then_on,
    delivering::who_has_no_endpoints_skips_nothing_for_others,
    delivering::a_mark_of_another_version_stops_nobody,
    delivering::a_slow_endpoint_delays_no_other,
    delivering::deliveries_of_an_endpoint_that_is_not_configured_here_wait,
    crash::what_a_crash_cut_is_delivered_after_its_hold,
    crash::what_happens_while_nobody_delivers_is_delivered_later,
    crash::a_farewell_ends_what_is_under_way_and_gives_the_rest_back,
    crash::two_processes_deliver_each_message_once,
    blocked::all_that_waits_for_a_parked_account_is_told_of_across_crashes,
    blocked::what_a_worker_still_holds_is_told_of_when_it_lets_go,
    schedule::a_receiver_that_has_too_much_to_do_is_left_alone_for_a_while,
    schedule::what_fails_for_too_long_is_given_up_and_counted,
    schedule::what_the_last_endpoint_left_behind_is_given_up_in_time,
    schedule::a_receiver_that_asks_for_a_pause_gets_it,
    schedule::a_receiver_that_does_not_answer_is_a_failure_after_the_timeout,
    secrecy::a_receiver_with_a_certificate_that_nobody_trusts_is_told_nothing,
    secrecy::the_path_of_a_url_is_in_no_error,
    log::an_endpoint_that_fails_is_told_of_once_and_once_when_it_works_again,
);
