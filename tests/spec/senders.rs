//! The promise: senders are attached as they are: lists of names and values in any order, the headers of
//! Svix; what may be read in another way than it was meant is said at the start. Behind gateways that write
//! ports, people are told apart by their addresses.
//!
//! The method: the real server gets messages of made-up systems, and log-ins through a proxy.

use serde_json::{Value, json};
use tests::{Place, Serving, TOKEN, TOKENS, signed_headers};

/// A secret of a form; made up.
const FORMS: &str = "whsec_bWFkZS11cC1zZWNyZXQtb2YtYS1mb3JtLXRvb2w=";

const ACCOUNTS: &str = r#"
[accounts.acme]
account_sid = "acme1"
region = "in"
api_key = { env = "NOT_SET" }
api_token = { env = "NOT_SET" }
"#;

fn place(number: &str) -> Place {
    let sender = format!(
        "{TOKENS}\n[senders.forms]\nsecrets = [{{ env = \"FORMS_SECRET\" }}]\n\
         [senders.forms.fields]\naccount = {{ value = \"acme\" }}\npartner = {{ value = \"retell\" }}\nnumber = \"{number}\"\n"
    );
    let place = Place::bare()
        .with_tables(&sender)
        .env("FORMS_SECRET", FORMS);
    place.write("accounts.toml", ACCOUNTS);
    place
}

fn send(serving: &Serving, headers: &[(&'static str, String)], body: &str) -> (u16, Value) {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = serving.ask_with("POST", "/v1/webhooks/signups", &headers, body);
    (answer.status, answer.json())
}

#[test]
fn a_question_more_or_another_order_of_a_form_does_not_change_whose_number_it_is() {
    let place = place("/form_response/answers/[field/ref=did]/phone_number");
    let serving = Serving::start(&place);
    let answer = |name: &str, number: &str| json!({"field": {"ref": name}, "phone_number": number});
    let (did, contact) = (
        answer("did", "+918000000001"),
        answer("contact", "+918000000009"),
    );
    for (id, answers) in [
        ("form-1", json!([did, contact])),
        ("form-2", json!([contact, did])),
        (
            "form-3",
            json!([answer("new", "+918000000008"), contact, did]),
        ),
    ] {
        let body = json!({"form_response": {"answers": answers}}).to_string();
        let (status, told) = send(&serving, &signed_headers(FORMS, id, &body), &body);
        assert_eq!(status, 202, "{told}");
    }
    let all = serving.ask("GET", "/v1/onboardings", "").json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all["items"][0]["number"], "+918000000001");
    assert_eq!(serving.program().said("counts elements"), 0);
}

#[test]
fn a_sender_that_is_built_on_svix_is_understood() {
    let place = place("/did");
    let serving = Serving::start(&place);
    let body = json!({"did": "+918000000001"}).to_string();
    let of_svix = |id: &str| -> Vec<(&'static str, String)> {
        let usual = signed_headers(FORMS, id, &body);
        let renamed = usual.into_iter().map(|(name, value)| match name {
            "webhook-id" => ("svix-id", value),
            "webhook-timestamp" => ("svix-timestamp", value),
            "webhook-signature" => ("svix-signature", value),
            other => (other, value),
        });
        renamed.collect()
    };
    let (status, told) = send(&serving, &of_svix("msg_1"), &body);
    assert_eq!(status, 202, "{told}");
    let (status, told) = send(&serving, &of_svix("msg_1"), &body);
    assert_eq!((status, &told["type"]), (200, &json!("duplicate")));
    let mut mixed = of_svix("msg_2");
    mixed.push(("webhook-id", "msg_3".to_owned()));
    let (status, told) = send(&serving, &mixed, &body);
    assert_eq!(status, 401, "{told}");
}

#[test]
fn what_may_be_read_otherwise_than_it_was_meant_is_said_at_the_start() {
    let hexadecimal = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let place = place("/data/fields/2/value").env("FORMS_SECRET", hexadecimal);
    let serving = Serving::start(&place);
    let stderr = serving.program().stderr();
    for told in [
        "senders.forms.fields.number: /data/fields/2/value counts elements",
        "/data/fields/[MEMBER=VALUE]/value",
        "senders.forms.secrets: the environment variable FORMS_SECRET: the secret has no whsec_ in front; it is read as base64 of 48 bytes",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    let asked = place.run(&["doctor"]).with(0);
    assert!(asked.stdout.contains("counts elements"), "{}", asked.stdout);
    assert!(
        asked.stdout.contains("no whsec_ in front"),
        "{}",
        asked.stdout
    );
    for said in [stderr, asked.stdout] {
        assert!(!said.contains(&hexadecimal[..12]), "{said}");
    }
}

#[test]
fn one_who_guesses_tokens_behind_a_gateway_that_writes_ports_locks_out_nobody_else() {
    let place = place("/did");
    place.settings("trusted_proxies = [\"127.0.0.1\"]\n");
    let serving = Serving::start(&place);
    let log_in = |from: &str, token: &str| {
        let form = serving.ask_with("GET", "/login", &[], "");
        let cookie = form
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        let csrf = cookie.split_once('=').unwrap().1;
        let body = format!("csrf={csrf}&token={token}&next=%2F");
        let headers = [
            ("cookie", cookie),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", from),
        ];
        serving.ask_with("POST", "/login", &headers, &body).status
    };
    let mut last = 0;
    for port in 40_000..40_011 {
        last = log_in(&format!("203.0.113.8:{port}"), "wrong");
    }
    assert_eq!(last, 429, "by address, whatever the port");
    for from in ["198.51.100.10:2222", "[2001:db8::7]:443", "[2001:db8:1::7]"] {
        assert_eq!(log_in(from, TOKEN), 303, "{from}");
    }
    assert_eq!(log_in("203.0.113.8", TOKEN), 429);
}
