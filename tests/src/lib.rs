//! What the end-to-end promises are tested with: the real binary in a folder of its own against a
//! simulator of its own, with controls to break things and to see what came of it.
//!
//! Nothing here waits for a time to pass: [`until`] waits for a condition and gives up, saying
//! what it waited for. Tests share nothing, so any number of them may run at once.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod gate;
mod http;
mod log;
mod outcome;
mod place;
mod program;
mod question;
mod receiver;
mod serving;
mod signup;
mod simulator;
mod standard_webhook;
mod store;
mod wait;

pub use gate::{Gate, Side};
pub use log::{Collection, Request, repeats_without_a_read};
pub use outcome::{
    Resources, exactly_once, repeats_on_trunks, resources, wrong_outcomes, wrong_records,
};
pub use place::{EVERYTHING, FIVE_STEPS, Place, STEPS};
pub use program::{Ended, Program, binary};
pub use question::{Answer, ask};
pub use receiver::{Message, Receiver};
pub use serving::{LOOKS_ONLY, Serving, TOKEN, TOKENS};
pub use signup::{Signup, csv_of, lines_of};
pub use simulator::Simulator;
pub use standard_webhook::{sign, signed_headers};
pub use store::{KEY, StoreKind};
pub use wait::{PATIENCE, until, until_within};

pub use redis_fixture::{Cluster, Sentinel, Server};
pub use rustix::process::Signal;
