//! What a step would make is there already: whose is it?
#![expect(
    clippy::unwrap_used,
    reason = "steps are made of texts that are known to parse"
)]

use onboarding::{Key, Mode, OnboardingId, State, Step};
use serde_json::{Value, json};
use store::{NewOnboarding, Operate};

use crate::world::{World, full, full_signup, number, settings, sid, signup};

pub(crate) fn chosen(name: &str) -> Vec<Step> {
    vec![Step::CreateTrunk {
        name: name.parse().unwrap(),
        chosen: true,
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_name_that_somebody_else_has_is_not_adopted() {
    let mut world = World::new().await;
    world
        .enqueue(vec![signup("acme", 1, |_| chosen("front_desk"))])
        .await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let theirs = world.trunks("acme").await[0]["trunk_sid"].clone();
    world.lose_the_store();
    let id = world
        .enqueue(vec![signup("acme", 2, |_| chosen("front_desk"))])
        .await[0];
    for round in 0..2 {
        world
            .drain(settings(&format!("w{round}")), vec![world.account("acme")])
            .await;
        let (code, message) = world.fault(id).await;
        assert_eq!(code, "trunk_name_taken", "round {round}");
        assert!(message.contains("front_desk"), "{message}");
        assert!(message.contains(theirs.as_str().unwrap()), "{message}");
        // A retry does not make it ours either.
        world.store.retry(id, false).await.unwrap();
    }
    assert_eq!(world.trunks("acme").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_never_makes_a_second_trunk_of_a_chosen_name() {
    let world = World::new().await;
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/trunks$", "nth": 1, "reset_after": true}]),
        )
        .await;
    let id = world
        .enqueue(vec![signup("acme", 1, |_| chosen("front_desk"))])
        .await[0];
    world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    assert_eq!(world.state(id).await, State::Succeeded);
    assert_eq!(world.trunks("acme").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_first_attempt_gives_no_right_to_a_chosen_name() {
    let mut world = World::new().await;
    world
        .enqueue(vec![signup("acme", 1, |_| chosen("front_desk"))])
        .await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    world.lose_the_store();
    world
        .put(
            "faults",
            &json!([{"method": "POST", "path": "/trunks$", "nth": 1, "status": 429}]),
        )
        .await;
    let id = world
        .enqueue(vec![signup("acme", 2, |_| chosen("front_desk"))])
        .await[0];
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    assert_eq!(world.fault(id).await.0, "trunk_name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_on_another_trunk_fails_and_names_that_trunk_if_exotel_tells() {
    let world = World::new().await;
    let first = |id| full(id, 1)[..2].to_vec();
    world.enqueue(vec![signup("acme", 1, first)]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let other = world.trunks("acme").await[0]["trunk_sid"].clone();
    let answers: [(&str, Value, &str); 4] = [
        ("tells", json!([]), other.as_str().unwrap()),
        (
            "404",
            json!([{"path": "trunk-maps", "status": 404, "body": "html"}]),
            "unsupported_call",
        ),
        (
            "405",
            json!([{"path": "trunk-maps", "status": 405, "body": "empty"}]),
            "unsupported_call",
        ),
        (
            "garbage",
            json!([{"path": "trunk-maps", "status": 200, "body": "html"}]),
            "not_an_envelope",
        ),
    ];
    for (n, (name, faults, expected)) in (2..).zip(answers) {
        world.put("faults", &faults).await;
        // Another onboarding that wants the first one's number.
        let steps = |id| full(id, 1)[..2].to_vec();
        let id = world.enqueue(vec![signup("acme", n, steps)]).await[0];
        world
            .drain(settings(name), vec![world.account("acme")])
            .await;
        let (code, message) = world.fault(id).await;
        assert_eq!(code, "duplicate_number", "{name}");
        assert!(message.contains(expected), "{name}: {message}");
        assert!(message.contains(&number(1)), "{name}: {message}");
        // The trunk that was made for it is of no use, unless nothing confirms that.
        let confirmed = name != "garbage";
        assert_eq!(
            message.contains("Nothing was left"),
            confirmed,
            "{name}: {message}"
        );
        let left = 1 + usize::from(!confirmed);
        assert_eq!(world.trunks("acme").await.len(), left, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_made_for_a_number_that_is_taken_stays_where_exotel_does_not_confirm_that() {
    let world = World::new().await;
    let first = |id| full(id, 1)[..2].to_vec();
    world.enqueue(vec![signup("acme", 1, first)]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    // Exotel's trunk map answers, and names no trunk.
    let nowhere = json!([{"path": "trunk-maps", "status": 200}]);
    world.put("faults", &nowhere).await;
    let steps = |id| full(id, 1)[..2].to_vec();
    let id = world.enqueue(vec![signup("acme", 2, steps)]).await[0];
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    let (code, message) = world.fault(id).await;
    assert_eq!(code, "duplicate_number");
    assert!(
        message.contains("Left on Exotel's side: trunk "),
        "{message}"
    );
    assert_eq!(world.trunks("acme").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removal_of_a_useless_trunk_goes_on_after_whatever_interrupts_it() {
    let broken = [
        json!({"method": "DELETE", "path": "/trunks$", "nth": 1, "reset_before": true}),
        json!({"method": "DELETE", "path": "/trunks$", "nth": 1, "reset_after": true}),
        json!({"method": "DELETE", "path": "/trunks$", "nth": 1, "status": 503, "after": true}),
        json!({"method": "DELETE", "path": "/trunks$", "nth": 1, "status": 429, "retry_after": 0}),
        json!({"method": "GET", "path": "/trunks/[^/]*$", "nth": 1, "reset_after": true}),
        json!({"method": "GET", "path": "/credentials$", "nth": 1, "status": 500}),
    ];
    for fault in broken {
        let world = World::new().await;
        let first = |id| full(id, 1)[..2].to_vec();
        world.enqueue(vec![signup("acme", 1, first)]).await;
        world
            .drain(settings("w1"), vec![world.account("acme")])
            .await;
        world.put("faults", &json!([fault])).await;
        let steps = |id| full(id, 1)[..2].to_vec();
        let id = world.enqueue(vec![signup("acme", 2, steps)]).await[0];
        world
            .drain(settings("w2"), vec![world.account("acme")])
            .await;
        let (code, message) = world.fault(id).await;
        assert_eq!(code, "duplicate_number", "{fault}");
        assert!(message.contains("Nothing was left"), "{fault}: {message}");
        assert_eq!(world.trunks("acme").await.len(), 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_on_which_something_stands_that_nobody_here_made_is_not_removed() {
    let world = World::new().await;
    let first = |id| full(id, 1)[..2].to_vec();
    world.enqueue(vec![signup("acme", 1, first)]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let foreign = json!([{"method": "GET", "path": "/destination-uris$", "foreign": {
        "code": 200, "status": "success", "error_data": null,
        "data": {"id": "99", "destination": "sip:other.example:5061;transport=tls"}}}]);
    world.put("faults", &foreign).await;
    let steps = |id| full(id, 1)[..2].to_vec();
    let id = world.enqueue(vec![signup("acme", 2, steps)]).await[0];
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    let (_, message) = world.fault(id).await;
    assert!(message.contains("it has destination 99"), "{message}");
    assert_eq!(world.trunks("acme").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_with_another_mode_gets_the_planned_one() {
    let mut world = World::new().await;
    let steps = |mode| {
        move |id| {
            let mut steps = full(id, 1)[..1].to_vec();
            let number = number(1).parse().unwrap();
            steps.push(Step::MapNumber { number, mode });
            steps
        }
    };
    world.enqueue(vec![signup("acme", 1, steps(None))]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    // Nothing is sent where pstn is wanted and none is set, for they are the same.
    for (mode, puts) in [(Some(Mode::Pstn), 0), (Some(Mode::Flow), 1)] {
        world.lose_the_store();
        let id = world.enqueue(vec![signup("acme", 1, steps(mode))]).await[0];
        world
            .drain(settings("w"), vec![world.account("acme")])
            .await;
        assert_eq!(world.state(id).await, State::Succeeded);
        let requests = world.requests("acme").await;
        let sent = requests.iter().filter(|it| it.starts_with("PUT ")).count();
        assert_eq!(sent, puts, "{mode:?} {requests:?}");
    }
    assert_eq!(world.trunks("acme").await[0]["numbers"][0]["mode"], "flow");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acl_entry_with_another_mask_fails_and_says_so() {
    let mut world = World::new().await;
    let trunk_only = |id| full(id, 1)[..1].to_vec();
    world.enqueue(vec![signup("acme", 1, trunk_only)]).await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let trunk = world.trunks("acme").await[0]["trunk_sid"].clone();
    let url = format!(
        "{}/v2/accounts/{}/trunks/{}/whitelisted-ips",
        world.sandbox.base_url(),
        sid("acme"),
        trunk.as_str().unwrap()
    );
    let range = json!({"ip": "44.248.146.11", "mask": 24});
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(url);
    let answer = request
        .basic_auth("key", Some("token"))
        .json(&range)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
    world.lose_the_store();
    let with_ip = |id| {
        let steps = full(id, 1);
        vec![steps[0].clone(), steps[2].clone()]
    };
    let id = world.enqueue(vec![signup("acme", 1, with_ip)]).await[0];
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    let (code, message) = world.fault(id).await;
    assert_eq!(code, "acl_mask");
    assert!(message.contains("/24"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_is_found_on_a_later_page() {
    let mut world = World::new().await;
    let trunk_only = |id| full(id, 1)[..1].to_vec();
    for round in 0..2 {
        let new = (round * 60..(round + 1) * 60).map(|n| signup("acme", n, trunk_only));
        world.enqueue(new.collect()).await;
        world
            .drain(settings("w1"), vec![world.account("acme")])
            .await;
    }
    let before = world.requests("acme").await.len();
    world.lose_the_store();
    // The newest are listed first, so this one is on the last of three pages.
    let id = world.enqueue(vec![signup("acme", 0, trunk_only)]).await[0];
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    assert_eq!(world.state(id).await, State::Succeeded);
    let requests = world.requests("acme").await;
    let reads = requests[before..]
        .iter()
        .filter(|it| it.starts_with("GET "));
    assert!(reads.count() > 1, "{:?}", &requests[before..]);
    assert_eq!(world.trunks("acme").await.len(), 120);
}

fn chosen_with_number(n: u32) -> Vec<Step> {
    let mut steps = chosen("front_desk");
    steps.push(Step::MapNumber {
        number: number(n).parse().unwrap(),
        mode: None,
    });
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_with_somebody_elses_number_is_never_adopted_whatever_was_attempted() {
    let mut world = World::new().await;
    world
        .enqueue(vec![signup("acme", 1, |_| chosen_with_number(1))])
        .await;
    world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    let theirs = world.trunks("acme").await;
    world.lose_the_store();
    let lost = json!([{"method": "POST", "path": "/trunks$", "nth": 1, "reset_before": true}]);
    world.put("faults", &lost).await;
    let id = world
        .enqueue(vec![signup("acme", 2, |_| chosen_with_number(2))])
        .await[0];
    for round in 0..2 {
        world
            .drain(settings("w2"), vec![world.account("acme")])
            .await;
        let (code, message) = world.fault(id).await;
        assert_eq!(code, "trunk_name_taken", "round {round}");
        let sid = theirs[0]["trunk_sid"].as_str().unwrap();
        // Once it is known not to be ours, the name alone is enough.
        assert_eq!(message.contains(&number(1)), round == 0, "{message}");
        assert!(message.contains(sid), "{message}");
        assert!(message.contains("Nothing was left"), "{message}");
        assert_eq!(world.trunks("acme").await, theirs);
        world.store.retry(id, false).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_finished_trunk_of_our_own_is_adopted() {
    for finished in [1, 2] {
        let mut world = World::new().await;
        let half = |_| chosen_with_number(1)[..finished].to_vec();
        world.enqueue(vec![signup("acme", 1, half)]).await;
        world
            .drain(settings("w1"), vec![world.account("acme")])
            .await;
        world.lose_the_store();
        let lost = json!([{"method": "POST", "path": "/trunks$", "nth": 1, "reset_before": true}]);
        world.put("faults", &lost).await;
        let id = world
            .enqueue(vec![signup("acme", 1, |_| chosen_with_number(1))])
            .await[0];
        world
            .drain(settings("w2"), vec![world.account("acme")])
            .await;
        let onboarding = world.onboarding(id).await;
        assert_eq!(onboarding.state, State::Succeeded, "{onboarding:?}");
        assert!(onboarding.journal.records()[0].adopted);
        assert_eq!(onboarding.journal.records()[1].adopted, finished == 2);
        let trunks = world.trunks("acme").await;
        assert_eq!(trunks.len(), 1);
        assert_eq!(trunks[0]["numbers"].as_array().unwrap().len(), 1);
    }
}

/// Another onboarding of the number of the first one.
fn again(account: &str) -> NewOnboarding {
    let key: Key = "a-later-id-of-the-same-customer".parse().unwrap();
    let mut new = signup(account, 1, |id| full(id, 1));
    new.id = OnboardingId::of(&key);
    new.plan.steps = full(new.id, 1);
    new.key = key;
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_another_onboarding_has_costs_no_request_and_no_trunk() {
    let world = World::new().await;
    let ids = world
        .enqueue(vec![full_signup("acme", 1), again("bolt")])
        .await;
    let accounts = || vec![world.account("acme"), world.account("bolt")];
    let stats = world.drain(settings("w1"), accounts()).await;
    assert_eq!((stats.succeeded, stats.failed), (1, 1));
    for worker in ["w2", "w3"] {
        let (code, message) = world.fault(ids[1]).await;
        assert_eq!(code, "number_in_use");
        for word in [
            "+918000000001",
            "acme-1",
            "nothing was sent",
            "Nothing was left",
        ] {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert_eq!(world.requests("bolt").await, Vec::<String>::new());
        world.store.retry(ids[1], false).await.unwrap();
        let stats = world.drain(settings(worker), accounts()).await;
        assert_eq!(stats.failed, 1, "the other one is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_on_once_the_one_that_had_the_number_is_cancelled() {
    let world = World::new().await;
    let refused = json!([{"method": "POST", "path": "/trunks$", "status": 400, "nth": 1}]);
    world.put("faults", &refused).await;
    let ids = world
        .enqueue(vec![full_signup("acme", 1), again("acme")])
        .await;
    let stats = world
        .drain(settings("w1"), vec![world.account("acme")])
        .await;
    assert_eq!((stats.failed, stats.requests), (2, 1));
    assert_eq!(world.fault(ids[1]).await.0, "number_in_use");
    world.store.cancel(ids[0]).await.unwrap();
    world.store.retry(ids[1], false).await.unwrap();
    world
        .drain(settings("w2"), vec![world.account("acme")])
        .await;
    world
        .assert_exactly_one("after the cancel", "acme", ids[1])
        .await;
}
