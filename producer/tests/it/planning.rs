//! What `plan` tells.

use std::time::Duration;

use producer::{Error, PlanReport, plan};
use store::Limits;

use crate::desk::{accounts, builtin, source};

fn planned(text: &str) -> (Result<PlanReport, Error>, Vec<(u64, usize)>) {
    let mut seen = Vec::new();
    let report = plan(
        vec![source(None, text)],
        &builtin(accounts()),
        |account| Limits::per_minute(if account.as_str() == "acme" { 200 } else { 10 }, 50),
        |planned| seen.push((planned.line, planned.accepted.plan.steps.len())),
    );
    (report, seen)
}

#[test]
fn the_slowest_account_tells_how_long_the_batch_takes() {
    let row = |account: &str, n: u32| format!("{account},livekit,+9180000{n:05}\n");
    let acme: String = (0..100).map(|n| row("acme", n)).collect();
    let globex: String = (0..10).map(|n| row("globex", n)).collect();
    let (report, seen) = planned(&format!("account,partner,number\n{acme}{globex}"));
    let report = report.unwrap();
    // Trunk, number, credentials.
    assert!(seen.len() == 110 && seen.iter().all(|(_, steps)| *steps == 3));
    assert_eq!(
        (report.total, report.duplicates, report.requests),
        (110, 0, 330)
    );
    let accounts: Vec<_> = report
        .accounts
        .iter()
        .map(|a| {
            (
                a.account.as_str(),
                a.signups,
                a.requests,
                a.duration.as_millis(),
            )
        })
        .collect();
    // 300 of 200 a minute: one window, then 80 paced of 100. 30 of 10: two windows, then 9 of 10.
    assert_eq!(
        accounts,
        [("acme", 100, 300, 84_000), ("globex", 10, 30, 174_000)]
    );
    assert_eq!(report.duration, Duration::from_secs(174));
    // The accounts' numbers are the same.
    assert!(report.warnings.iter().all(|it| it.field == "number"));
}

#[test]
fn a_repeated_signup_costs_nothing_and_a_contradiction_is_refused() {
    let rows = "account,partner,number,direction,trunk_name\nacme,livekit,+918000000001,,\n";
    let (report, seen) = planned(&format!("{rows}acme,livekit,+918000000001,,\n"));
    let report = report.unwrap();
    assert_eq!(
        (report.total, report.duplicates, report.requests),
        (2, 1, 3)
    );
    assert_eq!(seen.len(), 1);
    let (report, _) = planned(&format!(
        "{rows}acme,livekit,+918000000001,outbound,\nacme,livekit,+918000000002,,x\nacme,livekit,+918000000003,,x\n"
    ));
    let Err(Error::Input { problems, more }) = report else {
        panic!("{report:?}");
    };
    let places: Vec<_> = problems
        .iter()
        .map(|p| (p.line, p.field.as_str()))
        .collect();
    assert_eq!((places, more), (vec![(3, "key"), (5, "trunk_name")], 0));
    assert!(
        problems
            .iter()
            .all(|p| p.message.contains("the signup on line"))
    );
}

#[test]
fn two_keys_for_one_number_are_warned_of() {
    let (report, seen) = planned(
        "account,partner,number,key\nacme,livekit,+918000000001,a\nacme,rapida,+918000000001,b\nglobex,livekit,+918000000001,c\n",
    );
    let report = report.unwrap();
    assert_eq!(seen.len(), 3);
    // A number is mapped once in all of Exotel, whatever the account.
    assert_eq!(report.warnings.len(), 2);
    for (warning, line) in report.warnings.iter().zip([3, 4]) {
        assert_eq!((warning.line, warning.field.as_str()), (line, "number"));
        assert!(warning.message.contains("the signup on line 2"));
    }
}

#[test]
fn what_a_plan_warns_of_is_told_with_its_line() {
    let (report, _) = planned(
        "account,partner,number,direction,mode,inputs.livekit_sip_subdomain\nacme,livekit,+918000000001,inbound,flow,bwwn08a2m4o\n",
    );
    let warnings = report.unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].line == 2 && warnings[0].message.contains("flow"));
}
