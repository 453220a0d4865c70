//! The examples of docs/webhooks.md.

use std::path::Path;

use onboarding::{InputValue, RawSignup, RecipeBook};
use toml::Value;
use webhook::{Draft, Mapping, Read, Source};

/// The blocks of code of this language, in their order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let begun = page.split(fence.as_str()).skip(1);
    begun
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn source(value: &Value) -> Source {
    if let Some(constant) = value.get("value") {
        return Source::Constant(InputValue::Text(text(constant)));
    }
    match value.get("map").and_then(Value::as_table) {
        None => Source::Pointer(text(value)),
        Some(map) => Source::Translated {
            pointer: text(&value["pointer"]),
            map: map
                .iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
        },
    }
}

/// The mapping of the only sender in a block.
fn mapping(block: &str) -> Mapping {
    let settings: toml::Table = block.parse().unwrap();
    let senders = settings["senders"].as_table().unwrap();
    let sender = senders.values().next().unwrap();
    let table = |key: &str| sender.get(key).and_then(Value::as_table).unwrap();
    let meant = |value: &Value| value.as_array().unwrap().iter().map(text).collect();
    Mapping::new(Draft {
        fields: table("fields")
            .iter()
            .map(|(name, value)| (name.clone(), source(value)))
            .collect(),
        items: sender.get("items").map(text),
        when: table("when")
            .iter()
            .map(|(pointer, values)| (pointer.clone(), meant(values)))
            .collect(),
    })
    .unwrap()
}

#[test]
fn the_examples_of_the_page_become_signups_that_their_recipes_take() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/webhooks.md");
    let page = std::fs::read_to_string(path).unwrap();
    let messages = blocks(&page, "json");
    let settings = blocks(&page, "toml");
    let book = RecipeBook::builtin();
    let mappings = [
        (mapping(&settings[0]), 1),
        (mapping(&settings[1]), 2),
        (Mapping::default(), 1),
    ];
    for (message, (mapping, expected)) in messages.iter().zip(mappings) {
        let Ok(Read::Signups { signups, .. }) =
            mapping.read(&serde_json::from_str(message).unwrap())
        else {
            panic!("not taken: {message}");
        };
        assert_eq!(signups.len(), expected, "{message}");
        for signup in signups {
            let taken = book.accept(&RawSignup::from_json(&signup));
            assert!(taken.is_ok(), "{signup}: {taken:?}");
        }
    }
}
