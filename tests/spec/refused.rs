//! The promise: no authentic webhook is lost in silence. One that is refused for its content is logged,
//! counted, listed and sent to endpoints as an event, until it is accepted; the same message id with other
//! signups is refused, not dropped.
//!
//! The method: a form with a mapping sends right and wrong messages to the real server, which is started
//! again in between.

use serde_json::{Value, json};
use tests::{Place, Receiver, Serving, Simulator, StoreKind, TOKENS, signed_headers, until};

/// Secrets of the form and of an endpoint; made up.
const FORMS: &str = "whsec_bWFkZS11cC1zZWNyZXQtb2YtYS1mb3JtLXRvb2w=";
const CRM: &str = "whsec_bWFkZS11cC1zZWNyZXQtb2YtdGhlLXRlc3Rz";

const SENDER: &str = r#"
[senders.forms]
secrets = [{ env = "FORMS_SECRET" }]

[senders.forms.fields]
account = { value = "acme" }
partner = { value = "everything" }
number = "/answers/did"
caller_id = { value = "+918000000099" }
"#;

fn place(simulator: &Simulator, receiver: &Receiver, kind: StoreKind) -> Place {
    let tables = format!(
        "{TOKENS}{SENDER}\n[endpoints.crm]\nurl = \"{}\"\nsecrets = [{{ env = \"CRM_SECRET\" }}]\nallow_private = true\n",
        receiver.url("/hooks/crm")
    );
    Place::new(simulator, &["acme"])
        .kept_in(kind)
        .with_tables(&tables)
        .env("FORMS_SECRET", FORMS)
        .env("CRM_SECRET", CRM)
}

/// Delivers a message of the form; gives the status and the answer.
fn send(serving: &Serving, id: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let headers = signed_headers(FORMS, id, &body);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = serving.ask_with("POST", "/v1/webhooks/signups", &headers, &body);
    (answer.status, answer.json())
}

fn refused(serving: &Serving) -> Vec<Value> {
    let listed = serving.ask("GET", "/v1/refused", "");
    assert_eq!(listed.status, 200, "{}", listed.text());
    listed.json()["items"].as_array().unwrap().clone()
}

/// What the log warned of refused signups, as records.
fn warned(serving: &Serving) -> Vec<Value> {
    let stderr = serving.program().stderr();
    let lines = stderr.lines().filter(|line| line.contains("/v1/refused"));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

on_both_stores!(
    a_refused_webhook_is_logged_counted_listed_and_told_until_it_is_accepted,
    the_same_message_with_other_signups_is_refused_and_listed,
);

fn a_refused_webhook_is_logged_counted_listed_and_told_until_it_is_accepted(kind: StoreKind) {
    let (simulator, receiver) = (Simulator::start(), Receiver::start());
    let place = place(&simulator, &receiver, kind);
    let serving = Serving::with(&place, &["--log", "json"]);
    until("the endpoint gets events from now on", || {
        (serving.ask_with("GET", "/readyz", &[], "").status == 200).then_some(())
    });
    let wrong = json!({"answers": {"did": "8000000032"}});
    for id in ["form-1", "form-1", "form-2"] {
        let (status, problem) = send(&serving, id, &wrong);
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_signups")));
    }
    let (status, problem) = send(&serving, "form-3", &json!({"answers": {}}));
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_body")));

    let warned = warned(&serving);
    assert_eq!(warned.len(), 2, "once per reason: {warned:#?}");
    for (line, status) in warned.iter().zip([422, 400]) {
        let fields = &line["fields"];
        let field = |name: &str| line.get(name).unwrap_or(&fields[name]).clone();
        assert_eq!(field("level"), "WARN", "{line}");
        assert_eq!(field("sender"), "forms");
        assert_eq!(field("pointer"), "/answers/did");
        assert_eq!(field("field"), "number");
        assert_eq!(field("status"), status);
        assert!(!field("error").to_string().is_empty());
    }
    let stderr = serving.program().stderr();
    assert!(stderr.contains("is not an E.164 number"), "{stderr}");
    assert!(!stderr.contains("8000000032"), "a value: {stderr}");

    let metrics = serving.ask("GET", "/metrics", "").text();
    let counted = "trunkline_signups_total{source=\"webhook\",outcome=\"refused\"} 4";
    assert!(metrics.contains(counted), "{metrics}");
    until("the endpoint gets one event per message", || {
        (receiver.got().len() >= 3).then_some(())
    });
    let got = receiver.got();
    assert_eq!(got.len(), 3, "{got:#?}");
    let event = got[0].json();
    assert_eq!(event["type"], "signup.refused");
    assert_eq!(event["id"], got[0].header("webhook-id"));
    assert_eq!(event["data"]["sender"], "forms");
    let _ = serving.stop().with(0);

    // It is there after a restart, and gone once the message is accepted.
    let serving = Serving::start(&place);
    let listed = refused(&serving);
    let messages: Vec<&Value> = listed.iter().map(|one| &one["message"]).collect();
    assert_eq!(messages, ["form-3", "form-2", "form-1"]);
    assert_eq!(listed[2]["attempts"], 2);
    assert_eq!(listed[2]["problems"][0]["pointer"], "/answers/did");
    let right = json!({"answers": {"did": "+918000000032"}});
    assert_eq!(send(&serving, "form-1", &right).0, 202);
    assert_eq!(refused(&serving).len(), 2);
}

fn the_same_message_with_other_signups_is_refused_and_listed(kind: StoreKind) {
    let (simulator, receiver) = (Simulator::start(), Receiver::start());
    let place = place(&simulator, &receiver, kind);
    let serving = Serving::start(&place);
    let did = |number: &str, attempt: u32| json!({"attempt": attempt, "answers": {"did": number}});
    assert_eq!(send(&serving, "form-1", &did("+918000000001", 1)).0, 202);
    let (status, again) = send(&serving, "form-1", &did(" +918000000001", 2));
    assert_eq!((status, &again["type"]), (200, &json!("duplicate")));
    assert_eq!(refused(&serving), [] as [Value; 0]);
    let (status, other) = send(&serving, "form-1", &did("+918000000002", 3));
    assert_eq!((status, &other["code"]), (409, &json!("message_id_reused")));
    assert_eq!(refused(&serving)[0]["status"], 409);
    assert_eq!(serving.program().said("message_id_reused"), 1);
    let all = serving.ask("GET", "/v1/onboardings", "").json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}
