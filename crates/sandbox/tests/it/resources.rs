//! Shapes and life of the resources.

use serde_json::{Value, json};

use crate::harness::{ACCOUNT, field, trunk_body};

/// The members of an object, sorted.
fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_new_trunk_has_every_field_of_the_reference() {
    let world = field().await;
    let got = world.post("trunks", trunk_body("outbound")).await;
    let body = got.json();
    assert_eq!(
        members(&body),
        ["http_code", "method", "request_id", "response"]
    );
    assert_eq!(body["method"], "POST");
    assert_eq!(body["request_id"].as_str().unwrap().len(), 32);
    assert_eq!(
        members(&body["response"]),
        ["code", "data", "error_data", "status"]
    );
    assert_eq!(body["response"]["status"], "success");
    let data = got.data();
    let sid = data["trunk_sid"].as_str().unwrap();
    assert!(sid.starts_with("trmum1") && sid.len() == 28, "{sid}");
    let date = data["date_created"].as_str().unwrap();
    assert!(date.len() == 20 && date.ends_with('Z'), "{date}");
    let path = |leaf: &str| format!("/v2/accounts/{ACCOUNT}/trunks/{sid}/{leaf}");
    let want = json!({
        "trunk_name": "outbound",
        "date_created": date,
        "date_updated": date,
        "trunk_sid": sid,
        "status": "active",
        "domain_name": "acme1.pstn.exotel.com",
        "auth_type": "IP-WHITELIST",
        "registration_enabled": "disabled",
        "edge_preference": "auto",
        "nso_code": "ANY-ANY",
        "secure_trunking": "disabled",
        "destination_uris": path("destination-uris"),
        "whitelisted_ips": path("whitelisted-ips"),
        "credentials": path("credentials"),
        "phone_numbers": path("phone-numbers"),
    });
    assert_eq!(data, want);
    assert_eq!(world.get(&format!("trunks/{sid}")).await.data(), want);
}

#[tokio::test]
async fn a_trunks_entries_have_every_field_of_the_reference() {
    let world = field().await;
    let trunk = world.trunk("outbound").await;
    let at = |leaf: &str| format!("{trunk}/{leaf}");

    let number = world
        .post(
            &at("phone-numbers"),
            json!({"phone_number": "+919876543210"}),
        )
        .await;
    let names = [
        "date_created",
        "date_updated",
        "id",
        "mode",
        "phone_number",
        "trunk_sid",
    ];
    assert_eq!(members(&number.data()), names);
    assert_eq!(number.data()["mode"], Value::Null);
    assert!(number.data()["id"].as_str().unwrap().parse::<u32>().is_ok());

    let ip = world
        .post(&at("whitelisted-ips"), json!({"ip": "44.248.146.11"}))
        .await;
    let names = [
        "date_created",
        "date_updated",
        "friendly_name",
        "id",
        "ip",
        "mask",
        "trunk_sid",
    ];
    assert_eq!(members(&ip.data()), names);
    assert_eq!(ip.data()["mask"], 32);

    let body = json!({"user_name": "user_1", "password": "Secret1", "friendly_name": "livekit"});
    let credential = world.post(&at("credentials"), body).await;
    let names = [
        "date_created",
        "date_updated",
        "friendly_name",
        "id",
        "trunk_sid",
        "user_name",
    ];
    assert_eq!(members(&credential.data()), names);

    let body = json!({"destinations": [{"destination": "44.248.146.11:5061;transport=tls"}]});
    let batch = world.post(&at("destination-uris"), body).await;
    assert_eq!(batch.codes(), [200, 200, 200, 0]);
    let batch = batch.json();
    assert_eq!(
        batch["metadata"],
        json!({"total": 1, "success": 1, "failed": 0})
    );
    let data = &batch["response"][0]["data"];
    assert_eq!(data["destination"], "sip:44.248.146.11:5061;transport=tls");
    assert_eq!(
        (&data["type"], &data["priority"], &data["weight"]),
        (&json!("public"), &json!(0), &json!(1))
    );

    let setting = json!({"name": "trunk_external_alias", "value": "+919876543210"});
    let batch = world
        .post(&at("settings"), json!({"settings": [setting]}))
        .await
        .json();
    assert_eq!(batch["metadata"], json!({"total": 1, "success": 1}));
    let names = ["date_created", "date_updated", "name", "trunk_sid", "value"];
    assert_eq!(members(&batch["response"][0]["data"]), names);
}

#[tokio::test]
async fn what_was_put_in_is_listed_changed_and_taken_out() {
    let world = field().await;
    let trunk = world.trunk("outbound").await;
    // Per list: what to create, what to change by id, what the change shows.
    let table = [
        (
            "phone-numbers",
            json!({"phone_number": "+919876543210"}),
            json!({"phone_number": "+919876543210", "mode": "flow"}),
            ("mode", json!("flow")),
        ),
        (
            "whitelisted-ips",
            json!({"ip": "44.248.146.11"}),
            json!({"mask": 24}),
            ("mask", json!(24)),
        ),
        (
            "credentials",
            json!({"user_name": "user_1", "password": "Secret1"}),
            json!({"user_name": "user_2", "password": "Secret2"}),
            ("user_name", json!("user_2")),
        ),
        (
            "destination-uris",
            json!({"destinations": [{"destination": "sip.acme.example.com:5061;transport=tls"}]}),
            json!({"priority": 3, "weight": 7}),
            ("weight", json!(7)),
        ),
    ];
    for (leaf, create, change, (member, changed)) in table {
        let list = format!("{trunk}/{leaf}");
        assert_eq!(world.post(&list, create).await.status, 200, "{leaf}");
        let item = world.get(&list).await.json()["response"][0]["data"].clone();
        let id = item["id"].as_str().unwrap();
        let got = world.put(&format!("{list}/{id}"), change).await.data();
        assert_eq!(got[member], changed, "{leaf}");
        assert_eq!(
            world.get(&list).await.json()["response"][0]["data"][member],
            changed
        );
        assert_eq!(
            world.delete(&format!("{list}?id={id}")).await.data()["id"],
            *id,
            "{leaf}"
        );
        assert_eq!(
            world.get(&list).await.json()["response"],
            json!([]),
            "{leaf}"
        );
        assert_eq!(
            world.delete(&format!("{list}?id={id}")).await.codes(),
            [404, 404, 404, 1000]
        );
    }
    let state = world.state().await;
    assert_eq!(state["counts"]["credentials"], 0);
}

#[tokio::test]
async fn an_alias_is_set_and_not_added() {
    let world = field().await;
    let settings = format!("{}/settings", world.trunk("outbound").await);
    for value in ["+919876543210", "+919876543211"] {
        let setting = json!({"name": "trunk_external_alias", "value": value});
        assert_eq!(
            world
                .post(&settings, json!({"settings": [setting]}))
                .await
                .status,
            200
        );
    }
    let listed = world.get(&settings).await.json();
    assert_eq!(listed["response"].as_array().unwrap().len(), 1);
    assert_eq!(listed["response"][0]["data"]["value"], "+919876543211");
    let removed = world
        .delete(&format!("{settings}?name=trunk_external_alias"))
        .await;
    assert_eq!(removed.data()["value"], "+919876543211");
}

#[tokio::test]
async fn the_same_destination_twice_makes_two() {
    let world = field().await;
    let list = format!("{}/destination-uris", world.trunk("inbound").await);
    let body =
        json!({"destinations": [{"destination": "sip.acme.example.com:5061;transport=tls"}]});
    world.post(&list, body.clone()).await;
    world.post(&list, body).await;
    let listed = world.get(&list).await.json()["response"].clone();
    let ids: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["data"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(
        ids[0].parse::<u32>().unwrap() > ids[1].parse::<u32>().unwrap(),
        "newest first"
    );
}

#[tokio::test]
async fn a_deleted_trunk_takes_numbers_addresses_and_destinations_with_it() {
    let world = field().await;
    let trunk = world.trunk("outbound").await;
    let number = json!({"phone_number": "+919876543210"});
    world
        .post(&format!("{trunk}/phone-numbers"), number.clone())
        .await
        .data();
    world
        .post(
            &format!("{trunk}/whitelisted-ips"),
            json!({"ip": "44.248.146.11"}),
        )
        .await
        .data();
    let credential = json!({"user_name": "user_1", "password": "Secret1"});
    world
        .post(&format!("{trunk}/credentials"), credential)
        .await
        .data();
    let sid = trunk.strip_prefix("trunks/").unwrap();
    let gone = world
        .delete(&format!("trunks?trunk_sid={sid}"))
        .await
        .data();
    assert_eq!(gone["trunk_name"], "outbound");
    assert_eq!(world.get(&trunk).await.codes(), [403, 403, 403, 1003]);
    let state = world.state().await;
    assert_eq!(
        state["counts"],
        json!({"trunks": 0, "numbers": 0, "whitelisted_ips": 0,
        "credentials": 0, "destinations": 0, "settings": 0, "orphaned_credentials": 1})
    );
    // Name and number are free again.
    let again = world.trunk("outbound").await;
    world
        .post(&format!("{again}/phone-numbers"), number)
        .await
        .data();
}

#[tokio::test]
async fn a_trunk_can_be_renamed_to_a_free_name_only() {
    let world = field().await;
    let (one, _two) = (world.trunk("one").await, world.trunk("two").await);
    let taken = world.put(&one, json!({"trunk_name": "two"})).await;
    assert_eq!(taken.codes(), [200, 200, 409, 1008]);
    assert_eq!(
        world.put(&one, json!({"trunk_name": "three"})).await.data()["trunk_name"],
        "three"
    );
    world.trunk("one").await;
}

#[tokio::test]
async fn the_map_of_numbers_names_the_trunk_of_a_number() {
    let world = field().await;
    let trunk = world.trunk("outbound").await;
    let body = json!({"phone_number": "+919876543210", "mode": "pstn"});
    let id = world
        .post(&format!("{trunk}/phone-numbers"), body)
        .await
        .data()["id"]
        .clone();
    let map = world
        .get("trunk-maps?exophone=%2B919876543210")
        .await
        .json();
    let sid = trunk.strip_prefix("trunks/").unwrap();
    let want = json!({"exophone": "+919876543210", "trunk_sid": sid, "phone_number_id": id,
        "mode": "pstn"});
    assert_eq!(map["response"][0]["data"], want);
    let none = world.get("trunk-maps?exophone=%2B919876543219").await;
    assert_eq!(
        (none.status, none.json()["response"].clone()),
        (200, json!([]))
    );
    let own = world
        .get("/v2_beta/Accounts/acme1/IncomingPhoneNumbers")
        .await
        .json();
    assert_eq!(
        own["incoming_phone_numbers"][0]["phone_number"],
        "+919876543210"
    );
}
