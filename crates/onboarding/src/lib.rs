//! The domain of Trunkline, without I/O, clocks or async.
//!
//! A signup asks for one number of one account on one partner's platform; a recipe says
//! what that partner needs; together they give a [`plan`], the ordered [`step`]s that are fixed
//! when the signup is accepted. A [`journal`] is what is known to have happened, [`state`] what it
//! adds up to, and the handoff what the partner's side needs at the end.
//!
//! Everything that can be wrong with input is found here, and all of it at once: parsing returns
//! every [`problem::Problem`] with its place and what would be right.

pub mod address;
pub mod direction;
pub mod id;
pub mod journal;
pub mod plan;
pub mod problem;
pub mod secret;
pub mod state;
pub mod step;
pub mod trunk;

pub use address::{Destination, Edge, Host, HostName, PublicIpv4, Transport};
pub use direction::{Direction, Mode};
pub use id::{AccountName, Key, OnboardingId, PartnerName};
pub use journal::{Fault, Journal, StepRecord, StepResult, StepState};
pub use plan::Plan;
pub use problem::Problem;
pub use secret::Secret;
pub use state::{Event, IllegalEvent, State};
pub use step::{Step, StepKind};
pub use trunk::{FriendlyName, PhoneNumber, SipPassword, TrunkName, TrunkSid, UserName};
