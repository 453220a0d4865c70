//! The one durable truth: onboardings, journals, lanes, leases and permits.
