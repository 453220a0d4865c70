//! What records need to know of accounts beyond what the store knows.

use onboarding::{AccountName, Edge, PublicIpv4};

/// The accounts at hand: those of the accounts file, and with the sandbox those that it makes up.
pub trait AccountBook: Send + Sync {
    /// What is known of the account called `name`; `None` where there is none.
    fn find(&self, name: &AccountName) -> Option<AccountFacts>;

    /// What a person is told who names an account that is not there, and what to do.
    fn unknown(&self, name: &AccountName) -> String;

    /// Those that the accounts file names, in order. What the sandbox makes up has no list.
    fn names(&self) -> Vec<AccountName>;
}

/// What is known of an account; no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its SID at Exotel.
    pub account_sid: String,
    /// Where its API is; `None` where it is made up, at a simulator.
    pub base_url: Option<String>,
    /// Where the partner's side sends its SIP, if it is known.
    pub edge: Option<Edge>,
    /// Requests that no window of 60 s may exceed.
    pub requests_per_minute: u32,
    /// Connections open at once.
    pub connections: u32,
    /// Where Exotel's INVITEs come from, if it is known.
    pub signalling_ips: Vec<PublicIpv4>,
}
