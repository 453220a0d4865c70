//! What an upload would do, or why it is refused.

use std::collections::BTreeMap;

use onboarding::AccountName;
use producer::{Located, PlanReport};

use crate::view::{
    figures::{counted, grouped, lasting},
    parts::{Fact, Prose},
};

/// Most problems that are shown, and most warnings.
pub(crate) const SHOWN_MAX: usize = 1000;

/// Most accounts that are shown.
const ACCOUNTS_MAX: usize = 500;

/// What is wrong with an upload.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    pub(crate) headline: String,
    pub(crate) problems: Vec<Line>,
    pub(crate) more: Option<String>,
}

/// A problem or a warning, and where.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) line: String,
    pub(crate) field: String,
    pub(crate) message: Prose,
}

/// What of an upload the store has already.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    /// Onboardings that are there already.
    pub(crate) accepted: u64,
    /// Those of them that need nothing more.
    pub(crate) finished: u64,
}

/// What an upload would do.
#[derive(Debug)]
pub(crate) struct PlanView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) headline: String,
    pub(crate) expires: String,
    pub(crate) button: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) accounts: Vec<AccountLine>,
    pub(crate) more_accounts: Option<String>,
    pub(crate) warnings: Vec<Line>,
    pub(crate) more_warnings: Option<String>,
}

/// What it would do to one account.
#[derive(Debug)]
pub(crate) struct AccountLine {
    pub(crate) name: String,
    pub(crate) signups: String,
    pub(crate) requests: String,
    pub(crate) allowance: u32,
    pub(crate) time: String,
}

fn line(located: Located) -> Line {
    Line {
        line: match located.line {
            0 => String::new(),
            line => grouped(line),
        },
        field: located.field,
        message: Prose(located.message),
    }
}

impl Refused {
    /// Of problems, and how many more there are.
    pub(crate) fn of(name: &str, problems: Vec<Located>, more: u64) -> Self {
        let all = problems.len() as u64 + more;
        let more = all.saturating_sub(SHOWN_MAX.min(problems.len()) as u64);
        Self {
            headline: format!("{name} has {}", counted(all, "problem")),
            problems: problems.into_iter().take(SHOWN_MAX).map(line).collect(),
            more: (more > 0).then(|| {
                format!(
                    "and {}, which mending these may show",
                    counted(more, "more problem")
                )
            }),
        }
    }

    /// Where there is no list of problems.
    pub(crate) fn because(headline: impl Into<String>) -> Self {
        Self {
            headline: headline.into(),
            ..Self::default()
        }
    }
}

impl PlanView {
    /// Of a report; `rates` are the accounts' allowances.
    pub(crate) fn of(
        id: &str,
        name: &str,
        report: &PlanReport,
        before: &Before,
        rates: &BTreeMap<AccountName, u32>,
        minutes: u64,
    ) -> Self {
        let fresh = report
            .total
            .saturating_sub(report.duplicates + before.accepted);
        let button = match fresh {
            0 => "Enqueue: nothing new".to_owned(),
            fresh => format!("Enqueue {}", counted(fresh, "signup")),
        };
        let accounts = report.accounts.iter().filter(|own| own.signups > 0);
        let more_accounts = accounts.clone().count().saturating_sub(ACCOUNTS_MAX);
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            headline: format!(
                "{}, {}, about {}",
                counted(report.total, "signup"),
                counted(report.requests, "request"),
                lasting(report.duration)
            ),
            expires: format!("Kept for {minutes} minutes"),
            button,
            facts: facts(report, before, fresh),
            accounts: accounts
                .take(ACCOUNTS_MAX)
                .map(|own| AccountLine {
                    name: own.account.to_string(),
                    signups: grouped(own.signups),
                    requests: grouped(own.requests),
                    allowance: rates.get(&own.account).copied().unwrap_or_default(),
                    time: lasting(own.duration),
                })
                .collect(),
            more_accounts: (more_accounts > 0)
                .then(|| format!("and {}", counted(more_accounts as u64, "more account"))),
            warnings: report.warnings.iter().cloned().map(line).collect(),
            more_warnings: (report.more_warnings > 0)
                .then(|| format!("and {}", counted(report.more_warnings, "more warning"))),
        }
    }
}

fn facts(report: &PlanReport, before: &Before, fresh: u64) -> Vec<Fact> {
    let mut facts = vec![
        Fact::text("New onboardings", grouped(fresh)),
        Fact::text("Requests", grouped(report.requests)),
        Fact::text(
            "Time at the accounts' allowance",
            format!("about {}", lasting(report.duration)),
        ),
    ];
    if report.duplicates > 0 {
        facts.push(Fact::text(
            "Repeated in the file",
            grouped(report.duplicates),
        ));
    }
    if before.accepted > 0 {
        let text = format!(
            "{}, of which {} finished; what they still need is not counted here",
            grouped(before.accepted),
            grouped(before.finished)
        );
        facts.push(Fact::text("Accepted before", text));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(n: u64) -> Located {
        Located {
            file: "a.csv".into(),
            line: n,
            field: "number".into(),
            message: "write it".into(),
        }
    }

    #[test]
    fn a_thousand_problems_are_shown_and_the_rest_counted() {
        let refused = Refused::of("a.csv", (1..=1000).map(located).collect(), 17);
        assert_eq!(refused.headline, "a.csv has 1,017 problems");
        assert_eq!(refused.problems.len(), 1000);
        assert!(refused.more.unwrap().contains("17 more problems"));
        let one = Refused::of("a.csv", vec![located(3)], 0);
        assert_eq!((one.problems.len(), one.more), (1, None));
    }

    #[test]
    fn a_plan_counts_only_what_is_new() {
        let report = PlanReport {
            total: 10,
            duplicates: 2,
            requests: 24,
            accounts: vec![],
            duration: std::time::Duration::from_secs(3),
            warnings: vec![],
            more_warnings: 0,
        };
        let before = Before {
            accepted: 3,
            finished: 1,
        };
        let view = PlanView::of("u", "a.csv", &report, &before, &BTreeMap::new(), 15);
        assert_eq!(view.button, "Enqueue 5 signups");
        assert_eq!(view.headline, "10 signups, 24 requests, about 3 s");
    }
}
