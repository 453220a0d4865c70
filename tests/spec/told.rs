//! The promise: endpoints are told of onboardings that succeeded, failed or are blocked, at least once,
//! whatever is killed, with the same id and a signature that their secret proves.
//!
//! The method: a receiver of the test's own; `serve` is killed before anything is laid out, and while
//! the receiver has a message and has not answered it.

use serde_json::json;
use tests::{
    Message, PATIENCE, Place, Receiver, Serving, Signup, Simulator, StoreKind, TOKENS, lines_of,
    sign, until, until_within,
};

/// A secret of an endpoint; made up.
const SECRET: &str = "whsec_bWFkZS11cC1zZWNyZXQtb2YtdGhlLXRlc3Rz";

fn place(simulator: &Simulator, receiver: &Receiver, kind: StoreKind) -> Place {
    let tables = format!(
        "{TOKENS}\n[endpoints.crm]\nurl = \"{}\"\nsecrets = [{{ env = \"CRM_SECRET\" }}]\nallow_private = true\n",
        receiver.url("/hooks/crm")
    );
    let place = Place::new(simulator, &["acme"])
        .kept_in(kind)
        .with_tables(&tables);
    place.env("CRM_SECRET", SECRET)
}

fn onboard(place: &Place, n: usize) {
    let signup = Signup::new("acme", "five_steps", n);
    place.write("signups.jsonl", &lines_of(&[signup]));
    let _ = place.run(&["onboard", "signups.jsonl"]).with(0);
}

fn assert_genuine(message: &Message) {
    let (id, seconds) = (
        message.header("webhook-id"),
        message.header("webhook-timestamp"),
    );
    let signature = sign(SECRET, id, seconds, &message.body);
    assert_eq!(message.header("webhook-signature"), signature);
}

on_both_stores!(
    what_happens_while_no_server_runs_is_told_by_the_next,
    a_message_that_was_not_answered_when_the_server_was_killed_comes_again,
);

fn what_happens_while_no_server_runs_is_told_by_the_next(kind: StoreKind) {
    let (simulator, receiver) = (Simulator::start(), Receiver::start());
    let place = place(&simulator, &receiver, kind);
    // What happened before anybody was to be told is nobody's news.
    onboard(&place, 1);
    let first = Serving::start(&place);
    until("the place in the feed is kept", || {
        (first.ask_with("GET", "/readyz", &[], "").status == 200).then_some(())
    });
    onboard(&place, 2);
    until("it is told", || (receiver.got().len() == 1).then_some(()));
    first.kill();
    onboard(&place, 3);
    let _second = Serving::start(&place);
    until("it is told", || (receiver.got().len() >= 2).then_some(()));
    let got = receiver.got();
    assert_eq!(got.len(), 2, "{got:#?}");
    for (message, n) in got.iter().zip([2, 3]) {
        assert_genuine(message);
        assert_eq!(message.path, "/hooks/crm");
        let told = message.json();
        assert_eq!(told["type"], "onboarding.succeeded", "{told}");
        let number = format!("+9180{n:08}");
        assert!(message.body.contains(&number), "{told}");
        assert!(!message.body.contains("password\":\""), "{told}");
    }
}

fn a_message_that_was_not_answered_when_the_server_was_killed_comes_again(kind: StoreKind) {
    let (simulator, receiver) = (Simulator::start(), Receiver::start());
    let place = place(&simulator, &receiver, kind);
    let first = Serving::start(&place);
    receiver.be_silent(true);
    onboard(&place, 1);
    until("it is sent", || (receiver.got().len() == 1).then_some(()));
    first.kill();
    receiver.be_silent(false);
    let second = Serving::start(&place);
    // A delivery is held for a minute by whoever took it.
    until_within(
        2 * PATIENCE,
        std::time::Duration::from_millis(50),
        "it comes again",
        || (receiver.got().len() >= 2).then_some(()),
    );
    let got = receiver.got();
    assert_eq!(
        got[0].header("webhook-id"),
        got[1].header("webhook-id"),
        "the same message"
    );
    assert_eq!(got[0].body, got[1].body);
    got.iter().for_each(assert_genuine);
    until("it is on record as delivered", || {
        let listed = second.ask("GET", "/v1/deliveries", "").json();
        (listed["items"][0]["state"] == json!("delivered")).then_some(())
    });
}
