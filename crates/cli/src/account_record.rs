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
    let name = own.name;
    if let Some(until) = &own.closed_until {
        output.line(format_args!(
            "  closed by Exotel until {until}; `trunkline accounts resume {name}` opens it before"
        ));
    }
    if let Some(reason) = own.unusable {
        output.line(format_args!("  cannot be used by a worker: {reason}"));
    }
    let tried = match &own.next_probe_at {
        Some(at) => format!("; tried again at {at}"),
        None => String::new(),
    };
    if let Some(outage) = &own.outage {
        output.line(format_args!(
            "  closed since {}: {}{tried}",
            outage.since, outage.reason
        ));
    }
    if let Some(parked) = &own.parked {
        output.line(format_args!(
            "  parked since {}: {}{tried}",
            parked.since,
            with_remedy(parked.reason, name)
        ));
    }
}
