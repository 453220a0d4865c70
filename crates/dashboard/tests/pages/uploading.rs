//! A file is checked whole, its problems are named, its plan is shown, and only then is it enqueued.

use onboarding::State;

use crate::{
    browser::{Answer, Browser, Part},
    markup,
    place::Place,
};

const GOOD: &str = "account,partner,number,key\n\
    acme,livekit,+918000000001,crm-1\n\
    acme,livekit,+918000000002,crm-2\n\
    globex,livekit,+918000000003,crm-3\n";

async fn send(browser: &Browser, name: &str, text: &str) -> Answer {
    let csrf = browser.get("/upload").await.page().csrf();
    browser
        .upload(&[
            Part::Field("csrf", &csrf),
            Part::File(name, text.as_bytes()),
        ])
        .await
}

#[tokio::test]
async fn a_bad_file_is_refused_with_every_problem_and_a_good_one_becomes_a_batch() {
    let place = Place::new().await;
    let browser = place.writer().await;
    let bad = "account,partner,number\nacme,livekit,0801\nnobody,livekit,+918000000002\nacme,nopartner,+918000000003\n";
    let refused = send(&browser, "signups.csv", bad).await;
    assert_eq!(refused.status, 422);
    assert_eq!(markup::check(&refused.text), Ok(()));
    assert!(
        refused.text.contains("signups.csv has 3 problems"),
        "{}",
        refused.text
    );
    for (line, field) in [(2, "number"), (3, "account"), (4, "partner")] {
        let row = format!(" {line} {field} ");
        assert!(refused.words().contains(&row), "{}", refused.words());
    }
    assert_eq!(place.store.tally().await.unwrap().total(), 0);

    let good = send(&browser, "signups.csv", GOOD).await;
    assert_eq!(good.status, 303, "{}", good.text);
    let plan = browser.get(good.location()).await.page();
    assert_eq!(markup::check(&plan.text), Ok(()));
    assert!(plan.text.contains("Enqueue 3 signups"));
    assert!(plan.text.contains("<span class=\"main\">globex</span>"));
    assert_eq!(place.store.tally().await.unwrap().total(), 0);

    let csrf = plan.csrf();
    let done = browser
        .post(good.location(), &[("csrf", csrf.as_str())])
        .await;
    assert_eq!(done.status, 303, "{}", done.text);
    let batch = browser.get(done.location()).await.page();
    assert!(batch.text.contains("<h1>signups.csv</h1>"));
    assert_eq!(place.in_state(State::Queued).await.len(), 3);
    // It is used once.
    let again = browser
        .post(good.location(), &[("csrf", csrf.as_str())])
        .await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn what_was_accepted_before_costs_nothing_and_what_contradicts_it_is_named() {
    let place = Place::new().await;
    place.accept("before.csv", GOOD).await;
    let browser = place.writer().await;
    let same = send(&browser, "again.csv", GOOD).await;
    let plan = browser.get(same.location()).await.page();
    assert!(plan.text.contains("Enqueue: nothing new"), "{}", plan.text);
    let csrf = plan.csrf();
    let done = browser
        .post(same.location(), &[("csrf", csrf.as_str())])
        .await;
    assert_eq!(done.location(), "/batches?note=nothing-new");

    let other = GOOD.replace("+918000000002", "+918000000999");
    let refused = send(&browser, "other.csv", &other).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("other.csv has 1 problem"),
        "{}",
        refused.text
    );
    assert!(refused.text.contains(">number<") && refused.text.contains(">3<"));
}

#[tokio::test]
async fn what_comes_between_check_and_enqueue_is_named_as_well() {
    let place = Place::new().await;
    let browser = place.writer().await;
    let good = send(&browser, "signups.csv", GOOD).await;
    let csrf = browser.get(good.location()).await.page().csrf();
    let other = GOOD.replace("+918000000002", "+918000000999");
    place.accept("meanwhile.csv", &other).await;
    let refused = browser
        .post(good.location(), &[("csrf", csrf.as_str())])
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("signups.csv has 1 problem"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn signups_can_be_pasted_and_are_there_again_to_be_mended() {
    let place = Place::new().await;
    let browser = place.writer().await;
    let csrf = browser.get("/upload").await.page().csrf();
    let bad = "[{\"account\":\"acme\",\"partner\":\"livekit\",\"number\":\"</textarea>\"}]";
    let refused = browser
        .upload(&[Part::Field("csrf", &csrf), Part::Field("paste", bad)])
        .await;
    assert_eq!(refused.status, 422);
    assert_eq!(markup::check(&refused.text), Ok(()));
    assert!(
        refused.text.contains("&#60;/textarea&#62;"),
        "{}",
        refused.text
    );
    let good = "{\"account\":\"acme\",\"partner\":\"livekit\",\"number\":\"+918000000001\"}\n";
    let taken = browser
        .upload(&[Part::Field("csrf", &csrf), Part::Field("paste", good)])
        .await;
    assert_eq!(taken.status, 303);
}

#[tokio::test]
async fn without_the_pages_own_token_or_the_scope_nothing_is_taken_in() {
    let place = Place::new().await;
    let browser = place.writer().await;
    let file = Part::File("signups.csv", GOOD.as_bytes());
    let refused = browser
        .upload(&[Part::Field("csrf", "made up"), file])
        .await;
    assert_eq!(refused.status, 403);
    let file = Part::File("signups.csv", GOOD.as_bytes());
    assert_eq!(browser.upload(&[file]).await.status, 400);
    let reader = place.reader().await;
    let csrf = reader.get("/").await.csrf();
    let file = Part::File("signups.csv", GOOD.as_bytes());
    let refused = reader.upload(&[Part::Field("csrf", &csrf), file]).await;
    assert_eq!(refused.status, 403);
    // What one session checked, another does not see.
    let good = send(&browser, "signups.csv", GOOD).await;
    assert_eq!(place.writer().await.get(good.location()).await.status, 404);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_before_it_is_all_here() {
    let place = Place::new().await;
    let browser = place.writer().await;
    let large = "x".repeat(33 * 1024 * 1024);
    let refused = send(&browser, "large.csv", &large).await;
    assert_eq!(refused.status, 413, "{}", refused.text);
    assert!(
        refused.text.contains("more than 32 MiB"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn of_one_session_the_oldest_file_goes_when_a_fifth_comes() {
    let place = Place::new().await;
    let browser = place.writer().await;
    let mut places = Vec::new();
    for n in 0..5 {
        let text = GOOD.replace("crm", &format!("crm{n}"));
        places.push(
            send(&browser, "signups.csv", &text)
                .await
                .location()
                .to_owned(),
        );
    }
    assert_eq!(browser.get(&places[0]).await.status, 404);
    for place in &places[1..] {
        assert_eq!(browser.get(place).await.status, 200);
    }
}
