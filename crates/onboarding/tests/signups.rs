//! Signups: what is refused, and what an accepted one becomes.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use onboarding::{
    Accepted, Columns, Direction, InputValue, Mode, Problem, RawSignup, Recipe, RecipeBook, Step,
    StepKind, prepare,
};
use serde_json::{Value, json};

fn accept(signup: &Value) -> Result<Accepted, Vec<Problem>> {
    RecipeBook::builtin().accept(&RawSignup::from_json(signup))
}

fn refused(signup: &Value) -> Vec<(String, String)> {
    let problems = accept(signup).expect_err("this signup is wrong");
    problems.into_iter().map(|p| (p.field, p.message)).collect()
}

/// A signup of `partner`, with `more` fields over it.
fn signup(partner: &str, more: Value) -> Value {
    let mut signup = json!({"account": "acme", "partner": partner, "number": "+918000000001"});
    let Value::Object(more) = more else {
        panic!("more fields are an object")
    };
    for (name, value) in more {
        signup[name] = value;
    }
    signup
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn what_is_wrong_with_a_signup_is_told_with_field_and_remedy() {
    let uuid = "7d1f3c2e-9a44-4b8e-8c05-2f6a1d9e7b30";
    let rows: &[(Value, &str, &str)] = &[
        (json!([]), "", "an object"),
        (
            json!({"partner": "retell", "number": "+918000000001"}),
            "account",
            "missing",
        ),
        (
            signup("retell", json!({"account": "a b"})),
            "account",
            "letters",
        ),
        (
            signup("retell", json!({"account": null})),
            "account",
            "missing",
        ),
        (
            signup("retel", json!({})),
            "partner",
            "did you mean retell?",
        ),
        (signup("Retell", json!({})), "partner", "small letters"),
        (
            signup("retell", json!({"number": "918000000001"})),
            "number",
            "E.164",
        ),
        (
            signup("retell", json!({"number": 918000000001_i64})),
            "number",
            "in quotes",
        ),
        (
            signup("retell", json!({"number": ["+918000000001"]})),
            "number",
            "one text",
        ),
        (signup("retell", json!({"key": "a b"})), "key", "blanks"),
        (
            signup("retell", json!({"direction": "out"})),
            "direction",
            "outbound, inbound or both",
        ),
        (
            signup("retell", json!({"mode": "sip"})),
            "mode",
            "pstn or flow",
        ),
        (
            signup("retell", json!({"trunk_name": "my-trunk"})),
            "trunk_name",
            "underscores",
        ),
        (
            signup("retell", json!({"trunk_name": "seventeen_letters"})),
            "trunk_name",
            "1 to 16",
        ),
        (
            signup("retell", json!({"user_name": "a-b"})),
            "user_name",
            "underscores",
        ),
        (
            signup("retell", json!({"caller_id": "123"})),
            "caller_id",
            "E.164",
        ),
        (
            signup("retell", json!({"colour": "red"})),
            "colour",
            "the fields are",
        ),
        (
            signup("retell", json!({"nunber": "1"})),
            "nunber",
            "did you mean number?",
        ),
        (
            signup("retell", json!({"inputs": "x"})),
            "inputs",
            "an object",
        ),
        (
            signup("retell", json!({"inputs": {"x": "y"}})),
            "inputs.x",
            "takes no inputs",
        ),
        (
            signup("livekit", json!({"inputs": {"livekit_regoin": "us"}})),
            "inputs.livekit_regoin",
            "did you mean livekit_region?",
        ),
        (
            signup("livekit", json!({"inputs": {"livekit_region": "mars"}})),
            "inputs.livekit_region",
            "india",
        ),
        (
            signup("livekit", json!({"inputs": {"livekit_region": 5}})),
            "inputs.livekit_region",
            "a number",
        ),
        (
            signup("livekit", json!({"direction": "inbound"})),
            "inputs.livekit_sip_subdomain",
            "like bwwn08a2m4o",
        ),
        (
            signup(
                "livekit",
                json!({"inputs": {"livekit_url": "http://x.livekit.cloud"}}),
            ),
            "inputs.livekit_url",
            "does not match",
        ),
        (
            signup(
                "vapi",
                json!({"direction": "both", "inputs": {"vapi_credential_id": uuid.to_uppercase()}}),
            ),
            "inputs.vapi_credential_id",
            "does not match",
        ),
        (signup("pipecat", json!({})), "inputs.source_ips", "ip-info"),
        (
            signup("pipecat", json!({"inputs": {"source_ips": []}})),
            "inputs.source_ips",
            "1 to 64",
        ),
        (
            signup(
                "pipecat",
                json!({"inputs": {"source_ips": ["44.248.146.0/24"]}}),
            ),
            "inputs.source_ips",
            "range",
        ),
        (
            signup("pipecat", json!({"inputs": {"source_ips": ["192.0.2.1"]}})),
            "inputs.source_ips",
            "documentation",
        ),
        (
            signup("pipecat", json!({"inputs": {"source_ips": [44]}})),
            "inputs.source_ips",
            "other things than texts",
        ),
        (
            signup(
                "ultravox",
                json!({"direction": "inbound", "inputs": {"ultravox_sip_domain": "sip:acme.example"}}),
            ),
            "inputs.ultravox_sip_domain",
            "without scheme",
        ),
        (
            signup(
                "vocallabs",
                json!({"direction": "inbound", "inputs": {"vocallabs_sip_target": "sip.acme.example:5060;transport=udp"}}),
            ),
            "inputs.vocallabs_sip_target",
            "tls or tcp",
        ),
        (
            signup(
                "vocallabs",
                json!({"direction": "inbound", "inputs": {"vocallabs_sip_target": "10.1.2.3:5060;transport=tcp"}}),
            ),
            "inputs.vocallabs_sip_target",
            "private",
        ),
        (
            signup(
                "retell",
                json!({"direction": "inbound", "caller_id": "+918000000002"}),
            ),
            "caller_id",
            "outbound or both",
        ),
        (
            signup("retell", json!({"direction": "inbound", "user_name": "me"})),
            "user_name",
            "remove it",
        ),
        (
            signup(
                "pipecat",
                json!({"user_name": "me", "inputs": {"source_ips": ["44.248.146.11"]}}),
            ),
            "user_name",
            "no digest credentials",
        ),
    ];
    let mut wrong = Vec::new();
    for (signup, field, remedy) in rows {
        let found = accept(signup).err().unwrap_or_default();
        if !found
            .iter()
            .any(|p| p.field == *field && p.message.contains(remedy))
        {
            wrong.push(format!("{signup}: {field}: {remedy}\n  found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_of_a_signup_is_told_at_once_its_inputs_included() {
    let signup = json!({
        "account": "", "partner": "livekit", "number": "12", "direction": "inbound",
        "caler_id": "x", "inputs": {"livekit_region": "mars", "other": "x"},
    });
    let fields: Vec<String> = refused(&signup)
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    let expected = [
        "caler_id",
        "account",
        "number",
        "inputs.livekit_region",
        "inputs.other",
        "inputs.livekit_sip_subdomain",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn one_row_for_all_directions_may_give_inputs_that_its_direction_does_not_use() {
    let inputs = json!({"inputs": {"livekit_sip_subdomain": "bwwn08a2m4o"}});
    let accepted = accept(&signup("livekit", inputs)).unwrap();
    assert_eq!(accepted.direction, Direction::Outbound);
    assert!(
        !accepted
            .plan
            .steps
            .iter()
            .any(|s| s.kind() == StepKind::MapDestination)
    );
    let wrong = json!({"inputs": {"livekit_sip_subdomain": "NO"}});
    assert_eq!(
        refused(&signup("livekit", wrong))[0].0,
        "inputs.livekit_sip_subdomain"
    );
}

#[test]
fn direction_mode_and_defaults_are_settled_when_a_signup_is_accepted() {
    let inputs =
        json!({"direction": "inbound", "inputs": {"livekit_sip_subdomain": "bwwn08a2m4o"}});
    let accepted = accept(&signup("livekit", inputs)).unwrap();
    let region = accepted.signup.inputs.get("livekit_region");
    assert_eq!(region, Some(&InputValue::Text("india".into())));
    assert_eq!(accepted.signup.direction, Some(Direction::Inbound));
    let again = serde_json::to_string(&accepted.signup).unwrap();
    let back: onboarding::Signup = serde_json::from_str(&again).unwrap();
    assert_eq!(back, accepted.signup);
    assert_eq!(
        prepare(RecipeBook::builtin().find(&back.partner).unwrap(), back).unwrap(),
        accepted
    );
}

#[test]
fn a_signup_without_a_key_is_known_by_account_partner_and_number() {
    let plain = accept(&signup("retell", json!({}))).unwrap();
    assert_eq!(plain.key.as_str(), "acme/retell/+918000000001");
    let keyed = accept(&signup("retell", json!({"key": "crm-1"}))).unwrap();
    assert_eq!(keyed.key.as_str(), "crm-1");
    assert_ne!(keyed.id, plain.id);
    let outbound = accept(&signup("retell", json!({"direction": "outbound"}))).unwrap();
    assert_eq!(outbound.id, plain.id);
    assert_eq!(
        outbound.signup.first_difference(&plain.signup).unwrap(),
        "direction"
    );
    assert_eq!(plain.signup.first_difference(&plain.signup), None);
}

#[test]
fn chosen_names_are_marked_and_derived_ones_are_not() {
    let chosen = signup("retell", json!({"trunk_name": "ours", "user_name": "me"}));
    let steps = accept(&chosen).unwrap().plan.steps;
    assert!(
        matches!(&steps[0], Step::CreateTrunk { name, chosen: true } if name.as_str() == "ours")
    );
    assert!(steps.iter().any(|step| matches!(step, Step::CreateCredentials { user_name, .. } if user_name.as_str() == "me")));
    let steps = accept(&signup("retell", json!({}))).unwrap().plan.steps;
    assert!(
        matches!(&steps[0], Step::CreateTrunk { name, chosen: false } if name.as_str().starts_with("re_"))
    );
}

fn kinds(accepted: &Accepted) -> Vec<StepKind> {
    accepted.plan.steps.iter().map(Step::kind).collect()
}

#[test]
fn an_address_as_destination_is_on_the_acl_before_it_is_the_destination() {
    let inputs = json!({"direction": "inbound", "inputs": {"vocallabs_sip_target": "44.248.146.11:5060;transport=tcp"}});
    let accepted = accept(&signup("vocallabs", inputs)).unwrap();
    let expected = [
        StepKind::CreateTrunk,
        StepKind::MapNumber,
        StepKind::WhitelistIp,
        StepKind::MapDestination,
    ];
    assert_eq!(kinds(&accepted), expected);
}

#[test]
fn digest_and_acl_on_one_trunk_are_refused_unless_the_recipe_allows_them_and_then_warned_of() {
    let both = signup(
        "vocallabs",
        json!({"direction": "both", "inputs": {"vocallabs_sip_target": "44.248.146.11:5060;transport=tcp"}}),
    );
    let problems = refused(&both);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].0, "inputs.vocallabs_sip_target");
    assert!(problems[0].1.contains("allow_mixed_auth = true"));

    let builtin = onboarding::builtin::RECIPES
        .iter()
        .find(|(name, _)| *name == "vocallabs.toml");
    let (_, text) = builtin.expect("it is compiled in");
    let allowed = text.replace(
        "schema = 1",
        "schema = 1\nallow_mixed_auth = true\nverify = true",
    );
    let mut book = RecipeBook::builtin();
    book.add(Recipe::parse(&allowed).unwrap());
    let accepted = book.accept(&RawSignup::from_json(&both)).unwrap();
    assert!(accepted.plan.warnings[0].contains("Exotel advises against both"));
    let expected = [
        StepKind::CreateTrunk,
        StepKind::MapNumber,
        StepKind::WhitelistIp,
        StepKind::CreateCredentials,
        StepKind::MapDestination,
        StepKind::Verify,
    ];
    assert_eq!(kinds(&accepted), expected);
}

#[test]
fn an_optional_destination_is_left_out_while_its_input_is_missing() {
    let accepted = accept(&signup("vocallabs", json!({"direction": "inbound"}))).unwrap();
    assert_eq!(
        kinds(&accepted),
        [StepKind::CreateTrunk, StepKind::MapNumber]
    );
}

#[test]
fn repeated_addresses_make_one_step_and_the_caller_id_comes_last() {
    let more = json!({"caller_id": "+918000000009", "inputs": {"source_ips": ["44.248.146.11", "44.248.146.11/32", "44.248.146.12"]}});
    let accepted = accept(&signup("pipecat", more)).unwrap();
    let expected = [
        StepKind::CreateTrunk,
        StepKind::MapNumber,
        StepKind::WhitelistIp,
        StepKind::WhitelistIp,
        StepKind::SetCallerId,
    ];
    assert_eq!(kinds(&accepted), expected);
}

#[test]
fn mode_flow_before_a_destination_is_warned_of() {
    let flow = accept(&signup("retell", json!({"mode": "flow"}))).unwrap();
    assert_eq!(flow.plan.mode(), Some(Mode::Flow));
    assert!(flow.plan.warnings[0].contains("StreamKit"));
    let pstn = accept(&signup("retell", json!({"mode": "pstn"}))).unwrap();
    assert!(pstn.plan.warnings.is_empty());
}

#[test]
fn a_csv_row_and_a_json_object_of_the_same_content_are_the_same_signup() {
    let header = "\u{feff}account,partner,number,direction,inputs.source_ips,key,inputs.daily_sip_trunk_host";
    let columns = Columns::parse(header.split(',')).unwrap();
    let row = " acme ,pipecat,+918000000001,outbound,44.248.146.11 44.248.146.12,,";
    let from_csv = RecipeBook::builtin()
        .accept(&columns.row(row.split(',')))
        .unwrap();
    let object = signup(
        "pipecat",
        json!({"direction": "outbound", "key": null, "inputs": {"source_ips": ["44.248.146.11", "44.248.146.12"]}}),
    );
    assert_eq!(accept(&object).unwrap(), from_csv);
}

#[test]
fn a_header_is_told_all_its_mistakes_at_once() {
    let problems =
        Columns::parse(["account", "partnr", "account", "inputs.", "number"]).unwrap_err();
    let told: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
    assert_eq!(told, ["partnr", "account", "inputs.", "partner"]);
    assert!(problems[0].message.contains("did you mean partner?"));
}

#[test]
fn a_hundred_thousand_signups_fit_in_memory_one_by_one() {
    // Not a timed test: it shows that nothing is compiled or kept per signup.
    let columns = Columns::parse([
        "account",
        "partner",
        "number",
        "direction",
        "inputs.livekit_sip_subdomain",
    ])
    .unwrap();
    let book = RecipeBook::builtin();
    let count = if cfg!(debug_assertions) {
        2_000
    } else {
        100_000
    };
    for n in 0..count {
        let number = format!("+9180{n:08}");
        let row = ["acme", "livekit", &number, "both", "bwwn08a2m4o"];
        let accepted = book.accept(&columns.row(row)).unwrap();
        assert_eq!(accepted.plan.steps.len(), 4);
    }
}

#[test]
fn what_is_wrong_in_one_place_is_told_once_and_every_wrong_address_is_told() {
    let book = RecipeBook::builtin();
    let told = |signup: &Value| -> Vec<(String, String)> {
        let problems = book.accept(&RawSignup::from_json(signup)).unwrap_err();
        problems.into_iter().map(|p| (p.field, p.message)).collect()
    };
    for other in [json!(1), json!("x"), json!([]), json!(null)] {
        let found = told(&other);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.contains("a signup is an object"));
    }
    let found = told(&signup("pipecat", json!({"inputs": {"source_ips": 5}})));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("a number"));
    let bad = ["10.0.0.1", "44.0.0.0/8", "x", "203.0.113.1", "::1"];
    let found = told(&signup("pipecat", json!({"inputs": {"source_ips": bad}})));
    assert_eq!(found.len(), bad.len(), "{found:?}");
    for (value, (field, message)) in bad.iter().zip(&found) {
        assert!(
            field == "inputs.source_ips" && message.contains(value),
            "{message}"
        );
    }
}

#[test]
fn retells_retired_host_is_refused_and_an_id_is_described() {
    let refusal = |partner: &str, inputs: Value| -> String {
        let signup = signup(partner, json!({"direction": "both", "inputs": inputs}));
        let problems = RecipeBook::builtin().accept(&RawSignup::from_json(&signup));
        problems.unwrap_err()[0].message.clone()
    };
    let retired = json!({"smallest_origination_host": "5t4n6j0wnrl.sip.livekit.cloud"});
    assert!(refusal("smallest", retired).contains("ended on 2026-09-30"));
    let told = refusal("vapi", json!({"vapi_credential_id": "x"}));
    assert!(
        told.contains("lower-case hex") && told.contains("like 7d1f3c2e"),
        "{told}"
    );
}
