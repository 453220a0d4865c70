//! What every kind of answer means. Each row goes over a real socket.

#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test's helpers and tables"
)]

mod support;

use std::time::Duration;

use exotel::{
    Class::{self, *},
    Client, Error, NextPage,
};
use support::{Act, Server, answer, http, sid};

/// Which call is made.
#[derive(Clone, Copy, Debug)]
enum Ask {
    CreateTrunk,
    MapNumber,
    MapDestination,
    TrunksPage,
    DeleteCredentials,
    /// A call that is published outside of the reference only.
    UnmapNumber,
    AccountNumbers,
}
use Ask::*;

async fn ask(client: &Client, ask: Ask) -> Result<(), Error> {
    let sid = sid();
    let id = "40001".parse().unwrap();
    match ask {
        CreateTrunk => client
            .create_trunk(&"acme_agent".parse().unwrap())
            .await
            .map(drop),
        MapNumber => client
            .map_number(&sid, &"+918000000001".parse().unwrap(), None)
            .await
            .map(drop),
        MapDestination => client
            .map_destination(
                &sid,
                &"sip.partner.example:5061;transport=tls".parse().unwrap(),
            )
            .await
            .map(drop),
        TrunksPage => client.trunks_page(NextPage::FIRST).await.map(drop),
        DeleteCredentials => client.delete_credentials(&sid, &id).await.map(drop),
        UnmapNumber => client.unmap_number(&sid, &id).await.map(drop),
        AccountNumbers => client.account_numbers(None).await.map(drop),
    }
}

const NO_WAIT: Class = Throttled { retry_after: None };
const HTML: &str = "<html><body><h1>made-up gateway</h1></body></html>";

fn throttled(seconds: u64) -> Class {
    Throttled {
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

type Row<'a> = (
    Ask,
    &'a str,
    &'a [&'a str],
    &'a str,
    Option<Class>,
    &'a str,
    Option<u32>,
);

/// Call, HTTP status, headers, fixture or body (`=...` is the body itself), class (`None`:
/// success), code, Exotel's error code.
#[rustfmt::skip]
fn rows() -> Vec<Row<'static>> {
    vec![
        // Every row of the reference's error table, as it is documented.
        (MapNumber, "404 Not Found", &[], "not_found", Some(NotThere), "not_there", Some(1000)),
        (CreateTrunk, "400 Bad Request", &[], "missing_parameter", Some(Refused), "missing_parameter", Some(1001)),
        (CreateTrunk, "400 Bad Request", &[], "invalid_parameter", Some(Refused), "invalid_parameter", Some(1002)),
        (MapNumber, "403 Forbidden", &[], "not_authorised_for_trunk", Some(NotThere), "not_there", Some(1003)),
        (CreateTrunk, "400 Bad Request", &[], "body_not_parsed", Some(Refused), "invalid_body", Some(1007)),
        (CreateTrunk, "409 Conflict", &[], "duplicate_http_409", Some(Duplicate), "duplicate", Some(1008)),
        (CreateTrunk, "401 Unauthorized", &[], "bad_credentials", Some(Unauthorized), "unauthorized", Some(1010)),
        (CreateTrunk, "415 Unsupported Media Type", &[], "content_type", Some(Refused), "content_type", Some(1011)),
        // The same inside HTTP 200, and other disagreements between HTTP and the envelope.
        (MapNumber, "200 OK", &[], "duplicate_http_200", Some(Duplicate), "duplicate", Some(1008)),
        (CreateTrunk, "200 OK", &[], "duplicate_http_200", Some(Duplicate), "duplicate", Some(1008)),
        (MapNumber, "500 Oops", &[], "duplicate_http_200", Some(Duplicate), "duplicate", Some(1008)),
        (MapNumber, "200 OK", &[], "not_found", Some(NotThere), "not_there", Some(1000)),
        (MapNumber, "200 OK", &[], "invalid_parameter", Some(Refused), "invalid_parameter", Some(1002)),
        (MapNumber, "200 OK", &[], "bad_credentials", Some(Unauthorized), "unauthorized", Some(1010)),
        (TrunksPage, "200 OK", &[], "bad_credentials", Some(Unauthorized), "unauthorized", Some(1010)),
        (TrunksPage, "403 Forbidden", &[], "not_authorised_for_trunk", Some(NotThere), "not_there", Some(1003)),
        (CreateTrunk, "500 Oops", &[], "trunk", Some(Unknown), "unexpected_data", None),
        (CreateTrunk, "409 Conflict", &[], "trunk", Some(Unknown), "unexpected_data", None),
        // Codes that are not published.
        (MapNumber, "200 OK", &[], "inner_409_without_code", Some(Duplicate), "duplicate", None),
        (MapNumber, "401 Unauthorized", &[], "inner_401_without_code", Some(Unauthorized), "unauthorized", None),
        (MapNumber, "404 Not Found", &[], "inner_404_without_code", Some(NotThere), "not_there", None),
        (MapNumber, "403 Forbidden", &[], "inner_403_without_code", Some(NotThere), "not_there", None),
        (MapNumber, "405 No", &[], "inner_405_without_code", Some(Refused), "refused", Some(1012)),
        (MapNumber, "422 No", &[], "inner_422_unknown_code", Some(Refused), "refused", Some(4711)),
        (MapNumber, "408 Request Timeout", &[], "inner_408", Some(Unknown), "server_error", None),
        (MapNumber, "200 OK", &[], "inner_500", Some(Unknown), "server_error", None),
        (MapNumber, "200 OK", &[], "inner_503_with_code", Some(Unknown), "server_error", Some(1008)),
        // Success, and what only looks like it.
        (CreateTrunk, "200 OK", &[], "trunk", None, "", None),
        (CreateTrunk, "201 Created", &[], "success_inner_201", None, "", None),
        (CreateTrunk, "200 OK", &[], "success_status_odd_case", None, "", None),
        (MapNumber, "200 OK", &[], "number_with_numeric_id", None, "", None),
        (CreateTrunk, "200 OK", &[], "success_word_missing", Some(Unknown), "contradiction", None),
        (CreateTrunk, "200 OK", &[], "inner_200_failure", Some(Unknown), "contradiction", None),
        (CreateTrunk, "200 OK", &[], "success_word_with_inner_404", Some(Unknown), "contradiction", None),
        (CreateTrunk, "200 OK", &[], "success_without_sid", Some(Unknown), "unexpected_data", None),
        (CreateTrunk, "200 OK", &[], "success_empty_sid", Some(Unknown), "unexpected_data", None),
        (CreateTrunk, "200 OK", &[], "success_null_data", Some(Unknown), "unexpected_data", None),
        (CreateTrunk, "200 OK", &[], "success_foreign_data", Some(Unknown), "unexpected_data", None),
        (MapNumber, "200 OK", &[], "number_without_id", Some(Unknown), "unexpected_data", None),
        (MapNumber, "200 OK", &[], "number_with_path_as_id", Some(Unknown), "unexpected_data", None),
        // Batches of one and lists.
        (MapDestination, "207 Multi-Status", &[], "destination", None, "", None),
        (MapDestination, "207 Multi-Status", &[], "batch_not_whitelisted", Some(Refused), "invalid_parameter", Some(1002)),
        (MapDestination, "200 OK", &[], "batch_not_valid", Some(Refused), "invalid_parameter", Some(1002)),
        (MapDestination, "207 Multi-Status", &[], "batch_duplicate", Some(Duplicate), "duplicate", Some(1008)),
        (MapDestination, "207 Multi-Status", &["retry-after: 4"], "batch_limit", Some(throttled(4)), "throttled", Some(1030)),
        (MapDestination, "207 Multi-Status", &[], "batch_inner_500", Some(Unknown), "server_error", None),
        (MapDestination, "200 OK", &[], "batch_empty", Some(Unknown), "unexpected_data", None),
        (MapDestination, "200 OK", &[], "batch_without_id", Some(Unknown), "unexpected_data", None),
        (MapDestination, "403 Forbidden", &[], "not_authorised_for_trunk", Some(NotThere), "not_there", Some(1003)),
        (TrunksPage, "200 OK", &[], "list_empty", None, "", None),
        (TrunksPage, "200 OK", &[], "list_null", Some(Unknown), "not_an_envelope", None),
        (TrunksPage, "200 OK", &[], "list_with_failing_item", None, "", None),
        (DeleteCredentials, "200 OK", &[], "deleted_entry", None, "", None),
        (DeleteCredentials, "200 OK", &[], "batch_empty", Some(Unknown), "unexpected_data", None),
        // The limit, in every shape.
        (CreateTrunk, "429 Too Many Requests", &["retry-after: 30"], "limit_without_error_data", Some(throttled(30)), "throttled", None),
        (CreateTrunk, "429 Too Many Requests", &[], "limit_without_error_data", Some(NO_WAIT), "throttled", None),
        (CreateTrunk, "200 OK", &[], "limit_inner_429", Some(NO_WAIT), "throttled", Some(1030)),
        (CreateTrunk, "200 OK", &["retry-after: 7"], "limit_inner_429", Some(throttled(7)), "throttled", Some(1030)),
        (CreateTrunk, "400 Bad Request", &[], "limit_error_1030_only", Some(NO_WAIT), "throttled", Some(1030)),
        (CreateTrunk, "429 Slow", &["retry-after: 9"], "=<html>slow down</html>", Some(throttled(9)), "throttled", None),
        (CreateTrunk, "429 Slow", &[], "=", Some(NO_WAIT), "throttled", None),
        (CreateTrunk, "429 Slow", &["date: Sun, 01 Mar 2026 12:00:00 GMT", "retry-after: Sun, 01 Mar 2026 12:00:20 GMT"], "=", Some(throttled(20)), "throttled", None),
        (CreateTrunk, "429 Slow", &["retry-after: later"], "=", Some(NO_WAIT), "throttled", None),
        (CreateTrunk, "429 Slow", &[], "trunk", Some(Unknown), "contradiction", None),
        (CreateTrunk, "429 Slow", &["retry-after: 9"], "success_without_sid", Some(Unknown), "contradiction", None),
        (MapDestination, "429 Slow", &[], "destination", Some(Unknown), "contradiction", None),
        (CreateTrunk, "429 Slow", &[], "limit_inner_429", Some(NO_WAIT), "throttled", Some(1030)),
        // Bodies that are not the envelope.
        (CreateTrunk, "200 OK", &["content-type: text/html"], "=HTML", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "200 OK", &[], "=", Some(Unknown), "empty_body", None),
        (CreateTrunk, "204 No Content", &[], "=", Some(Unknown), "empty_body", None),
        (CreateTrunk, "200 OK", &[], "={\"request_id\":\"x\",\"resp", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "200 OK", &[], "={}", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "200 OK", &[], "=[]", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "200 OK", &[], "=null", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "200 OK", &[], "={\"response\":{}}", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "200 OK", &[], "={\"response\":\"success\"}", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "302 Found", &["location: http://127.0.0.1:1/"], "=", Some(Unknown), "empty_body", None),
        (CreateTrunk, "404 Not Found", &[], "=HTML", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "403 Forbidden", &[], "=HTML", Some(Unknown), "not_an_envelope", None),
        (CreateTrunk, "401 Unauthorized", &[], "=HTML", Some(Unauthorized), "unauthorized", None),
        (CreateTrunk, "401 Unauthorized", &[], "=", Some(Unauthorized), "unauthorized", None),
        (CreateTrunk, "500 Internal Server Error", &[], "=", Some(Unknown), "server_error", None),
        (CreateTrunk, "502 Bad Gateway", &["content-type: text/html"], "=HTML", Some(Unknown), "bad_gateway", None),
        (CreateTrunk, "503 Service Unavailable", &["retry-after: 3"], "=HTML", Some(Unknown), "bad_gateway", None),
        (CreateTrunk, "504 Gateway Timeout", &[], "=", Some(Unknown), "bad_gateway", None),
        // Calls that may not exist.
        (UnmapNumber, "200 OK", &[], "number", None, "", None),
        (UnmapNumber, "404 Not Found", &[], "not_found", Some(NotThere), "not_there", Some(1000)),
        (UnmapNumber, "404 Not Found", &[], "=HTML", Some(Unsupported), "unsupported_call", None),
        (UnmapNumber, "404 Not Found", &[], "=", Some(Unsupported), "unsupported_call", None),
        (UnmapNumber, "404 Not Found", &[], "inner_404_without_code", Some(Unsupported), "unsupported_call", None),
        (UnmapNumber, "405 No", &[], "=", Some(Unsupported), "unsupported_call", None),
        (UnmapNumber, "405 No", &[], "inner_405_without_code", Some(Unsupported), "unsupported_call", Some(1012)),
        (UnmapNumber, "403 Forbidden", &[], "not_authorised_for_trunk", Some(NotThere), "not_there", Some(1003)),
        (AccountNumbers, "200 OK", &[], "account_numbers", None, "", None),
        (AccountNumbers, "200 OK", &[], "account_numbers_older", None, "", None),
        (AccountNumbers, "200 OK", &[], "=HTML", Some(Unknown), "not_an_envelope", None),
        (AccountNumbers, "200 OK", &[], "bad_credentials", Some(Unauthorized), "unauthorized", Some(1010)),
        (AccountNumbers, "401 Unauthorized", &[], "={\"RestException\":{\"Status\":401}}", Some(Unauthorized), "unauthorized", None),
        (AccountNumbers, "404 Not Found", &[], "=", Some(Unsupported), "unsupported_call", None),
    ]
}

#[tokio::test]
async fn every_answer_means_what_the_caller_can_do_about_it() {
    let server = Server::start().await;
    let client = server.client();
    let rows = rows();
    assert!(rows.len() >= 40);
    for (n, (call, status, headers, body, class, code, error_code)) in rows.into_iter().enumerate()
    {
        let row = format!("row {n}: {call:?} {status} {body}");
        let bytes = match body.strip_prefix('=') {
            Some("HTML") => HTML.as_bytes().to_vec(),
            Some(text) => text.as_bytes().to_vec(),
            None => answer(body),
        };
        server.then(Act::Say(http(status, headers, &bytes)));
        let result = ask(&client, call).await;
        assert_eq!(server.count(), n + 1, "{row}: exactly one attempt");
        let Err(error) = result else {
            assert_eq!(class, None, "{row}");
            continue;
        };
        assert_eq!(Some(error.class()), class, "{row}: {error}");
        assert_eq!(error.code(), code, "{row}: {error}");
        assert_eq!(error.error_code(), error_code, "{row}: {error}");
        assert_eq!(error.may_have_happened(), class == Some(Unknown), "{row}");
        let number: u16 = status[..3].parse().unwrap();
        assert_eq!(error.http_status(), Some(number), "{row}");
    }
}

#[tokio::test]
async fn an_error_says_what_happened_where_and_what_to_do() {
    let server = Server::start().await;
    let client = server.client();
    server.then(Act::Say(http("400 Bad", &[], &answer("invalid_parameter"))));
    let error = ask(&client, CreateTrunk).await.unwrap_err();
    assert_eq!(error.call(), "create_trunk");
    assert_eq!(error.inner_code(), Some(400));
    assert_eq!(error.description(), Some("Nso code is invalid"));
    assert_eq!(error.request_id(), Some("bad000000000000000000000000000aa"));
    assert_eq!(
        error.to_string(),
        "create_trunk: invalid_parameter (HTTP 400, inner code 400, error 1002): Nso code is \
         invalid; repeating it will not help; correct what it names \
         [request bad000000000000000000000000000aa]"
    );
    server.then(Act::Say(http("401 No", &[], &answer("bad_credentials"))));
    let text = ask(&client, CreateTrunk).await.unwrap_err().to_string();
    assert!(
        text.contains("key or token") && text.contains("region"),
        "{text}"
    );
}
