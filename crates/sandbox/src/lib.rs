//! A simulator of Exotel's SIP trunking API that any HTTP client can use.
//!
//! It speaks the wire shapes of Exotel's API reference, behaves as people who called live accounts
//! report it ([`Profile::Field`]) or as the reference says ([`Profile::Documented`]), holds each
//! account to its limits, and breaks on request. Everything is in memory, and with a journal
//! ([`Sandbox::open`]) in a file as well.
//!
//! ```
//! use sandbox::{Options, Sandbox};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let running = Sandbox::new(Options::default()).start(listener)?;
//! println!("the API is at {}", running.base_url());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Controls
//!
//! Under `/_sandbox/`; they need no key, are never limited and never logged. What they take and
//! give is JSON. A wrong one answers 400 with `{"error"}`, naming the place, and changes nothing.
//!
//! | control | what it does |
//! |---|---|
//! | `GET state` | all resources: `{"counts", "accounts": {SID: {"counts", "trunks": [{"trunk_sid", "trunk_name", ..., "numbers", "whitelisted_ips", "credentials", "destinations", "settings"}], "orphaned_credentials"}}}`. Trunks and entries are in the order of creation, in the API's shapes; credentials have the `password` that was sent. `?account=SID` shows one account |
//! | `DELETE state` | forgets all resources, the log, the windows and the statistics; and drops what is pending; accounts, limits and faults stay |
//! | `GET requests` | the log, oldest first: `[{"at_ms", "account", "method", "path", "status", "inner_code", "processed", "held", "pending", "late_at_ms", "fault"}]`. `?since=MS` (an `at_ms`) and `?limit=N` narrow it |
//! | `GET stats` | `{"accounts": {SID: {"requests", "refused", "max_in_window", "max_connections"}}}` |
//! | `PUT faults`, `DELETE faults` | replaces, removes the fault rules; what is pending stays so |
//! | `POST pending` | processes at once everything that is pending |
//! | `PUT quirks` | `{"credentials_append"}`: whether second credentials of the same user name are taken, where the field reports do not say; off at the start |
//! | `GET clock`, `PUT clock` | `{"ahead_ms"}`: how far the dates of resources and answers are ahead of this machine's clock; limits and log keep to it |
//! | `GET limits`, `PUT limits` | `{"requests_per_minute", "connections", "window_ms"}`; what is left out stays as it is |
//! | `PUT accounts`, `DELETE accounts` | `[{"account_sid", "api_key", "api_token"}]`, or a map from account SID to the rest: from then on only these work. An optional list `numbers` is what `IncomingPhoneNumbers` shows. `DELETE` makes any account and key work again |
//!
//! In the log, `at_ms` is the time of arrival in milliseconds since 1970; `status` is null until
//! the answer leaves and when the connection was cut without one; `processed` is whether the API's
//! work was done, whatever the client is told; `held` is true while a `hold_ms` keeps it back;
//! `pending` is true when its client has been answered or has left and it is yet to be processed,
//! and `late_at_ms` is when that was done; `inner_code` is the envelope's `response.code`, in a
//! batch that of the first entry that failed; `fault` names what a rule did.
//!
//! # Limits
//!
//! No window of `window_ms`, wherever it starts, holds more than `requests_per_minute` accepted
//! requests. A refused request (HTTP 429, `Retry-After`) takes no allowance and so does not
//! lengthen the wait; nor does one with a wrong key. One that a fault rule met has been accepted
//! and counts. `max_in_window` counts all arrivals, refused ones and wrong keys too: it tells what
//! the clients did, not what was let in. A TCP connection belongs to each account whose requests
//! it has carried; one beyond `connections` is answered 429 until another has closed.
//!
//! # Fault rules
//!
//! A request that was let in meets the rules in their order. Each rule that matches counts the
//! match; those that fire add up their holds and their delays, and the first with an action decides.
//!
//! | field | meaning |
//! |---|---|
//! | `method`, `path`, `account` | which requests: `path` is a regular expression on the path without query; what is left out matches all |
//! | `nth`, `every`, `probability` + `seed` | which matches: the nth only, each nth, or by chance, the same for the same seed; without one of them: all |
//! | `hold_ms` | keeps the request back before it is processed, which it never is if its client closes the connection meanwhile; joins any other action |
//! | `delay_ms` | holds the answer back of a request that was processed at once, and stays so if its client goes away; joins any other action |
//! | `late_ms` | processes it so long after its client was answered or has left, with what holds then; goes with `hold_ms`, `reset_before`, and `html`, `status` or `inner_code` without `after`; not where another rule's answer refuses the request (4xx) |
//! | `reset_before`, `reset_after` | resets the connection: unprocessed, or processed |
//! | `truncate` | processes, sends half of the body, closes |
//! | `html` | a gateway's HTML page, status 502 or `status`, unprocessed |
//! | `status`, `inner_code` | this answer in the envelope, unprocessed; 409 has the shape of a duplicate, `status` 200 with `inner_code` 409 that of one inside HTTP 200 |
//! | `after` | with `html`, `status` or `inner_code`: process first |
//! | `body` | with `status`: `"json"` (default), `"html"` or `"empty"` |
//! | `retry_after` | with `status`, `inner_code` or `html`: a header of so many seconds, or a text sent as it is |
//! | `date` | a text instead of the `Date` header, or `false`: no such header |
//! | `omit`, `echo`, `foreign` | in the answer of a request that was processed: fields that are left out of the data, fields that they have instead, an item that a list begins with |
//! | `leak` | `{"to", "as"}`: any answer repeats the request's key, token and password and the account's passwords, at this JSON pointer (`""`: behind the body), in this encoding |
//!
//! # Choices where nothing is published
//!
//! Lists show the newest entry first; `page_size` is cut down to 100. Credentials outlive their
//! trunk as `orphaned_credentials` of the state, which no API call reaches. A number is on one
//! trunk at most, whichever account's. `trunk-maps` answers an empty list when nothing matches.
//! A method that a path does not have answers 405.

mod api;
mod clock;
mod control;
mod envelope;
mod faults;
mod fields;
mod gate;
mod ids;
mod journal;
mod keys;
mod late;
mod leak;
mod options;
mod payload;
mod reply;
mod request_log;
mod route;
mod rule;
mod server;
mod service;
mod world;

use std::sync::Arc;

pub use options::{Limits, Options, Profile};
pub use server::Running;

/// One simulator. Clones share everything.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<service::Core>);

impl Sandbox {
    /// An empty world: any account and any key works, and nothing exists. It keeps no journal,
    /// whatever `options.journal` says: that is [`Sandbox::open`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self(Arc::new(service::Core::new(options)))
    }

    /// A simulator that starts with what its journal holds and adds to it, if `options.journal`
    /// names one; otherwise the same as [`Sandbox::new`].
    ///
    /// What is kept: resources, the ids and SIDs that were given, and the accepted requests of
    /// the last window, by the wall clock. Each change is handed to the operating system before
    /// its request is answered, so that killing the process loses nothing that was answered; a
    /// power cut may. A line that the process was killed in is cut off. Limits, accounts, fault
    /// rules, log and statistics are not kept. The file, and one beside it that ends in `.lock`,
    /// are for its owner only, since passwords are in it.
    ///
    /// # Errors
    ///
    /// The journal cannot be read or written, is in use by another simulator, or is not one that
    /// this simulator wrote; the text names the file, the line and what to do.
    pub fn open(options: Options) -> std::io::Result<Self> {
        Ok(Self(Arc::new(service::Core::open(options)?)))
    }

    fn core(&self) -> Arc<service::Core> {
        Arc::clone(&self.0)
    }
}
