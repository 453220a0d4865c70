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
mod blank;
pub mod book;
pub mod build;
pub mod builtin;
mod check;
pub mod direction;
pub mod facts;
pub mod fingerprint;
pub mod handoff;
pub mod id;
pub mod input;
pub mod journal;
mod lint;
pub mod nearest;
pub mod plan;
pub mod problem;
mod read;
mod reader;
pub mod recipe;
pub mod secret;
pub mod settings;
pub mod shape;
pub mod signup;
pub mod state;
pub mod step;
pub mod template;
pub mod trace;
pub mod trunk;
pub mod visible;

pub use address::{Destination, Edge, Host, HostName, PublicIpv4, Transport};
pub use book::RecipeBook;
pub use build::{Accepted, prepare};
pub use direction::{Direction, Mode};
pub use facts::Facts;
pub use fingerprint::Fingerprint;
pub use handoff::Handoff;
pub use id::{AccountName, Key, OnboardingId, PartnerName};
pub use input::InputValue;
pub use journal::{
    CREDENTIALS_LIVE, Doubt, Fault, Journal, NUMBER_IN_USE, StepRecord, StepResult, StepState,
};
pub use plan::Plan;
pub use problem::Problem;
pub use recipe::{Recipe, RecipeDigest, RecipeProblem};
pub use secret::Secret;
pub use signup::{Columns, RawSignup, RawValue, Signup};
pub use state::{Event, IllegalEvent, State};
pub use step::{Step, StepKind};
pub use trace::TraceContext;
pub use trunk::{FriendlyName, Label, PhoneNumber, SipPassword, TrunkName, TrunkSid, UserName};
