//! Typed client for Exotel's SIP trunking API.
//!
//! One attempt per call: it never repeats a request, never sleeps and follows no redirect, so that
//! limits and retries can live in one place, with the caller. What a call came to is told by what
//! the caller can do about it ([`Class`]).
//!
//! # What counts as success
//!
//! Exotel's API tells a duplicate as HTTP 200 with an inner code 409, so HTTP's status proves
//! nothing. A call succeeded when HTTP's status is 2xx **and** the envelope's `response.code` is 2xx **and** its
//! `response.status` is "success" **and** its data are what the call gives, id included, **and**
//! they are about what was asked: another name, number, address, user, destination or trunk is
//! `answer_differs`. What an answer leaves out, or gives as null, is not compared. Whatever
//! contradicts itself, and every body that is not the envelope, is [`Class::Unknown`]: after a
//! write, read back before repeating. Two HTTP statuses are believed without an envelope, because
//! a gateway that sends them did not pass the request on: 429 and 401.
//!
//! # What is absent
//!
//! Lists are read entry by entry, so that one that cannot be read hides no other. It is kept in
//! [`Page::unreadable`]: what it [mentions](Unreadable::mentions) is not absent, even though no
//! page has it. In a batch the item about ours decides, whatever the others are.
//!
//! # What was never sent
//!
//! [`Class::NeverSent`] is only what failed while connecting: name lookup, TCP, TLS handshake, or
//! `connect_timeout`. A pooled connection that is found closed before a byte of the request was
//! written is replaced by a new one; the request still reaches the server at most once.
//!
//! # Example
//!
//! ```no_run
//! use exotel::{Class, Client, ClientConfig, NextPage, Region};
//! use onboarding::Secret;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(&ClientConfig::new(
//!     Region::In.base_url(),
//!     "acme1", // made up
//!     Secret::new(std::env::var("EXOTEL_API_KEY")?),
//!     Secret::new(std::env::var("EXOTEL_API_TOKEN")?),
//! ))?;
//! let sid = match client.create_trunk(&"acme_agent".parse()?).await {
//!     Ok(answer) => answer.value.trunk_sid,
//!     Err(error) if error.class() == Class::Duplicate || error.may_have_happened() => {
//!         // Look for it, page by page, before anything is repeated.
//!         let page = client.trunks_page(NextPage::FIRST).await?.value;
//!         let found = page.items.into_iter().find(|t| t.trunk_name == "acme_agent");
//!         found.ok_or("not on the first page")?.trunk_sid
//!     }
//!     Err(error) => return Err(error.into()),
//! };
//! client.map_number(&sid, &"+918000000001".parse()?, None).await?;
//! # Ok(())
//! # }
//! ```

mod about;
mod account;
mod acl;
mod call;
mod client;
mod config;
mod credentials;
mod date;
mod destinations;
mod entry_id;
mod envelope;
mod error;
mod lenient;
mod mask;
mod numbers;
mod page;
mod proxy;
mod redact;
mod retry_after;
mod settings;
mod spans;
mod tls;
mod trunks;
mod verdict;

pub use account::AccountNumbers;
pub use acl::WhitelistedIp;
pub use client::{Answer, Client};
pub use config::{ClientConfig, ConfigError, Region, canonical_base_url};
pub use credentials::{Credentials, CredentialsChange};
pub use date::time;
pub use destinations::DestinationEntry;
pub use entry_id::EntryId;
pub use error::{Class, Error};
pub use numbers::{NumberMapping, TrunkMap};
pub use page::{NextPage, Page, Unreadable};
pub use proxy::Proxy;
pub use settings::Setting;
pub use trunks::{Trunk, TrunkChange};
