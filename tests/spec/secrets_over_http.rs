//! The promise: what lets others in over HTTP is found nowhere: bearer tokens, session cookies, secrets of
//! senders and endpoints, and the path of an endpoint's URL; nor are keys and passwords.
//!
//! The method: `serve` at the most talkative level in both forms is asked with right and wrong tokens,
//! gets messages with right and wrong signatures, sends to a receiver that is there and then is not,
//! and is killed. Then every file of its folder, what its Redis wrote, and its arguments are searched.

use std::fs;

use serde_json::json;
use tests::{
    KEY as STORE_KEY, Place, Receiver, Server, Serving, Simulator, StoreKind, TOKEN, TOKENS,
    signed_headers, until,
};

use crate::secrets::{has, leaks_in};

const WRONG_TOKEN: &str = "tl_planted0wrong0token0that0nobody0has0000000000";
const SENDER: &str = "whsec_cGxhbnRlZDBzZW5kZXIwc2VjcmV0MDAwMDAw";
const ENDPOINT: &str = "whsec_cGxhbnRlZDBlbmRwb2ludDBzZWNyZXQwMDAw";
const PATH: &str = "/planted0path/of0the0endpoint";

on_both_stores!(what_lets_others_in_over_http_is_found_nowhere,);

fn place(simulator: &Simulator, receiver: &Receiver, redis: Option<&Server>) -> Place {
    let tables = format!(
        "{TOKENS}\n[senders.billing]\nsecrets = [{{ env = \"BILLING_SECRET\" }}]\n\
         [endpoints.crm]\nurl = {{ env = \"CRM_URL\" }}\nsecrets = [{{ env = \"CRM_SECRET\" }}]\nallow_private = true\n"
    );
    let place = Place::new(simulator, &["acme"]);
    let place = match redis {
        Some(redis) => place.on_redis(&redis.url()),
        None => place,
    };
    let place = place
        .with_tables(&tables)
        .env("BILLING_SECRET", SENDER)
        .env("CRM_SECRET", ENDPOINT)
        .env("CRM_URL", &receiver.url(PATH))
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1");
    place.settings("log_level = \"trace\"\n");
    place
}

fn signup(n: usize) -> String {
    json!({
        "account": "acme", "partner": "everything",
        "number": format!("+9180{n:08}"), "caller_id": "+918000000099",
    })
    .to_string()
}

fn post(serving: &Serving, path: &str, headers: &[(&str, String)], body: &str) -> u16 {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    serving.ask_with("POST", path, &headers, body).status
}

/// Logs in as a person does, looks around, and gives the session's cookie.
fn log_in(serving: &Serving, token: &str) -> Option<String> {
    let form = serving.ask_with("GET", "/login", &[], "");
    let cookie = form.header("set-cookie")?.split(';').next()?.to_owned();
    let (_, csrf) = cookie.split_once('=')?;
    let body = format!("csrf={csrf}&token={token}&next=%2F");
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let answer = serving.ask_with("POST", "/login", &headers, &body);
    let session = answer.headers.iter().find_map(|(name, value)| {
        let pair = value.split(';').next()?;
        (name == "set-cookie" && pair.starts_with("trunkline=")).then(|| pair.to_owned())
    })?;
    for path in ["/", "/v1/onboardings"] {
        let _ = serving.ask_with("GET", path, &[("cookie", session.as_str())], "");
    }
    session.split_once('=').map(|(_, value)| value.to_owned())
}

/// Uses all of it, rightly and wrongly. Gives the session's cookie and a SIP password.
fn ask_everything(serving: &Serving, receiver: &Receiver) -> Vec<String> {
    let accepted = serving.ask("POST", "/v1/onboardings", &signup(1));
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let id = accepted.json()["onboardings"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let wrong = format!("Bearer {WRONG_TOKEN}");
    let refused = serving.ask_with("GET", "/v1/onboardings", &[("authorization", &wrong)], "");
    assert_eq!(refused.status, 401);
    let webhooks = "/v1/webhooks/signups";
    let right = signed_headers(SENDER, "msg_1", &signup(2));
    assert_eq!(post(serving, webhooks, &right, &signup(2)), 202);
    let forged = signed_headers(ENDPOINT, "msg_2", &signup(3));
    assert_eq!(post(serving, webhooks, &forged, &signup(3)), 401);
    let session = log_in(serving, TOKEN).expect("a session");
    assert_eq!(log_in(serving, WRONG_TOKEN), None);

    // Both are told of, and the next one while nobody takes it.
    until("both are told", || {
        (receiver.got().len() == 2).then_some(())
    });
    receiver.be_silent(true);
    let third = serving.ask("POST", "/v1/onboardings", &signup(4));
    assert_eq!(third.status, 202, "{}", third.text());
    until("the third is sent", || {
        (receiver.got().len() == 3).then_some(())
    });
    let shown = format!("/v1/onboardings/{id}/handoff?show_secrets=true");
    let handoff = serving.ask("GET", &shown, "").json();
    let password = handoff["credentials"]["password"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(password.len(), 24);
    vec![session, password]
}

fn what_lets_others_in_over_http_is_found_nowhere(kind: StoreKind) {
    for form in ["text", "json"] {
        let (simulator, receiver) = (Simulator::start(), Receiver::start());
        let redis = (kind == StoreKind::Redis).then(Server::with_aof);
        let place = place(&simulator, &receiver, redis.as_ref());
        let serving = Serving::with(&place, &["--log", form]);
        let worker = place.start(&["work", "--log", form]);

        let mut forbidden = ask_everything(&serving, &receiver);
        assert_eq!(forbidden.len(), 2);

        let pid = serving.program().id();
        let mut arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        arguments.extend(fs::read(format!("/proc/{}/cmdline", worker.id())).unwrap());
        assert!(serving.program().stderr().contains("TRACE"));
        serving.kill();
        worker.kill();
        let fixed = [TOKEN, WRONG_TOKEN, SENDER, ENDPOINT, PATH, STORE_KEY];
        let bare = |text: &str| text.trim_start_matches("whsec_").to_owned();
        forbidden.extend(fixed.map(bare));
        let forbidden: Vec<(String, Vec<u8>)> = forbidden
            .into_iter()
            .map(|text| (text.clone(), text.into_bytes()))
            .collect();
        let nothing = place.path("nothing");
        let mut leaks = leaks_in(place.folder(), &nothing, &forbidden);
        if let Some(redis) = &redis {
            leaks.extend(leaks_in(redis.folder(), &nothing, &forbidden));
        }
        for (text, wanted) in &forbidden {
            if has(&arguments, wanted) {
                leaks.push(format!("{text} is in the arguments"));
            }
        }
        assert!(leaks.is_empty(), "{form}: {leaks:#?}");
    }
}
