//! The promise: who logs out of the dashboard has logged out: a copy of the cookie opens nothing any more,
//! neither after a restart nor on another server of the same store.
//!
//! The method: a person logs in, keeps the cookie, logs out, and sends the cookie again.

use tests::{Answer, Place, Serving, StoreKind, TOKEN, TOKENS};

on_both_stores!(a_cookie_of_a_session_that_was_logged_out_opens_nothing,);

/// Nothing is sent to it. Made up, as everything in it.
const ACCOUNTS: &str = r#"
[accounts.acme]
account_sid = "acme1"
region = "in"
api_key = { env = "NOT_SET" }
api_token = { env = "NOT_SET" }
"#;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The value of a field of a form on a page.
fn csrf(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

/// Logs in; gives the session's cookie.
fn log_in(serving: &Serving) -> String {
    let form = serving.ask_with("GET", "/login", &[], "");
    let cookie = form
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let (_, own) = cookie.split_once('=').unwrap();
    let body = format!("csrf={own}&token={TOKEN}&next=%2F");
    let answer = serving.ask_with("POST", "/login", &[("cookie", cookie), FORM], &body);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let set = answer.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// The status of a page, and of the API, for this cookie.
fn opens(serving: &Serving, cookie: &str) -> (u16, u16) {
    let ask = |path| {
        serving
            .ask_with("GET", path, &[("cookie", cookie)], "")
            .status
    };
    (ask("/"), ask("/v1/onboardings"))
}

const IN: (u16, u16) = (200, 200);
/// To the form, and a token is asked for.
const OUT: (u16, u16) = (303, 401);

fn a_cookie_of_a_session_that_was_logged_out_opens_nothing(kind: StoreKind) {
    let place = Place::bare().kept_in(kind).with_tables(TOKENS);
    place.write("accounts.toml", ACCOUNTS);
    let serving = Serving::start(&place);
    let beside = Serving::start(&place);
    let (cookie, other) = (log_in(&serving), log_in(&serving));
    for one in [&serving, &beside] {
        assert_eq!((opens(one, &cookie), opens(one, &other)), (IN, IN));
    }
    let page = serving.ask_with("GET", "/", &[("cookie", &cookie)], "");
    let body = format!("csrf={}", csrf(&page));
    let left = serving.ask_with("POST", "/logout", &[("cookie", &cookie), FORM], &body);
    assert_eq!(left.status, 303, "{}", left.text());
    assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"));
    for one in [&serving, &beside] {
        assert_eq!((opens(one, &cookie), opens(one, &other)), (OUT, IN));
    }
    assert_eq!(serving.program().said("log_out"), 1, "on record");
    let _ = serving.stop().with(0);
    let later = Serving::start(&place);
    assert_eq!((opens(&later, &cookie), opens(&later, &other)), (OUT, IN));
}
