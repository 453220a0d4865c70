//! Nobody without a token, nobody for more than it is for, and nobody more often.

use reqwest::Method;
use serde_json::json;
use serve::Peer;

use crate::server::{FEW, Options, READ, Server, WRITE, answer, signup};

/// Every route that needs a token, and whether reading is enough.
const ROUTES: &[(&str, &str, bool)] = &[
    ("GET", "/v1/onboardings", true),
    ("POST", "/v1/onboardings", false),
    ("GET", "/v1/onboardings/acme", true),
    ("GET", "/v1/onboardings/acme/handoff", true),
    ("POST", "/v1/onboardings/acme/retry", false),
    ("POST", "/v1/onboardings/acme/cancel", false),
    ("GET", "/v1/batches", true),
    ("GET", "/v1/accounts", true),
    ("POST", "/v1/accounts/acme/resume", false),
    ("GET", "/v1/recipes", true),
    ("GET", "/v1/deliveries", true),
    ("GET", "/v1/refused", true),
    (
        "POST",
        "/v1/deliveries/msg_00000000000000000000000000000000/resend",
        false,
    ),
    ("GET", "/v1/events", true),
    ("GET", "/openapi.json", true),
    ("GET", "/metrics", true),
];

#[tokio::test]
async fn every_route_but_health_asks_for_a_token_and_its_scope() {
    let server = Server::start().await;
    for (method, path, reading) in ROUTES {
        let case = format!("{method} {path}");
        let method: Method = method.parse().unwrap();
        let ask = |token: Option<&str>| {
            let request = server.request(method.clone(), path);
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        for token in [None, Some(""), Some("wrong"), Some(&READ[1..])] {
            let refused = answer(ask(token)).await;
            refused.is_problem(401, "unauthenticated", &case);
            assert!(
                refused.header("www-authenticate").starts_with("Bearer"),
                "{case}"
            );
        }
        // Its answer may be anything, but that somebody is let in; streams are not read.
        let let_in = ask(Some(READ)).send().await.unwrap();
        if *reading {
            assert!(![401, 403].contains(&let_in.status().as_u16()), "{case}");
        } else {
            assert_eq!(let_in.status(), 403, "{case}");
        }
        let let_in = ask(Some(WRITE)).send().await.unwrap();
        assert!(![401, 403].contains(&let_in.status().as_u16()), "{case}");
        assert!(
            let_in.headers()["ratelimit-policy"]
                .to_str()
                .unwrap()
                .contains("w=60")
        );
    }
    for path in ["/healthz", "/readyz"] {
        let healthy = answer(server.request(Method::GET, path)).await;
        assert_eq!(healthy.status, 200, "{path}: {}", healthy.text);
    }
}

#[tokio::test]
async fn the_description_lists_every_guarded_route() {
    let server = Server::start().await;
    let described = answer(server.get("/openapi.json")).await.json;
    let mut guarded = 0;
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"].is_null() {
                guarded += 1;
                let matches = |known: &&(&str, &str, bool)| {
                    let parts = |path: &str| path.split('/').count();
                    known.0.eq_ignore_ascii_case(method) && parts(known.1) == parts(path)
                };
                assert!(
                    ROUTES.iter().any(|known| matches(&known)),
                    "{method} {path}"
                );
            }
        }
    }
    assert_eq!(guarded, ROUTES.len());
}

#[tokio::test]
async fn a_token_has_its_allowance_and_is_told_what_is_left() {
    let server = Server::start().await;
    let ask = || server.request(Method::GET, "/v1/recipes").bearer_auth(FEW);
    for left in [2, 1, 0] {
        let taken = answer(ask()).await;
        assert_eq!(taken.status, 200);
        assert_eq!(taken.header("ratelimit-policy"), "\"token\";q=3;w=60");
        assert_eq!(taken.header("ratelimit"), format!("\"token\";r={left}"));
    }
    let refused = answer(ask()).await;
    refused.is_problem(429, "rate_limited", "the fourth");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let other = answer(server.get("/v1/recipes")).await;
    assert_eq!(other.status, 200, "others are let in");
}

#[tokio::test]
async fn a_session_that_was_logged_out_lets_nobody_in_on_any_server_of_the_store() {
    for server in Server::each().await {
        let folder = || tempfile::TempDir::new().unwrap();
        // Another process of the same store, and one that is started later.
        let beside = Server::on(server.store.clone(), folder(), Options::default()).await;
        let typed = onboarding::Secret::new(READ);
        let log_in = || {
            let (session, cookie) = server
                .app
                .sessions()
                .log_in([127, 0, 0, 1].into(), &typed)
                .unwrap();
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            (session, cookie.to_owned())
        };
        let ((session, cookie), (_, other)) = (log_in(), log_in());
        let ask = async |server: &Server, cookie: &str| {
            let request = server.request(Method::GET, "/v1/onboardings");
            answer(request.header("cookie", cookie)).await
        };
        assert_eq!(ask(&server, &cookie).await.status, 200);
        assert_eq!(ask(&beside, &cookie).await.status, 200);
        server.app.end_session(&session).await.unwrap();
        let later = Server::on(server.store.clone(), folder(), Options::default()).await;
        for one in [&server, &beside, &later] {
            let refused = ask(one, &cookie).await;
            refused.is_problem(401, "unauthenticated", "logged out");
            assert_eq!(ask(one, &other).await.status, 200, "another session");
        }
        // Ended twice is ended.
        server.app.end_session(&session).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_reads_by_its_cookie_and_changes_by_its_csrf_token_besides() {
    let server = Server::start().await;
    let loopback = Peer([127, 0, 0, 1].into());
    let log_in = |text: &str| {
        let typed = onboarding::Secret::new(text);
        server.app.sessions().log_in(loopback.0, &typed).unwrap()
    };
    let (session, cookie) = log_in(WRITE);
    let cookie = cookie
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let ask = |method: Method, path: &str| server.request(method, path).header("cookie", &cookie);
    let read = answer(ask(Method::GET, "/v1/onboardings")).await;
    assert_eq!(read.status, 200);
    let enqueue = || ask(Method::POST, "/v1/onboardings").json(&signup(1));
    let refused = answer(enqueue()).await;
    refused.is_problem(403, "csrf_failed", "without");
    let (other, _) = log_in(WRITE);
    let refused = answer(enqueue().header("x-csrf-token", other.csrf())).await;
    refused.is_problem(403, "csrf_failed", "of another session");
    let done = answer(enqueue().header("x-csrf-token", session.csrf())).await;
    assert_eq!(done.status, 202, "{}", done.text);

    let (reader, cookie) = log_in(READ);
    let cookie = cookie
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let change = server
        .request(Method::POST, "/v1/onboardings")
        .header("cookie", cookie)
        .header("x-csrf-token", reader.csrf())
        .json(&json!([]));
    answer(change)
        .await
        .is_problem(403, "forbidden", "a reader");
}
