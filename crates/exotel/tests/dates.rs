//! Exotel's clock, as its answers tell it.

#![expect(clippy::unwrap_used, reason = "a test's helpers")]

mod support;

use exotel::{Class, NextPage, time};
use jiff::Timestamp;
use support::{Act, Server, answer, http, sid};

const DATE: &str = "date: Sun, 01 Mar 2026 12:00:07 GMT";

fn noon() -> Option<Timestamp> {
    Some("2026-03-01T12:00:07Z".parse().unwrap())
}

#[tokio::test]
async fn every_answer_and_every_error_with_an_answer_tells_exotels_time() {
    let server = Server::start().await;
    let client = server.client();
    let say = |status: &str, body: &[u8]| server.then(Act::Say(http(status, &[DATE], body)));

    say("200 OK", &answer("trunk"));
    assert_eq!(client.trunk(&sid()).await.unwrap().date, noon());
    say("200 OK", &answer("trunks_page"));
    let page = client.trunks_page(NextPage::FIRST).await;
    assert_eq!(page.unwrap().date, noon());
    say("200 OK", &answer("trunk_map"));
    let map = client.trunk_map(&"+918000000001".parse().unwrap()).await;
    assert_eq!(map.unwrap().date, noon());
    say("200 OK", &answer("account_numbers"));
    assert_eq!(client.account_numbers(None).await.unwrap().date, noon());

    let foreign = b"<html>made-up gateway</html>";
    for (status, body) in [
        ("409 Conflict", answer("duplicate_http_409")),
        ("504 Gateway Timeout", foreign.to_vec()),
        ("429 Slow Down", Vec::new()),
        ("200 OK", Vec::new()),
    ] {
        say(status, &body);
        let error = client.trunk(&sid()).await.unwrap_err();
        assert_eq!(error.date(), noon(), "{status}");
    }
    let stuck = br#"{"metadata": {"next_page_uri": "/no"}, "response": []}"#;
    say("200 OK", stuck);
    let error = client.trunks_page(NextPage::FIRST).await.unwrap_err();
    assert_eq!((error.code(), error.date()), ("paging_stuck", noon()));
    let mut cut = http("200 OK", &[DATE], &answer("trunk"));
    cut.truncate(cut.len() - 10);
    server.then(Act::SayAndClose(cut));
    let error = client.trunk(&sid()).await.unwrap_err();
    assert_eq!((error.code(), error.date()), ("connection_lost", noon()));
}

#[tokio::test]
async fn a_date_that_is_absent_or_nonsense_is_none() {
    let server = Server::start().await;
    let client = server.client();
    for header in ["x-other: 1", "date: yesterday", "date: ", "date: \u{e9}"] {
        let trunk = http("200 OK", &[header], &answer("trunk"));
        server.then(Act::Say(trunk));
        assert_eq!(client.trunk(&sid()).await.unwrap().date, None, "{header}");
    }
    server.then(Act::Reset);
    let lost = client.trunk(&sid()).await.unwrap_err();
    assert_eq!((lost.class(), lost.date()), (Class::Unknown, None));
}

#[test]
fn a_resources_date_is_read_in_every_form_that_exotel_prints_and_nothing_is_guessed() {
    let noon = "2026-03-01T12:00:00Z".parse().ok();
    for text in [
        "2026-03-01T12:00:00Z",
        "2026-03-01t12:00:00z",
        " 2026-03-01 12:00:00Z ",
        "2026-03-01T12:00:00.000000Z",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T17:30:00+05:30",
        "2026-03-01T17:30:00+0530",
        "20260301T120000Z",
        "Sun, 01 Mar 2026 12:00:00 +0000",
        "Sun, 01 Mar 2026 17:30:00 +0530",
        "Sun, 1 Mar 2026 12:00:00 GMT",
    ] {
        assert_eq!(time(text), noon, "{text}");
    }
    let half = time("2026-03-01T12:00:00.5Z").unwrap();
    assert_eq!(half.subsec_millisecond(), 500);
    for text in [
        "",
        "yesterday",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        "2026-13-01T12:00:00Z",
        "1772366400",
        "Mon, 01 Mar 2026 12:00:00 GMT",
        "0000-00-00 00:00:00Z",
    ] {
        assert_eq!(time(text), None, "{text}");
    }
}
