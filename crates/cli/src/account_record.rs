//! Accounts, told.

use records::{AccountRecord, with_remedy};

use crate::output::Output;

/// Prints an account: a record, or a line or two.
pub(crate) fn print(own: &AccountRecord<'_>, output: &mut Output) {
    output.record(own);
    let allowance = match &own.limits {
        Some(limits) => format!("{}/{}", own.permits_out, limits.requests_per_minute),
        None => own.permits_out.to_string(),
    };
    output.line(format_args!(
        "{:<20} {:<20} waiting {:<7} running {:<4} requests of the last minute {allowance}",
        own.name.as_str(),
        own.account_sid.unwrap_or("(in no file)"),
        own.waiting,
        own.running,
    ));
    if let Some(until) = &own.closed_until {
        output.line(format_args!("  closed by Exotel's limit until {until}"));
    }
    if let Some(parked) = &own.parked {
        output.line(format_args!(
            "  parked since {}: {}",
            parked.since,
            with_remedy(parked.reason, own.name)
        ));
    }
}
