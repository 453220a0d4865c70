//! What the API refuses, and how.

use serde_json::{Value, json};

use crate::harness::{World, documented, field, read, trunk_body};

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

async fn refused(world: &World, path: &str, table: &[(&str, Value, [u64; 4])]) {
    for (why, body, codes) in table {
        let got = world.post(path, body.clone()).await;
        assert_eq!(got.codes(), *codes, "{why}: {}", got.text);
        let json = got.json();
        let item = json["response"].get(0).unwrap_or(&json["response"]);
        assert_eq!(
            (&item["status"], &item["data"]),
            (&json!("failure"), &Value::Null),
            "{why}"
        );
    }
}

const MISSING: [u64; 4] = [400, 400, 400, 1001];
const INVALID: [u64; 4] = [400, 400, 400, 1002];
const BATCH_MISSING: [u64; 4] = [207, 207, 400, 1001];
const BATCH_INVALID: [u64; 4] = [207, 207, 400, 1002];

#[tokio::test]
async fn a_trunk_is_refused_for_every_parameter_that_is_wrong() {
    let world = field().await;
    let good = || trunk_body("outbound");
    let table = [
        (
            "no name",
            json!({"nso_code": "ANY-ANY", "domain_name": "a.pstn.exotel.com"}),
            MISSING,
        ),
        (
            "null name",
            with(good(), "trunk_name", Value::Null),
            MISSING,
        ),
        ("empty name", with(good(), "trunk_name", json!("")), INVALID),
        (
            "number as name",
            with(good(), "trunk_name", json!(7)),
            INVALID,
        ),
        (
            "hyphen in the name",
            with(good(), "trunk_name", json!("out-bound")),
            INVALID,
        ),
        (
            "17 characters",
            with(good(), "trunk_name", json!("a2345678901234567")),
            INVALID,
        ),
        (
            "letters beyond ASCII",
            with(good(), "trunk_name", json!("bünd")),
            INVALID,
        ),
        (
            "no nso_code",
            with(good(), "nso_code", Value::Null),
            MISSING,
        ),
        (
            "a blank in nso_code",
            with(good(), "nso_code", json!("ANY ANY")),
            INVALID,
        ),
        (
            "small letters in nso_code",
            with(good(), "nso_code", json!("any-any")),
            INVALID,
        ),
        (
            "no domain",
            with(good(), "domain_name", Value::Null),
            MISSING,
        ),
        (
            "another domain",
            with(good(), "domain_name", json!("acme1.example.com")),
            INVALID,
        ),
        (
            "only the suffix",
            with(good(), "domain_name", json!(".pstn.exotel.com")),
            INVALID,
        ),
    ];
    refused(&world, "trunks", &table).await;
    let blank = with(good(), "nso_code", json!("ANY ANY"));
    assert_eq!(
        world.post("trunks", blank).await.description(),
        "Nso code is invalid"
    );
    assert_eq!(world.state().await["counts"]["trunks"], 0);
    world.trunk("a234567890123456").await;
}

#[tokio::test]
async fn a_number_is_refused_for_every_parameter_that_is_wrong() {
    let world = field().await;
    let path = format!("{}/phone-numbers", world.trunk("outbound").await);
    let table = [
        ("none", json!({}), MISSING),
        (
            "no plus sign",
            json!({"phone_number": "919876543210"}),
            INVALID,
        ),
        (
            "blanks",
            json!({"phone_number": "+91 98765 43210"}),
            INVALID,
        ),
        (
            "too long",
            json!({"phone_number": "+9198765432101234"}),
            INVALID,
        ),
        (
            "not a text",
            json!({"phone_number": 919_876_543_210_u64}),
            INVALID,
        ),
        (
            "unknown mode",
            json!({"phone_number": "+919876543210", "mode": "voip"}),
            INVALID,
        ),
    ];
    refused(&world, &path, &table).await;
    let id = world
        .post(&path, json!({"phone_number": "+919876543210"}))
        .await
        .data()["id"]
        .clone();
    let entry = format!("{path}/{}", id.as_str().unwrap());
    let other = json!({"phone_number": "+919876543211", "mode": "flow"});
    assert_eq!(world.put(&entry, other).await.codes(), INVALID);
    assert_eq!(
        world
            .put(&entry, json!({"phone_number": "+919876543210"}))
            .await
            .codes(),
        MISSING
    );
    let right = json!({"phone_number": "+919876543210", "mode": "flow"});
    for id in ["1", "x", "+919876543210"] {
        let got = world.put(&format!("{path}/{id}"), right.clone()).await;
        assert_eq!(got.codes(), [404, 404, 404, 1000], "{id}");
    }
}

#[tokio::test]
async fn an_address_is_refused_for_every_parameter_that_is_wrong() {
    let world = field().await;
    let path = format!("{}/whitelisted-ips", world.trunk("outbound").await);
    let table = [
        ("none", json!({"mask": 32}), MISSING),
        ("a name", json!({"ip": "sip.acme.example.com"}), INVALID),
        ("a range", json!({"ip": "44.248.146.0/24"}), INVALID),
        ("IPv6", json!({"ip": "2600::1"}), INVALID),
        (
            "mask 15",
            json!({"ip": "44.248.146.11", "mask": 15}),
            INVALID,
        ),
        (
            "mask 33",
            json!({"ip": "44.248.146.11", "mask": 33}),
            INVALID,
        ),
        (
            "mask as text",
            json!({"ip": "44.248.146.11", "mask": "32"}),
            INVALID,
        ),
    ];
    refused(&world, &path, &table).await;
    for (mask, ip) in [(16, "44.248.0.0"), (24, "44.249.1.0"), (32, "44.250.1.1")] {
        assert_eq!(
            world
                .post(&path, json!({"ip": ip, "mask": mask}))
                .await
                .data()["mask"],
            mask
        );
    }
}

#[tokio::test]
async fn a_credential_is_refused_for_every_parameter_that_is_wrong() {
    let world = field().await;
    let path = format!("{}/credentials", world.trunk("outbound").await);
    let good = || json!({"user_name": "user_1", "password": "Secret1", "friendly_name": "livekit"});
    let table = [
        ("no user", with(good(), "user_name", Value::Null), MISSING),
        (
            "no password",
            with(good(), "password", Value::Null),
            MISSING,
        ),
        (
            "hyphen in the user",
            with(good(), "user_name", json!("user-1")),
            INVALID,
        ),
        (
            "hyphen in the password",
            with(good(), "password", json!("Secret-1")),
            INVALID,
        ),
        (
            "blank in the friendly name",
            with(good(), "friendly_name", json!("live kit")),
            INVALID,
        ),
        (
            "33 characters",
            with(good(), "friendly_name", json!("f".repeat(33))),
            INVALID,
        ),
    ];
    refused(&world, &path, &table).await;
    world.post(&path, good()).await.data();
    assert_eq!(
        world.post(&path, good()).await.codes(),
        [200, 200, 409, 1008]
    );
    assert!(!world.get(&path).await.text.contains("Secret1"));
    let kept = world.state().await;
    let entry = &kept["accounts"]["acme1"]["trunks"][0]["credentials"][0];
    assert_eq!(entry["password"], "Secret1");
}

#[tokio::test]
async fn a_destination_is_refused_for_every_way_to_write_it_wrong() {
    let world = field().await;
    let trunk = world.trunk("inbound").await;
    let path = format!("{trunk}/destination-uris");
    let not_valid = "Destination is not a valid Ip or Fqdn";
    let table = [
        ("203.0.113.5:5061;transport=tls", not_valid),
        ("192.0.2.5:5061;transport=tls", not_valid),
        ("10.0.0.5:5061;transport=tls", not_valid),
        ("192.168.1.5:5061;transport=tcp", not_valid),
        ("127.0.0.1:5061;transport=tls", not_valid),
        ("169.254.1.1:5061;transport=tls", not_valid),
        ("0.0.0.0:5061;transport=tls", not_valid),
        ("300.1.1.1:5061;transport=tls", not_valid),
        ("localhost:5061;transport=tls", not_valid),
        ("-acme.example.com:5061;transport=tls", not_valid),
        ("acme_sip.example.com:5061;transport=tls", not_valid),
        ("sip.acme.example.com;transport=tls", not_valid),
        ("sip.acme.example.com:0;transport=tls", not_valid),
        ("sip.acme.example.com:70000;transport=tls", not_valid),
        ("sip.acme.example.com:+5061;transport=tls", not_valid),
        ("sip.acme.example.com:5061;transport=udp", not_valid),
        ("[2600::1]:5061;transport=tls", not_valid),
        ("", not_valid),
        (
            "44.248.146.11:5061;transport=tls",
            "Destination not whitelisted",
        ),
    ];
    for (destination, description) in table {
        let got = world
            .post(
                &path,
                json!({"destinations": [{"destination": destination}]}),
            )
            .await;
        assert_eq!(got.codes(), BATCH_INVALID, "{destination}");
        assert_eq!(got.description(), description, "{destination}");
        let counts = json!({"total": 1, "success": 0, "failed": 1});
        assert_eq!(got.json()["metadata"], counts, "{destination}");
    }
    let table = [
        ("no list", json!({}), MISSING),
        ("empty list", json!({"destinations": []}), INVALID),
        ("no list but a text", json!({"destinations": "x"}), INVALID),
        ("empty entry", json!({"destinations": [{}]}), BATCH_MISSING),
        (
            "text as entry",
            json!({"destinations": ["x"]}),
            BATCH_MISSING,
        ),
        (
            "number as destination",
            json!({"destinations": [{"destination": 1}]}),
            BATCH_INVALID,
        ),
    ];
    refused(&world, &path, &table).await;
    assert_eq!(world.state().await["counts"]["destinations"], 0);
    world
        .post(
            &format!("{trunk}/whitelisted-ips"),
            json!({"ip": "44.248.0.0", "mask": 16}),
        )
        .await;
    for good in [
        "44.248.146.11:5061;transport=tls",
        "SIP.Acme.example.com:5060",
        "sip:sip.acme.example.com:5061;transport=TCP",
    ] {
        let got = world
            .post(&path, json!({"destinations": [{"destination": good}]}))
            .await;
        assert_eq!(got.codes(), [200, 200, 200, 0], "{good}");
    }
}

#[tokio::test]
async fn a_batch_keeps_what_is_right_and_answers_each_entry() {
    let world = field().await;
    let path = format!("{}/destination-uris", world.trunk("inbound").await);
    let entry = |text: &str| json!({"destination": text});
    let entries = [
        entry("a.example.com:5061;transport=tls"),
        entry("10.1.1.1:5061"),
        entry("b.example.com:5061;transport=tls"),
    ];
    let got = world.post(&path, json!({"destinations": entries})).await;
    assert_eq!(got.status, 207);
    let json = got.json();
    assert_eq!(
        json["metadata"],
        json!({"total": 3, "success": 2, "failed": 1})
    );
    let codes: Vec<&Value> = (0..3).map(|n| &json["response"][n]["code"]).collect();
    assert_eq!(codes, [&json!(200), &json!(400), &json!(200)]);
    assert_eq!(world.state().await["counts"]["destinations"], 2);
}

#[tokio::test]
async fn a_setting_is_refused_for_every_parameter_that_is_wrong() {
    let world = field().await;
    let path = format!("{}/settings", world.trunk("outbound").await);
    let one = |setting: Value| json!({"settings": [setting]});
    let table = [
        ("no list", json!({}), MISSING),
        (
            "unknown name",
            one(json!({"name": "colour", "value": "+919876543210"})),
            BATCH_INVALID,
        ),
        (
            "no value",
            one(json!({"name": "trunk_external_alias"})),
            BATCH_MISSING,
        ),
        (
            "not E.164",
            one(json!({"name": "trunk_external_alias", "value": "9876543210"})),
            BATCH_INVALID,
        ),
    ];
    refused(&world, &path, &table).await;
}

/// Why, method, path, content type, body, codes.
type Row<'a> = (
    &'a str,
    &'a str,
    &'a str,
    Option<&'a str>,
    &'a str,
    [u64; 4],
);

#[tokio::test]
async fn a_request_that_is_no_request_of_the_api_is_refused_with_its_code() {
    let world = field().await;
    let request = |method, path| world.request(method, path);
    let json = "application/json";
    let table: [Row<'_>; 9] = [
        (
            "form",
            "POST",
            "trunks",
            Some("text/plain"),
            "{}",
            [415, 415, 415, 1011],
        ),
        (
            "no content type",
            "POST",
            "trunks",
            None,
            "{}",
            [415, 415, 415, 1011],
        ),
        (
            "half a body",
            "POST",
            "trunks",
            Some(json),
            "{\"a\":",
            [400, 400, 400, 1007],
        ),
        (
            "empty body",
            "POST",
            "trunks",
            Some(json),
            "",
            [400, 400, 400, 1007],
        ),
        (
            "a list",
            "POST",
            "trunks",
            Some(json),
            "[]",
            [400, 400, 400, 1007],
        ),
        (
            "no such path",
            "GET",
            "nothing",
            None,
            "",
            [404, 404, 404, 1000],
        ),
        (
            "no such root",
            "GET",
            "/v3/x",
            None,
            "",
            [404, 404, 404, 1000],
        ),
        (
            "no such method",
            "PATCH",
            "trunks",
            None,
            "",
            [405, 405, 405, 1000],
        ),
        ("nothing to delete", "DELETE", "trunks", None, "", MISSING),
    ];
    for (why, method, path, content_type, body, codes) in table {
        let mut call = request(method, path).body(body.to_owned());
        if let Some(content_type) = content_type {
            call = call.header("content-type", content_type);
        }
        let got = read(call).await.unwrap();
        assert_eq!(got.codes(), codes, "{why}: {}", got.text);
    }
    let charset = request("POST", "trunks")
        .header("content-type", "Application/JSON; charset=utf-8")
        .body(trunk_body("outbound").to_string());
    assert_eq!(read(charset).await.unwrap().status, 200);
    let large = request("POST", "trunks").json(&json!({"x": "x".repeat(2 << 20)}));
    // The answer may be lost, when the rest of the body meets a closed socket.
    if let Ok(got) = read(large).await {
        assert_eq!(got.status, 413);
    }
}

#[tokio::test]
async fn the_profiles_differ_in_a_taken_name_and_an_unknown_trunk() {
    // Field profile and documented profile.
    let worlds = [
        (field().await, [200, 200, 409, 1008], [403, 403, 403, 1003]),
        (
            documented().await,
            [409, 409, 409, 1008],
            [404, 404, 404, 1000],
        ),
    ];
    for (world, taken, unknown) in worlds {
        let trunk = world.trunk("outbound").await;
        let again = world.post("trunks", trunk_body("outbound")).await;
        assert_eq!(again.codes(), taken);
        assert_eq!(
            again.description(),
            "Trunk with name 'outbound' already exists"
        );
        let missing = "trunks/trmum10000000000000000001a1n";
        let number = json!({"phone_number": "+919876543210"});
        for got in [
            world.get(missing).await,
            world
                .post(&format!("{missing}/phone-numbers"), number.clone())
                .await,
            world.delete("trunks?trunk_sid=trmum1x").await,
        ] {
            assert_eq!(got.codes(), unknown);
        }
        // The same in both: duplicates of numbers and addresses arrive inside HTTP 200.
        let numbers = format!("{trunk}/phone-numbers");
        world.post(&numbers, number.clone()).await.data();
        assert_eq!(
            world.post(&numbers, number).await.codes(),
            [200, 200, 409, 1008]
        );
        let (ips, ip) = (
            format!("{trunk}/whitelisted-ips"),
            json!({"ip": "44.248.146.11"}),
        );
        world.post(&ips, ip.clone()).await.data();
        let again = world.post(&ips, ip).await;
        assert_eq!(again.codes(), [200, 200, 409, 1008]);
        assert_eq!(
            again.description(),
            "Unable to Whitelist-ip with ip 44.248.146.11"
        );
    }
}

#[tokio::test]
async fn two_accounts_share_nothing_but_the_numbers_that_exist_once() {
    let world = field().await;
    let other = "/v2/accounts/globex1";
    let trunk = world.trunk("outbound").await;
    let number = json!({"phone_number": "+919876543210"});
    world
        .post(&format!("{trunk}/phone-numbers"), number.clone())
        .await
        .data();

    let foreign = world.get(&format!("{other}/{trunk}")).await;
    assert_eq!(foreign.codes(), [403, 403, 403, 1003]);
    assert_eq!(
        world.get(&format!("{other}/trunks")).await.json()["response"],
        json!([])
    );
    let theirs = world
        .post(&format!("{other}/trunks"), trunk_body("outbound"))
        .await
        .data();
    let sid = theirs["trunk_sid"].as_str().unwrap();
    let numbers = format!("{other}/trunks/{sid}/phone-numbers");
    assert_eq!(
        world.post(&numbers, number).await.codes(),
        [200, 200, 409, 1008]
    );
    let map = world
        .get(&format!("{other}/trunk-maps?exophone=%2B919876543210"))
        .await
        .json();
    assert_eq!(map["response"], json!([]));
}
