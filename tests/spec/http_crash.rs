//! The promise: whatever `serve` is doing when it is killed, a signup that was answered with 202 is in
//! the store, one that was not may be sent again with the same `Idempotency-Key`, and each is there once.
//!
//! The method: SIGKILL at drawn moments under many clients that repeat what was not answered, on both
//! stores; and at each step of one request, which a gate before Redis holds right there.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    Answer, Gate, PATIENCE, Place, Server, Serving, Side, StoreKind, TOKEN, TOKENS, ask,
    signed_headers, until,
};

/// Nothing is sent to it. Made up, as everything in it.
const ACCOUNTS: &str = r#"
[accounts.acme]
account_sid = "acme1"
region = "in"
api_key = { env = "NOT_SET" }
api_token = { env = "NOT_SET" }
"#;

const SIGNUPS: usize = 480;
const CLIENTS: usize = 8;
const KILLS: usize = 14;

fn number(n: usize) -> String {
    format!("+9180{n:08}")
}

fn body(n: usize) -> String {
    json!({"account": "acme", "partner": "five_steps", "number": number(n)}).to_string()
}

/// Sends signup `n` under its key.
fn post(to: SocketAddr, n: usize, key: &str) -> std::io::Result<Answer> {
    let token = format!("Bearer {TOKEN}");
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    ask(to, "POST", "/v1/onboardings", &headers, &body(n))
}

fn id_of(answer: &Answer) -> String {
    let id = &answer.json()["onboardings"][0]["id"];
    id.as_str().expect("an id").to_owned()
}

/// Every number once, each with the id that was answered.
fn assert_each_once(place: &Place, answered: &BTreeMap<usize, String>) {
    let records = place.list();
    let there: BTreeMap<&str, &str> = records
        .iter()
        .map(|record| {
            let text = |name: &str| record[name].as_str().unwrap_or_default();
            (text("number"), text("id"))
        })
        .collect();
    assert_eq!(records.len(), answered.len(), "each once");
    for (n, id) in answered {
        assert_eq!(there.get(number(*n).as_str()), Some(&id.as_str()), "{n}");
    }
}

on_both_stores!(what_was_accepted_is_there_once_however_often_the_server_is_killed,);

/// A small generator: the same draws for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn what_was_accepted_is_there_once_however_often_the_server_is_killed(kind: StoreKind) {
    let place = Place::bare().kept_in(kind).with_tables(TOKENS);
    place.write("accounts.toml", ACCOUNTS);
    let first = Serving::start(&place);
    let address = Mutex::new(first.address());
    let mut serving = Some(first);
    let next = AtomicUsize::new(0);
    let answers = AtomicUsize::new(0);
    let answered = Mutex::new(BTreeMap::new());
    let cut = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= SIGNUPS {
                        return;
                    }
                    let id = until_answered(&address, n, &cut);
                    answers.fetch_add(1, Ordering::SeqCst);
                    answered.lock().unwrap().insert(n, id);
                }
            });
        }
        let mut draw = Draw(7);
        for kill in 1..=KILLS {
            // Spread over the whole run, and then at any moment of a request.
            let enough = SIGNUPS * kill / (KILLS + 2);
            until("more is answered", || {
                (answers.load(Ordering::SeqCst) >= enough).then_some(())
            });
            spin(Duration::from_micros(draw.below(4_000)));
            serving.take().unwrap().kill();
            let other = Serving::start(&place);
            *address.lock().unwrap() = other.address();
            serving = Some(other);
        }
    });
    assert!(cut.load(Ordering::SeqCst) > 0, "no request was ever cut");
    let answered = answered.into_inner().unwrap();
    assert_eq!(answered.len(), SIGNUPS);
    assert_each_once(&place, &answered);
    let serving = serving.unwrap();
    let to = serving.address();
    // Once more, after all of it: the first answer again.
    for (n, id) in answered.iter().take(40) {
        let again = post(to, *n, &format!("key-{n}")).unwrap();
        assert_eq!((again.status, &id_of(&again)), (202, id), "{n}");
    }
}

fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Sends signup `n` until it is answered with 202; counts the times that nothing whole came back.
fn until_answered(address: &Mutex<SocketAddr>, n: usize, cut: &AtomicUsize) -> String {
    let began = Instant::now();
    loop {
        let to = *address.lock().unwrap();
        match post(to, n, &format!("key-{n}")) {
            Ok(answer) if answer.status == 202 => return id_of(&answer),
            Ok(answer) => assert!(
                matches!(answer.status, 503),
                "{}: {}",
                answer.status,
                answer.text()
            ),
            Err(_) => {
                cut.fetch_add(1, Ordering::SeqCst);
            }
        }
        assert!(began.elapsed() < PATIENCE, "signup {n} is never answered");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A secret of a sender; made up.
const SENDER: &str = "whsec_bWFkZS11cC1zZWNyZXQtb2YtYS1zZW5kZXI=";

/// How a signup comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Api,
    Webhook,
}

impl Way {
    /// Sends signup `n`, always under the same name.
    fn send(self, to: SocketAddr, n: usize) -> std::io::Result<Answer> {
        if self == Self::Api {
            return post(to, n, &format!("key-{n}"));
        }
        let body = body(n);
        let headers = signed_headers(SENDER, &format!("msg_{n}"), &body);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ask(to, "POST", "/v1/webhooks/signups", &headers, &body)
    }
}

#[test]
fn a_kill_at_any_step_of_a_request_loses_nothing_and_doubles_nothing() {
    killed_at_every_step(Way::Api);
}

#[test]
fn a_kill_at_any_step_of_a_webhook_loses_nothing_and_doubles_nothing() {
    killed_at_every_step(Way::Webhook);
}

fn killed_at_every_step(way: Way) {
    let redis = Server::with_aof();
    let gate = Gate::before(redis.url().trim_start_matches("redis://").parse().unwrap());
    let tables = format!("{TOKENS}\n[senders.billing]\nsecrets = [{{ env = \"SENDER\" }}]\n");
    let place = Place::bare()
        .on_redis(&format!("redis://{}", gate.address()))
        .with_tables(&tables)
        .env("SENDER", SENDER);
    place.write("accounts.toml", ACCOUNTS);
    let mut serving = Serving::start(&place);
    // Where questions are remembered, and whose signup is accepted.
    let remembered = format!("{{{}}}:answer:", place.store_name());
    let mut answered = BTreeMap::new();
    let mut n = 0;
    for side in [Side::Question, Side::Answer] {
        let mut steps = 0;
        loop {
            n += 1;
            gate.hold(&[&remembered, "acme"], steps + 1, side);
            let to = serving.address();
            let first = thread::spawn(move || way.send(to, n));
            until("it is held or answered", || {
                (gate.holds() || first.is_finished()).then_some(())
            });
            let held = gate.holds();
            if held {
                serving.kill();
                gate.open();
                serving = Serving::start(&place);
                steps += 1;
            }
            let answer = first.join().unwrap();
            assert_eq!(held, answer.is_err(), "what is held is not answered");
            let again = way.send(serving.address(), n).unwrap();
            // A webhook that was taken before is answered with 200.
            let taken = matches!(again.status, 200 | 202);
            assert!(taken, "{side:?} {steps}: {}", again.text());
            answered.insert(n, id_of(&again));
            assert_each_once(&place, &answered);
            if !held {
                break;
            }
        }
        // The request is remembered, its signup is accepted, its answer is kept.
        assert!(steps >= 3, "{side:?}: only {steps} steps were held");
    }
    let tally: Value = place.tally();
    assert_eq!(tally["total"], json!(answered.len()));
}
