//! Reading without changing anything.

use exotel::Client;
use serde_json::json;
use store::Operate;
use worker::{AccountCheck, Error, Verdict, check_account, verify_onboarding};

use crate::world::{World, account, full_signup, settings, sid};

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_tells_what_is_missing_what_differs_and_what_is_too_much() {
    let world = World::new().await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    let client = Client::new(&world.config("acme")).unwrap();
    let onboarding = world.onboarding(id).await;
    let (store, settings) = (&*world.store, settings("v"));
    let same = verify_onboarding(store, &client, &onboarding, &settings)
        .await
        .unwrap();
    assert!(same.is_as_planned(), "{same:?}");
    assert_eq!(same.confirmed(), 6);

    let trunk = onboarding.journal.trunk_sid().unwrap();
    let number = onboarding.number.clone();
    let mapping = client
        .numbers_page(trunk, exotel::NextPage::FIRST)
        .await
        .unwrap();
    let mapping = mapping.value.items[0].id.clone();
    client
        .update_number(trunk, &mapping, &number, onboarding::Mode::Flow)
        .await
        .unwrap();
    let acl = client
        .whitelisted_ips_page(trunk, exotel::NextPage::FIRST)
        .await
        .unwrap();
    client
        .remove_whitelisted_ip(trunk, &acl.value.items[0].id)
        .await
        .unwrap();
    let twice = "sip.partner.example:5061;transport=tls".parse().unwrap();
    client.map_destination(trunk, &twice).await.unwrap();
    let other = verify_onboarding(store, &client, &onboarding, &settings)
        .await
        .unwrap();
    let verdicts: Vec<_> = other.steps.iter().map(|step| &step.verdict).collect();
    assert!(matches!(verdicts[1], Verdict::Differs { .. }), "{other:?}");
    assert_eq!(*verdicts[2], Verdict::Missing);
    assert_eq!(other.extra.len(), 1, "{other:?}");
    assert_eq!(other.differences().len(), 3);

    client.delete_trunk(trunk).await.unwrap();
    let gone = verify_onboarding(store, &client, &onboarding, &settings)
        .await
        .unwrap();
    assert!(
        gone.steps
            .iter()
            .all(|step| step.verdict == Verdict::Missing),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_or_cannot_be_read_is_not_as_planned_and_fails_no_run() {
    let world = World::new().await;
    let unreadable = json!([{"method": "GET", "path": "settings", "status": 404, "body": "html"}]);
    world.put("faults", &unreadable).await;
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let client = Client::new(&world.config("acme")).unwrap();
    let settings = settings("v");
    let before = world.onboarding(id).await;
    let none = verify_onboarding(&*world.store, &client, &before, &settings)
        .await
        .unwrap();
    assert!(!none.is_as_planned());
    assert_eq!(none.unconfirmed().len(), none.steps.len(), "{none:?}");

    world
        .drain(settings.clone(), vec![world.account("acme")])
        .await;
    assert_eq!(world.state(id).await, onboarding::State::Succeeded);
    let after = world.onboarding(id).await;
    let all = verify_onboarding(&*world.store, &client, &after, &settings)
        .await
        .unwrap();
    assert!(!all.is_as_planned());
    assert_eq!(all.confirmed() + 1, all.steps.len(), "{all:?}");
    let told = all.unconfirmed();
    assert!(
        told[0].contains("caller id") && told[0].contains("cannot be read"),
        "{told:?}"
    );
    assert_eq!(all.differences(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_check_tells_right_keys_from_wrong_ones_parked_or_not() {
    let world = World::new().await;
    let key = json!([{"account_sid": sid("acme"), "api_key": "key", "api_token": "token"}]);
    world.put("accounts", &key).await;
    let good = Client::new(&world.config("acme")).unwrap();
    let mut config = world.config("acme");
    config.api_token = onboarding::Secret::new("wrong");
    let bad = Client::new(&config).unwrap();
    // A worker enters the account.
    world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    let (store, settings, name) = (&*world.store, settings("c"), account("acme"));
    for parked in [false, true] {
        if parked {
            world.store.park_account(&name, "made up").await.unwrap();
        }
        let works = check_account(store, &name, &good, &settings).await.unwrap();
        assert!(matches!(works, AccountCheck::Works { .. }), "{works:?}");
        let wrong = check_account(store, &name, &bad, &settings).await.unwrap();
        assert!(matches!(wrong, AccountCheck::Unauthorized(_)), "{wrong:?}");
    }
    let id = world.enqueue(vec![full_signup("acme", 1)]).await[0];
    let onboarding = world.onboarding(id).await;
    let refused = verify_onboarding(store, &good, &onboarding, &settings).await;
    assert!(
        refused.is_ok() || matches!(refused, Err(Error::Parked { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_check_falls_back_to_what_the_reference_documents() {
    let world = World::new().await;
    world
        .put(
            "faults",
            &json!([{"path": "IncomingPhoneNumbers", "status": 404, "body": "html"}]),
        )
        .await;
    world
        .drain(settings("w"), vec![world.account("acme")])
        .await;
    let client = Client::new(&world.config("acme")).unwrap();
    let name = account("acme");
    let works = check_account(&*world.store, &name, &client, &settings("c"))
        .await
        .unwrap();
    assert_eq!(works, AccountCheck::Works { numbers: None });
}
