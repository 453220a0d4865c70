//! Every page renders, whatever there is to show, and tells browsers what they are to keep to.

use std::time::Duration;

use onboarding::State;

use crate::{browser::Browser, markup, place::Place};

/// Every page there is now.
pub(crate) async fn pages(place: &Place) -> Vec<String> {
    let mut pages: Vec<String> = [
        "/",
        "/onboardings",
        "/onboardings?state=failed",
        "/onboardings?q=nothing-like-it",
        "/onboardings?account=%22%3E%3Cscript%3E&batch=x&state=done&partner=-",
        "/batches",
        "/accounts",
        "/accounts/resume?account=globex",
        "/deliveries",
        "/deliveries?state=waiting",
        "/recipes",
        "/upload",
        "/?note=retried",
    ]
    .map(str::to_owned)
    .into();
    for recipe in place.desk.book().iter() {
        pages.push(format!("/recipes/{}", recipe.name));
    }
    for batch in place.store.batches(None, 5).await.unwrap() {
        pages.push(format!("/batches/{}", batch.number));
    }
    for state in State::ALL {
        for own in place.in_state(state).await.iter().take(2) {
            pages.push(format!("/onboardings/{}", own.id));
            if records::has_live_credentials(own) {
                pages.push(format!("/onboardings/{}/replace-credentials", own.id));
            }
            if matches!(state, State::Failed | State::Cancelled) {
                pages.push(format!("/onboardings/{}/retry", own.id));
            }
            if !matches!(state, State::Succeeded | State::Cancelled) {
                pages.push(format!("/onboardings/{}/cancel", own.id));
            }
        }
    }
    let deliveries = place.store.deliveries(&Default::default(), None, 5).await;
    for own in deliveries.unwrap().items {
        pages.push(format!("/deliveries/{}/resend", own.id));
    }
    pages
}

async fn all_are_good(browser: &Browser, place: &Place) {
    for path in pages(place).await {
        let page = browser.get(&path).await.page();
        if let Err(wrong) = markup::check(&page.text) {
            panic!("{path}: {wrong}\n{}", page.text);
        }
        assert_eq!(
            page.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.text.contains("<h1>"), "{path} has no heading");
        assert!(page.text.contains("<main id=\"main\""), "{path}");
    }
}

#[tokio::test]
async fn every_page_is_whole_with_nothing_one_and_many() {
    let place = Place::new().await;
    let browser = place.writer().await;
    all_are_good(&browser, &place).await;

    place.live().await;
    place.fill().await;
    all_are_good(&browser, &place).await;

    let mut many = String::from("account,partner,number\n");
    for n in 0..400 {
        many.push_str(&format!("acme,livekit,+9180{n:08}\n"));
    }
    place.accept("many.csv", &many).await;
    all_are_good(&browser, &place).await;
}

#[tokio::test]
async fn errors_are_pages_too() {
    let place = Place::new().await;
    let browser = place.writer().await;
    for path in [
        "/onboardings/onb_00000000000000000000000000",
        "/onboardings/nonsense",
        "/batches/7",
        "/batches/x",
        "/recipes/nobody",
        "/recipes/%22%3E%3Cscript%3E",
        "/deliveries/msg_0/resend",
        "/accounts/resume?account=%3Cscript%3E",
        "/upload/0000",
        "/upload/x",
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(markup::check(&page.text), Ok(()), "{path}");
        assert!(!page.header("content-security-policy").is_empty());
    }
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page_and_keeps_its_filters() {
    let place = Place::new().await;
    let mut many = String::from("account,partner,number\n");
    for n in 0..120 {
        let account = if n % 2 == 0 { "acme" } else { "globex" };
        many.push_str(&format!("{account},livekit,+9180{n:08}\n"));
    }
    place.accept("many.csv", &many).await;
    let browser = place.reader().await;
    let mut path = "/onboardings?account=acme".to_owned();
    let mut seen = 0;
    loop {
        let page = browser.get(&path).await.page();
        seen += page
            .text
            .matches("<tr role=\"row\" data-onboarding=")
            .count();
        assert!(!page.text.contains("globex/livekit"));
        let Some((_, rest)) = page.text.split_once("rel=\"next\" href=\"") else {
            break;
        };
        path = rest.split('"').next().unwrap().replace("&#38;", "&");
        assert!(path.contains("account=acme&after="), "{path}");
    }
    assert_eq!(seen, 60);
    let batch = &place.store.batches(None, 1).await.unwrap()[0];
    let page = browser
        .get(&format!(
            "/onboardings?batch={}&account=globex",
            batch.number
        ))
        .await;
    assert!(page.text.contains("50 shown"));
}

#[tokio::test]
async fn an_id_or_a_key_leads_to_its_onboarding() {
    let place = Place::new().await;
    place.fill().await;
    let own = place.one(State::Succeeded).await;
    let browser = place.reader().await;
    for q in [
        own.id.to_string(),
        own.key.to_string(),
        format!("+{}+", own.key),
    ] {
        let found = browser.get(&format!("/onboardings?q={q}")).await;
        assert_eq!(found.location(), format!("/onboardings/{}", own.id), "{q}");
    }
}

#[tokio::test]
async fn assets_are_kept_for_good_and_only_under_their_own_name() {
    let place = Place::new().await;
    let stranger = place.stranger();
    let page = stranger.get("/login").await.page();
    let (_, rest) = page.text.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let css = rest.split('"').next().unwrap();
    let asset = stranger.get(css).await.page();
    assert_eq!(
        asset.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(asset.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(stranger.get("/assets/0-app.css").await.status, 404);
}

#[tokio::test]
async fn colours_that_were_chosen_are_there_from_the_first_byte() {
    let place = Place::new().await;
    let browser = place.reader().await;
    assert!(browser.get("/").await.text.contains("<html lang=\"en\">"));
    browser.set("theme", "dark");
    let dark = "<html lang=\"en\" data-theme=\"dark\">";
    for path in ["/", "/recipes", "/batches/7"] {
        assert!(browser.get(path).await.text.contains(dark), "{path}");
    }
    browser.set("theme", "\"><script>");
    assert!(browser.get("/").await.text.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn a_refused_webhook_is_on_the_overview_until_it_is_accepted() {
    let place = Place::new().await;
    let browser = place.reader().await;
    assert!(!browser.get("/").await.text.contains("Refused webhooks"));
    for n in 0..7 {
        let problem = "\"8000000032\" is not an E.164 number";
        place.refuse("forms", &format!("msg-{n}"), problem).await;
    }
    let page = browser.get("/").await.page();
    assert_eq!(markup::check(&page.text), Ok(()));
    assert_eq!(page.text.matches("is not an E.164 number").count(), 5);
    for told in [
        "forms",
        "msg-6",
        "/answers/did",
        "answered 422",
        "GET /v1/refused",
    ] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    assert!(!page.text.contains("msg-1"), "the newest");
    for n in 1..7 {
        let message = format!("msg-{n}");
        let gone = place.store.accepted_after_all("forms", &message).await;
        gone.unwrap();
    }
    let page = browser.get("/").await.page();
    assert!(page.text.contains("msg-0") && !page.text.contains("msg-6"));
    assert!(!page.text.contains("GET /v1/refused"));
}

#[tokio::test]
async fn a_step_that_waits_until_an_earlier_request_is_certain_says_so() {
    let place = Place::new().await;
    let csv = "account,partner,number\n\
        acme,elevenlabs,+918000000001\nglobex,elevenlabs,+918000000002\n";
    place.accept("two.csv", csv).await;
    let said = "An earlier request may still be processed; certain";
    for (account, seconds) in [("acme", 3600), ("globex", 0)] {
        let claim = place.claim(&[account]).await.remove(0);
        place.settle(&claim, Duration::from_secs(seconds)).await;
        let path = format!("/onboardings/{}", claim.lease.id);
        let page = place.reader().await.get(&path).await.page();
        assert_eq!(page.text.contains(said), seconds > 0, "{}", page.text);
    }
}
