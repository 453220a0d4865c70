//! The reader, the JSON Schema and recipes/README.md name the same fields.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::{collections::BTreeSet, fs, path::Path};

use onboarding::{Recipe, template::PLACEHOLDERS};
use serde_json::Value;

/// Every `table.key` of the schema, with its description.
fn documented() -> Vec<(String, String)> {
    let schema = Recipe::json_schema();
    let mut fields = Vec::new();
    let mut sections = vec![(String::new(), &schema)];
    for name in [
        "Input",
        "Table",
        "Outbound",
        "Inbound",
        "PartnerSettings",
        "Todo",
    ] {
        sections.push((format!("{name}."), &schema["$defs"][name]));
    }
    for (section, table) in sections {
        let properties = table["properties"].as_object().expect("properties");
        for (key, value) in properties {
            let description = value["description"].as_str().unwrap_or_default();
            fields.push((format!("{section}{key}"), description.to_owned()));
        }
    }
    fields
}

#[test]
fn every_field_of_the_schema_has_its_text_and_no_other_field_is_allowed() {
    for (field, description) in documented() {
        assert!(!description.is_empty(), "{field}");
    }
    let schema = Recipe::json_schema();
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    for name in [
        "Input",
        "Table",
        "Outbound",
        "Inbound",
        "PartnerSettings",
        "Todo",
    ] {
        assert_eq!(
            schema["$defs"][name]["additionalProperties"],
            Value::Bool(false),
            "{name}"
        );
    }
    let required: BTreeSet<&str> = schema["required"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        required,
        BTreeSet::from(["schema", "name", "title", "prefix", "directions"])
    );
}

#[test]
fn the_reader_knows_exactly_the_fields_of_the_schema() {
    let sections = [
        ("", "", "Recipe"),
        ("Input.", "inputs.x", "[inputs.x]\n"),
        ("Table.", "tables.x", "[tables.x]\n"),
        ("Outbound.", "outbound", "[outbound]\n"),
        ("Inbound.", "inbound", "[inbound]\n"),
        (
            "PartnerSettings.",
            "partner_settings",
            "[partner_settings]\n",
        ),
        ("Todo.", "todo.0", "[[todo]]\n"),
    ];
    for (section, path, header) in sections {
        let header = if section.is_empty() { "" } else { header };
        let text = format!("{header}zzzzzzzzzzzzzzzz = 1\n");
        let field = if path.is_empty() {
            "zzzzzzzzzzzzzzzz".to_owned()
        } else {
            format!("{path}.zzzzzzzzzzzzzzzz")
        };
        let problems = Recipe::parse(&text).unwrap_err();
        let told = problems
            .iter()
            .find(|p| p.field == field)
            .unwrap_or_else(|| panic!("{field}: {problems:?}"));
        let list = told.message.split("here may stand ").nth(1).unwrap();
        let known: BTreeSet<&str> = list.split(", ").collect();
        let documented = documented();
        let wanted: BTreeSet<&str> = documented
            .iter()
            .filter_map(|(name, _)| {
                let key = name.strip_prefix(section)?;
                (!key.contains('.')).then_some(key)
            })
            .collect();
        assert_eq!(known, wanted, "{section}");
    }
}

#[test]
fn the_readme_of_the_recipes_has_every_field_and_placeholder() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let names = |heading: &str| -> BTreeSet<String> {
        let section = readme
            .split("\n## ")
            .find(|part| part.starts_with(heading))
            .unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| row.split('`').next())
            .map(str::to_owned)
            .collect()
    };
    let fields: BTreeSet<String> = documented()
        .into_iter()
        .map(|(field, _)| {
            let (section, key) = field.split_once('.').unwrap_or(("", &field));
            match section {
                "" => key.to_owned(),
                "Input" => format!("inputs.NAME.{key}"),
                "Table" => format!("tables.NAME.{key}"),
                "Outbound" => format!("outbound.{key}"),
                "Inbound" => format!("inbound.{key}"),
                "PartnerSettings" => format!("partner_settings.{key}"),
                _ => format!("todo.{key}"),
            }
        })
        .filter(|field| {
            ![
                "inputs",
                "tables",
                "outbound",
                "inbound",
                "partner_settings",
                "todo",
            ]
            .contains(&field.as_str())
        })
        .collect();
    assert_eq!(names("Fields"), fields);
    let placeholders: BTreeSet<String> = PLACEHOLDERS
        .iter()
        .map(|(name, _)| format!("{{{name}}}"))
        .collect();
    assert_eq!(names("Placeholders"), placeholders);
}
