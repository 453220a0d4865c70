//! Failures that wait for a decision, the latest first, those of one cause together.

use jiff::Timestamp;
use store::Onboarding;

use crate::{
    link,
    view::{
        error::told,
        parts::{Prose, When},
    },
};

/// Most causes that are listed on a page beside other things.
pub(crate) const LISTED_MAX: usize = 6;

/// The latest failure of a cause, and how many more there are.
#[derive(Debug)]
pub(crate) struct FailureView {
    pub(crate) href: String,
    pub(crate) key: String,
    pub(crate) account: String,
    pub(crate) partner: String,
    pub(crate) when: When,
    pub(crate) message: Prose,
    pub(crate) code: String,
    pub(crate) step: Option<&'static str>,
    pub(crate) others: usize,
}

/// The causes of these failures. The same code at the same step is the same cause, whatever ids the
/// message has in it.
pub(crate) fn by_cause(mut failed: Vec<Onboarding>, now: Timestamp) -> Vec<FailureView> {
    failed.sort_by_key(|own| std::cmp::Reverse(own.updated_at));
    let mut causes: Vec<FailureView> = Vec::new();
    for own in &failed {
        let Some((message, code, step)) = told(own) else {
            continue;
        };
        let known = causes
            .iter_mut()
            .find(|cause| cause.code == code && cause.step == step);
        if let Some(known) = known {
            known.others += 1;
            continue;
        }
        causes.push(FailureView {
            href: link::onboarding(own.id),
            key: own.key.to_string(),
            account: own.account.to_string(),
            partner: own.partner.to_string(),
            when: When {
                at: own.updated_at,
                now,
            },
            message: Prose(message),
            code,
            step,
            others: 0,
        });
    }
    causes.truncate(LISTED_MAX);
    causes
}
