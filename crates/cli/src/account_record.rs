//! What is known of an account, from the accounts file and from the store.

use onboarding::{AccountName, Edge};
use serde::Serialize;
use store::AccountStatus;

use crate::{accounts::Account, output::Output, parked::with_remedy, record::Time};

/// One account.
#[derive(Serialize)]
#[serde(tag = "type", rename = "account")]
pub(crate) struct AccountRecord<'a> {
    name: &'a AccountName,
    account_sid: Option<&'a str>,
    base_url: Option<&'a str>,
    edge: Option<&'a Edge>,
    limits: Option<LimitsLine>,
    parked: Option<ParkedLine<'a>>,
    closed_until: Option<Time>,
    waiting: u64,
    running: u64,
    /// Requests of the last minute and in flight: what of the allowance is used.
    permits_out: u32,
}

#[derive(Serialize)]
struct LimitsLine {
    requests_per_minute: u32,
    connections: Option<u32>,
}

#[derive(Serialize)]
struct ParkedLine<'a> {
    reason: &'a str,
    since: Time,
}

impl<'a> AccountRecord<'a> {
    /// From what the file and the store say; at least one does.
    pub(crate) fn of(
        name: &'a AccountName,
        file: Option<&'a Account>,
        status: Option<&'a AccountStatus>,
    ) -> Self {
        let limits = match (file, status.and_then(|status| status.limits)) {
            (Some(account), _) => Some(LimitsLine {
                requests_per_minute: account.requests_per_minute,
                connections: Some(account.connections),
            }),
            (None, Some(limits)) => Some(LimitsLine {
                requests_per_minute: limits.requests_per_window,
                connections: None,
            }),
            (None, None) => None,
        };
        let parked = status.and_then(|status| status.parked.as_ref());
        Self {
            name,
            account_sid: file.map(|account| account.account_sid.as_str()),
            base_url: file
                // One that is made up is at a simulator, wherever that is.
                .filter(|account| account.secrets.is_some())
                .map(|account| account.base.url()),
            edge: file.and_then(|account| account.edge.as_ref()),
            limits,
            parked: parked.map(|parked| ParkedLine {
                reason: &parked.reason,
                since: Time(parked.since),
            }),
            closed_until: status.and_then(|status| status.closed_until).map(Time),
            waiting: status.map_or(0, |status| status.waiting),
            running: status.map_or(0, |status| status.running),
            permits_out: status.map_or(0, |status| status.permits_out),
        }
    }

    /// Prints it: a record, or a line or two.
    pub(crate) fn print(&self, output: &mut Output) {
        output.record(self);
        let allowance = match &self.limits {
            Some(limits) => format!("{}/{}", self.permits_out, limits.requests_per_minute),
            None => self.permits_out.to_string(),
        };
        output.line(format_args!(
            "{:<20} {:<20} waiting {:<7} running {:<4} requests of the last minute {allowance}",
            self.name.as_str(),
            self.account_sid.unwrap_or("(in no file)"),
            self.waiting,
            self.running,
        ));
        if let Some(until) = &self.closed_until {
            output.line(format_args!("  closed by Exotel's limit until {until}"));
        }
        if let Some(parked) = &self.parked {
            output.line(format_args!(
                "  parked since {}: {}",
                parked.since,
                with_remedy(parked.reason, self.name)
            ));
        }
    }
}
