//! Nobody sees anything without a session, and a session is begun on our own form only.

use crate::place::{Log, Place, READER, WRITER};

const PAGES: [&str; 9] = [
    "/",
    "/onboardings",
    "/onboardings/onb_00000000000000000000000000",
    "/batches",
    "/accounts",
    "/accounts/resume?account=acme",
    "/recipes",
    "/deliveries",
    "/upload",
];

#[tokio::test]
async fn who_is_not_logged_in_is_asked_to_and_comes_back() {
    let place = Place::new().await;
    let stranger = place.stranger();
    for page in PAGES {
        let answer = stranger.get(page).await;
        assert_eq!(answer.status, 303, "{page}");
        assert!(answer.location().starts_with("/login"), "{page}");
        assert!(!answer.text.contains("acme"), "{page}");
    }
    let asked = stranger.get("/onboardings?state=failed").await;
    assert_eq!(
        asked.location(),
        "/login?next=%2Fonboardings%3Fstate%3Dfailed"
    );
    let form = stranger.get(asked.location()).await.page();
    let csrf = form.csrf();
    let came = stranger
        .post(
            "/login",
            &[
                ("csrf", csrf.as_str()),
                ("token", WRITER),
                ("next", "/onboardings?state=failed"),
            ],
        )
        .await;
    assert_eq!(came.status, 303);
    assert_eq!(came.location(), "/onboardings?state=failed");
    assert_eq!(stranger.get("/").await.status, 200);
}

#[tokio::test]
async fn after_logging_in_nobody_is_led_elsewhere() {
    let place = Place::new().await;
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/logout",
    ] {
        let stranger = place.stranger();
        let csrf = stranger.get("/login").await.csrf();
        let fields = [("csrf", csrf.as_str()), ("token", WRITER), ("next", next)];
        let came = stranger.post("/login", &fields).await;
        assert_eq!(came.location(), "/", "{next}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_is_nowhere_to_be_seen() {
    let place = Place::new().await;
    let log = Log::default();
    let _listening = log.listen();
    let stranger = place.stranger();
    let csrf = stranger.get("/login").await.csrf();
    let typed = "tl_a_wrong_one";
    let came = stranger
        .post("/login", &[("csrf", csrf.as_str()), ("token", typed)])
        .await;
    assert_eq!(came.status, 401);
    assert!(came.text.contains("There is no such token"));
    assert!(!came.text.contains(typed));
    assert_eq!(stranger.get("/").await.status, 303);
    let csrf = came.csrf();
    let right = [("csrf", csrf.as_str()), ("token", READER)];
    assert_eq!(stranger.post("/login", &right).await.status, 303);
    for secret in [typed, READER] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
}

#[tokio::test]
async fn a_login_that_did_not_come_from_our_form_is_refused() {
    let place = Place::new().await;
    let stranger = place.stranger();
    for csrf in ["", "00000000000000000000000000000000"] {
        let fields = [("csrf", csrf), ("token", WRITER)];
        let came = stranger.post("/login", &fields).await;
        assert_eq!(came.status, 403, "{csrf}");
        assert_eq!(stranger.get("/").await.status, 303);
    }
    // Another browser's form.
    let csrf = place.stranger().get("/login").await.csrf();
    stranger.get("/login").await;
    let fields = [("csrf", csrf.as_str()), ("token", WRITER)];
    assert_eq!(stranger.post("/login", &fields).await.status, 403);
}

#[tokio::test]
async fn logging_out_ends_the_session_for_readers_too() {
    let place = Place::new().await;
    for browser in [place.writer().await, place.reader().await] {
        let csrf = browser.get("/").await.page().csrf();
        let refused = browser.post("/logout", &[("csrf", "made up")]).await;
        assert_eq!(refused.status, 403);
        assert_eq!(browser.get("/").await.status, 200);
        let left = browser.post("/logout", &[("csrf", csrf.as_str())]).await;
        assert_eq!((left.status, left.location()), (303, "/login"));
        assert_eq!(browser.get("/").await.status, 303);
    }
}
