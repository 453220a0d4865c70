//! The same signup twice is one onboarding.

use producer::{Accounts, Format, Report};

use crate::desk::{Desk, accounts, source};

const ROWS: &str = "account,partner,number,direction,inputs.source_ips
acme,livekit,+918000000001,,
globex,rapida,+918000000002,outbound,
acme,pipecat,+918000000003,,44.248.146.11 44.248.146.12
";

fn report(accepted: u64, duplicates: u64) -> Report {
    Report {
        accepted,
        duplicates,
        total: accepted + duplicates,
        batch: None,
        warnings: Vec::new(),
    }
}

#[tokio::test]
async fn the_same_file_twice_is_accepted_once() {
    let desk = Desk::new();
    let first = desk
        .enqueue_heard(vec![source(Format::Csv, ROWS)], accounts())
        .await;
    let second = desk
        .enqueue_heard(vec![source(Format::Csv, ROWS)], accounts())
        .await;
    assert_eq!(first.0.unwrap(), report(3, 0));
    assert_eq!(second.0.unwrap(), report(0, 3));
    assert_eq!(first.1, second.1);
    assert_eq!(desk.all().await.len(), 3);
}

#[tokio::test]
async fn a_file_given_twice_at_once_is_accepted_once() {
    let desk = Desk::new();
    let twice = vec![source(Format::Csv, ROWS), source(None, ROWS)];
    assert_eq!(desk.enqueue(twice).await.unwrap(), report(3, 3));
}

#[tokio::test]
async fn a_derived_key_written_down_makes_no_difference() {
    let desk = Desk::new();
    let text = "account,partner,number,key
acme,livekit,+918000000001,
acme,livekit,+918000000001,acme/livekit/+918000000001
";
    assert_eq!(
        desk.enqueue(vec![source(None, text)]).await.unwrap(),
        report(1, 1)
    );
}

#[tokio::test]
async fn a_list_is_the_same_in_csv_and_json_and_with_repeats() {
    let desk = Desk::new();
    desk.enqueue(vec![source(None, ROWS)]).await.unwrap();
    let line = r#"{"account":"acme","partner":"pipecat","number":"+918000000003","direction":null,
        "inputs":{"source_ips":["44.248.146.11","44.248.146.12/32","44.248.146.11"]}}"#;
    let again = source(None, line.replace('\n', ""));
    assert_eq!(desk.enqueue(vec![again]).await.unwrap(), report(0, 1));
}

#[tokio::test]
async fn what_is_kept_for_comparison_has_no_defaults_and_no_key() {
    let desk = Desk::new();
    let text = "account,partner,number,key\nacme,livekit,+918000000001,crm-1\n";
    desk.enqueue(vec![source(None, text)]).await.unwrap();
    let kept = &desk.all().await[0];
    assert_eq!(
        kept.signup,
        r#"{"account":"acme","partner":"livekit","number":"+918000000001"}"#
    );
    assert_eq!(kept.key.as_str(), "crm-1");
    assert_eq!(kept.direction, onboarding::Direction::Outbound);
}

#[tokio::test]
async fn the_second_of_two_files_that_contradict_each_other_names_the_first() {
    let desk = Desk::new();
    let one = desk.file("one.csv", ROWS);
    let two = desk.file("two.csv", ROWS.replace("44.248.146.12", ""));
    let sources = [&one, &two].map(producer::Source::from_argument);
    let (problems, _) = desk.refusal(sources.into()).await;
    assert_eq!(problems.len(), 1);
    let problem = &problems[0];
    assert_eq!(
        (problem.line, problem.field.as_str()),
        (4, "inputs.source_ips")
    );
    assert_eq!(problem.file, two.display().to_string());
    assert!(
        problem
            .message
            .contains(&format!("line 4 of {}", one.display()))
    );
}

#[tokio::test]
async fn every_signup_with_credentials_gets_a_password_of_its_own() {
    use store::Inspect;
    let desk = Desk::new();
    desk.enqueue(vec![source(None, ROWS)]).await.unwrap();
    let mut passwords = Vec::new();
    for onboarding in desk.all().await {
        let password = desk.store.password(onboarding.id).await.unwrap();
        assert_eq!(password.is_some(), onboarding.plan.needs_password());
        passwords.extend(password.map(|p| p.secret().expose().to_owned()));
    }
    assert!(passwords.iter().all(|password| password.len() == 24));
    passwords.sort();
    passwords.dedup();
    assert_eq!(passwords.len(), 2);
}

#[tokio::test]
async fn the_recipe_of_every_plan_is_kept() {
    use store::Inspect;
    let desk = Desk::new();
    desk.enqueue(vec![source(None, ROWS)]).await.unwrap();
    for onboarding in desk.all().await {
        let text = desk
            .store
            .recipe(&onboarding.recipe)
            .await
            .unwrap()
            .unwrap();
        let recipe = onboarding::Recipe::from_canonical_json(&text).unwrap();
        assert_eq!(recipe.name, onboarding.partner);
    }
}

#[tokio::test]
async fn with_the_simulator_any_account_goes() {
    let desk = Desk::new();
    let text = "account,partner,number\nmade-up,livekit,+918000000001\n";
    let (accepted, heard) = desk
        .enqueue_heard(vec![source(None, text)], Accounts::Any)
        .await;
    assert_eq!((accepted.unwrap(), heard.len()), (report(1, 0), 1));
}

#[tokio::test]
async fn an_account_first_seen_in_a_refused_input_is_accepted_later() {
    let desk = Desk::new();
    let clash = ROWS
        .replace("+918000000003", "+918000000001")
        .replace("pipecat", "livekit");
    let clash =
        clash.replace("44.248.146.11 44.248.146.12", "") + "acme,livekit,+918000000001,outbound,\n";
    desk.refusal(vec![source(None, clash)]).await;
    assert!(desk.all().await.is_empty());
    assert_eq!(
        desk.enqueue(vec![source(None, ROWS)]).await.unwrap(),
        report(3, 0)
    );
    let accounts: Vec<_> = desk
        .all()
        .await
        .into_iter()
        .map(|o| o.account.to_string())
        .collect();
    assert_eq!(accounts, ["acme", "globex", "acme"]);
}
