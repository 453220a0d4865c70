//! What Trunkline promises, one file per promise. Each begins with the promise and the method.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

/// Makes each of these promises two tests: with a database file, and with a Redis.
macro_rules! on_both_stores {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $promise() {
                super::$promise(tests::StoreKind::Sqlite);
            })+
        }
        mod redis {
            $(#[test]
            fn $promise() {
                super::$promise(tests::StoreKind::Redis);
            })+
        }
    };
}

mod accepting;
mod account_trouble;
mod away;
mod clocks;
mod crash_anywhere;
mod crash_matrix;
mod dashboard;
mod echoed;
mod fairness;
mod fault_matrix;
mod fleet;
mod happy_path;
mod http_crash;
mod http_signups;
mod idempotency;
mod late;
mod log_out;
mod lost_steps;
mod meanwhile;
mod newcomers;
mod number_in_use;
mod outage;
mod parked_account;
mod processes;
mod proxy;
mod readme;
mod readme_walk;
mod refused;
mod replaced;
mod restored;
mod resumed_cost;
mod secrets;
mod secrets_over_http;
mod senders;
mod served_description;
mod serving;
mod shared_limits;
mod signals;
mod soak;
mod store_copy;
mod store_stuck;
mod takeover;
mod told;
mod unfit_redis;
mod unusable;
mod wake_up;
mod worker_listener;
