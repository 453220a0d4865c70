//! An entry of a list that cannot be read hides no other, and is not absent.

#![expect(clippy::unwrap_used, reason = "a test's helpers")]

mod support;

use exotel::{Class, NextPage, Page, Trunk};
use onboarding::Mode;
use serde_json::{Value, json};
use support::{Act, Server, answer, http, sid};

const FIRST: NextPage = NextPage::FIRST;

fn says(server: &Server, body: &Value) {
    let body = body.to_string();
    server.then(Act::Say(http("200 OK", &[], body.as_bytes())));
}

/// The items of a fixture's list with these in front.
fn behind(fixture: &str, foreign: &[Value]) -> Value {
    let mut body: Value = serde_json::from_slice(&answer(fixture)).unwrap();
    let items = body["response"].as_array_mut().unwrap();
    items.splice(0..0, foreign.iter().cloned());
    body
}

fn good(data: Value) -> Value {
    json!({"code": 200, "status": "success", "error_data": null, "data": data})
}

#[tokio::test]
async fn one_entry_that_cannot_be_read_never_hides_ours() {
    let server = Server::start().await;
    let (s, c, sid) = (&server, server.client(), sid());
    let junk = [
        good(json!({"trunk_sid": 7})),
        good(json!({"trunk_sid": "no/sid", "trunk_name": "acme_other"})),
        good(json!(null)),
        good(json!("text")),
        json!(null),
        json!("nonsense"),
        json!({}),
        json!(7),
    ];
    says(s, &behind("trunks_page", &junk));
    let page = c.trunks_page(FIRST).await.unwrap().value;
    assert_eq!(page.items.len(), 2);
    assert_eq!(page.unreadable.len(), junk.len());
    let mentions =
        |page: &Page<Trunk>, value: &str| page.unreadable.iter().any(|entry| entry.mentions(value));
    assert!(mentions(&page, "acme_other"));
    assert!(!mentions(&page, "acme_new"));

    says(s, &behind("numbers_page", &junk));
    let page = c.numbers_page(&sid, FIRST).await.unwrap().value;
    assert_eq!((page.items.len(), page.unreadable.len()), (1, junk.len()));
    says(s, &behind("whitelisted_ips_page", &junk));
    let page = c.whitelisted_ips_page(&sid, FIRST).await.unwrap().value;
    assert_eq!((page.items.len(), page.unreadable.len()), (1, junk.len()));
    says(s, &behind("credentials_page", &junk));
    let page = c.credentials_page(&sid, FIRST).await.unwrap().value;
    assert_eq!((page.items.len(), page.unreadable.len()), (1, junk.len()));
    says(s, &behind("destinations_page", &junk));
    let page = c.destinations_page(&sid, FIRST).await.unwrap().value;
    assert_eq!((page.items.len(), page.unreadable.len()), (1, junk.len()));
    says(s, &behind("settings", &junk));
    assert_eq!(c.settings(&sid).await.unwrap().value.len(), 1);
}

#[tokio::test]
async fn an_entry_that_exotel_failed_to_show_may_be_any() {
    let server = Server::start().await;
    let client = server.client();
    let body = answer("list_with_failing_item");
    server.then(Act::Say(http("200 OK", &[], &body)));
    let page = client.trunks_page(FIRST).await.unwrap().value;
    assert_eq!(page.items[0].trunk_name, "acme_agent");
    assert!(page.unreadable[0].mentions("any_name"));
    // Where none is shown, the failure is the answer's.
    let failing = json!({"code": 401, "status": "failure", "data": null,
        "error_data": {"code": 1010, "description": "no"}});
    says(&server, &json!({"response": ["nonsense", failing]}));
    let error = client.trunks_page(FIRST).await.unwrap_err();
    assert_eq!(error.class(), Class::Unknown, "{error}");
    says(&server, &json!({"response": [failing]}));
    let error = client.trunks_page(FIRST).await.unwrap_err();
    assert_eq!(error.class(), Class::Unauthorized, "{error}");
}

#[tokio::test]
async fn an_entry_of_another_trunk_is_neither_ours_nor_absent() {
    let server = Server::start().await;
    let (s, c, sid) = (&server, server.client(), sid());
    let entry = json!({"id": "9", "destination": "sip:sip.partner.example:5061;transport=tls",
        "trunk_sid": "trmum1made0up0000000000000009"});
    says(s, &json!({"response": [good(entry)]}));
    let page = c.destinations_page(&sid, FIRST).await.unwrap().value;
    assert_eq!(page.items.len(), 0);
    assert!(page.unreadable[0].mentions("sip.partner.example:5061;transport=tls"));
    // In another case, or without one, it is of this trunk.
    for trunk in [json!(sid.as_str().to_uppercase()), json!(null), json!("")] {
        let entry = json!({"id": "9", "destination": "sip:a.example:1", "trunk_sid": trunk});
        says(s, &json!({"response": [good(entry)]}));
        let page = c.destinations_page(&sid, FIRST).await.unwrap().value;
        assert_eq!(page.items.len(), 1, "{trunk}");
    }
}

#[tokio::test]
async fn what_tells_no_entry_from_another_makes_none_unreadable() {
    let server = Server::start().await;
    let (s, c, sid) = (&server, server.client(), sid());
    let odd = json!({"id": 9, "trunk_sid": sid.as_str(), "friendly_name": 7, "date_created": 0,
        "date_updated": [], "user_name": 4711, "type": 1, "priority": "0", "weight": "many",
        "destination": "sip:a.example:1", "ip": "9.9.9.9", "mask": "32",
        "phone_number": 918_000_000_001_u64, "mode": "FLOW"});
    let body = json!({"request_id": 7, "response": [good(odd)]});
    says(s, &body);
    let page = c.credentials_page(&sid, FIRST).await.unwrap().value;
    let one = &page.items[0];
    assert_eq!((one.id.as_str(), one.user_name.as_str()), ("9", "4711"));
    assert_eq!((&one.friendly_name, &one.date_created), (&None, &None));
    says(s, &body);
    let page = c.destinations_page(&sid, FIRST).await.unwrap().value;
    assert_eq!(
        (page.items[0].priority, page.items[0].weight),
        (Some(0), None)
    );
    says(s, &body);
    let page = c.whitelisted_ips_page(&sid, FIRST).await.unwrap().value;
    assert_eq!(page.items[0].mask, 32);
    says(s, &body);
    let page = c.numbers_page(&sid, FIRST).await.unwrap().value;
    assert_eq!(page.items[0].phone_number, "918000000001");
    assert_eq!(page.items[0].mode, Some(Mode::Flow));

    // How a number is routed is not left to chance.
    let odd = json!({"id": 9, "phone_number": "+918000000001", "mode": "elsewhere"});
    says(s, &json!({"response": [good(odd)]}));
    let page = c.numbers_page(&sid, FIRST).await.unwrap().value;
    assert!(page.items.is_empty() && page.unreadable[0].mentions("+918000000001"));
}

#[tokio::test]
async fn a_list_is_read_in_whichever_nesting_it_comes_and_never_out_of_nothing() {
    let server = Server::start().await;
    let (s, c) = (&server, server.client());
    let one = json!({"trunk_sid": "trmum1a", "trunk_name": "a"});
    for (response, count) in [
        (good(one.clone()), 1),
        (good(json!([one, one])), 2),
        (json!([good(json!([one, one])), good(one.clone())]), 3),
        (good(json!([])), 0),
        (
            json!([{"code": "200", "status": "Success", "data": one}]),
            1,
        ),
        (json!([]), 0),
    ] {
        says(s, &json!({"response": response}));
        let page = c.trunks_page(FIRST).await.unwrap().value;
        assert_eq!(page.items.len(), count, "{response}");
        assert!(page.unreadable.is_empty(), "{response}");
    }
    for body in [
        json!({"response": null}),
        json!({"response": {}}),
        json!({"response": good(json!(null))}),
        json!({"response": good(json!({}))}),
        json!({"response": good(json!({"id": "1", "phone_number": "+918000000001"}))}),
        json!({"response": "[]"}),
        json!({"data": []}),
        json!([]),
    ] {
        says(s, &body);
        let error = c.trunks_page(FIRST).await.unwrap_err();
        assert_eq!(error.class(), Class::Unknown, "{body}: {error}");
    }
}

#[tokio::test]
async fn no_page_is_skipped_and_a_full_one_is_not_taken_for_the_last() {
    let server = Server::start().await;
    let (s, c) = (&server, server.client());
    let trunks = |count: usize| -> Value {
        let one = |n| good(json!({"trunk_sid": format!("trmum1{n}"), "trunk_name": "a"}));
        (0..count).map(one).collect()
    };
    let next = async |body: Value| {
        says(s, &body);
        c.trunks_page(FIRST).await.unwrap().value.next
    };
    let at = |offset| Some(NextPage { offset, ..FIRST });
    let skips = json!({"next_page_uri": "/t?offset=100&page_size=50"});
    assert_eq!(
        next(json!({"metadata": skips, "response": trunks(50)})).await,
        at(50)
    );
    let none = json!({"next_page_uri": null});
    assert_eq!(
        next(json!({"metadata": none, "response": trunks(50)})).await,
        None
    );
    for metadata in [json!(null), json!({}), json!("x")] {
        let full = json!({"metadata": metadata, "response": trunks(50)});
        assert_eq!(next(full).await, at(50));
        let last = json!({"metadata": metadata, "response": trunks(49)});
        assert_eq!(next(last).await, None);
    }
    says(
        s,
        &json!({"metadata": {"next_page_uri": 7}, "response": trunks(50)}),
    );
    let error = c.trunks_page(FIRST).await.unwrap_err();
    assert_eq!(error.code(), "paging_stuck");
}

#[tokio::test]
async fn a_caller_id_that_could_not_be_read_is_not_absent() {
    let server = Server::start().await;
    let (s, c, sid) = (&server, server.client(), sid());
    for body in [
        json!({"response": [good(json!({"name": "trunk_external_alias", "value": null}))]}),
        json!({"response": [], "metadata": {"next_page_uri": "?offset=50"}}),
    ] {
        says(s, &body);
        let error = c.settings(&sid).await.unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (Class::Unknown, "unreadable_entry")
        );
    }
    for body in [
        json!({"response": [good(json!({"name": "other", "value": null}))]}),
        json!({"response": good(json!(null))}),
        json!({"response": []}),
    ] {
        says(s, &body);
        assert_eq!(c.settings(&sid).await.unwrap().value, []);
    }
}
