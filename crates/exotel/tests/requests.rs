//! What goes over the wire, compared byte by byte with written-out requests.

#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test's helpers and tables"
)]

mod support;
mod told;

use std::{collections::HashMap, fmt::Debug, sync::atomic::Ordering};

use exotel::{CredentialsChange, EntryId, Error, NextPage, TrunkChange};
use onboarding::{Mode, PhoneNumber, Secret, SipPassword};
use support::{PASSWORD, Server, fixture, ok, sid};
use told::Spans;

fn id(text: &str) -> EntryId {
    text.parse().unwrap()
}

fn number() -> PhoneNumber {
    "+918000000001".parse().unwrap()
}

fn password() -> SipPassword {
    SipPassword::from_secret(Secret::new(PASSWORD))
}

/// The request line, the headers in the order of their names, an empty line, the body.
fn canonical(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap();
    let mut headers: Vec<&str> = lines.collect();
    headers.sort_unstable();
    format!("{line}\n{}\n\n{body}", headers.join("\n"))
}

/// Does one call, and compares what was sent with `requests/NAME.http`.
async fn sends<T: Debug>(
    server: &Server,
    name: &str,
    answer: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> T {
    let before = server.count();
    server.then(ok(answer));
    let spans = Spans::start();
    let value = call.await.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_told(name, &spans.fields(), &server.last());
    let expected = String::from_utf8(fixture(&format!("requests/{name}.http")))
        .unwrap()
        .replace("{host}", server.url.strip_prefix("http://").unwrap())
        .replace("{version}", env!("CARGO_PKG_VERSION"));
    assert_eq!(canonical(&server.last()), expected, "{name}");
    assert_eq!(server.count(), before + 1, "{name} sends one request");
    value
}

/// The span of a request names its path without what is in it.
fn assert_told(name: &str, span: &HashMap<String, String>, request: &str) {
    let line = request.lines().next().unwrap();
    let mut words = line.split(' ');
    assert_eq!(span["http.request.method"], words.next().unwrap(), "{name}");
    let path = words.next().unwrap().split('?').next().unwrap();
    let template = &span["url.template"];
    let said: Vec<&str> = template.split('/').collect();
    let sent: Vec<&str> = path.split('/').collect();
    assert_eq!(said.len(), sent.len(), "{name}: {template} for {path}");
    for (said, sent) in said.iter().zip(&sent) {
        // What belongs to one account has a digit in it, in these tests as in life.
        let is_named = said.starts_with('{') && said.ends_with('}');
        assert!(is_named || said == sent, "{name}: {template} for {path}");
        assert!(
            is_named
                || said.is_empty()
                || said.starts_with('v')
                || !sent.contains(|c: char| c.is_ascii_digit()),
            "{name}: {template}"
        );
    }
    assert_eq!(span["http.response.status_code"], "200", "{name}");
    assert_eq!(span["server.address"], "127.0.0.1", "{name}");
    assert!(!span.contains_key("error.type"), "{name}");
    let call = &span["call"];
    assert!(name.starts_with(call.as_str()), "{name}: {call}");
}

#[tokio::test]
async fn every_documented_call_is_sent_as_the_reference_has_it_and_its_answer_is_read() {
    let server = Server::start().await;
    let s = &server;
    let client = server.client();
    let (sid, first) = (sid(), NextPage::FIRST);

    let name = "acme_agent".parse().unwrap();
    let made = sends(s, "create_trunk", "trunk", client.create_trunk(&name)).await;
    assert_eq!(made.value.trunk_sid, sid);
    assert_eq!(made.value.trunk_name, "acme_agent");
    assert_eq!(
        made.value.domain_name.as_deref(),
        Some(client.domain_name())
    );
    assert_eq!(made.value.auth_type.as_deref(), Some("IP-WHITELIST"));
    assert_eq!(
        made.request_id.as_deref(),
        Some("f00d00000000000000000000000000aa")
    );

    let page = sends(s, "trunks_page", "trunks_page", client.trunks_page(first)).await;
    assert_eq!(page.value.items.len(), 2);
    assert_eq!(page.value.items[1].trunk_name, "another one");
    assert_eq!(page.value.next, None);
    let one = sends(s, "trunk", "trunk", client.trunk(&sid)).await;
    assert_eq!(one.value, made.value);
    let gone = sends(s, "delete_trunk", "trunk", client.delete_trunk(&sid)).await;
    assert_eq!(gone.value.trunk_sid, sid);

    let n = number();
    let plain = client.map_number(&sid, &n, None);
    let mapped = sends(s, "map_number", "number", plain).await.value;
    assert_eq!(mapped.id, id("40001"));
    assert_eq!(mapped.phone_number, n.as_str());
    assert_eq!((mapped.trunk_sid.as_ref(), mapped.mode), (Some(&sid), None));
    let flow = client.map_number(&sid, &n, Some(Mode::Flow));
    sends(s, "map_number_flow", "number_flow", flow).await;
    let numbers = client.numbers_page(&sid, first);
    let numbers = sends(s, "numbers_page", "numbers_page", numbers).await;
    assert_eq!(numbers.value.items[0].mode, Some(Mode::Flow));
    let update = client.update_number(&sid, &mapped.id, &n, Mode::Flow);
    let updated = sends(s, "update_number", "number_flow", update).await;
    assert_eq!(updated.value.mode, Some(Mode::Flow));

    let ip = "9.9.9.9".parse().unwrap();
    let acl = sends(
        s,
        "whitelist_ip",
        "whitelisted_ip",
        client.whitelist_ip(&sid, ip),
    )
    .await;
    assert_eq!(
        (acl.value.id, acl.value.ip.as_str(), acl.value.mask),
        (id("1001"), "9.9.9.9", 32)
    );
    let acl = client.whitelisted_ips_page(&sid, first);
    let acl = sends(s, "whitelisted_ips_page", "whitelisted_ips_page", acl).await;
    assert_eq!(acl.value.items.len(), 1);

    let (user, label) = ("acme_user".parse().unwrap(), "acme_label".parse().unwrap());
    let password = password();
    let create = client.create_credentials(&sid, &user, &password, Some(&label));
    let made = sends(s, "create_credentials", "credentials", create).await;
    assert_eq!(
        (made.value.id, made.value.user_name.as_str()),
        (id("3001"), "acme_user")
    );
    let create = client.create_credentials(&sid, &user, &password, None);
    sends(s, "create_credentials_bare", "credentials", create).await;
    let list = client.credentials_page(&sid, first);
    let list = sends(s, "credentials_page", "credentials_page", list).await;
    assert_eq!(
        list.value.items[0].friendly_name.as_deref(),
        Some("acme_label")
    );
    let delete = id("3001");
    let delete = client.delete_credentials(&sid, &delete);
    sends(s, "delete_credentials", "credentials", delete).await;

    let uri = "sip.partner.example:5061;transport=tls".parse().unwrap();
    let map = client.map_destination(&sid, &uri);
    let made = sends(s, "map_destination", "destination", map).await.value;
    assert_eq!(
        (made.id, made.priority, made.weight),
        (id("2001"), Some(0), Some(1))
    );
    assert!(uri.matches(&made.destination));
    let list = client.destinations_page(&sid, first);
    let list = sends(s, "destinations_page", "destinations_page", list).await;
    assert_eq!(list.value.items[0].kind.as_deref(), Some("public"));

    let alias = client.set_caller_id(&sid, &n);
    let set = sends(s, "set_caller_id", "setting", alias).await;
    assert_eq!(set.value.value, n.as_str());

    assert_eq!(
        server.connections.load(Ordering::SeqCst),
        1,
        "all calls shared one connection"
    );
}

#[tokio::test]
async fn every_call_published_elsewhere_is_sent_and_read_too() {
    let server = Server::start().await;
    let s = &server;
    let client = server.client();
    let sid = sid();

    let change = TrunkChange {
        trunk_name: Some("acme_other".parse().unwrap()),
        ..TrunkChange::default()
    };
    sends(
        s,
        "update_trunk",
        "trunk_renamed",
        client.update_trunk(&sid, &change),
    )
    .await;
    let (forty, thousand) = (id("40001"), id("1001"));
    let unmap = client.unmap_number(&sid, &forty);
    sends(s, "unmap_number", "deleted_entry", unmap).await;
    let remove = client.remove_whitelisted_ip(&sid, &thousand);
    sends(s, "remove_whitelisted_ip", "deleted_entry", remove).await;
    let password = password();
    let credentials = id("3001");
    let change = CredentialsChange {
        password: Some(&password),
        ..CredentialsChange::default()
    };
    let update = client.update_credentials(&sid, &credentials, change);
    sends(s, "update_credentials", "credentials", update).await;
    let destination = id("2001");
    let update = client.update_destination(&sid, &destination, 1, 5);
    sends(s, "update_destination", "destination_balanced", update).await;
    let delete = client.delete_destination(&sid, &destination);
    sends(s, "delete_destination", "deleted_entry", delete).await;
    let settings = sends(s, "settings", "settings", client.settings(&sid)).await;
    assert_eq!(settings.value[0].name, "trunk_external_alias");
    // The same answer, not as a list.
    let single = sends(s, "settings", "setting_single", client.settings(&sid)).await;
    assert_eq!(single.value.len(), 1);
    let delete = client.delete_setting(&sid, "trunk_external_alias");
    sends(s, "delete_setting", "deleted_entry", delete).await;
    let n = number();
    let map = sends(s, "trunk_map", "trunk_map", client.trunk_map(&n)).await;
    let map = map.value.expect("the number is mapped");
    assert_eq!((map.trunk_sid, map.phone_number_id), (sid, Some(forty)));
    let none = sends(s, "trunk_map", "list_empty", client.trunk_map(&n)).await;
    assert_eq!(none.value, None);
    let none = sends(s, "trunk_map", "deleted_entry", client.trunk_map(&n)).await;
    assert_eq!(none.value, None);

    let numbers = client.account_numbers(None);
    let numbers = sends(s, "account_numbers", "account_numbers", numbers)
        .await
        .value;
    assert_eq!(numbers.numbers, ["+918000000001", "+918000000002"]);
    assert_eq!(numbers.next.map(|next| next.offset), Some(50));
    assert!(!numbers.more_unread);
    let older = client.account_numbers(None);
    let older = sends(s, "account_numbers", "account_numbers_older", older)
        .await
        .value;
    assert_eq!(older.numbers, ["08000000001"]);
    assert!(
        older.more_unread,
        "its next page cannot be asked for by offset"
    );
}
