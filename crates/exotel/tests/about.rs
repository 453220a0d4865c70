//! A success is one only if it is about what was asked.

#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test's helpers and tables"
)]

mod support;

use exotel::{Class, CredentialsChange, EntryId, Error, TrunkChange};
use onboarding::{Destination, Mode, PhoneNumber, Secret, SipPassword};
use serde_json::{Value, json};
use support::{Act, PASSWORD, Server, answer, http, sid};

fn id(text: &str) -> EntryId {
    text.parse().unwrap()
}

fn number() -> PhoneNumber {
    "+918000000001".parse().unwrap()
}

fn destination() -> Destination {
    "sip.partner.example:5061;transport=tls".parse().unwrap()
}

/// An answer with these fields in its data instead.
fn with(fixture: &str, fields: &Value) -> Value {
    let mut body: Value = serde_json::from_slice(&answer(fixture)).unwrap();
    let response = &mut body["response"];
    let item = if response.is_array() {
        &mut response[0]
    } else {
        response
    };
    let data = item["data"].as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        data.insert(name.clone(), value.clone());
    }
    body
}

fn says(server: &Server, body: &Value) {
    let body = body.to_string();
    server.then(Act::Say(http("200 OK", &[], body.as_bytes())));
}

fn differs<T: std::fmt::Debug>(what: &Value, result: Result<T, Error>) -> Error {
    let Err(error) = result else {
        panic!("{what}: {result:?}");
    };
    assert_eq!(error.class(), Class::Unknown, "{what}: {error}");
    assert_eq!(error.code(), "answer_differs", "{what}: {error}");
    assert!(error.may_have_happened(), "{what}");
    assert_eq!(error.http_status(), Some(200), "{what}");
    error
}

/// Asks with each change of an answer: what is in `same` is a success, what is in `other` is not.
macro_rules! compare {
    ($server:expr, $fixture:expr, $call:expr, same $same:expr, other $other:expr) => {
        for fields in $same {
            says($server, &with($fixture, &fields));
            let result = $call.await;
            assert!(result.is_ok(), "{}: {fields}: {result:?}", $fixture);
        }
        for fields in $other {
            says($server, &with($fixture, &fields));
            differs(&fields, $call.await);
        }
    };
}

const OTHER: &str = "trmum1made0up0000000000000009";

#[tokio::test]
async fn a_success_about_something_else_is_an_unknown_outcome() {
    let server = Server::start().await;
    let (s, c) = (&server, server.client());
    let (sid, n) = (sid(), number());
    let loud = sid.as_str().to_uppercase();
    let foreign = json!({"trunk_sid": OTHER});

    let name = "acme_agent".parse().unwrap();
    compare!(s, "trunk", c.create_trunk(&name),
        same [json!({}), json!({"trunk_sid": OTHER}), json!({"domain_name": null})],
        other [json!({"trunk_name": "acme_other"}), json!({"trunk_name": "ACME_AGENT"})]);

    compare!(s, "number", c.map_number(&sid, &n, None),
        same [json!({}), json!({"phone_number": "918000000001"}), json!({"phone_number": 918_000_000_001_u64}),
            json!({"trunk_sid": null}), json!({"trunk_sid": ""}), json!({"trunk_sid": loud}),
            json!({"mode": "pstn"}), json!({"mode": "PSTN"})],
        other [json!({"phone_number": "+918000000002"}), foreign.clone(), json!({"mode": "flow"})]);
    compare!(s, "number", c.map_number(&sid, &n, Some(Mode::Flow)),
        same [json!({"mode": null}), json!({"mode": "flow"})],
        other [json!({"mode": "pstn"})]);
    compare!(s, "number", c.update_number(&sid, &id("40001"), &n, Mode::Flow),
        same [json!({"mode": "flow"}), json!({"id": 40_001})],
        other [json!({"mode": "pstn"}), json!({"id": "40002"}), json!({"phone_number": "+1"}),
            foreign.clone()]);

    let ip = "9.9.9.9".parse().unwrap();
    compare!(s, "whitelisted_ip", c.whitelist_ip(&sid, ip),
        same [json!({"mask": "32"}), json!({"ip": " 9.9.9.9 "}), json!({"ip": "9.9.9.9/32"})],
        other [json!({"ip": "9.9.9.8"}), json!({"mask": 24}), foreign.clone()]);

    let user = "acme_user".parse().unwrap();
    let password = SipPassword::from_secret(Secret::new(PASSWORD));
    let create = || c.create_credentials(&sid, &user, &password, None);
    compare!(s, "credentials", create(),
        same [json!({"friendly_name": null}), json!({"trunk_sid": null})],
        other [json!({"user_name": "acme_other"}), foreign.clone()]);
    let change = CredentialsChange {
        password: Some(&password),
        ..CredentialsChange::default()
    };
    compare!(s, "credentials", c.update_credentials(&sid, &id("3001"), change),
        same [json!({"user_name": "whatever_it_was"})],
        other [json!({"id": "3002"}), foreign.clone()]);

    let to = destination();
    compare!(s, "destination", c.map_destination(&sid, &to),
        same [json!({"destination": "SIP.partner.EXAMPLE:5061;transport=TLS"}), json!({"priority": "0"})],
        other [json!({"destination": "sip:sip.other.example:5061;transport=tls"}), foreign.clone()]);
    compare!(s, "destination", c.update_destination(&sid, &id("2001"), 0, 1),
        same [json!({"weight": "1"})],
        other [json!({"priority": 1}), json!({"id": "2002"}), foreign.clone()]);

    compare!(s, "setting", c.set_caller_id(&sid, &n),
        same [json!({"value": "918000000001"})],
        other [json!({"value": "+918000000002"}), json!({"name": "other"}), foreign.clone()]);

    let change = TrunkChange {
        trunk_name: Some("acme_agent".parse().unwrap()),
        ..TrunkChange::default()
    };
    compare!(s, "trunk", c.update_trunk(&sid, &change),
        same [json!({"trunk_name": null})],
        other [json!({"trunk_name": "before"}), foreign.clone()]);
    compare!(
        s,
        "trunk",
        c.delete_trunk(&sid),
        same[json!({})],
        other[foreign.clone()]
    );
    compare!(s, "number", c.unmap_number(&sid, &id("40001")),
        same [json!({"phone_number": "+918000000002"})],
        other [json!({"id": "40002"}), foreign.clone()]);
    compare!(s, "whitelisted_ip", c.remove_whitelisted_ip(&sid, &id("1001")),
        same [json!({})], other [json!({"id": 1002}), foreign.clone()]);
    compare!(s, "credentials", c.delete_credentials(&sid, &id("3001")),
        same [json!({})], other [json!({"id": "3002"}), foreign.clone()]);
    compare!(s, "destination", c.delete_destination(&sid, &id("2001")),
        same [json!({})], other [json!({"id": "2002"}), foreign.clone()]);
    compare!(s, "setting", c.delete_setting(&sid, "trunk_external_alias"),
        same [json!({})], other [json!({"name": "other"}), foreign.clone()]);
}

#[tokio::test]
async fn a_read_of_one_thing_is_never_believed_about_another() {
    let server = Server::start().await;
    let (s, c) = (&server, server.client());
    let (sid, n) = (sid(), number());
    compare!(s, "trunk", c.trunk(&sid),
        same [json!({}), json!({"trunk_sid": sid.as_str().to_uppercase()})],
        other [json!({"trunk_sid": OTHER})]);
    compare!(s, "trunk_map", c.trunk_map(&n),
        same [json!({"exophone": " 918000000001"}), json!({"trunk_sid": OTHER})],
        other [json!({"exophone": "+918000000002"})]);
    // One item about ours decides, wherever it is.
    let mut both = with("trunk_map", &json!({"exophone": "+918000000002"}));
    let ours = with("trunk_map", &json!({}))["response"][0].clone();
    both["response"].as_array_mut().unwrap().push(ours);
    says(s, &both);
    let map = c.trunk_map(&n).await.unwrap().value.unwrap();
    assert_eq!((map.exophone.as_str(), map.trunk_sid), (n.as_str(), sid));
    // One that cannot be read is not "none".
    says(s, &with("trunk_map", &json!({"trunk_sid": "no/sid"})));
    let error = c.trunk_map(&n).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Class::Unknown, "unexpected_data")
    );
}

#[tokio::test]
async fn of_a_batch_the_item_about_ours_decides() {
    let server = Server::start().await;
    let (s, c) = (&server, server.client());
    let (sid, to) = (sid(), destination());
    let ours = with("destination", &json!({}))["response"][0].clone();
    let other = with(
        "destination",
        &json!({"id": "1", "destination": "sip:a.example:5061"}),
    )["response"][0]
        .clone();
    let failing = json!({"code": 400, "status": "failure", "data": null,
        "error_data": {"code": 1002, "description": "no"}});
    let batch = |items: Value| json!({"http_code": 207, "response": items});
    for items in [
        json!([ours]),
        json!(ours),
        json!([other, ours]),
        json!([failing, ours]),
        json!(["nonsense", null, ours]),
    ] {
        says(s, &batch(items.clone()));
        let made = c.map_destination(&sid, &to).await;
        let made = made.unwrap_or_else(|error| panic!("{items}: {error}"));
        assert_eq!(made.value.id, id("2001"), "{items}");
    }
    for items in [
        json!([other]),
        json!([other, failing]),
        json!([other, other]),
    ] {
        says(s, &batch(items.clone()));
        differs(&items, c.map_destination(&sid, &to).await);
    }
    for (items, code) in [
        (json!([failing]), "invalid_parameter"),
        (json!(failing), "invalid_parameter"),
        (json!([failing, failing]), "invalid_parameter"),
        // Neither the success nor the failure is said to be ours.
        (
            json!([failing, {"code": 200, "status": "success", "data": null}]),
            "contradiction",
        ),
        (
            json!([{"code": 200, "status": "success", "data": null}]),
            "unexpected_data",
        ),
        (json!([]), "unexpected_data"),
    ] {
        says(s, &batch(items.clone()));
        let error = c.map_destination(&sid, &to).await.unwrap_err();
        assert_eq!(error.code(), code, "{items}: {error}");
        let open = code != "invalid_parameter";
        assert_eq!(error.may_have_happened(), open, "{items}: {error}");
    }
    // Success in a list of one, where the reference has an object.
    let number = with("number", &json!({}))["response"].clone();
    says(s, &batch(json!([number])));
    c.map_number(&sid, &self::number(), None).await.unwrap();
}

#[tokio::test]
async fn what_differs_is_named_without_a_secret() {
    let server = Server::start().await;
    let client = server.client();
    let user = "acme_user".parse().unwrap();
    let password = SipPassword::from_secret(Secret::new(PASSWORD));
    says(
        &server,
        &with("credentials", &json!({"user_name": PASSWORD})),
    );
    let sid = sid();
    let made = client.create_credentials(&sid, &user, &password, None);
    let error = differs(&json!("a password"), made.await);
    assert_eq!(
        error.to_string(),
        "create_credentials: answer_differs (HTTP 200, inner code 200): the answer is about \
         user_name \"***\", and \"acme_user\" was asked for; whether it took effect is not known; \
         after a write, read back before repeating [request f00d00000000000000000000000000aa]"
    );
}
