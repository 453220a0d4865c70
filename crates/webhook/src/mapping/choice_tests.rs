//! Elements that are chosen by what they are called.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Draft, Mapping,
    tests::{always, at, fields, signups, told},
};
use crate::Error;

/// Lists of names and values, as form tools, lead ads and shops send them, with the order changed.
#[test]
fn an_element_of_a_list_is_chosen_by_what_it_is_called_wherever_it_stands() {
    for (number, body) in [
        (
            "/form_response/answers/[field/ref=did]/phone_number",
            json!({"form_response": {"answers": [
                {"type": "phone_number", "phone_number": "+918000000009", "field": {"ref": "contact"}},
                {"type": "phone_number", "phone_number": "+918000000001", "field": {"ref": "did"}},
            ]}}),
        ),
        (
            "/data/fields/[label=Your number (DID)]/value",
            json!({"data": {"fields": [
                {"key": "q1", "label": "Contact", "value": "+918000000009"},
                {"key": "q2", "label": " Your number (DID)", "value": "+918000000001"},
            ]}}),
        ),
        (
            "/entry/[id=7]/changes/[field=leadgen]/value/field_data/[name=did]/values/0",
            json!({"entry": [{"id": 7, "changes": [{"field": "leadgen", "value": {"field_data": [
                {"name": "full_name", "values": ["made up"]},
                {"name": "did", "values": ["+918000000001"]},
            ]}}]}]}),
        ),
        (
            "/note_attributes/[name=a~1b]/value",
            json!({"note_attributes": [{"name": "c", "value": "x"}, {"name": "a/b", "value": "+918000000001"}]}),
        ),
        (
            "/note_attributes/[name=a/b]/value",
            json!({"note_attributes": [{"name": "a/b", "value": "+918000000001"}]}),
        ),
        // The values of an object, whose keys are numbers that a person's edit changes.
        (
            "/answers/[name=did]/answer",
            json!({"answers": {"3": {"name": "who", "answer": "x"}, "14": {"name": "did", "answer": "+918000000001"}}}),
        ),
    ] {
        let draft = || {
            fields([
                ("account", always("acme")),
                ("partner", always("livekit")),
                ("number", at(number)),
            ])
        };
        let read = signups(draft(), &body);
        assert_eq!(read[0]["number"], "+918000000001", "{number}");
        assert!(
            Mapping::new(draft()).unwrap().warnings().is_empty(),
            "{number}"
        );
    }
}

#[test]
fn what_a_choice_does_not_find_or_finds_twice_is_refused_with_what_there_is() {
    let draft = || {
        fields([
            ("account", always("acme")),
            ("partner", always("livekit")),
            ("number", at("/fields/[key=did]/value")),
        ])
    };
    let one = |key: &str| json!({"key": key, "value": "+918000000001"});
    for (body, says) in [
        (
            json!({"fields": [one("phone"), one("contact")]}),
            "/fields is a list of 2, whose elements have key \"phone\", \"contact\"",
        ),
        (
            json!({"fields": [{"name": "did"}]}),
            "/fields is a list of 1, and no element of it has key",
        ),
        (json!({"fields": "did"}), "/fields is a text"),
        (
            json!({"fields": [one("did"), one("did")]}),
            "2 elements have this key",
        ),
        (
            json!({"fields": [{"key": "did"}]}),
            "/fields/[key=did] is an object with key",
        ),
    ] {
        let problems = told(draft(), &body);
        assert_eq!(problems.len(), 1, "{body}");
        let (_, field, pointer, message) = &problems[0];
        assert_eq!(
            (field.as_str(), pointer.as_str()),
            ("number", "/fields/[key=did]/value")
        );
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_choice_that_names_nothing_is_refused_at_the_start() {
    for pointer in [
        "/a/[=did]/b",
        "/a/[key=]/b",
        "/a/[x//y=did]/b",
        "/a/[key= ]",
    ] {
        let draft = fields([
            ("account", always("acme")),
            ("partner", always("livekit")),
            ("number", at(pointer)),
        ]);
        let Err(Error::Settings(problems)) = Mapping::new(draft) else {
            panic!("{pointer} is taken");
        };
        assert!(
            problems[0].message.contains("[MEMBER=VALUE]"),
            "{problems:?}"
        );
    }
    // Brackets that choose nothing are keys.
    let draft = fields([
        ("account", at("/[a]")),
        ("partner", always("livekit")),
        ("number", at("/did[0]=x/y")),
    ]);
    let body = json!({"[a]": "acme", "did[0]=x": {"y": "+918000000001"}});
    assert_eq!(signups(draft, &body)[0]["account"], "acme");
}

#[test]
fn a_pointer_that_counts_elements_on_its_way_is_warned_of() {
    let draft = Draft {
        items: Some("/entry/0/changes".into()),
        when: BTreeMap::from([("/events/0/type".into(), vec!["x".into()])]),
        ..fields([
            ("account", at("#/data/fields/2/value")),
            ("partner", at("/partners/0")),
            ("number", at("/2/value")),
            ("key", at("/12a/value")),
        ])
    };
    let warnings = Mapping::new(draft).unwrap().warnings();
    let told: Vec<(&str, bool)> = warnings
        .iter()
        .map(|problem| {
            let better = match problem.field.as_str() {
                "fields.account" => "#/data/fields/[MEMBER=VALUE]/value",
                "fields.number" => "/[MEMBER=VALUE]/value",
                "items" => "/entry/[MEMBER=VALUE]/changes",
                _ => "/events/[MEMBER=VALUE]/type",
            };
            (problem.field.as_str(), problem.message.ends_with(better))
        })
        .collect();
    let expected = [
        "fields.account",
        "fields.number",
        "items",
        "when./events/0/type",
    ];
    assert_eq!(told, expected.map(|field| (field, true)), "{warnings:?}");
}
