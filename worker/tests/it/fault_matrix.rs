//! Every step meets every fault once: in the end there is exactly one of each thing, and nothing
//! whose outcome was unknown was sent again without looking.

use onboarding::{OnboardingId, State};
use serde_json::{Value, json};

use crate::world::{World, full_signup, settings, sid};

/// The writes, by the end of their path, in the order of the plan.
const WRITES: [&str; 6] = [
    "/trunks",
    "/phone-numbers",
    "/whitelisted-ips",
    "/credentials",
    "/destination-uris",
    "/settings",
];

struct Case {
    name: &'static str,
    fault: Value,
    /// Whether a repeat must be preceded by a read.
    doubt: bool,
}

fn case(name: &'static str, doubt: bool, fault: Value) -> Case {
    Case { name, fault, doubt }
}

fn cases() -> Vec<Case> {
    vec![
        case("reset before", true, json!({"reset_before": true})),
        case("reset after", true, json!({"reset_after": true})),
        case("truncated", true, json!({"truncate": true})),
        case("html 502 before", true, json!({"html": true})),
        case("html 502 after", true, json!({"html": true, "after": true})),
        case(
            "html 504 after",
            true,
            json!({"html": true, "status": 504, "after": true}),
        ),
        case(
            "empty 200 after",
            true,
            json!({"status": 200, "body": "empty", "after": true}),
        ),
        case("500 before", true, json!({"status": 500})),
        case("503 after", true, json!({"status": 503, "after": true})),
        case("429", false, json!({"status": 429})),
        case(
            "429 retry after",
            false,
            json!({"status": 429, "retry_after": 1}),
        ),
        case(
            "429 until a date gone by",
            false,
            json!({"status": 429, "retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        ),
        case("429 html", false, json!({"status": 429, "body": "html"})),
        case("429 empty", false, json!({"status": 429, "body": "empty"})),
        case(
            "inner 429",
            false,
            json!({"status": 200, "inner_code": 429}),
        ),
        case(
            "duplicate that is there",
            true,
            json!({"status": 409, "after": true}),
        ),
        case(
            "duplicate inside 200 that is there",
            true,
            json!({"status": 200, "inner_code": 409, "after": true}),
        ),
        case("duplicate that is not there", true, json!({"status": 409})),
        case(
            "duplicate inside 200 that is not there",
            true,
            json!({"status": 200, "inner_code": 409}),
        ),
    ]
}

/// A duplicate of what is nowhere: for these two it is somebody else's, so a person decides.
fn is_final(case: &Case, write: &str) -> bool {
    case.name.ends_with("not there") && matches!(write, "/trunks" | "/phone-numbers")
}

fn account_of(write: usize, case: usize) -> String {
    format!("m{write}x{case}")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_once_in_the_end_there_is_exactly_one_of_each_resource() {
    let world = World::new().await;
    let cases = cases();
    let mut rules = Vec::new();
    let mut signups = Vec::new();
    for (w, write) in WRITES.iter().enumerate() {
        for (c, case) in cases.iter().enumerate() {
            let account = account_of(w, c);
            let mut rule = case.fault.clone();
            rule["method"] = json!("POST");
            rule["path"] = json!(format!("{write}$"));
            rule["account"] = json!(sid(&account));
            rule["nth"] = json!(1);
            rules.push(rule);
            signups.push(full_signup(&account, u32::try_from(signups.len()).unwrap()));
        }
    }
    world.put("faults", &Value::Array(rules)).await;
    let ids = world.enqueue(signups).await;
    let accounts = (0..WRITES.len())
        .flat_map(|w| (0..cases.len()).map(move |c| account_of(w, c)))
        .map(|account| world.account(&account));
    world.drain(settings("w"), accounts.collect()).await;
    let mut ids = ids.into_iter();
    for (w, write) in WRITES.iter().enumerate() {
        for (c, case) in cases.iter().enumerate() {
            let id = ids.next().unwrap();
            check(&world, write, case, &account_of(w, c), id).await;
        }
    }
}

async fn check(world: &World, write: &str, case: &Case, account: &str, id: OnboardingId) {
    let name = format!("{write}, {}", case.name);
    if is_final(case, write) {
        assert_eq!(world.state(id).await, State::Failed, "{name}");
        let (code, message) = world.fault(id).await;
        let expected = ["trunk_name_taken", "duplicate_number"];
        assert!(
            expected.contains(&code.as_str()),
            "{name}: {code} {message}"
        );
        return;
    }
    world.assert_exactly_one(&name, account, id).await;
    // Setting the caller id is a set: repeating it is harmless.
    if case.doubt && write != "/settings" {
        let requests = world.requests(account).await;
        let mut read_since = true;
        for request in requests.iter().filter(|it| it.ends_with(write)) {
            let is_write = request.starts_with("POST ");
            assert!(!is_write || read_since, "{name}: {requests:?}");
            read_since = !is_write;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_fail_are_repeated() {
    let world = World::new().await;
    let faults = [
        json!({"reset_before": true}),
        json!({"truncate": true}),
        json!({"html": true}),
        json!({"status": 500}),
        json!({"status": 429}),
    ];
    let mut rules = Vec::new();
    for (n, fault) in faults.iter().enumerate() {
        let account = sid(&format!("r{n}"));
        rules.push(json!({"method": "POST", "account": account, "every": 2, "reset_after": true}));
        let mut rule = fault.clone();
        rule["method"] = json!("GET");
        rule["account"] = json!(account);
        rule["every"] = json!(2);
        rules.push(rule);
    }
    world.put("faults", &Value::Array(rules)).await;
    let name = |n: usize| format!("r{n}");
    let signups = (0..faults.len()).map(|n| full_signup(&name(n), n as u32));
    let ids = world.enqueue(signups.collect()).await;
    let accounts = (0..faults.len()).map(|n| world.account(&name(n)));
    world.drain(settings("w"), accounts.collect()).await;
    for (n, id) in ids.into_iter().enumerate() {
        world
            .assert_exactly_one(&format!("{}", faults[n]), &name(n), id)
            .await;
    }
}
