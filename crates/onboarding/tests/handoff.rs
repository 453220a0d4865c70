//! The handoff: the contract's keys, no secret unless asked for, sensible in every state.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use onboarding::{
    Accepted, Edge, Facts, Handoff, Journal, PublicIpv4, RawSignup, Recipe, RecipeBook, Secret,
    State, Step, StepRecord, StepResult, StepState, Transport,
};
use serde_json::{Value, json};

struct World {
    recipe: Recipe,
    accepted: Accepted,
    edge: Option<Edge>,
    signalling_ips: Vec<PublicIpv4>,
    password: Secret,
}

impl World {
    fn new(signup: &Value) -> Self {
        let book = RecipeBook::builtin();
        let accepted = book
            .accept(&RawSignup::from_json(signup))
            .expect("a good signup");
        Self {
            recipe: book
                .find(&accepted.signup.partner)
                .expect("a recipe")
                .clone(),
            accepted,
            edge: Some(Edge {
                host: "in.voip.exotel.com".into(),
                port: 443,
                transport: Transport::Tls,
            }),
            signalling_ips: vec!["44.248.146.21".parse().expect("an address")],
            password: Secret::new("hunter2hunter2hunter2abc"),
        }
    }

    fn render(&self, state: State, show_secrets: bool) -> Value {
        serde_json::from_str(&self.text(state, show_secrets)).expect("JSON")
    }

    fn text(&self, state: State, show_secrets: bool) -> String {
        let mut journal = Journal::new(&self.accepted.plan);
        if state == State::Succeeded {
            for (at, step) in self.accepted.plan.steps.iter().enumerate() {
                journal.set(at, done(step, at));
            }
        }
        let handoff = Handoff::render(&Facts {
            recipe: &self.recipe,
            id: self.accepted.id,
            key: &self.accepted.key,
            signup: &self.accepted.signup,
            state,
            plan: &self.accepted.plan,
            journal: &journal,
            account_sid: "acme1",
            edge: self.edge.as_ref(),
            signalling_ips: &self.signalling_ips,
            password: Some(&self.password),
            show_secrets,
        });
        assert!(!format!("{handoff:?}").contains("hunter2"));
        serde_json::to_string(&handoff).expect("JSON")
    }
}

fn done(step: &Step, at: usize) -> StepRecord {
    let result = match step {
        Step::CreateTrunk { .. } => StepResult::Trunk {
            trunk_sid: "trmum1made00up".parse().expect("a SID"),
        },
        Step::SetCallerId { caller_id } => StepResult::Setting {
            value: caller_id.to_string(),
        },
        Step::Verify => StepResult::Verified { verified: 4 },
        Step::MapNumber { .. }
        | Step::WhitelistIp { .. }
        | Step::CreateCredentials { .. }
        | Step::MapDestination { .. } => StepResult::Entry {
            id: format!("4151{at}"),
        },
    };
    StepRecord {
        state: StepState::Done,
        attempts: 1,
        result: Some(result),
        ..StepRecord::default()
    }
}

fn livekit() -> World {
    World::new(&json!({
        "account": "acme", "partner": "livekit", "number": "+918000000001", "direction": "both",
        "caller_id": "+918000000009", "inputs": {"livekit_sip_subdomain": "bwwn08a2m4o"},
    }))
}

#[test]
fn the_keys_are_those_of_the_contract_in_its_order() {
    let text = livekit().text(State::Succeeded, false);
    let mut rest = text.as_str();
    for key in [
        "type",
        "id",
        "key",
        "account",
        "partner",
        "number",
        "direction",
        "state",
        "trunk",
        "sid",
        "name",
        "domain",
        "number_id",
        "mode",
        "dial_whom",
        "edge",
        "host",
        "port",
        "transport",
        "credentials",
        "id",
        "user_name",
        "password",
        "whitelisted_ips",
        "destination",
        "id",
        "uri",
        "caller_id",
        "partner_settings",
        "todo",
        "title",
        "detail",
        "url",
    ] {
        let quoted = format!("\"{key}\":");
        let at = rest
            .find(&quoted)
            .unwrap_or_else(|| panic!("{key} is missing in {rest}"));
        rest = &rest[at + quoted.len()..];
    }
    let handoff = livekit().render(State::Succeeded, false);
    assert_eq!(handoff.as_object().unwrap().len(), 19);
    assert_eq!(handoff["type"], "handoff");
    assert_eq!(handoff["dial_whom"], "sip:trmum1made00up");
    assert_eq!(handoff["trunk"]["domain"], "acme1.pstn.exotel.com");
    assert_eq!(
        handoff["edge"],
        json!({"host": "in.voip.exotel.com", "port": 443, "transport": "tls"})
    );
    assert_eq!(handoff["number_id"], "41511");
    assert_eq!(handoff["credentials"]["id"], "41512");
    assert_eq!(
        handoff["destination"],
        json!({"id": "41513", "uri": "bwwn08a2m4o.india.sip.livekit.cloud:5061;transport=tls"})
    );
    assert_eq!(handoff["caller_id"], "+918000000009");
}

#[test]
fn a_password_is_masked_everywhere_unless_secrets_are_shown() {
    let hidden = livekit().text(State::Succeeded, false);
    assert!(!hidden.contains("hunter2"));
    let hidden = livekit().render(State::Succeeded, false);
    assert_eq!(hidden["credentials"]["password"], "********");
    let trunk = &hidden["partner_settings"]["CreateSIPOutboundTrunk"]["trunk"];
    assert_eq!(trunk["auth_password"], "********");
    let shown = livekit().render(State::Succeeded, true);
    assert_eq!(shown["credentials"]["password"], "hunter2hunter2hunter2abc");
    let trunk = &shown["partner_settings"]["CreateSIPOutboundTrunk"]["trunk"];
    assert_eq!(trunk["auth_password"], "hunter2hunter2hunter2abc");
}

#[test]
fn partner_settings_have_the_partners_fields_and_types() {
    let handoff = livekit().render(State::Succeeded, false);
    let settings = &handoff["partner_settings"];
    let outbound = &settings["CreateSIPOutboundTrunk"]["trunk"];
    assert_eq!(outbound["address"], "in.voip.exotel.com:443");
    assert_eq!(outbound["transport"], "SIP_TRANSPORT_TLS");
    assert_eq!(outbound["numbers"], json!(["+918000000001"]));
    let inbound = &settings["CreateSIPInboundTrunk"]["trunk"];
    assert_eq!(inbound["allowed_addresses"], json!(["44.248.146.21"]));

    let vapi = World::new(&json!({
        "account": "acme", "partner": "vapi", "number": "+918000000001", "direction": "both",
        "inputs": {"vapi_credential_id": "7d1f3c2e-9a44-4b8e-8c05-2f6a1d9e7b30",
                   "exotel_signalling_ips": ["44.248.146.31", "44.248.146.32"]},
    }));
    let handoff = vapi.render(State::Succeeded, false);
    let gateways = handoff["partner_settings"]["credential"]["gateways"]
        .as_array()
        .unwrap();
    let ips: Vec<_> = gateways
        .iter()
        .map(|gateway| gateway["ip"].as_str().unwrap())
        .collect();
    assert_eq!(
        ips,
        ["in.voip.exotel.com", "44.248.146.31", "44.248.146.32"]
    );
    assert_eq!(gateways[0]["port"], 443);
    assert_eq!(gateways[1]["netmask"], 32);

    let bolna =
        World::new(&json!({"account": "acme", "partner": "bolna", "number": "+918000000001"}));
    let handoff = bolna.render(State::Succeeded, false);
    let trunk = &handoff["partner_settings"]["trunk"];
    assert_eq!(
        trunk["gateways"],
        json!([{"host": "in.voip.exotel.com", "port": 5070, "priority": 1}])
    );
    assert_eq!(
        (&trunk["inbound_enabled"], &trunk["outbound_enabled"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        handoff["partner_settings"]["number"]["destination_key"],
        "918000000001"
    );
}

fn titles(handoff: &Value) -> Vec<String> {
    let todo = handoff["todo"].as_array().expect("a list");
    todo.iter()
        .map(|item| item["title"].as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn inbound_always_lists_the_flow_with_what_it_dials() {
    for (name, _) in onboarding::builtin::RECIPES {
        let partner = name.trim_end_matches(".toml");
        let mut signup = json!({"account": "acme", "partner": partner, "number": "+918000000001", "direction": "inbound"});
        let recipe = RecipeBook::builtin()
            .get(&partner.parse().unwrap())
            .unwrap()
            .clone();
        for (input, wanted) in &recipe.inputs {
            if let Some(example) = wanted
                .example
                .as_ref()
                .filter(|_| wanted.used_in(onboarding::Direction::Inbound))
            {
                signup["inputs"][input] = json!(example);
            }
        }
        let handoff = World::new(&signup).render(State::Succeeded, false);
        let flow = handoff["todo"].as_array().unwrap().last().unwrap().clone();
        assert!(
            flow["title"].as_str().unwrap().contains("Flow"),
            "{partner}"
        );
        assert!(
            flow["detail"]
                .as_str()
                .unwrap()
                .contains("sip:trmum1made00up"),
            "{partner}"
        );
        assert!(
            flow["detail"].as_str().unwrap().contains("+918000000001"),
            "{partner}"
        );
        let text = handoff.to_string();
        for left in ["(not yet)", "{number", "{edge", "{{"] {
            assert!(!text.contains(left), "{partner} still has {left}: {text}");
        }
    }
}

#[test]
fn what_is_not_known_yet_is_null_and_the_handoff_says_so() {
    for state in State::ALL {
        let mut world = livekit();
        world.edge = None;
        world.signalling_ips.clear();
        let handoff = world.render(state, false);
        let edge_todo = titles(&handoff).iter().any(|t| t.contains("edge"));
        assert!(edge_todo && handoff["edge"].is_null(), "{state}");
        let warned = titles(&handoff)[0].contains("do not use these values yet");
        assert_eq!(warned, state != State::Succeeded, "{state}");
        let outbound = &handoff["partner_settings"]["CreateSIPOutboundTrunk"]["trunk"];
        assert!(outbound["address"].is_null(), "{state}");
        let inbound = &handoff["partner_settings"]["CreateSIPInboundTrunk"]["trunk"];
        assert!(inbound["allowed_addresses"].is_null(), "{state}");
        if state != State::Succeeded {
            assert!(handoff["trunk"]["sid"].is_null() && handoff["dial_whom"].is_null());
            assert!(handoff["destination"]["id"].is_null());
        }
    }
}

#[test]
fn a_todo_is_listed_only_where_its_direction_number_and_choice_apply() {
    let mut signup = json!({
        "account": "acme", "partner": "livekit", "number": "+918000000001", "direction": "inbound",
        "inputs": {"livekit_sip_subdomain": "bwwn08a2m4o", "livekit_region": "us"},
    });
    let warning = "An Indian number with a LiveKit host outside India".to_owned();
    let listed = |signup: &Value| titles(&World::new(signup).render(State::Succeeded, false));
    assert!(listed(&signup).contains(&warning));
    assert!(!listed(&signup).contains(&"Create the outbound trunk in LiveKit".to_owned()));
    signup["inputs"]["livekit_region"] = json!("india");
    assert!(!listed(&signup).contains(&warning));
    signup["inputs"]["livekit_region"] = json!("us");
    signup["number"] = json!("+6560000001");
    assert!(!listed(&signup).contains(&warning));
}

#[test]
fn an_inbound_trunk_without_a_destination_says_what_is_missing() {
    let signup = json!({"account": "acme", "partner": "vocallabs", "number": "+918000000001", "direction": "inbound"});
    let handoff = World::new(&signup).render(State::Succeeded, false);
    assert!(handoff["destination"].is_null() && handoff["credentials"].is_null());
    assert!(titles(&handoff).contains(&"Get the destination of inbound calls".to_owned()));
    assert!(handoff["partner_settings"]["sip_target"].is_null());
    let text = handoff["todo"].to_string();
    assert!(!text.contains("<vocallabs_sip_target>") && !text.contains("DELETE"));
    assert!(text.contains(
        "POST https://api.in.exotel.com/v2/accounts/acme1/trunks/trmum1made00up/destination-uris"
    ));
}

fn detail(handoff: &Value, title: &str) -> String {
    let todo = handoff["todo"].as_array().expect("a list");
    let found = todo.iter().find(|item| item["title"] == title);
    let found = found.unwrap_or_else(|| panic!("{title}: {:?}", titles(handoff)));
    found["detail"].as_str().expect("a text").to_owned()
}

#[test]
fn a_destination_can_be_changed_from_the_handoff_alone() {
    let handoff = livekit().render(State::Succeeded, false);
    let how = detail(&handoff, "To change the destination");
    let trunk = "/v2/accounts/acme1/trunks/trmum1made00up/destination-uris";
    for part in [
        format!("POST https://api.in.exotel.com{trunk} "),
        "https://api.exotel.com ".into(),
        r#"{"destinations": [{"destination": "HOST:PORT;transport=tcp"}]}"#.into(),
        format!("DELETE {trunk}?id=41513."),
        "HTTP Basic".into(),
        "200 requests a minute".into(),
    ] {
        assert!(how.contains(&part), "{part}\n{how}");
    }
    let mut own = livekit();
    let todo = "\n[[todo]]\ntitle = \"Own\"\ndetail = \"{account_sid} {destination_id}\"\n";
    let (_, text) = onboarding::builtin::RECIPES
        .iter()
        .find(|(file, _)| *file == "livekit.toml")
        .unwrap();
    own.recipe = Recipe::parse(&format!("{text}{todo}")).unwrap();
    let told = detail(&own.render(State::Succeeded, false), "Own");
    assert_eq!(told, "acme1 41513");
    let outbound = World::new(
        &json!({"account": "acme", "partner": "livekit", "number": "+918000000001", "direction": "outbound"}),
    );
    let handoff = outbound.render(State::Succeeded, false);
    assert!(!titles(&handoff).contains(&"To change the destination".to_owned()));
}

#[test]
fn vapis_credential_is_made_for_outbound_alone_and_else_the_one_of_the_destination() {
    let id = "7d1f3c2e-9a44-4b8e-8c05-2f6a1d9e7b30";
    for direction in ["outbound", "inbound", "both"] {
        let mut signup = json!({"account": "acme", "partner": "vapi", "number": "+918000000001", "direction": direction});
        if direction != "outbound" {
            signup["inputs"] = json!({"vapi_credential_id": id});
        }
        let handoff = World::new(&signup).render(State::Succeeded, false);
        let todo = handoff["todo"].to_string();
        let own = direction == "outbound";
        assert_eq!(
            todo.contains("POST https://api.vapi.ai/credential"),
            own,
            "{direction}"
        );
        let patch = format!("PATCH https://api.vapi.ai/credential/{id}");
        assert_eq!(todo.contains(&patch), !own, "{direction}");
        let settings = &handoff["partner_settings"];
        let with_plan = settings["credential"]
            .get("outboundAuthenticationPlan")
            .is_some();
        assert_eq!(with_plan, direction != "inbound", "{direction}");
        if own {
            assert!(settings["phone_number"]["credentialId"].is_null());
        } else {
            assert_eq!(settings["phone_number"]["credentialId"], id);
            let uri = handoff["destination"]["uri"].as_str().unwrap();
            assert!(uri.starts_with(id), "{uri}");
        }
    }
}

#[test]
fn exotels_missing_signalling_addresses_are_asked_for_where_the_partner_needs_them() {
    let title = "Get Exotel's signalling addresses first".to_owned();
    for (partner, inputs) in [
        ("bolna", json!({})),
        (
            "vapi",
            json!({"vapi_credential_id": "7d1f3c2e-9a44-4b8e-8c05-2f6a1d9e7b30"}),
        ),
        (
            "ultravox",
            json!({"ultravox_sip_domain": "acme7f3k.sip.ultravox.ai", "ultravox_agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}),
        ),
        (
            "pipecat",
            json!({"daily_sip_trunk_host": "a-b.siptrunk.sip-us.daily.co"}),
        ),
        (
            "nlpearl",
            json!({"nlpearl_sip_domain": "acme-1234.sip.nlpearl.example"}),
        ),
    ] {
        let signup = json!({"account": "acme", "partner": partner, "number": "+918000000001", "direction": "inbound", "inputs": inputs});
        let mut world = World::new(&signup);
        assert!(
            !titles(&world.render(State::Succeeded, false)).contains(&title),
            "{partner}"
        );
        world.signalling_ips.clear();
        assert!(
            titles(&world.render(State::Succeeded, false)).contains(&title),
            "{partner}"
        );
    }
    let signup = json!({"account": "acme", "partner": "elevenlabs", "number": "+918000000001", "direction": "outbound"});
    let mut world = World::new(&signup);
    world.signalling_ips.clear();
    assert!(
        !world
            .text(State::Succeeded, false)
            .contains("allowed_addresses")
    );
}

#[test]
fn no_todo_gives_advice_that_cannot_work_and_rapidas_own_connection_comes_first() {
    for (file, text) in onboarding::builtin::RECIPES {
        for advice in ["onboard again", "cancel or remove", "<trunk_sid>"] {
            assert!(!text.contains(advice), "{file}: {advice}");
        }
    }
    for direction in ["inbound", "both"] {
        let signup = json!({"account": "acme", "partner": "rapida", "number": "+918000000001", "direction": direction});
        let handoff = World::new(&signup).render(State::Succeeded, false);
        assert!(titles(&handoff)[0].contains("Rapida's own Exotel connection"));
        let first = handoff["todo"][0]["detail"].as_str().unwrap();
        assert!(first.contains("DELETE /v2/accounts/acme1/trunks?trunk_sid=trmum1made00up"));
    }
}

/// Every partner's handoff in both directions, as people get it.
#[test]
fn the_handoffs_of_all_partners_are_as_on_record() {
    let mut text = String::new();
    for recipe in RecipeBook::builtin().iter() {
        let mut signup = json!({"account": "acme", "partner": recipe.name, "number": "+918000000001", "direction": "both"});
        for (name, input) in &recipe.inputs {
            if let Some(example) = input
                .example
                .as_ref()
                .filter(|_| name != "exotel_signalling_ips")
            {
                signup["inputs"][name] = json!(example);
            }
        }
        let world = World::new(&signup);
        let handoff = world.text(State::Succeeded, false);
        let settings = handoff
            .find("\"partner_settings\":")
            .expect("it has settings");
        let ordered: onboarding::settings::Fields<Value> =
            serde_json::from_str(&handoff).expect("an object");
        text.push_str(&format!(
            "== {} ==\n{}\n",
            recipe.name,
            &handoff[settings..handoff.find(",\"todo\":").expect("it has a todo")]
        ));
        for item in ordered
            .get("todo")
            .and_then(Value::as_array)
            .expect("a list")
        {
            text.push_str(&format!(
                "- {}\n  {}\n  {}\n",
                item["title"].as_str().expect("a text"),
                item["detail"].as_str().expect("a text"),
                item["url"]
            ));
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/handoffs.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("the golden file is writable");
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        recorded == text,
        "{} differs; if that is meant, run with UPDATE_GOLDEN=1",
        path.display()
    );
}
