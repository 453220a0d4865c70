//! Accounts: how much of the allowance is used, who waits, who needs a person.

use std::cmp::Reverse;

use jiff::Timestamp;
use onboarding::AccountName;
use records::{AccountBook, AccountFacts};
use store::{AccountStatus, Stopped};

use crate::{
    link,
    view::{
        figures::{counted, grouped, told},
        parts::{Badge, Bar, Prose, When},
    },
};

/// Most accounts on one page; each is some 1 kB of HTML.
pub(crate) const LISTED_MAX: usize = 500;

/// The allowance where nobody said another: Exotel's.
const REQUESTS_PER_MINUTE: u32 = 200;

/// What an account may do now, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Parked,
    Closed,
    Open,
}

impl Standing {
    pub(crate) fn of(status: &AccountStatus, now: Timestamp) -> Self {
        if status.parked.is_some() {
            Self::Parked
        } else if status.is_closed(now) {
            Self::Closed
        } else {
            Self::Open
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    fn badge(self) -> Badge {
        match self {
            Self::Parked => Badge::PARKED,
            Self::Closed => Badge::CLOSED,
            Self::Open => Badge::OPEN,
        }
    }
}

/// One account.
#[derive(Debug)]
pub(crate) struct AccountView {
    pub(crate) name: String,
    pub(crate) sid: Option<String>,
    pub(crate) href: String,
    pub(crate) resume: String,
    pub(crate) standing: &'static str,
    pub(crate) badge: Badge,
    pub(crate) stopped: bool,
    pub(crate) reason: Option<Prose>,
    pub(crate) since: Option<When>,
    pub(crate) until: Option<When>,
    pub(crate) used: String,
    pub(crate) limit: String,
    pub(crate) bar: Bar,
    pub(crate) next: String,
    pub(crate) waiting: String,
    pub(crate) running: String,
    pub(crate) oldest: String,
}

/// An account that needs a person, or has to wait.
#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) headline: String,
    pub(crate) standing: &'static str,
    pub(crate) reason: Prose,
    pub(crate) waiting: String,
    pub(crate) since: Option<When>,
    pub(crate) stopped: bool,
    pub(crate) resume: String,
}

/// Why nothing is sent to it, where the store knows.
fn stopped(status: &AccountStatus) -> Option<&Stopped> {
    status.parked.as_ref().or(status.outage.as_ref())
}

/// How many requests an account may send in 60 s.
pub(crate) fn allowance(facts: Option<&AccountFacts>, status: &AccountStatus) -> u32 {
    match (status.limits, facts) {
        (Some(limits), _) => limits.requests_per_window,
        (None, Some(facts)) => facts.requests_per_minute,
        (None, None) => REQUESTS_PER_MINUTE,
    }
}

impl AccountView {
    /// Of what the store and the accounts file know.
    pub(crate) fn of(status: &AccountStatus, facts: Option<&AccountFacts>, now: Timestamp) -> Self {
        let standing = Standing::of(status, now);
        let limit = allowance(facts, status);
        let when = |at| When { at, now };
        Self {
            name: status.name.to_string(),
            sid: facts.map(|facts| facts.account_sid.clone()),
            href: link::onboardings("account", &status.name),
            resume: link::resume(&status.name),
            standing: standing.as_str(),
            badge: standing.badge(),
            stopped: standing != Standing::Open,
            reason: stopped(status).map(|stopped| Prose(stopped.reason.clone())),
            since: stopped(status).map(|stopped| when(stopped.since)),
            until: match standing {
                Standing::Closed => status.closed_until.filter(|until| *until > now).map(when),
                Standing::Parked | Standing::Open => None,
            },
            used: grouped(status.permits_out.into()),
            limit: grouped(limit.into()),
            bar: meter(&status.name, status.permits_out, limit),
            next: next(status, standing, now),
            waiting: grouped(status.waiting),
            running: grouped(status.running),
            oldest: match status.oldest_waiting_at {
                Some(at) => told(at, now),
                None => "none".to_owned(),
            },
        }
    }
}

fn meter(name: &AccountName, used: u32, limit: u32) -> Bar {
    // Above this the pace is the allowance's and no longer the network's.
    let full = u64::from(used) * 10 >= u64::from(limit) * 9;
    Bar {
        role: "meter",
        label: format!("Requests of {name} in the last 60 s"),
        whole: limit.into(),
        reached: used.into(),
        text: format!("{used} of {limit}"),
        parts: vec![(if full { "full" } else { "used" }, used.into())],
    }
}

fn next(status: &AccountStatus, standing: Standing, now: Timestamp) -> String {
    match (standing, status.next_permit_at) {
        (Standing::Parked, _) => match status.next_probe {
            Some((_, at)) => format!("after it is resumed; tried {}", told(at, now)),
            None => "after it is resumed".to_owned(),
        },
        (Standing::Closed | Standing::Open, Some(at)) if at > now => told(at, now),
        (Standing::Closed | Standing::Open, _) => "now".to_owned(),
    }
}

/// All accounts of the store and the accounts file: the store knows those that had a signup.
pub(crate) fn all(known: Vec<AccountStatus>, book: &dyn AccountBook) -> Vec<AccountStatus> {
    let mut all = known;
    for name in book.names() {
        if all.iter().all(|own| own.name != name) {
            all.push(AccountStatus::new(name));
        }
    }
    all
}

/// Those that need a person first, then those with the most to do.
pub(crate) fn in_order(accounts: &mut [AccountStatus], now: Timestamp) {
    accounts.sort_by(|a, b| {
        let urgency = |own: &AccountStatus| {
            (
                Standing::of(own, now),
                Reverse(own.waiting + own.running),
                Reverse(own.permits_out),
            )
        };
        urgency(a)
            .cmp(&urgency(b))
            .then_with(|| a.name.cmp(&b.name))
    });
}

impl Attention {
    /// Of an account that is not simply open.
    pub(crate) fn of(status: &AccountStatus, now: Timestamp) -> Option<Self> {
        let when = |at| When { at, now };
        let waiting = match status.waiting {
            0 => "Nothing waits for it.".to_owned(),
            waiting => format!("Waiting for it: {}.", counted(waiting, "onboarding")),
        };
        let (class, headline, reason, since) = match (Standing::of(status, now), &status.parked) {
            (Standing::Parked, Some(parked)) => (
                "failed",
                "parked, nothing is sent for it".to_owned(),
                parked.reason.clone(),
                Some(when(parked.since)),
            ),
            (Standing::Closed, _) if status.outage.is_some() => {
                let outage = status.outage.as_ref()?;
                let tried = match status.next_probe {
                    Some((_, at)) => format!(", tried again {}", told(at, now)),
                    None => String::new(),
                };
                (
                    "blocked",
                    format!("closed until Exotel answers{tried}"),
                    outage.reason.clone(),
                    Some(when(outage.since)),
                )
            }
            (Standing::Closed, _) => {
                let until = status.closed_until?;
                (
                    "blocked",
                    format!("closed by Exotel's limit, opens {}", told(until, now)),
                    "Exotel answered 429. It goes on by itself; if this comes back, something else uses the same account.".to_owned(),
                    None,
                )
            }
            (Standing::Parked | Standing::Open, _) => return None,
        };
        Some(Self {
            class,
            name: status.name.to_string(),
            headline,
            standing: Standing::of(status, now).as_str(),
            reason: Prose(reason),
            waiting,
            since,
            stopped: true,
            resume: link::resume(&status.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use store::Limits;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn status(name: &str) -> AccountStatus {
        AccountStatus {
            limits: Some(Limits::per_minute(200, 50)),
            ..AccountStatus::new(name.parse().unwrap())
        }
    }

    fn parked(name: &str) -> AccountStatus {
        AccountStatus {
            parked: Some(Stopped {
                reason: "the key is wrong".into(),
                since: now(),
            }),
            ..status(name)
        }
    }

    fn at(seconds: i64) -> Option<Timestamp> {
        Timestamp::from_second(now().as_second() + seconds).ok()
    }

    #[test]
    fn accounts_that_need_a_person_come_first_then_the_busiest() {
        let closed = AccountStatus {
            closed_until: at(30),
            ..status("closed")
        };
        let busy = AccountStatus {
            waiting: 9,
            ..status("busy")
        };
        let opened = AccountStatus {
            closed_until: at(-1),
            ..status("again")
        };
        let mut all = vec![status("idle"), opened, busy, closed, parked("parked")];
        in_order(&mut all, now());
        let names: Vec<&str> = all.iter().map(|own| own.name.as_str()).collect();
        assert_eq!(names, ["parked", "closed", "busy", "again", "idle"]);
    }

    #[test]
    fn a_parked_account_says_why_and_how_it_goes_on() {
        let own = Attention::of(&parked("acme"), now()).unwrap();
        assert_eq!(own.reason.0, "the key is wrong");
        assert_eq!(own.resume, "/accounts/resume?account=acme");
        assert!(Attention::of(&status("acme"), now()).is_none());
    }

    #[test]
    fn an_account_that_exotel_does_not_answer_says_when_it_is_tried_again() {
        let out = AccountStatus {
            outage: Some(Stopped {
                reason: "Exotel does not answer".into(),
                since: now(),
            }),
            next_probe: at(20).map(|at| (store::ProbeKind::Read, at)),
            ..status("acme")
        };
        let own = Attention::of(&out, now()).unwrap();
        assert_eq!(
            own.headline,
            "closed until Exotel answers, tried again in 20 s"
        );
        assert_eq!((own.standing, own.stopped), ("closed", true));
        let view = AccountView::of(&out, None, now());
        assert_eq!((view.standing, view.stopped), ("closed", true));
        assert_eq!(view.reason.unwrap().0, "Exotel does not answer");
    }

    #[test]
    fn the_meter_shows_use_against_the_limit_and_turns_when_it_is_nearly_used_up() {
        for (used, part) in [(0, "used"), (179, "used"), (180, "full"), (200, "full")] {
            let own = AccountStatus {
                permits_out: used,
                ..status("acme")
            };
            let view = AccountView::of(&own, None, now());
            assert_eq!(view.bar.parts, vec![(part, u64::from(used))]);
            assert_eq!(view.limit, "200");
        }
    }

    #[test]
    fn the_next_permit_is_told_where_one_has_to_be_waited_for() {
        let wait = AccountStatus {
            next_permit_at: at(20),
            ..status("a")
        };
        assert_eq!(AccountView::of(&wait, None, now()).next, "in 20 s");
        assert_eq!(AccountView::of(&status("a"), None, now()).next, "now");
        let view = AccountView::of(&parked("a"), None, now());
        assert_eq!(view.next, "after it is resumed");
    }
}
