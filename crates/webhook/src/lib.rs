//! Standard Webhooks, both ways: signups that other systems send, and news that they are sent.
//!
//! Coming in, [`Senders`] finds whose secret signed a message ([`signature`]), and that sender's
//! [`Mapping`] says where in its JSON the fields of signups are, so that a form tool or a billing
//! system is attached without code.
//!
//! Going out, [`deliver`] tells every [`Endpoint`] what becomes of onboardings, signed the same way, for
//! as long as a day.

mod error;
mod mapping;
mod outgoing;
mod sender;
pub mod signature;

pub use error::{Error, Unauthentic, Unfit};
pub use mapping::{Draft, ITEMS_MAX, Mapping, Read, Source, Whence};
pub use outgoing::{ENDPOINTS_MAX, Endpoint, Event, Observer, Outgoing, Pace, deliver};
pub use sender::{Message, SENDERS_MAX, Sender, Senders};
