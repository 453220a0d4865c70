//! The promise: whatever call of Exotel repeats a key, a token or a SIP password, in whatever field and
//! usual encoding, it is found nowhere afterwards; also a password that an earlier call sent.
//!
//! The method: fault rules have answers of every step repeat them. Then everything that was said and
//! kept is searched: records, logs at the most talkative level, the store, what a Redis has on its disk,
//! answers over HTTP, pages, and messages to an endpoint.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tests::{
    Place, Receiver, Server, Serving, Signup, Simulator, StoreKind, TOKENS, lines_of, until,
};

use crate::secrets::{KEY, TOKEN, has, leaks_in};

const DESCRIPTION: &str = "/response/error_data/description";
const CREDENTIALS: &str = "POST /credentials$";
const READ: &str = "GET /trunks/[A-Za-z0-9]+$";

/// A call, its status (200: it succeeds), where its answer repeats them, and how.
const ECHOES: [(&str, u16, &str, &str); 24] = [
    (CREDENTIALS, 400, DESCRIPTION, "plain"),
    (CREDENTIALS, 400, DESCRIPTION, "upper"),
    (CREDENTIALS, 400, DESCRIPTION, "lower"),
    (CREDENTIALS, 400, DESCRIPTION, "percent"),
    (CREDENTIALS, 400, DESCRIPTION, "percent_lower"),
    (CREDENTIALS, 400, DESCRIPTION, "percent_twice"),
    (CREDENTIALS, 400, DESCRIPTION, "base64"),
    (CREDENTIALS, 400, DESCRIPTION, "base64_url"),
    (CREDENTIALS, 400, DESCRIPTION, "hex"),
    (CREDENTIALS, 400, DESCRIPTION, "hex_upper"),
    (CREDENTIALS, 400, DESCRIPTION, "json"),
    (CREDENTIALS, 400, DESCRIPTION, "html"),
    (CREDENTIALS, 502, "", "plain"),
    (CREDENTIALS, 200, "/request_id", "plain"),
    (CREDENTIALS, 200, "/response/data/id", "hex"),
    (CREDENTIALS, 200, "/response/data/user_name", "plain"),
    ("POST /trunks$", 401, DESCRIPTION, "base64"),
    ("POST /trunks$", 200, "/response/data/trunk_sid", "hex"),
    ("POST /trunks$", 200, "/response/data/domain_name", "plain"),
    ("POST /destination-uris$", 400, DESCRIPTION, "plain"),
    ("POST /destination-uris$", 400, DESCRIPTION, "base64"),
    ("POST /destination-uris$", 400, "/request_id", "hex"),
    ("POST /settings$", 409, DESCRIPTION, "plain"),
    (READ, 200, "/response/data/trunk_name", "plain"),
];

on_both_stores!(what_an_answer_repeats_of_its_requests_secrets_is_found_nowhere);

fn name(n: usize) -> String {
    format!("acc{n}")
}

fn place(simulator: &Simulator, receiver: &Receiver, redis: Option<&Server>) -> Place {
    let names: Vec<String> = (0..ECHOES.len()).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tables = format!(
        "{TOKENS}\n[endpoints.crm]\nurl = \"{}\"\nsecrets = [{{ env = \"CRM_SECRET\" }}]\nallow_private = true\n",
        receiver.url("/hooks/crm")
    );
    let place = Place::new(simulator, &names);
    let place = match redis {
        Some(redis) => place.on_redis(&redis.url()),
        None => place,
    };
    let place = place
        .with_tables(&tables)
        .env("EXOTEL_KEY", KEY)
        .env("EXOTEL_TOKEN", TOKEN)
        .env("CRM_SECRET", "whsec_bWFkZS11cC1zZWNyZXQtb2YtdGhlLXRlc3Rz")
        .env("RUST_LOG", "trace");
    place.settings("log_level = \"trace\"\naccount_probe_ms = 0\nattempts_max = 3\n");
    let signups = names.iter().enumerate().map(|(n, account)| {
        Signup::new(account, "everything", n)
            .with("key", account)
            .with("caller_id", &format!("+9180{n:08}"))
    });
    place.write("signups.jsonl", &lines_of(&signups.collect::<Vec<_>>()));
    place
}

fn rules() -> Vec<Value> {
    let each = ECHOES.iter().enumerate();
    each.map(|(n, (call, status, to, encoding))| {
        let (method, path) = call.split_once(' ').unwrap();
        let mut rule = json!({"account": name(n), "method": method, "path": path,
            "leak": {"to": to, "as": encoding}});
        if *status != 200 {
            rule["status"] = json!(status);
        }
        rule
    })
    .collect()
}

/// A secret as the simulator may have repeated it.
fn forms(secret: &str) -> Vec<String> {
    let each = |write: fn(u8) -> String| secret.bytes().map(write).collect::<String>();
    let mut forms = vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.to_lowercase(),
        each(|b| format!("%{b:02X}")),
        each(|b| format!("%{b:02x}")),
        each(|b| format!("%25{b:02X}")),
        each(|b| format!("{b:02x}")),
        each(|b| format!("{b:02X}")),
        each(|b| format!("\\u{b:04x}")),
        each(|b| format!("\\\\u{b:04x}")),
        each(|b| format!("&#{b};")),
        each(|b| format!("&amp;#{b};")),
    ];
    for before in ["", "a", "ab"] {
        let text = format!("{before}{secret}");
        let own = (before.len() * 8).div_ceil(6)..text.len() * 8 / 6;
        forms.push(BASE64_STANDARD.encode(text)[own].to_owned());
    }
    forms
}

/// The password of each, without leaving it in a file.
fn passwords(place: &Place) -> Vec<String> {
    let shown = |n| {
        let arguments = ["handoff", &name(n), "--show-secrets", "--json"];
        let ended = place.command(&arguments).output().unwrap();
        let handoff: Value = serde_json::from_slice(&ended.stdout).unwrap();
        let password = handoff["credentials"]["password"].as_str();
        password.unwrap().to_owned()
    };
    (0..ECHOES.len()).map(shown).collect()
}

/// What is answered over HTTP, and what the endpoint was sent.
fn told(place: &Place, serving: &Serving, receiver: &Receiver, failed: usize) -> String {
    until("the endpoint is told", || {
        (receiver.got().len() >= failed).then_some(())
    });
    let mut all: Vec<String> = receiver.got().into_iter().map(|it| it.body).collect();
    let mut paths: Vec<String> = [
        "/v1/onboardings?limit=100",
        "/v1/accounts",
        "/v1/deliveries",
        "/",
        "/accounts",
    ]
    .map(str::to_owned)
    .into();
    for own in place.list() {
        let id = own["id"].as_str().unwrap().to_owned();
        paths.extend([
            format!("/v1/onboardings/{id}"),
            format!("/onboardings/{id}"),
        ]);
    }
    all.extend(paths.iter().map(|path| serving.ask("GET", path, "").text()));
    all.join("\n")
}

fn what_an_answer_repeats_of_its_requests_secrets_is_found_nowhere(kind: StoreKind) {
    let (simulator, receiver) = (Simulator::start(), Receiver::start());
    let redis = (kind == StoreKind::Redis).then(Server::with_aof);
    let place = place(&simulator, &receiver, redis.as_ref());
    simulator.break_with(&rules());
    let serving = Serving::start(&place);
    until("it serves", || {
        (serving.ask_with("GET", "/readyz", &[], "").status == 200).then_some(())
    });
    let _ = place.run(&["onboard", "signups.jsonl", "--out", "out", "--json"]);
    for arguments in [
        &["list"][..],
        &["status", "acc0"],
        &["status", "acc19", "--json"],
        &["accounts", "list"],
        &["accounts", "check", "acc0"],
        &["verify", "--all"],
    ] {
        let _ = place.run(arguments);
    }
    let records = place.list();
    let failed = records.iter().filter(|own| own["state"] == "failed");
    let failed = failed.count();
    let told = told(&place, &serving, &receiver, failed);
    // The answers were taken for what they say, and the secrets in them masked.
    assert!(failed >= 12, "{records:#?}");
    let text = Value::from(records).to_string();
    assert!(
        text.matches("***").count() >= 12 && told.contains("***"),
        "{text}"
    );

    let passwords = passwords(&place);
    let secrets = passwords.iter().map(String::as_str).chain([KEY, TOKEN]);
    let forbidden: Vec<(String, Vec<u8>)> = secrets
        .flat_map(forms)
        .map(|form| (form.clone(), form.into_bytes()))
        .collect();
    let mut leaks = leaks_in(place.folder(), &place.path("out"), &forbidden);
    if let Some(redis) = &redis {
        redis.ask(&["SAVE"]).unwrap();
        leaks.extend(leaks_in(redis.folder(), Path::new("none"), &forbidden));
    }
    let said = forbidden
        .iter()
        .filter(|(_, form)| has(told.as_bytes(), form));
    leaks.extend(said.map(|(form, _)| format!("{form} is told")));
    assert!(leaks.is_empty(), "{leaks:#?}");
}
