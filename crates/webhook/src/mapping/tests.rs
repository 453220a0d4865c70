//! Messages of made-up systems, and what becomes of them.

use std::collections::BTreeMap;

use onboarding::InputValue;
use serde_json::{Value, json};

use super::{Draft, Mapping, Read, Source};
use crate::{Error, Unfit};

pub(super) fn at(pointer: &str) -> Source {
    Source::Pointer(pointer.into())
}

pub(super) fn always(text: &str) -> Source {
    Source::Constant(InputValue::Text(text.into()))
}

fn translated(pointer: &str, pairs: &[(&str, &str)]) -> Source {
    let pairs = pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    Source::Translated {
        pointer: pointer.into(),
        map: pairs.collect(),
    }
}

pub(super) fn fields<const N: usize>(fields: [(&str, Source); N]) -> Draft {
    Draft {
        fields: fields.map(|(name, from)| (name.to_owned(), from)).into(),
        ..Draft::default()
    }
}

/// A form tool that sends one answer at a time.
fn form() -> Draft {
    Draft {
        when: BTreeMap::from([("/event".into(), vec!["form.submitted".into()])]),
        ..fields([
            ("account", at("/answers/company")),
            (
                "partner",
                translated(
                    "/answers/platform",
                    &[("LiveKit Cloud", "livekit"), ("2", "vapi")],
                ),
            ),
            ("number", at("/answers/phone")),
            ("key", at("/id")),
            ("direction", always("outbound")),
            ("inputs.livekit_sip_subdomain", at("/answers/sub~1domain")),
            ("inputs.source_ips", at("/answers/addresses")),
        ])
    }
}

/// A billing system that sends many lines of one customer.
fn billing() -> Draft {
    Draft {
        items: Some("/invoice/lines".into()),
        ..fields([
            ("account", at("#/invoice/customer/name")),
            ("partner", always("livekit")),
            ("number", at("/phone")),
            ("inputs.port", at("/port")),
        ])
    }
}

fn read(draft: Draft, body: &Value) -> Result<Read, Vec<Unfit>> {
    match Mapping::new(draft).unwrap().read(body) {
        Ok(read) => Ok(read),
        Err(Error::Unfit { problems, .. }) => Err(problems),
        Err(other) => panic!("{other}"),
    }
}

pub(super) fn signups(draft: Draft, body: &Value) -> Vec<Value> {
    match read(draft, body) {
        Ok(Read::Signups { signups, .. }) => signups,
        other => panic!("{other:?}"),
    }
}

pub(super) fn told(draft: Draft, body: &Value) -> Vec<(Option<usize>, String, String, String)> {
    let problems = read(draft, body).unwrap_err();
    let parts = problems
        .into_iter()
        .map(|p| (p.item, p.field, p.pointer, p.message));
    parts.collect()
}

#[test]
fn a_forms_answer_becomes_a_signup() {
    let body = json!({
        "event": "form.submitted",
        "id": 4711,
        "answers": {
            "company": " acme ",
            "platform": "LiveKit Cloud",
            "phone": "+918000000001",
            "sub/domain": "bwwn08a2m4o",
            "addresses": ["203.0.114.1", " 203.0.114.2 ", ""],
            "remarks": "please be quick",
        },
    });
    assert_eq!(
        signups(form(), &body),
        [json!({
            "account": "acme",
            "partner": "livekit",
            "number": "+918000000001",
            "key": "4711",
            "direction": "outbound",
            "inputs": {
                "livekit_sip_subdomain": "bwwn08a2m4o",
                "source_ips": ["203.0.114.1", "203.0.114.2"],
            },
        })]
    );
}

#[test]
fn what_is_empty_is_absent() {
    for nothing in [json!(null), json!(""), json!("  ")] {
        let body = json!({
            "event": "form.submitted", "id": nothing,
            "answers": {"company": "acme", "platform": 2, "phone": "+918000000001"},
        });
        assert_eq!(
            signups(form(), &body),
            [json!({
                "account": "acme", "partner": "vapi", "number": "+918000000001",
                "direction": "outbound",
            })]
        );
    }
}

#[test]
fn lines_of_a_message_become_signups_of_its_customer() {
    let body = json!({"invoice": {"customer": {"name": "acme"}, "lines": [
        {"phone": "+918000000001", "port": 5060},
        {"phone": "+918000000002", "port": true},
    ]}});
    assert_eq!(
        signups(billing(), &body),
        [
            json!({"account": "acme", "partner": "livekit", "number": "+918000000001", "inputs": {"port": "5060"}}),
            json!({"account": "acme", "partner": "livekit", "number": "+918000000002", "inputs": {"port": "true"}}),
        ]
    );
    let none = json!({"invoice": {"customer": {"name": "acme"}, "lines": []}});
    assert_eq!(signups(billing(), &none), [] as [Value; 0]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let body = json!({"event": "form.submitted", "id": 1.5, "answers": {
        "company": {"name": "acme", "size": 3},
        "platform": "Elsewhere",
        "phone": 918_000_000_001_i64,
        "addresses": [["203.0.114.1"]],
    }});
    let told = told(form(), &body);
    let expected = [
        (
            "account",
            "/answers/company",
            "an object with name, size; point at one of its keys",
        ),
        ("inputs.source_ips", "/answers/addresses", "this is a list"),
        ("key", "/id", "a fraction"),
        (
            "number",
            "/answers/phone",
            "have it sent as a text such as \"+918000000001\"",
        ),
        (
            "partner",
            "/answers/platform",
            "does not translate \"Elsewhere\"; it knows 2, LiveKit Cloud",
        ),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((item, field, pointer, message), expected) in told.iter().zip(expected) {
        assert_eq!((field.as_str(), pointer.as_str()), (expected.0, expected.1));
        assert!(
            *item == Some(1) && message.contains(expected.2),
            "{message}"
        );
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let line = json!({"invoice": {"lines": [{"fone": "+918000000001"}, {"phone": null}]}});
    let told = told(billing(), &line);
    let expected = [
        (
            1,
            "account",
            "/invoice/customer/name",
            "every signup needs account; /invoice is an object with lines",
        ),
        (
            1,
            "number",
            "/invoice/lines/0/phone",
            "/invoice/lines/0 is an object with fone",
        ),
        (2, "account", "/invoice/customer/name", "nothing is there"),
        (
            2,
            "number",
            "/invoice/lines/1/phone",
            "it is empty, and every signup needs number",
        ),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((item, field, pointer, message), expected) in told.iter().zip(expected) {
        let place = (item.unwrap(), field.as_str(), pointer.as_str());
        assert_eq!(place, (expected.0, expected.1, expected.2));
        assert!(message.contains(expected.3), "{message}");
    }
}

#[test]
fn a_message_as_a_whole_can_be_wrong() {
    let cases = [
        (
            json!({}),
            "/invoice/lines",
            "nothing is there, where a list should be; the message is an empty object",
        ),
        (
            json!({"invoice": {"lines": "two"}}),
            "/invoice/lines",
            "a text, where a list",
        ),
        (json!([]), "/invoice/lines", "the message is a list of 0"),
        (
            json!({"invoice": {"lines": vec![1; 1001]}}),
            "/invoice/lines",
            "1001 signups; a message has at most 1000",
        ),
    ];
    for (body, pointer, message) in cases {
        let told = told(billing(), &body);
        assert_eq!((told[0].0, told[0].2.as_str()), (None, pointer), "{told:?}");
        assert!(told[0].3.contains(message), "{told:?}");
    }
}

#[test]
fn problems_of_a_long_list_are_counted_and_not_all_told() {
    let body = json!({"invoice": {"customer": {"name": "acme"}, "lines": vec![json!({}); 1000]}});
    let mapping = Mapping::new(billing()).unwrap();
    let Err(Error::Unfit { problems, more }) = mapping.read(&body) else {
        panic!("taken");
    };
    assert_eq!((problems.len(), more), (100, 900));
}

#[test]
fn a_message_that_is_not_meant_is_ignored_whatever_it_looks_like() {
    let bodies = [
        json!({"event": "form.opened"}),
        json!({"event": null}),
        json!({"event": {"form.submitted": 1}}),
        json!([]),
        json!(7),
    ];
    for body in bodies {
        let Ok(Read::Ignored { reason }) = read(form(), &body) else {
            panic!("not ignored: {body}");
        };
        assert!(reason.starts_with("at /event stands "), "{reason}");
    }
}

#[test]
fn without_a_mapping_a_message_or_its_data_is_the_signup() {
    let own = json!({"account": "acme", "partner": "livekit", "number": "+918000000001", "inputs": {"a": 1}});
    let cases = [
        (own.clone(), 1),
        (json!([own, own]), 2),
        (
            json!({"type": "signup.created", "timestamp": "2026-03-01T00:00:00Z", "data": own}),
            1,
        ),
        (json!({"data": [own, own, own]}), 3),
        (json!({"data": []}), 0),
    ];
    for (body, count) in cases {
        assert_eq!(
            signups(Draft::default(), &body),
            vec![own.clone(); count],
            "{body}"
        );
    }
    for body in [json!(7), json!({"data": "acme"}), json!([[]])] {
        let told = told(Draft::default(), &body);
        assert!(told[0].3.contains("a signup is an object"), "{told:?}");
    }
}

#[test]
fn a_fields_place_in_the_message_is_known_afterwards() {
    let line = json!({"phone": "+918000000001"});
    let lines = json!({"invoice": {"customer": {"name": "acme"}, "lines": [line, line]}});
    let own = json!({"account": "acme"});
    let cases = [
        (
            billing(),
            lines.clone(),
            "number",
            Some("/invoice/lines/1/phone"),
        ),
        (
            billing(),
            lines.clone(),
            "account",
            Some("/invoice/customer/name"),
        ),
        (billing(), lines.clone(), "partner", None),
        (billing(), lines, "caller_id", None),
        (
            Draft::default(),
            json!({"data": [own, own]}),
            "number",
            Some("/data/1/number"),
        ),
        (
            Draft::default(),
            json!([own, own]),
            "inputs.a/b",
            Some("/1/inputs/a~1b"),
        ),
        (
            Draft::default(),
            json!({"data": own}),
            "number",
            Some("/data/number"),
        ),
        (Draft::default(), own, "", Some("")),
    ];
    for (draft, body, field, pointer) in cases {
        let mapping = Mapping::new(draft).unwrap();
        let Ok(Read::Signups { origin, .. }) = mapping.read(&body) else {
            panic!("refused: {body}");
        };
        assert_eq!(
            mapping.pointer(&origin, 2, field).as_deref(),
            pointer,
            "{body} {field}"
        );
    }
}

#[test]
fn a_mapping_with_mistakes_is_refused_with_all_of_them() {
    let draft = Draft {
        items: Some("lines".into()),
        when: BTreeMap::from([
            ("/event".into(), vec![]),
            ("event".into(), vec!["x".into()]),
        ]),
        ..fields([
            ("acount", at("/account")),
            ("partner", always("Live Kit")),
            ("number", at("/a~2")),
            ("caller_id", always("12")),
            (
                "mode",
                translated("/mode", &[("a", "pstn"), ("b", "carrier")]),
            ),
            ("direction", translated("/direction", &[])),
            (
                "trunk_name",
                Source::Constant(InputValue::List(vec!["a".into()])),
            ),
            ("inputs.", at("/x")),
        ])
    };
    let Err(Error::Settings(problems)) = Mapping::new(draft) else {
        panic!("taken");
    };
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "fields.acount: a signup has no field \"acount\" (did you mean account?)",
        "fields.caller_id: ",
        "fields.direction.map: it translates nothing",
        "fields.inputs.: a signup has no field",
        "fields.mode.map.b: ",
        "fields.number: \"/a~2\" is not a JSON Pointer",
        "fields.partner: \"Live Kit\" is not a partner's name",
        "fields.trunk_name: this is a list",
        "fields.account: it is missing",
        "items: \"lines\" is not a JSON Pointer; it begins with /",
        "when./event: no value would do",
        "when.event: \"event\" is not a JSON Pointer",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} / {expected}");
    }
}

#[test]
fn the_specifications_pointers_point_where_it_says() {
    // RFC 6901, section 5; a number stands for what is there.
    let message = json!({
        "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
        "k\"l": 6, " ": 7, "m~n": 8,
    });
    let cases = [
        ("/foo/0", Some("bar")),
        ("/", Some("0")),
        ("/a~1b", Some("1")),
        ("/c%d", Some("2")),
        ("/e^f", Some("3")),
        ("/g|h", Some("4")),
        ("/i\\j", Some("5")),
        ("/k\"l", Some("6")),
        ("/ ", Some("7")),
        ("/m~0n", Some("8")),
        ("/foo/00", None),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/~01", None),
    ];
    for (pointer, expected) in cases {
        let draft = fields([
            ("account", always("acme")),
            ("partner", always("livekit")),
            ("number", always("+918000000001")),
            ("key", at(pointer)),
        ]);
        let signup = &signups(draft, &message)[0];
        assert_eq!(
            signup.get("key").and_then(Value::as_str),
            expected,
            "{pointer}"
        );
    }
}
