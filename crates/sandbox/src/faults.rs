//! The rules in force, and which of them a request meets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ids::unit_interval;
use crate::leak::Leak;
use crate::rule::{Action, Edit, Rule, Selector, SentDate};

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Spares requests the lock while there is no rule.
    armed: AtomicBool,
    rules: Mutex<Vec<Counted>>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    matches: u64,
}

/// What the rules want for one request.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// How long to keep it before it is processed: the holds of all rules that fire, added up.
    pub(crate) hold: Duration,
    /// The delays of all rules that fire, added up.
    pub(crate) delay: Duration,
    /// How long after its client was answered or has left it is processed, if not before: the
    /// times of all rules that fire and have one, added up. None where the answer of a rule without
    /// one refuses the request.
    pub(crate) late: Option<Duration>,
    /// The action is such an answer.
    refused: bool,
    /// The action of the first rule that fires and has one.
    pub(crate) action: Option<Action>,
    /// The `Date` header of the first rule that fires and has one.
    pub(crate) date: Option<SentDate>,
    /// What the rules that fire change in the answer, in their order.
    pub(crate) edits: Vec<Edit>,
    /// Where the answer repeats secrets.
    pub(crate) leaks: Vec<Leak>,
}

impl Faults {
    /// Replaces all rules; every count starts anew.
    pub(crate) fn replace(&self, rules: Vec<Rule>) {
        let mut kept = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        self.armed.store(!rules.is_empty(), Ordering::Release);
        *kept = rules
            .into_iter()
            .map(|rule| Counted { rule, matches: 0 })
            .collect();
    }

    pub(crate) fn decide(&self, method: &str, path: &str, account: Option<&str>) -> Decision {
        let mut decision = Decision::default();
        if !self.armed.load(Ordering::Acquire) {
            return decision;
        }
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for counted in rules
            .iter_mut()
            .filter(|c| c.rule.matches(method, path, account))
        {
            counted.matches += 1;
            if counted.rule.selector.fires(counted.matches) {
                decision.meet(&counted.rule);
            }
        }
        if decision.refused {
            decision.late = None;
        }
        decision
    }
}

impl Decision {
    fn meet(&mut self, rule: &Rule) {
        self.hold += Duration::from_millis(rule.hold_ms);
        self.delay += Duration::from_millis(rule.delay_ms);
        if let Some(late) = rule.late_ms.map(Duration::from_millis) {
            self.late = Some(self.late.unwrap_or_default() + late);
        }
        if self.action.is_none() {
            self.action.clone_from(&rule.action);
            let refuses = rule.action.as_ref().is_some_and(Action::refuses);
            self.refused = refuses && rule.late_ms.is_none();
        }
        if self.date.is_none() {
            self.date.clone_from(&rule.date);
        }
        if rule.edit.name().is_some() {
            self.edits.push(rule.edit.clone());
        }
        self.leaks.extend(rule.leak.clone());
    }
}

impl Rule {
    fn matches(&self, method: &str, path: &str, account: Option<&str>) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| wanted.is_match(path))
            && self
                .account
                .as_deref()
                .is_none_or(|wanted| Some(wanted) == account)
    }
}

impl Selector {
    fn fires(self, matches: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(nth) => matches == nth,
            Self::Every(every) => matches.is_multiple_of(every),
            Self::Probability { of, seed } => {
                unit_interval(crate::ids::mix(seed).wrapping_add(matches)) < of
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::parse;

    fn fired(rule: &str, times: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.replace(parse(rule.as_bytes()).unwrap());
        (1..=times)
            .filter(|_| faults.decide("GET", "/x", None).action.is_some())
            .collect()
    }

    #[test]
    fn selectors_count_their_own_matches() {
        let table: [(&str, &[usize]); 3] = [
            (r#"[{"nth": 2, "truncate": true}]"#, &[2]),
            (r#"[{"every": 2, "truncate": true}]"#, &[2, 4]),
            (r#"[{"truncate": true}]"#, &[1, 2, 3, 4]),
        ];
        for (rule, want) in table {
            assert_eq!(fired(rule, 4), want, "{rule}");
        }
    }

    #[test]
    fn a_probability_with_a_seed_draws_the_same_each_time_and_about_as_often_as_it_says() {
        let rule = r#"[{"probability": 0.3, "seed": 11, "truncate": true}]"#;
        let first = fired(rule, 1000);
        assert_eq!(first, fired(rule, 1000));
        assert!((250..350).contains(&first.len()), "{}", first.len());
        assert_ne!(first, fired(&rule.replace("11", "12"), 1000));
    }

    #[test]
    fn delays_add_up_and_the_first_action_wins() {
        let faults = Faults::default();
        let rules =
            r#"[{"delay_ms": 5}, {"delay_ms": 7, "reset_after": true}, {"truncate": true}]"#;
        faults.replace(parse(rules.as_bytes()).unwrap());
        let decision = faults.decide("GET", "/x", None);
        assert_eq!(decision.delay, Duration::from_millis(12));
        assert!(matches!(decision.action, Some(Action::ResetAfter)));
    }

    #[test]
    fn what_another_rule_refuses_is_not_processed_late() {
        for (rules, late) in [
            (r#"[{"status": 504, "late_ms": 9}, {"status": 429}]"#, true),
            (r#"[{"status": 429}, {"status": 504, "late_ms": 9}]"#, false),
            (r#"[{"hold_ms": 5, "late_ms": 9}, {"status": 429}]"#, false),
            (r#"[{"hold_ms": 5, "late_ms": 9}, {"status": 502}]"#, true),
            (r#"[{"status": 429, "late_ms": 9}]"#, true),
        ] {
            let faults = Faults::default();
            faults.replace(parse(rules.as_bytes()).unwrap());
            let decision = faults.decide("POST", "/x", None);
            assert_eq!(decision.late.is_some(), late, "{rules}");
        }
    }
}
