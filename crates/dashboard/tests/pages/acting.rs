//! Actions need a session that may write and the page's own token, and say what they did.

use onboarding::State;
use store::Onboarding;

use crate::place::{Log, Place};

/// Every action, as a path and its other fields.
async fn actions(place: &Place) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let failed = place.in_state(State::Failed).await.remove(0);
    let live = place.live().await;
    let blocked = place.one(State::Blocked).await;
    let done = place.in_state(State::Succeeded).await.remove(0);
    let deliveries = place.store.deliveries(&Default::default(), None, 1).await;
    let delivery = deliveries.unwrap().items.remove(0);
    vec![
        (format!("/onboardings/{}/retry", failed.id), vec![]),
        (
            format!("/onboardings/{}/replace-credentials", live.id),
            vec![],
        ),
        (format!("/onboardings/{}/cancel", blocked.id), vec![]),
        (format!("/onboardings/{}/password", done.id), vec![]),
        (format!("/deliveries/{}/resend", delivery.id), vec![]),
        ("/accounts/resume".to_owned(), vec![("account", "globex")]),
    ]
}

#[tokio::test]
async fn without_the_pages_own_token_nothing_is_done() {
    let place = Place::new().await;
    place.fill().await;
    let browser = place.writer().await;
    let others = place.writer().await.get("/").await.csrf();
    for (path, fields) in actions(&place).await {
        for csrf in [None, Some(""), Some("made-up"), Some(others.as_str())] {
            let mut fields = fields.clone();
            fields.extend(csrf.map(|csrf| ("csrf", csrf)));
            let answer = browser.post(&path, &fields).await;
            let refused = [400, 403].contains(&answer.status);
            assert!(refused, "{path} {csrf:?}: {}", answer.status);
        }
    }
    assert_eq!(place.in_state(State::Blocked).await.len(), 1);
    assert!(!place.in_state(State::Failed).await.is_empty());
}

#[tokio::test]
async fn who_may_only_read_sees_no_actions_and_is_refused() {
    let place = Place::new().await;
    place.fill().await;
    let browser = place.reader().await;
    let csrf = browser.get("/").await.csrf();
    for (path, mut fields) in actions(&place).await {
        fields.push(("csrf", csrf.as_str()));
        assert_eq!(browser.post(&path, &fields).await.status, 403, "{path}");
        if !path.ends_with("password") {
            let asked = browser.get(&format!("{path}?account=globex")).await;
            assert_eq!(asked.status, 403, "{path}");
        }
    }
    let own = place.in_state(State::Failed).await.remove(0);
    for path in [
        "/",
        "/accounts",
        "/deliveries",
        &format!("/onboardings/{}", own.id),
    ] {
        let page = browser.get(path).await.page();
        for action in ["/retry", "/cancel", "/resume", "/resend", "/password"] {
            assert!(
                !page.text.contains(&format!("{action}\"")),
                "{path} {action}"
            );
        }
        assert!(!page.text.contains("data-confirm"), "{path}");
    }
    let upload = browser.get("/upload").await.page();
    assert!(!upload.text.contains("type=\"file\""));
}

#[tokio::test]
async fn retry_cancel_and_resume_do_what_they_say() {
    let place = Place::new().await;
    place.fill().await;
    let browser = place.writer().await;
    let failed = place.in_state(State::Failed).await.remove(0);
    let blocked = place.one(State::Blocked).await;
    let path = format!("/onboardings/{}/retry", failed.id);
    let csrf = browser.get(&path).await.page().csrf();
    let done = browser.post(&path, &[("csrf", csrf.as_str())]).await;
    assert_eq!(done.status, 303);
    let page = browser.get(done.location()).await.page();
    assert!(page.text.contains("It is queued again."), "{}", page.text);
    // A second time there is nothing to retry.
    let again = browser.post(&path, &[("csrf", csrf.as_str())]).await;
    assert!(again.location().ends_with("note=not-now"));

    let fields = [("csrf", csrf.as_str()), ("account", "globex")];
    let done = browser.post("/accounts/resume", &fields).await;
    assert_eq!(done.location(), "/accounts?note=resumed#account-globex");
    assert!(place.in_state(State::Blocked).await.is_empty());

    let path = format!("/onboardings/{}/cancel", blocked.id);
    let done = browser.post(&path, &[("csrf", csrf.as_str())]).await;
    assert!(done.location().ends_with("note=cancelled"));
    assert_eq!(place.one(State::Cancelled).await.id, blocked.id);
}

#[tokio::test]
async fn credentials_in_use_have_a_button_and_a_question_of_their_own() {
    let place = Place::new().await;
    place.fill().await;
    let browser = place.writer().await;
    // One that failed for something else has neither.
    let other = place.in_state(State::Failed).await.remove(0);
    let href = |own: &Onboarding| format!("/onboardings/{}", own.id);
    let page = browser.get(&href(&other)).await.page();
    assert!(!page.text.contains("replace-credentials"), "{}", page.text);
    let path = format!("{}/replace-credentials", href(&other));
    let fields = [("csrf", page.csrf())];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    for answer in [browser.get(&path).await, browser.post(&path, &fields).await] {
        assert!(answer.location().ends_with("note=not-now"), "{answer:?}");
    }

    let own = place.live().await;
    let page = browser.get(&href(&own)).await.page();
    assert!(
        page.text.contains("Replace the credentials"),
        "{}",
        page.text
    );
    assert!(page.text.contains("password that is not known here"));
    let path = format!("{}/replace-credentials", href(&own));
    let asked = browser.get(&path).await.page();
    assert!(
        asked.text.contains("From then on its calls fail"),
        "{}",
        asked.text
    );

    let log = Log::default();
    let _listening = log.listen();
    let done = browser.post(&path, &fields).await;
    assert!(done.location().ends_with("note=retried"), "{done:?}");
    let own = place.store.get(own.id).await.unwrap().unwrap();
    assert!(own.journal.records()[0].replace);
    let text = log.text();
    let line = text
        .lines()
        .find(|line| line.contains("replace_credentials"));
    let line = line.unwrap_or_else(|| panic!("nothing in the log: {text}"));
    assert!(
        line.contains("writer") && line.contains(&own.id.to_string()),
        "{line}"
    );
}

#[tokio::test]
async fn a_delivery_is_sent_again() {
    let place = Place::new().await;
    place.fill().await;
    let browser = place.writer().await;
    let csrf = browser.get("/deliveries").await.page().csrf();
    let deliveries = place.store.deliveries(&Default::default(), None, 1).await;
    let own = deliveries.unwrap().items.remove(0);
    let path = format!("/deliveries/{}/resend", own.id);
    let done = browser.post(&path, &[("csrf", csrf.as_str())]).await;
    assert!(done.location().ends_with("note=resent"), "{done:?}");
}

#[tokio::test]
async fn a_password_is_shown_on_demand_only_and_that_is_on_record() {
    let place = Place::new().await;
    place.fill().await;
    let own = place.in_state(State::Succeeded).await.remove(0);
    let password = place.store.password(own.id).await.unwrap().unwrap();
    let password = password.secret().expose().to_owned();
    let browser = place.writer().await;
    let href = format!("/onboardings/{}", own.id);
    let page = browser.get(&href).await.page();
    assert!(!page.text.contains(&password));
    assert!(page.text.contains("Show password"));

    let log = Log::default();
    let _listening = log.listen();
    let shown = browser
        .post(
            &format!("{href}/password"),
            &[("csrf", page.csrf().as_str())],
        )
        .await
        .page();
    assert!(shown.text.contains(&password));
    assert_eq!(shown.header("cache-control"), "no-store");
    assert!(!shown.text.contains("data-refresh=\"onboarding"));
    let text = log.text();
    let line = text.lines().find(|line| line.contains("show_secrets"));
    let line = line.unwrap_or_else(|| panic!("nothing in the log: {text}"));
    assert!(
        line.contains("writer") && line.contains(&own.id.to_string()),
        "{line}"
    );
    assert!(!text.contains(&password), "{text}");
    // Loaded anew it is hidden again.
    let back = browser.get(&format!("{href}/password")).await;
    assert_eq!((back.status, back.location()), (303, href.as_str()));
}
