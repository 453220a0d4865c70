//! The promise: a signup that comes over HTTP or as a webhook is durable when it is answered with 202,
//! and becomes one working trunk, by whatever worker; with keys that `serve` does not have.
//!
//! The method: `serve` and `work` in processes of their own beside the simulator, on both stores.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};
use tests::{
    Answer, Place, Resources, Serving, Signal, Simulator, StoreKind, TOKEN, TOKENS, exactly_once,
    resources, until,
};

fn place(simulator: &Simulator, kind: StoreKind) -> Place {
    Place::new(simulator, &["acme", "globex"])
        .kept_in(kind)
        .with_tables(TOKENS)
}

fn signup(account: &str, n: usize) -> Value {
    json!({
        "account": account, "partner": "everything",
        "number": format!("+9180{n:08}"), "caller_id": "+918000000099",
    })
}

fn accepted(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = &answer.json()["onboardings"][0]["id"];
    id.as_str().expect("an id").to_owned()
}

fn until_succeeded(serving: &Serving, id: &str) {
    until(&format!("{id} has succeeded"), || {
        let shown = serving.ask("GET", &format!("/v1/onboardings/{id}"), "");
        assert_eq!(shown.status, 200, "{}", shown.text());
        (shown.json()["state"] == "succeeded").then_some(())
    });
}

on_both_stores!(
    a_signup_over_http_becomes_one_trunk_by_a_worker_beside,
    a_request_in_flight_is_finished_after_sigterm,
);

fn a_signup_over_http_becomes_one_trunk_by_a_worker_beside(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let serving = Serving::start(&place);
    let worker = place.start(&["work"]);
    let body = signup("acme", 1).to_string();
    let id = accepted(&serving.ask("POST", "/v1/onboardings", &body));
    // The same signup again is the same onboarding.
    let again = serving.ask("POST", "/v1/onboardings", &body);
    assert_eq!(accepted(&again), id);
    assert_eq!(again.json()["duplicates"], 1, "{}", again.text());
    until_succeeded(&serving, &id);

    let handoff = serving.ask(
        "GET",
        &format!("/v1/onboardings/{id}/handoff?show_secrets=true"),
        "",
    );
    assert_eq!(handoff.status, 200, "{}", handoff.text());
    // Who had a password shown stands in the log, at whatever level.
    let said = serving.program().stderr();
    let line = said.lines().find(|line| line.contains("show_secrets"));
    assert!(line.is_some_and(|line| line.contains("tests")), "{said}");
    // And so does who sent which signup.
    let sent = |line: &&str| line.contains("\"enqueue\"") && line.contains(&id);
    let line = said.lines().find(sent);
    assert!(line.is_some_and(|line| line.contains("tests")), "{said}");
    let wrong = exactly_once(
        &simulator.state()["acme"],
        &handoff.json(),
        Resources::EVERYTHING,
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    let nobody = serving.ask_with("GET", &format!("/v1/onboardings/{id}"), &[], "");
    assert_eq!(nobody.status, 401, "{}", nobody.text());
    worker.signal(Signal::TERM);
    let _ = worker.wait().with(0);
    let _ = serving.stop().with(0);
}

fn a_request_in_flight_is_finished_after_sigterm(kind: StoreKind) {
    let simulator = Simulator::start();
    let place = place(&simulator, kind);
    let serving = Serving::start(&place);
    let body = signup("acme", 1).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(serving.address()).unwrap();
    write!(
        stream,
        "POST /v1/onboardings HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    )
    .unwrap();
    // Answered one after the other, so that the one above was begun.
    assert_eq!(serving.ask_with("GET", "/healthz", &[], "").status, 200);
    serving.program().signal(Signal::TERM);
    until("it says that it stops", || {
        (serving.program().said("stopping") > 0).then_some(())
    });
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let _ = serving.wait().with(0);
    assert_eq!(place.list().len(), 1);
}

#[test]
fn in_the_sandbox_an_account_that_http_names_first_is_served_by_the_worker_beside() {
    let place = Place::bare().with_tables(TOKENS);
    let serving = Serving::with(&place, &["--sandbox"]);
    let worker = place.start(&["work", "--sandbox"]);
    for (n, account) in ["acme", "globex"].into_iter().enumerate() {
        let body = signup(account, n).to_string();
        let id = accepted(&serving.ask("POST", "/v1/onboardings", &body));
        until_succeeded(&serving, &id);
        let handoff = serving.ask("GET", &format!("/v1/onboardings/{id}/handoff"), "");
        assert_eq!(handoff.json()["credentials"]["password"], "********");
    }
    drop(worker);
}

#[test]
fn an_account_that_the_file_gains_may_be_named_without_starting_the_server_again() {
    let simulator = Simulator::start();
    let place = Place::new(&simulator, &["acme"]).with_tables(TOKENS);
    let serving = Serving::start(&place);
    let worker = place.start(&["work"]);
    let body = signup("globex", 1).to_string();
    let refused = serving.ask("POST", "/v1/onboardings", &body);
    assert_eq!(refused.status, 422, "{}", refused.text());
    let text = std::fs::read_to_string(place.path("accounts.toml")).unwrap();
    let more = format!("{text}\n{}", text.replace("acme", "globex"));
    place.write("accounts.toml", &more);
    let id = until("the account is known", || {
        let answer = serving.ask("POST", "/v1/onboardings", &body);
        (answer.status == 202).then(|| accepted(&answer))
    });
    until_succeeded(&serving, &id);
    assert_eq!(
        resources(&simulator.state()["globex"]),
        Resources::EVERYTHING
    );
    drop(worker);
}
