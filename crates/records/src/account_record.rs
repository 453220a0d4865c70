//! The record of an account.

use onboarding::{AccountName, Edge};
use serde::Serialize;
use store::{AccountStatus, Stopped};

use crate::{AccountFacts, Time, Workers};

/// What is known of an account, from the accounts file and from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "account")]
pub struct AccountRecord<'a> {
    /// Its name.
    pub name: &'a AccountName,
    /// Its SID at Exotel, where a file names it.
    pub account_sid: Option<&'a str>,
    /// Where its API is, where a file says so.
    pub base_url: Option<&'a str>,
    /// Where the partner's side sends its SIP, if it is known.
    pub edge: Option<&'a Edge>,
    /// What it may do.
    pub limits: Option<LimitsLine>,
    /// Whether nothing is sent until it is resumed, by a person or by a probe.
    pub parked: Option<StoppedLine<'a>>,
    /// Until when nothing is sent, because it answered 429.
    pub closed_until: Option<Time>,
    /// Whether nothing is sent until Exotel answers again.
    pub outage: Option<StoppedLine<'a>>,
    /// When a parked account, or Exotel, is tried again; never, if there is no time.
    pub next_probe_at: Option<Time>,
    /// Why a worker that runs cannot serve it.
    pub unusable: Option<&'a str>,
    /// Onboardings in its line.
    pub waiting: u64,
    /// Onboardings that a worker holds.
    pub running: u64,
    /// Requests of the last minute and in flight: what of the allowance is used.
    pub permits_out: u32,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitsLine {
    /// Requests that no window of 60 s may exceed.
    pub requests_per_minute: u32,
    /// Connections open at once; only a file knows.
    pub connections: Option<u32>,
}

/// Why and since when nothing is sent to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StoppedLine<'a> {
    /// What a person reads.
    pub reason: &'a str,
    /// Since when.
    pub since: Time,
}

impl<'a> AccountRecord<'a> {
    /// From what the file and the store say; at least one does.
    #[must_use]
    pub fn of(
        name: &'a AccountName,
        facts: Option<&'a AccountFacts>,
        status: Option<&'a AccountStatus>,
        workers: &'a Workers,
    ) -> Self {
        let limits = match (facts, status.and_then(|status| status.limits)) {
            (Some(facts), _) => Some(LimitsLine {
                requests_per_minute: facts.requests_per_minute,
                connections: Some(facts.connections),
            }),
            (None, Some(limits)) => Some(LimitsLine {
                requests_per_minute: limits.requests_per_window,
                connections: None,
            }),
            (None, None) => None,
        };
        let line = |stopped: &'a Stopped| StoppedLine {
            reason: &stopped.reason,
            since: Time(stopped.since),
        };
        let parked = status.and_then(|status| status.parked.as_ref());
        let outage = status.and_then(|status| status.outage.as_ref());
        let next_probe = status.and_then(|status| status.next_probe);
        Self {
            name,
            account_sid: facts.map(|facts| facts.account_sid.as_str()),
            base_url: facts.and_then(|facts| facts.base_url.as_deref()),
            edge: facts.and_then(|facts| facts.edge.as_ref()),
            limits,
            parked: parked.map(line),
            closed_until: status.and_then(|status| status.closed_until).map(Time),
            outage: outage.map(line),
            next_probe_at: next_probe.map(|(_, at)| Time(at)),
            unusable: workers.why_unusable(name),
            waiting: status.map_or(0, |status| status.waiting),
            running: status.map_or(0, |status| status.running),
            permits_out: status.map_or(0, |status| status.permits_out),
        }
    }
}
