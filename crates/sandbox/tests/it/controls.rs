//! The controls, and how it starts and stops.

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{field, read, roomy, start, trunk_body};

#[tokio::test]
async fn only_named_accounts_work_once_some_are_named() {
    let world = field().await;
    let list = json!([{"account_sid": "acme1", "api_key": "key", "api_token": "token",
        "numbers": ["+919876543210"]}]);
    let map = json!({"acme1": {"api_key": "key", "api_token": "token",
        "numbers": ["+919876543210"]}});
    for accounts in [list, map] {
        assert_eq!(world.put("/_sandbox/accounts", accounts).await.status, 204);
        assert_eq!(world.get("trunks").await.status, 200);
        let wrong = world
            .client
            .get(world.url("trunks"))
            .basic_auth("key", Some("other"));
        let none = world.client.get(world.url("trunks"));
        for request in [
            wrong,
            none,
            world.request("GET", "/v2/accounts/globex1/trunks"),
        ] {
            let got = read(request).await.unwrap();
            assert_eq!(got.codes(), [401, 401, 401, 1010]);
        }
        let own = world
            .get("/v2_beta/Accounts/acme1/IncomingPhoneNumbers")
            .await
            .json();
        assert_eq!(
            own["incoming_phone_numbers"][0]["phone_number"],
            "+919876543210"
        );
    }
    assert_eq!(world.delete("/_sandbox/accounts").await.status, 204);
    assert_eq!(world.get("/v2/accounts/globex1/trunks").await.status, 200);
    let none = read(world.client.get(world.url("trunks"))).await.unwrap();
    assert_eq!(none.codes(), [401, 401, 401, 1010]);
}

#[tokio::test]
async fn accounts_that_make_no_sense_are_refused_by_place_and_field() {
    let world = field().await;
    let table = [
        (json!("x"), "must be a list of accounts"),
        (json!([1]), "account 0: must be an object"),
        (
            json!([{"api_key": "k", "api_token": "t"}]),
            "account 0: account_sid: must be a text",
        ),
        (
            json!({"a": {"api_key": "k"}}),
            "account a: api_token: must be a text",
        ),
        (
            json!({"a": {"api_key": "k", "api_token": "t", "x": 1}}),
            "account a: x: is no field",
        ),
        (
            json!({"a": {"api_key": "k", "api_token": "t", "numbers": ["1"]}}),
            "account a: numbers: must be a list",
        ),
    ];
    for (accounts, problem) in table {
        let got = world.put("/_sandbox/accounts", accounts).await;
        let text = got.json()["error"].as_str().unwrap().to_owned();
        assert!(got.status == 400 && text.contains(problem), "{text}");
    }
}

#[tokio::test]
async fn the_log_tells_of_each_request_and_can_be_read_from_a_moment_on() {
    let world = field().await;
    let trunk = world.trunk("outbound").await;
    world.post("trunks", trunk_body("outbound")).await;
    world.get("trunks?offset=0").await;
    world.get("/nothing").await;
    let log = world.requests().await;
    let row = |entry: &Value| {
        [
            &entry["account"],
            &entry["method"],
            &entry["path"],
            &entry["status"],
            &entry["inner_code"],
            &entry["fault"],
        ]
        .map(Value::clone)
    };
    let n = Value::Null;
    let want = [
        [
            json!("acme1"),
            json!("POST"),
            json!("/v2/accounts/acme1/trunks"),
            json!(200),
            json!(200),
            n.clone(),
        ],
        [
            json!("acme1"),
            json!("POST"),
            json!("/v2/accounts/acme1/trunks"),
            json!(200),
            json!(409),
            n.clone(),
        ],
        [
            json!("acme1"),
            json!("GET"),
            json!("/v2/accounts/acme1/trunks?offset=0"),
            json!(200),
            json!(200),
            n.clone(),
        ],
        [
            n.clone(),
            json!("GET"),
            json!("/nothing"),
            json!(404),
            json!(404),
            n,
        ],
    ];
    assert_eq!(log.iter().map(row).collect::<Vec<_>>(), want);
    assert!(trunk.starts_with("trunks/"));
    let last = log[3]["at_ms"].as_u64().unwrap();
    let later = world
        .get(&format!("/_sandbox/requests?since={}", last + 1))
        .await
        .json();
    assert_eq!(later, json!([]));
    let two = world.get("/_sandbox/requests?limit=2").await.json();
    assert_eq!(two, json!(log[..2]));
    assert_eq!(world.get("/_sandbox/requests?limit=x").await.status, 400);
}

#[tokio::test]
async fn the_state_shows_all_resources_by_account() {
    let world = field().await;
    let trunk = world.trunk("outbound").await;
    let post = async |leaf: &str, body: Value| {
        assert_eq!(
            world.post(&format!("{trunk}/{leaf}"), body).await.status,
            200,
            "{leaf}"
        );
    };
    post(
        "phone-numbers",
        json!({"phone_number": "+919876543210", "mode": "flow"}),
    )
    .await;
    post("whitelisted-ips", json!({"ip": "44.248.146.11"})).await;
    post(
        "credentials",
        json!({"user_name": "user_1", "password": "Secret1"}),
    )
    .await;
    let destination = json!({"destination": "44.248.146.11:5061;transport=tls"});
    post("destination-uris", json!({"destinations": [destination]})).await;
    let setting = json!({"name": "trunk_external_alias", "value": "+919876543210"});
    post("settings", json!({"settings": [setting]})).await;
    world
        .post("/v2/accounts/globex1/trunks", trunk_body("other"))
        .await;

    let state = world.state().await;
    assert_eq!(state["counts"]["trunks"], 2);
    let account = &state["accounts"]["acme1"];
    for (kind, member, value) in [
        ("numbers", "phone_number", "+919876543210"),
        ("whitelisted_ips", "ip", "44.248.146.11"),
        ("credentials", "password", "Secret1"),
        (
            "destinations",
            "destination",
            "sip:44.248.146.11:5061;transport=tls",
        ),
        ("settings", "value", "+919876543210"),
    ] {
        assert_eq!(account["trunks"][0][kind][0][member], value);
        assert_eq!(account["counts"][kind], 1, "{kind}");
    }
    let one = world.get("/_sandbox/state?account=globex1").await.json();
    assert_eq!(one["accounts"].as_object().unwrap().len(), 1);
    assert_eq!(world.delete("/_sandbox/state").await.status, 204);
    let empty = world.state().await;
    assert_eq!(
        (&empty["accounts"], &empty["counts"]["trunks"]),
        (&json!({}), &json!(0))
    );
    assert!(world.requests().await.is_empty());
}

#[tokio::test]
async fn an_unknown_control_says_what_there_is() {
    let world = field().await;
    let got = world.get("/_sandbox/nothing").await;
    assert!(
        got.status == 404 && got.text.contains("GET stats"),
        "{}",
        got.text
    );
    assert_eq!(world.post("/_sandbox/state", json!({})).await.status, 405);
}

#[tokio::test]
async fn an_address_that_is_not_loopback_is_refused_unless_allowed() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = Sandbox::new(Options::default())
        .serve(listener, async {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let options = Options {
        allow_remote: true,
        ..Options::default()
    };
    Sandbox::new(options)
        .serve(listener, async {})
        .await
        .unwrap();
}

#[tokio::test]
async fn stopping_frees_the_port() {
    let world = start(roomy()).await;
    world.trunk("outbound").await;
    let addr = world.running.addr();
    world.running.stop().await;
    TcpListener::bind(addr)
        .await
        .expect("nothing listens there any more");
}
