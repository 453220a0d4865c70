//! The record of an account.

use onboarding::{Edge, Transport};
use records::{AccountFacts, AccountRecord};
use store::{AccountStatus, Limits, ProbeKind, Stopped};

use crate::shelf::{at, name, status};

fn facts() -> AccountFacts {
    AccountFacts {
        account_sid: "acme1".to_owned(),
        base_url: Some("https://api.in.exotel.com".to_owned()),
        edge: Some(Edge {
            host: "in.voip.exotel.com".to_owned(),
            port: 443,
            transport: Transport::Tls,
        }),
        requests_per_minute: 200,
        connections: 50,
        signalling_ips: Vec::new(),
    }
}

fn busy() -> AccountStatus {
    AccountStatus {
        parked: Some(Stopped {
            reason: "the key is wrong".to_owned(),
            since: at(0),
        }),
        closed_until: Some(at(1500)),
        next_probe: Some((ProbeKind::Read, at(2500))),
        waiting: 7,
        running: 2,
        permits_out: 31,
        limits: Some(Limits::per_minute(120, 50)),
        next_permit_at: Some(at(1)),
        oldest_waiting_at: Some(at(2)),
        ..status("acme")
    }
}

#[test]
fn an_account_is_told_from_the_file_and_from_the_store_and_the_files_limits_win() {
    let parked = r#"{"reason":"the key is wrong","since":"2025-11-21T14:15:00.000Z"}"#;
    let file = r#""account_sid":"acme1","base_url":"https://api.in.exotel.com","edge":{"host":"in.voip.exotel.com","port":443,"transport":"tls"}"#;
    let none = r#""account_sid":null,"base_url":null,"edge":null"#;
    let (acme, facts, busy) = (name("acme"), facts(), busy());
    for (case, facts, status, told) in [
        (
            "both",
            Some(&facts),
            Some(&busy),
            format!(
                r#"{file},"limits":{{"requests_per_minute":200,"connections":50}},"parked":{parked},"closed_until":"2025-11-21T14:15:01.500Z","outage":null,"next_probe_at":"2025-11-21T14:15:02.500Z","unusable":null,"waiting":7,"running":2,"permits_out":31"#
            ),
        ),
        (
            "the file",
            Some(&facts),
            None,
            format!(
                r#"{file},"limits":{{"requests_per_minute":200,"connections":50}},"parked":null,"closed_until":null,"outage":null,"next_probe_at":null,"unusable":null,"waiting":0,"running":0,"permits_out":0"#
            ),
        ),
        (
            "the store",
            None,
            Some(&busy),
            format!(
                r#"{none},"limits":{{"requests_per_minute":120,"connections":null}},"parked":{parked},"closed_until":"2025-11-21T14:15:01.500Z","outage":null,"next_probe_at":"2025-11-21T14:15:02.500Z","unusable":null,"waiting":7,"running":2,"permits_out":31"#
            ),
        ),
        (
            "a store where no worker has been",
            None,
            Some(&status("acme")),
            format!(
                r#"{none},"limits":null,"parked":null,"closed_until":null,"outage":null,"next_probe_at":null,"unusable":null,"waiting":0,"running":0,"permits_out":0"#
            ),
        ),
    ] {
        let no_workers = records::Workers::default();
        let record = AccountRecord::of(&acme, facts, status, &no_workers);
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            format!(r#"{{"type":"account","name":"acme",{told}}}"#),
            "{case}"
        );
    }
}
