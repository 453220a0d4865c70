//! Messages of senders that were refused.

use jiff::Timestamp;
use records::RefusedRecord;
use store::Refused;

use crate::view::parts::When;

/// One refused message.
#[derive(Debug)]
pub(crate) struct RefusedView {
    pub(crate) sender: String,
    pub(crate) message: String,
    pub(crate) status: u16,
    pub(crate) attempts: u32,
    pub(crate) when: When,
    /// Where in the message the first problem is, and what it is.
    pub(crate) pointer: String,
    pub(crate) problem: String,
    /// How many more problems it has.
    pub(crate) others: usize,
}

impl RefusedView {
    pub(crate) fn of(own: &Refused, now: Timestamp) -> Self {
        let mut problems = RefusedRecord::of(own).problems.into_iter();
        let (pointer, problem) = problems
            .next()
            .map(|first| (first.pointer, first.message))
            .unwrap_or_default();
        Self {
            sender: own.sender.clone(),
            message: own.message.clone(),
            status: own.status,
            attempts: own.attempts,
            when: When {
                at: own.last_at,
                now,
            },
            pointer,
            problem,
            others: problems.len(),
        }
    }
}
